"""Sending what is due: claim a batch with a lease, send each mail, mark each by itself.

Nothing is lost: a row is `pending` or `leased` until the server has taken it, and a lease that ends is claimed again.
While a mark is being committed the next mail is only rendered, never handed over, so a killed worker leaves at most one
mail that goes a second time. It keeps its Message-ID, UID, SEQUENCE and DTSTAMP. Logs name messages by number only.
"""

from __future__ import annotations

import logging
import random
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from clinic.models import Task
from notifications import schedules
from notifications.mails import Letter, UnwritableAddressError, render_letter
from notifications.models import Message
from notifications.transport import Deferred, Refused, Transport, Unreachable

logger = logging.getLogger(__name__)
Channel, Kind, Status = Message.Channel, Message.Kind, Message.Status
Clock = Callable[[], datetime]

BATCH = 50
# A stuck server answers or times out (EMAIL_TIMEOUT) within the margin, so a lease never ends under a mail being sent.
LEASE = timedelta(seconds=90)
LEASE_MARGIN = timedelta(seconds=30)
RUN = timedelta(minutes=4)
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=4)
# Later than this a message is overdue and minds the quiet hours again.
OVERDUE = timedelta(minutes=30)

TOO_LATE = "too late"
REPLACED = "replaced by newer news"
TO_CALL = "no mail possible, to be called"

_jitter = random.SystemRandom()


@dataclass
class Delivered:
    """What one run did: mails sent, put off, refused for good, handed to the telephone or withdrawn."""

    sent: int = 0
    deferred: int = 0
    refused: int = 0
    other: int = 0
    more: bool = False


@dataclass
class _Unsent:
    """Messages of a batch that were not sent, and why; settled together at the batch's end."""

    released: list[Message] = field(default_factory=list)
    postponed: list[tuple[Message, datetime]] = field(default_factory=list)
    deferred: list[tuple[Message, Deferred]] = field(default_factory=list)
    refused: list[tuple[Message, str]] = field(default_factory=list)
    to_call: list[Message] = field(default_factory=list)


def deliver_due(*, clock: Clock = timezone.now, on_backlog: Callable[[], None] = lambda: None) -> Delivered:
    """Send all mails that are due, for at most RUN; `more` says whether some were left.

    `on_backlog` is called once when there is more than one batch, so that another worker can help.
    """
    started = clock()
    tidy(now=started)
    done = Delivered()
    asked_for_help = False
    with Transport() as transport:
        while True:
            now = clock()
            if now - started > RUN:
                done.more = True
                break
            batch = claim(now=now)
            if not batch:
                break
            if len(batch) == BATCH and not asked_for_help:
                asked_for_help = True
                on_backlog()
            if not _deliver(batch, transport, clock, done):
                break
    if done != Delivered():
        logger.info(
            "outbox: sent %d, deferred %d, refused %d, other %d", done.sent, done.deferred, done.refused, done.other
        )
    return done


def tidy(*, now: datetime) -> None:
    """Withdraw failed mails that newer news replaced, and hand to the telephone what is too late for a mail."""
    free = _unsent_mails(now).select_for_update(skip_locked=True, of=("self",)).order_by("pk")
    with transaction.atomic():
        replaced = list(free.filter(Exists(_newer())).values_list("pk", flat=True))
        if replaced:
            Message.objects.filter(pk__in=replaced).update(status=Status.WITHDRAWN, lease=None, reason=REPLACED)
        _hand_to_phone(list(free.filter(expires_at__lte=now)[:1000]), now)


def claim(*, now: datetime, size: int = BATCH) -> list[Message]:
    """Lease up to `size` due mails to the caller, in order of their time.

    Nothing about a visit is claimed while something older about it, for the same person, is unsent or leased: a
    cancellation that overtook its invitation would leave the visit in the calendar.
    """
    older = Message.objects.filter(
        subject=OuterRef("subject"),
        recipient=OuterRef("recipient"),
        channel=Channel.EMAIL,
        status__in=Message.UNSENT,
        revision__lt=OuterRef("revision"),
    )
    lease = uuid.uuid4()
    with transaction.atomic():
        batch = list(
            _unsent_mails(now)
            .filter(~Exists(older), Q(expires_at=None) | Q(expires_at__gt=now))
            .select_related("patient", "clinic")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("next_attempt_at", "pk")[:size]
        )
        Message.objects.filter(pk__in=[message.pk for message in batch]).update(
            status=Status.LEASED,
            lease=lease,
            next_attempt_at=now + LEASE,
            claimed_at=Coalesce(F("claimed_at"), now),
        )
    for message in batch:
        message.lease = lease
    return batch


def _unsent_mails(now: datetime) -> QuerySet[Message]:
    return Message.objects.filter(channel=Channel.EMAIL, status__in=Message.UNSENT, next_attempt_at__lte=now)


def _newer() -> QuerySet[Message]:
    return Message.objects.filter(
        subject=OuterRef("subject"),
        recipient=OuterRef("recipient"),
        channel=Channel.EMAIL,
        kind__in=Message.NEWS,
        status__in=Message.UNSENT,  # it cannot have gone before what is older
        revision__gt=OuterRef("revision"),
    )


def _deliver(batch: list[Message], transport: Transport, clock: Clock, done: Delivered) -> bool:
    """Send a batch. Returns False when the server cannot be reached and the run had better end."""
    unsent = _Unsent()
    reachable = True
    connection.ensure_connection()
    raw: Any = connection.connection
    with raw.pipeline() as pipeline:
        question = _ask(raw, batch[0])
        pipeline.sync()
        for number, message in enumerate(batch):
            address = message.address or message.patient.email
            content = _render(message, address, clock())  # while the last mark is being committed
            answer = _Answer(*(question.fetchone() or _GONE))
            if not reachable:
                unsent.released.append(message)
            elif _may_go(message, answer, clock(), unsent, done):
                if not message.address and answer.email != address:
                    address = answer.email
                    content = _render(message, address, clock())
                try:
                    _send(transport, message, address, content)
                except Unreachable as error:
                    logger.warning("mail server: %s", error)
                    reachable = False
                    unsent.released.append(message)
                except Deferred as error:
                    unsent.deferred.append((message, error))
                except Refused as error:
                    unsent.refused.append((message, str(error)))
                else:
                    _mark_sent(raw, message, address, clock())
                    done.sent += 1
            # Each sync ends a transaction of its own, so a mark does not wait for the rest of the batch.
            pipeline.sync()
            if number + 1 < len(batch):
                question = _ask(raw, batch[number + 1])
                pipeline.sync()
    _settle(unsent, clock(), done)
    return reachable


def _may_go(message: Message, answer: _Answer, now: datetime, unsent: _Unsent, done: Delivered) -> bool:
    """Whether a claimed message may still go, by what the database says now; if not, `unsent` gets it."""
    if not answer.still_ours:
        done.other += 1
    elif answer.leased_until - now < LEASE_MARGIN:
        unsent.released.append(message)
    elif not (answer.email and answer.consent_email and answer.consent_data):
        unsent.to_call.append(message)
    elif later := _decent_later(message, now):
        unsent.postponed.append((message, later))
    else:
        return True
    return False


class _Answer(NamedTuple):
    still_ours: bool
    leased_until: datetime
    email: str
    consent_email: bool
    consent_data: bool


_GONE = _Answer(False, datetime.max.replace(tzinfo=UTC), "", False, False)
_ASK = """
SELECT m.status = 'leased' AND m.lease = %s, m.next_attempt_at, p.email, p.consent_email, p.consent_data
FROM notifications_message m JOIN clinic_patient p ON p.resource_id = m.patient_id WHERE m.id = %s
"""
# Whatever happened to the row meanwhile, the mail has gone: that is a fact.
_MARK = """
UPDATE notifications_message
SET status = 'sent', sent_at = %s, address = %s, lease = NULL, attempts = attempts + 1, reason = '' WHERE id = %s
"""


def _ask(raw: Any, message: Message) -> Any:
    """Queue the question whether the message may still go and where to; the answer is fetched when it is needed."""
    return raw.execute(_ASK, [message.lease, message.pk])


def _mark_sent(raw: Any, message: Message, address: str, now: datetime) -> None:
    raw.execute(_MARK, [now, address, message.pk])


def _send(transport: Transport, message: Message, address: str, content: bytes | Exception) -> None:
    if isinstance(content, UnwritableAddressError):
        raise Refused(str(content))
    if isinstance(content, Exception):
        raise Deferred(f"could not be written: {type(content).__name__}")
    transport.send(sender=message.snapshot["sender"], to=_wire_address(address), content=content)


def _render(message: Message, address: str, now: datetime) -> bytes | Exception:
    """The mail, or why it cannot be written: one bad message must not keep the others back."""
    try:
        return render_letter(
            Letter(
                kind=message.kind,
                language=message.language,
                visits=tuple(message.visits()),
                sender=message.snapshot["sender"],
                sender_name=message.clinic.name,
                to=_wire_address(address),
                to_name=message.patient.full_name,
                message_id=message.message_id,
                date=now,
                with_calendar=message.snapshot.get("with_calendar", True),
            )
        )
    except UnwritableAddressError as error:
        return error
    except Exception as error:
        # Without the error's text and its traceback, which may quote the patient.
        place = traceback.extract_tb(error.__traceback__)[-1]
        logger.error(
            "message %s cannot be rendered: %s at %s:%s", message.pk, type(error).__name__, place.name, place.lineno
        )
        return error


def _wire_address(address: str) -> str:
    """The address with its domain in ASCII, as every server understands it."""
    local, _at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:
        return address  # refused when it is rendered


def _decent_later(message: Message, now: datetime) -> datetime | None:
    """The end of the quiet hours, for a message that was delayed into them; None if it may go now."""
    if now - message.due_at < OVERDUE or message.kind in (Kind.SUMMARY, Kind.INVITATION):
        return None
    clinic = message.clinic
    later = schedules.first_decent_moment(
        now,
        zone=clinic.zone,
        quiet=schedules.QuietHours(clinic.quiet_from, clinic.quiet_until),
        about=[visit.starts_at for visit in message.visits()],
    )
    return later if later > now else None


def _settle(unsent: _Unsent, now: datetime, done: Delivered) -> None:
    """Write down what became of the messages that were not sent, if they are still ours."""
    done.deferred += len(unsent.deferred)
    done.refused += len(unsent.refused)
    done.other += len(unsent.released) + len(unsent.postponed) + len(unsent.to_call)
    back = [(message, message.due_at) for message in unsent.released] + unsent.postponed
    if not (back or unsent.deferred or unsent.refused or unsent.to_call):
        return
    ours = [message.pk for message, _moment in [*back, *unsent.deferred, *unsent.refused]]
    ours += [message.pk for message in unsent.to_call]
    with transaction.atomic():
        # All at once and in order: a change of the same patient's visits locks them in the same order.
        list(Message.objects.filter(pk__in=ours).select_for_update(of=("self",)).order_by("pk").values_list("pk"))
        for message, moment in back:
            # It was never handed over: whether it was claimed before this time stays as it was.
            _ours(message).update(
                status=Status.PENDING, lease=None, next_attempt_at=moment, claimed_at=message.claimed_at
            )
        for message, answer in unsent.deferred:
            # What the server turned away has surely not arrived: cancelling it needs no CANCEL then.
            claimed_at = F("claimed_at") if answer.may_have_arrived else message.claimed_at
            _ours(message).update(
                status=Status.PENDING,
                lease=None,
                next_attempt_at=now + _pause(message.attempts),
                attempts=F("attempts") + 1,
                reason=str(answer),
                claimed_at=claimed_at,
            )
        for message, reason in unsent.refused:
            _bury(message, reason)
        _hand_to_phone(unsent.to_call, now)


def _pause(attempts: int) -> timedelta:
    """Twice as long after each failure, and never the same for all that failed together."""
    doubled: timedelta = FIRST_PAUSE * 2 ** min(attempts, 12)
    return min(doubled, LONGEST_PAUSE) * _jitter.uniform(0.75, 1.25)


def _ours(message: Message) -> QuerySet[Message]:
    return Message.objects.filter(pk=message.pk, status=Status.LEASED, lease=message.lease)


def _bury(message: Message, reason: str) -> None:
    """A mail that is refused for good becomes a task: someone must correct the address and call."""
    if not _ours(message).update(status=Status.DEAD, lease=None, reason=reason, attempts=F("attempts") + 1):
        return
    with translation.override(message.clinic.language):
        text = _("A message could not be delivered: %(reason)s. Check the e-mail address and call the patient.")
    Task.objects.bulk_create(
        [
            Task(
                clinic_id=message.clinic_id,
                kind=Task.Kind.BOUNCE,
                patient_id=message.patient_id,
                subject=message.recipient,  # one open task a patient, not one a mail
                text=(text % {"reason": reason})[:500],
            )
        ],
        ignore_conflicts=True,
    )


def _hand_to_phone(messages: list[Message], now: datetime) -> None:
    """Put on the call list what can no longer go by mail; what is past, or is on the list already, is withdrawn."""
    for message in sorted(messages, key=lambda message: message.kind == Kind.REMINDER):  # news makes them needless
        starts = [visit.starts_at for visit in message.visits()]
        calls = Message.objects.filter(
            recipient=message.recipient, subject=message.subject, channel=Channel.CALL, revision__gte=message.revision
        ).exclude(status=Status.WITHDRAWN)
        fields: dict[str, Any] = {"lease": None, "claimed_at": message.claimed_at}
        if max(starts) <= now or calls.exists():
            fields |= {"status": Status.WITHDRAWN, "reason": TOO_LATE if max(starts) <= now else TO_CALL}
        else:
            fields |= {
                "status": Status.PENDING,
                "channel": Channel.CALL,
                "message_id": "",
                "due_at": now,
                "next_attempt_at": now,
                "expires_at": None,
                "reason": TO_CALL,
            }
        Message.objects.filter(pk=message.pk, status__in=Message.UNSENT).update(**fields)
