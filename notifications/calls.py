"""The call list: whom to telephone today, and what came of it. A patient is called once about all that is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict
from clinic.models import Clinic, Patient, User
from notifications.models import Message
from notifications.snapshots import VisitSnapshot

Status, Outcome = Message.Status, Message.Outcome


@dataclass(frozen=True)
class Call:
    """One patient to call, about all of `messages`, which are in order of due time."""

    patient: Patient
    messages: list[Message]

    @property
    def visits(self) -> list[VisitSnapshot]:
        """Each visit once, in its latest revision, by time; cancelled ones too."""
        latest: dict[str, VisitSnapshot] = {}
        for message in self.messages:
            for visit in message.visits():
                known = latest.get(visit.uid)
                if known is None or known.sequence < visit.sequence:
                    latest[visit.uid] = visit
        return sorted(latest.values(), key=lambda visit: visit.starts_at)

    @property
    def attempts(self) -> int:
        """How many calls have reached nobody."""
        return max(message.attempts for message in self.messages)

    @property
    def before(self) -> datetime:
        """When the call must have been made: the start of the first visit it is about."""
        return min(visit.starts_at for visit in self.visits)


def open_calls(*, clinic: Clinic, day: date, now: datetime) -> list[Call]:
    """The calls to make on a local day of the clinic, the most urgent first: what is due by its end and still ahead.

    Three statements, whatever the number of calls; patients come with their phones.
    """
    end = datetime.combine(day + timedelta(days=1), time.min, tzinfo=clinic.tz)
    messages = (
        Message.objects.filter(clinic=clinic, channel=Message.Channel.CALL, status=Status.PENDING, due_at__lt=end)
        .select_related("patient")
        .prefetch_related("patient__phones")
        .order_by("due_at", "pk")
    )
    by_patient: dict[int, list[Message]] = {}
    for message in messages:
        if any(visit.starts_at > now for visit in message.visits()):
            by_patient.setdefault(message.patient_id, []).append(message)
    calls = [Call(found[0].patient, found) for found in by_patient.values()]
    return sorted(calls, key=lambda call: call.before)


@transaction.atomic
def mark_reached(*, messages: Sequence[Message], by: User, now: datetime) -> None:
    """The patient was told. Raises Conflict when one of the messages is not open any more."""
    _close(messages, Outcome.REACHED, by, now)


@transaction.atomic
def mark_confirmed(*, messages: Sequence[Message], by: User, now: datetime) -> None:
    """The patient was told and will come. Raises Conflict as `mark_reached`."""
    _close(messages, Outcome.CONFIRMED, by, now)


@transaction.atomic
def mark_not_reached(*, messages: Sequence[Message], by: User, now: datetime) -> None:
    """Nobody answered: the call stays on the list, with one more attempt. Raises Conflict as `mark_reached`."""
    for message in _locked(messages):
        message.attempts += 1
        message.outcome = Outcome.NOT_REACHED
        message.handled_by = by
        message.next_attempt_at = now
        message.save(update_fields=["attempts", "outcome", "handled_by", "next_attempt_at"])


def _close(messages: Sequence[Message], outcome: Message.Outcome, by: User, now: datetime) -> None:
    keys = [message.pk for message in _locked(messages)]
    Message.objects.filter(pk__in=keys).update(status=Status.SENT, outcome=outcome, handled_by=by, sent_at=now)


def _locked(messages: Sequence[Message]) -> QuerySet[Message]:
    """The same messages, locked and still open."""
    open_now = (
        Message.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk__in=[message.pk for message in messages], channel=Message.Channel.CALL, status=Status.PENDING)
        .order_by("pk")
    )
    if len(open_now) != len(set(messages)):
        raise Conflict(
            _("This call is not open any more: it was made, or the visit has changed. Look at the list again.")
        )
    return open_now
