"""What patients were told: mails that the workers deliver, and those who must be telephoned."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone

from clinic.models import Clinic, Patient
from notifications.models import Message

Status = Message.Status
PATIENCE = 60.0  # without a single mail leaving
POLL_SECONDS = 0.2


class DeliveryStoppedError(Exception):
    """Mails wait and none leaves: the worker or the mail server is not there."""


@dataclass(frozen=True)
class Mails:
    sent: int
    waiting: int
    refused: int


def count_mails(clinic: Clinic) -> Mails:
    """Mails whose time has come. Reminders, and news kept back for the night, have theirs later."""
    due = _mails(clinic).filter(due_at__lte=timezone.now())
    return Mails(
        sent=due.filter(status=Status.SENT).count(),
        waiting=due.filter(status__in=Message.UNSENT).count(),
        refused=due.filter(status=Status.DEAD).count(),
    )


def wait_for_mails(clinic: Clinic, *, progress: Callable[[Mails], None] = lambda _mails: None) -> Mails:
    """Until every mail whose time has come has left. Raises DeliveryStoppedError when none leaves for a minute."""
    moved = time.monotonic()
    before = -1
    while True:
        mails = count_mails(clinic)
        progress(mails)
        if not mails.waiting:
            return mails
        if mails.sent != before:
            before, moved = mails.sent, time.monotonic()
        elif time.monotonic() - moved > PATIENCE:
            raise DeliveryStoppedError(
                f"{mails.waiting} mails wait and none has left for {PATIENCE:.0f} s. Are the worker and the mail "
                "server running?"
            )
        time.sleep(POLL_SECONDS)


@dataclass(frozen=True)
class Call:
    """A patient who is told by telephone, and why."""

    patient: Patient
    reason: str

    def __str__(self) -> str:
        number = next(iter(self.patient.phones.all()), None)
        return f"{self.patient.full_name}, {number.number if number else 'no phone'} ({self.reason})"


def patients_to_call(clinic: Clinic) -> list[Call]:
    """Everybody whose new visits cannot be told by mail."""
    news = Message.objects.filter(clinic=clinic, channel=Message.Channel.CALL, status=Status.PENDING)
    about = news.exclude(kind=Message.Kind.REMINDER).values("patient")
    patients = Patient.objects.filter(pk__in=about).prefetch_related("phones").order_by("full_name", "pk")
    return [Call(patient, _reason(patient)) for patient in patients]


def _reason(patient: Patient) -> str:
    if not patient.email:
        return "no e-mail"
    return "no consent to e-mail" if not patient.consent_email else "the visit is too near for a mail"


def _mails(clinic: Clinic) -> QuerySet[Message]:
    mails = Message.objects.filter(clinic=clinic, channel=Message.Channel.EMAIL)
    return mails.exclude(kind=Message.Kind.REMINDER)
