"""Writing to the outbox: what changes in the clinic's calendar, turned into messages that are true when they leave.

Every function belongs inside the transaction of the change it tells about. The rows of a patient's visits are locked
first, so that a worker that is just claiming one either has it already or finds it withdrawn.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from clinic.models import Clinic, Patient
from notifications import schedules
from notifications.models import Message
from notifications.recipients import recipient_of
from notifications.snapshots import Recipient, VisitSnapshot
from notifications.waking import wake

Kind, Channel, Status = Message.Kind, Message.Channel, Message.Status

CANCELLED = "visit cancelled"
REPLACED = "replaced by newer news"
INVITATION_SPACING = timedelta(seconds=2)


def announce_visits(
    *,
    clinic: Clinic,
    patient: Patient,
    visits: Iterable[VisitSnapshot],
    summary_key: str | None = None,
    now: datetime,
    send_from: datetime | None = None,
) -> None:
    """Enqueue what a patient must hear about visits that were booked, changed or cancelled at `now`.

    `visits` are all of this patient in this clinic, as they are after the change. With `summary_key` the visits
    that stand are summarised in one message as well. Messages leave once the clinic's settle time after
    `send_from` (default `now`) has passed. Repeated with the same sequences it does nothing.
    Raises `transaction.TransactionManagementError` outside a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("messages are enqueued inside the transaction of their change")
    by_uid = {visit.uid: visit for visit in visits}
    if not by_uid:
        return
    known = list(
        Message.objects.select_for_update(of=("self",), no_key=True)
        .filter(patient=patient)
        .filter(Q(subject__in=list(by_uid)) | Q(kind=Kind.SUMMARY))
        .order_by("pk")
    )
    begin = send_from or now
    _Announcement(clinic, recipient_of(patient, clinic), known, now=now, begin=begin).make(by_uid, summary_key)
    if not clinic.settle_minutes:
        transaction.on_commit(wake, robust=True)


def withdraw_reminders(*, uids: Iterable[str], reason: str, now: datetime) -> int:
    """Withdraw the unsent reminders of these visits (confirmed, arrived). Returns how many there were."""
    return _withdraw(Message.objects.filter(subject__in=list(uids), kind=Kind.REMINDER), reason)


def restore_reminders(*, uids: Iterable[str], reason: str, now: datetime) -> int:
    """Let the reminders of these visits that were withdrawn for `reason` go after all, where they are still to come.

    Returns how many there were.
    """
    withdrawn = Message.objects.filter(
        subject__in=list(uids), kind=Kind.REMINDER, status=Status.WITHDRAWN, reason=reason, due_at__gt=now
    )
    return withdrawn.update(status=Status.PENDING, reason="", next_attempt_at=F("due_at"))


def withdraw(*, subjects: Iterable[str], reason: str, now: datetime) -> int:
    """Withdraw whatever is unsent about these visits or summary keys. Returns how many there were."""
    return _withdraw(Message.objects.filter(subject__in=list(subjects)), reason)


def _withdraw(messages: QuerySet[Message], reason: str) -> int:
    # A leased one may be withdrawn as well: the worker reads the row again just before it sends. Locked in order, as
    # everywhere, so that two who want the same rows wait for each other only one way.
    unsent = messages.filter(status__in=Message.UNSENT).select_for_update(of=("self",), no_key=True).order_by("pk")
    keys = list(unsent.values_list("pk", flat=True))
    return Message.objects.filter(pk__in=keys).update(status=Status.WITHDRAWN, reason=reason, lease=None)


class _Announcement:
    """One call of `announce_visits`: collects all rows first, then writes them with one statement of each sort."""

    def __init__(
        self, clinic: Clinic, recipient: Recipient, known: list[Message], *, now: datetime, begin: datetime
    ) -> None:
        self.clinic = clinic
        self.recipient = recipient
        self.known = known
        self.now = now
        self.begin = begin
        self.settled = begin + timedelta(minutes=clinic.settle_minutes)
        self.quiet = schedules.QuietHours(clinic.quiet_from, clinic.quiet_until)
        self.sender = sender_address(clinic)
        self.new: list[Message] = []
        self.withdrawn: dict[str, list[int]] = {}
        self.rewritten: list[Message] = []

    def make(self, visits: dict[str, VisitSnapshot], summary_key: str | None) -> None:
        fresh = [visit for visit in visits.values() if not self._is_stale(visit)]
        if summary_key is not None:
            self._summarise(summary_key, visits)
        for visit in sorted(fresh, key=lambda visit: visit.starts_at):
            self._tell(visit, in_summary=summary_key is not None)
        self._correct_summaries(fresh, except_key=summary_key)
        self._write()

    def _about(self, uid: str) -> list[Message]:
        return [message for message in self.known if message.subject == uid and message.kind != Kind.SUMMARY]

    def _is_stale(self, visit: VisitSnapshot) -> bool:
        """Whether this revision, or a later one, was announced before."""
        return any(message.revision >= visit.sequence for message in self._about(visit.uid))

    def _tell(self, visit: VisitSnapshot, *, in_summary: bool) -> None:
        earlier = self._about(visit.uid)
        for message in earlier:
            # News that is leased may be on its way already; what follows waits until that is known.
            if message.status == Status.PENDING or (message.kind == Kind.REMINDER and message.status == Status.LEASED):
                self._withdraw(message, CANCELLED if visit.cancelled else REPLACED)
        told = _Told.of(visit.uid, earlier, [message for message in self.known if message.kind == Kind.SUMMARY])
        if visit.cancelled:
            self._tell_cancelled(visit, told)
            return
        self._remind(visit)
        if self.recipient.channel == Channel.EMAIL:
            self._mail_standing(visit, told)
        elif told.heard is None and not in_summary:
            self._call(Kind.INVITATION, visit, self.settled)
        elif told.heard is not None and not (told.is_sure and visit.tells_the_same_as(told.heard)):
            # One call about several visits, not one for each.
            if not (in_summary and self._is_summarised(visit)):
                self._call(Kind.CHANGE, visit, self.settled)

    def _is_summarised(self, visit: VisitSnapshot) -> bool:
        messages = [*self.new, *self.rewritten]
        return any(message.kind == Kind.SUMMARY and visit.uid in message.visits_by_uid() for message in messages)

    def _tell_cancelled(self, visit: VisitSnapshot, told: _Told) -> None:
        if told.heard is None or told.heard.starts_at <= self.now or (told.heard.cancelled and told.is_sure):
            return
        by_mail = told.calendar or (told.heard if told.by_summary_mail else None)
        if self.recipient.channel != Channel.EMAIL or by_mail is None:
            self._call(Kind.CANCELLATION, visit, self.settled)
            return
        due_at = self._decent(by_mail.starts_at)
        if schedules.is_near(told.heard.starts_at, self.now) or due_at >= told.heard.starts_at:
            self._call(Kind.CANCELLATION, visit, self.begin)
            # What the calendar holds at the time people are called about passes by itself.
            if by_mail.starts_at == told.heard.starts_at:
                return
        self._mail(Kind.CANCELLATION, visit, due_at, by_mail.starts_at, told)

    def _mail_standing(self, visit: VisitSnapshot, told: _Told) -> None:
        if told.calendar is not None and told.calendar_is_sure and visit.tells_the_same_as(told.calendar):
            return
        kind = Kind.INVITATION if told.heard is None or told.heard.cancelled else Kind.CHANGE
        starts = [visit.starts_at, *([told.calendar.starts_at] if told.calendar else [])]
        due_at = self._invitation_due() if kind == Kind.INVITATION else self._decent(*starts)
        ahead = [start for start in starts if start > self.now] or starts
        too_late = kind == Kind.CHANGE and due_at >= min(ahead) > self.now
        if too_late or any(schedules.is_near(start, self.now) for start in starts):
            self._call(kind, visit, self.begin)
        # A mail besides the call, where the calendar would else be wrong on another day.
        if not all(schedules.is_near(start, self.now) for start in starts):
            self._mail(kind, visit, due_at, max(starts), told)

    def _decent(self, *about: datetime) -> datetime:
        return schedules.first_decent_moment(self.settled, zone=self.clinic.zone, quiet=self.quiet, about=about)

    def _invitation_due(self) -> datetime:
        # Some servers defer what comes as a flood. Without settle time the clinic wants everything at once.
        if not self.clinic.settle_minutes:
            return self.settled
        invited = sum(message.kind == Kind.INVITATION for message in self.new)
        return self.settled + invited * INVITATION_SPACING

    def _remind(self, visit: VisitSnapshot) -> None:
        offsets = self.clinic.reminder_offsets
        if self.recipient.channel == Channel.CALL and offsets:
            offsets = [min(offsets)]  # a second call about one visit is a nuisance
        for reminder in schedules.plan_reminders(
            starts_at=visit.starts_at, zone=visit.zone, offsets=offsets, quiet=self.quiet, now=self.now
        ):
            if schedules.is_near(visit.starts_at, reminder.due_at):
                self._call(Kind.REMINDER, visit, reminder.due_at, offset=reminder.offset)
                continue
            message = self._message(Kind.REMINDER, visit.uid, [visit], reminder.due_at, self.recipient.channel)
            message.offset = reminder.offset
            message.revision = visit.sequence
            message.expires_at = self._expiry(visit.starts_at, reminder.due_at)
            self.new.append(message)

    def _call(self, kind: Message.Kind, visit: VisitSnapshot, due_at: datetime, offset: int | None = None) -> None:
        message = self._message(kind, visit.uid, [visit], due_at, Channel.CALL)
        message.offset = offset
        message.revision = visit.sequence
        self.new.append(message)

    def _mail(
        self, kind: Message.Kind, visit: VisitSnapshot, due_at: datetime, last_start: datetime, told: _Told
    ) -> None:
        message = self._message(kind, visit.uid, [visit], due_at, Channel.EMAIL)
        message.revision = visit.sequence
        message.expires_at = self._expiry(last_start, due_at)
        if told.request is not None:
            # An update from another organizer is ignored, so the sender stays who invited.
            message.snapshot["sender"] = told.request.snapshot["sender"]
        if kind == Kind.CANCELLATION:
            message.snapshot["with_calendar"] = told.calendar is not None
            message.address = told.request.address if told.request else ""
        self.new.append(message)

    def _expiry(self, starts_at: datetime, due_at: datetime) -> datetime | None:
        """Until when it may go by mail; no limit for what was announced about the past, which is on purpose then."""
        return schedules.latest_mail(starts_at, due_at) if starts_at > due_at else None

    def _summarise(self, key: str, visits: dict[str, VisitSnapshot]) -> None:
        earlier = [message for message in self.known if message.kind == Kind.SUMMARY and message.subject == key]
        standing = {uid: visit for uid, visit in visits.items() if not visit.cancelled}
        latest = next((m for m in reversed(earlier) if m.status not in (Status.WITHDRAWN, Status.DEAD)), None)
        if latest is not None and latest.status == Status.PENDING:
            held = latest.visits_by_uid()
            wanted = {uid: visit for uid, visit in (held | visits).items() if not visit.cancelled}
            if wanted != held:
                self._rewrite(latest, wanted)
            return
        if not standing or all(schedules.is_near(visit.starts_at, self.now) for visit in standing.values()):
            return
        if latest is not None:
            held = latest.visits_by_uid()
            if all(uid in held and visit.tells_the_same_as(held[uid]) for uid, visit in standing.items()):
                return
        message = self._message(Kind.SUMMARY, key, standing.values(), self.settled, self.recipient.channel)
        message.revision = max((m.revision for m in earlier), default=-1) + 1
        self.new.append(message)

    def _correct_summaries(self, changed: Iterable[VisitSnapshot], *, except_key: str | None) -> None:
        """Summaries not sent yet must not tell what has changed since."""
        for message in self.known:
            if message.kind != Kind.SUMMARY or message.status != Status.PENDING or message.subject == except_key:
                continue
            held = message.visits_by_uid()
            wanted = held | {visit.uid: visit for visit in changed if visit.uid in held}
            wanted = {uid: visit for uid, visit in wanted.items() if not visit.cancelled}
            if wanted != held:
                self._rewrite(message, wanted)

    def _rewrite(self, message: Message, visits: dict[str, VisitSnapshot]) -> None:
        if not visits:
            self._withdraw(message, CANCELLED)
            return
        message.snapshot["visits"] = [visit.to_json() for visit in visits.values()]
        message.due_at = message.next_attempt_at = max(self.settled, message.next_attempt_at)
        self.rewritten.append(message)

    def _message(
        self, kind: Message.Kind, subject: str, visits: Iterable[VisitSnapshot], due_at: datetime, channel: str
    ) -> Message:
        return Message(
            clinic_id=self.clinic.pk,
            patient_id=self.recipient.patient_id,
            subject=subject,
            kind=kind,
            recipient=self.recipient.key,
            channel=channel,
            language=self.recipient.language,
            snapshot={"visits": [visit.to_json() for visit in visits], "sender": self.sender},
            message_id=make_message_id(self.sender) if channel == Channel.EMAIL else "",
            created_at=self.now,
            due_at=due_at,
            next_attempt_at=due_at,
        )

    def _withdraw(self, message: Message, reason: str) -> None:
        message.status = Status.WITHDRAWN
        self.withdrawn.setdefault(reason, []).append(message.pk)

    def _write(self) -> None:
        for reason, keys in self.withdrawn.items():
            Message.objects.filter(pk__in=keys).update(status=Status.WITHDRAWN, reason=reason, lease=None)
        if self.rewritten:
            Message.objects.bulk_update(self.rewritten, ["snapshot", "due_at", "next_attempt_at"])
        if self.new:
            # The same announcement made twice at once must not fail either of the changes it belongs to.
            Message.objects.bulk_create(self.new, ignore_conflicts=True)


@dataclass(frozen=True)
class _Told:
    """What a patient has been told about one visit: by mail, by phone, in a summary.

    request: the last REQUEST that may have reached the patient's calendar
    calendar: the visit as that calendar may hold it, None where it surely holds none
    heard: the visit as the patient may last have heard of it, None when never
    calendar_is_sure, is_sure: the last mail, the last news, has arrived, or is on its way and nothing will stop it; not
        one that was claimed, then withdrawn, of which nobody knows whether it arrived
    by_summary_mail: what was heard came only in a summary by mail
    """

    request: Message | None = None
    calendar: VisitSnapshot | None = None
    heard: VisitSnapshot | None = None
    calendar_is_sure: bool = False
    is_sure: bool = False
    by_summary_mail: bool = False

    @classmethod
    def of(cls, uid: str, about: list[Message], summaries: list[Message]) -> _Told:
        news = [message for message in about if message.kind in Message.NEWS and message.may_have_reached]
        mails = sorted((m for m in news if m.channel == Channel.EMAIL), key=lambda m: m.revision)
        requests = [message for message in mails if message.kind != Kind.CANCELLATION]
        calendar = None
        if requests and not (mails[-1].kind == Kind.CANCELLATION and _is_certain(mails[-1])):
            calendar = requests[-1].visits_by_uid()[uid]
        heard = [(message.visits_by_uid()[uid], message) for message in news]
        reached = [(message.visits_by_uid(), message) for message in summaries if message.may_have_reached]
        heard += [(held[uid], message) for held, message in reached if uid in held]
        if not heard:
            return cls()
        # Of the same revision, the news itself counts, not the summary that repeats it.
        last, message = max(heard, key=lambda entry: (entry[0].sequence, entry[1].kind != Kind.SUMMARY))
        return cls(
            request=requests[-1] if requests else None,
            calendar=calendar,
            heard=last,
            calendar_is_sure=bool(mails) and _is_certain(mails[-1]),
            is_sure=_is_certain(message),
            by_summary_mail=message.kind == Kind.SUMMARY and message.channel == Channel.EMAIL,
        )


def _is_certain(message: Message) -> bool:
    return message.status in (Status.SENT, Status.LEASED)


def sender_address(clinic: Clinic) -> str:
    """The address a clinic's messages come from, without a name."""
    return clinic.email or parseaddr(settings.DEFAULT_FROM_EMAIL)[1]


def make_message_id(sender: str) -> str:
    """A Message-ID of the sender's own domain."""
    return f"<{uuid.uuid4()}@{sender.rpartition('@')[2] or 'localhost'}>"
