"""Proposing repairs: asked for and stored at once, worked out by a worker, looked at while that goes on.

Nothing is lost on the way. Whoever asked may leave and come back; a worker that died is noticed by its silence, and its
repair queued again (`requeue_silent`) or, after some attempts, left to be retried by hand.
"""

import datetime as dt
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.celery import app
from clinic.errors import Conflict, Invalid
from clinic.locking import writing
from clinic.models import Absence, Clinic, Closure, Outage, Patient, Therapist, User
from courses.booking.disruption import URGENT, Cause, Reach
from courses.booking.models import Session
from courses.booking.repair_models import Repair
from courses.booking.repair_problems import UNPLACED, RepairBridge, build_repair, only_these
from courses.booking.transitions import PLANNED
from courses.planning.repairing import RepairBudget, hand_over, repair, swap_shifts, verify_repair
from courses.planning.repairing.types import Handover, RepairProblem, Unplaced
from courses.planning.repairing.types import Repair as Answer
from notifications.recipients import recipient_of
from notifications.snapshots import EMAIL

logger = logging.getLogger(__name__)

RUN_REPAIR = "courses.booking.tasks.run_repair"
# A worker shows itself at least every second while it looks; two minutes of silence mean that it died.
SILENCE = dt.timedelta(minutes=2)
MOST_ATTEMPTS = 3
_TELL_EVERY = 0.3  # seconds between two signs of progress


# --- Asking ---------------------------------------------------------------------------------------------------------


def propose_repair(
    *,
    clinic: Clinic,
    by: User | None,
    now: dt.datetime,
    cause: Cause | None = None,
    therapist: Therapist | None = None,
    starts_at: dt.datetime | None = None,
    ends_at: dt.datetime | None = None,
    moves_rest: bool = True,
) -> Repair:
    """Have new places looked for, in one clinic, for all that waits to be re-placed because of `cause`, or that
    `therapist` has in a period. Raises Invalid for neither or both, or where nothing waits.
    """
    if (cause is None) == (therapist is None):
        message = _("Name either what fell out or a specialist with a period.")
        raise Invalid(details={"cause": [message]})
    row = Repair(clinic=clinic, moves_rest=moves_rest)
    if cause is not None:
        setattr(row, _name_of(cause), cause)
    else:
        _set_period(row, therapist, starts_at, ends_at)
    return _enqueue_new(row, by=by, now=now)


def propose_handover(
    *,
    clinic: Clinic,
    therapist: Therapist,
    substitute: Therapist,
    starts_at: dt.datetime,
    ends_at: dt.datetime,
    by: User | None,
    now: dt.datetime,
) -> Repair:
    """Have the substitute take all that the therapist has in this period at the same times; what does not fit is
    named, and re-placed where it waits for that. Raises Invalid as `propose_repair`.
    """
    row = Repair(clinic=clinic, kind=Repair.Kind.HANDOVER)
    _set_period(row, therapist, starts_at, ends_at)
    _set_substitute(row, substitute)
    return _enqueue_new(row, by=by, now=now)


def propose_swap(
    *,
    clinic: Clinic,
    therapist: Therapist,
    starts_at: dt.datetime,
    ends_at: dt.datetime,
    substitute: Therapist,
    their_starts_at: dt.datetime,
    their_ends_at: dt.datetime,
    by: User | None,
    now: dt.datetime,
) -> Repair:
    """Have two therapists exchange the shifts of some days with all that is booked there. Raises Invalid as
    `propose_repair`.
    """
    row = Repair(clinic=clinic, kind=Repair.Kind.SWAP)
    _set_period(row, therapist, starts_at, ends_at)
    _set_substitute(row, substitute)
    if their_ends_at <= their_starts_at:
        raise Invalid(details={"their_ends_at": [_("The end must be after the start.")]})
    row.their_starts_at, row.their_ends_at = their_starts_at, their_ends_at
    return _enqueue_new(row, by=by, now=now)


def _name_of(cause: Cause) -> str:
    for kind, name in ((Absence, "absence"), (Outage, "outage"), (Closure, "closure")):
        if isinstance(cause, kind):
            return name
    return "qualification"


def _set_period(
    row: Repair, therapist: Therapist | None, starts_at: dt.datetime | None, ends_at: dt.datetime | None
) -> None:
    if starts_at is None:
        raise Invalid(details={"starts_at": [_("Give the start.")]})
    if ends_at is not None and ends_at <= starts_at:
        raise Invalid(details={"ends_at": [_("The end must be after the start.")]})
    row.therapist, row.starts_at, row.ends_at = therapist, starts_at, ends_at


def _set_substitute(row: Repair, substitute: Therapist) -> None:
    if substitute.pk == row.therapist_id:
        raise Invalid(details={"substitute": [_("Name another specialist.")]})
    row.substitute = substitute


def _enqueue_new(row: Repair, *, by: User | None, now: dt.datetime) -> Repair:
    row.created_at = row.asked_at = row.seen_at = now
    row.created_by = by
    if not affected_sessions(row).exists():
        message = _("Nothing is to be re-placed here.")
        raise Invalid(message, code="nothing_to_repair", details={"cause": [message]})
    with transaction.atomic():
        row.save()
        _enqueue(row.pk)
    return row


def _enqueue(pk: int) -> None:
    """Tell a worker once this is committed. Should that fail, `requeue_silent` makes up for it."""

    def send() -> None:
        try:
            app.send_task(RUN_REPAIR, [pk], retry=False, ignore_result=True)
        except Exception as error:
            logger.warning("repair could not be handed to a worker: %s", type(error).__name__)

    transaction.on_commit(send, robust=True)


def affected_sessions(row: Repair) -> QuerySet[Session]:
    """The sessions a repair is about, by time: what waits to be re-placed; of shifts that change hands, all planned."""
    planned = Session.objects.filter(status__in=PLANNED, course__clinic=row.clinic_id)
    if row.kind == Repair.Kind.REPLACE:
        planned = planned.filter(to_replace=True, pk__in=_reaches(row)[0].sessions().values("pk"))
    else:
        keys = [reach.sessions().filter(seat=None).values("pk") for reach in _reaches(row)]
        planned = planned.filter(pk__in=keys[0].union(*keys[1:]) if len(keys) > 1 else keys[0])
        planned = planned.filter(appointment__starts_at__gt=row.asked_at)
    return planned.select_related(
        "course__clinic", "course__patient", "course__procedure", "course__programme", "plan", "appointment"
    ).order_by("appointment__starts_at", "pk")


def _reaches(row: Repair) -> list[Reach]:
    if row.cause is not None:
        return [Reach.of(row.cause)]
    assert row.starts_at is not None  # noqa: S101 - a check constraint
    reaches = [Reach(row.starts_at, row.ends_at, resource=row.therapist_id)]
    if row.their_starts_at is not None:
        reaches.append(Reach(row.their_starts_at, row.their_ends_at, resource=row.substitute_id))
    return reaches


# --- Working it out -------------------------------------------------------------------------------------------------


def run_repair(pk: int, *, budget: RepairBudget | None = None) -> bool:
    """Work a queued repair out, outside any transaction, and store the answer; False where it is not queued (any more).

    Imports ortools: call it in a worker, never in the web process.
    """
    attempt = _claim(pk)
    if attempt is None:
        return False
    row = Repair.objects.select_related(
        "clinic", "absence", "outage", "closure", "qualification__procedure__clinic", "therapist", "substitute"
    ).get(pk=pk)
    run = _Run(row, attempt)
    try:
        run.work(budget or RepairBudget())
    except Exception:
        run.update(status=Repair.Status.FAILED, finished_at=timezone.now())
        raise
    return True


def _claim(pk: int) -> int | None:
    """Number of the attempt that is now ours. Delivered twice, a task finds the repair taken."""
    now = timezone.now()
    queued = Repair.objects.filter(pk=pk, status=Repair.Status.QUEUED)
    if not queued.update(
        status=Repair.Status.RUNNING,
        step=Repair.Step.READING,
        progress=0,
        attempts=F("attempts") + 1,
        seen_at=now,
        finished_at=None,
    ):
        return None
    return Repair.objects.values_list("attempts", flat=True).get(pk=pk)


class _Run:
    """One attempt. What it writes counts only while the repair is still running in this attempt."""

    def __init__(self, row: Repair, attempt: int) -> None:
        self.row, self.attempt = row, attempt
        self.told_at = 0.0
        self.stopped = False

    def update(self, **fields: Any) -> bool:
        mine = Repair.objects.filter(pk=self.row.pk, status=Repair.Status.RUNNING, attempts=self.attempt)
        return bool(mine.update(**fields))

    def tell(self, share: float, unplaced: int) -> None:
        del unplaced
        if time.monotonic() - self.told_at < _TELL_EVERY:
            return
        self.told_at = time.monotonic()
        alive = self.update(step=Repair.Step.SOLVING, progress=min(0.99, 0.1 + 0.9 * share), seen_at=timezone.now())
        self.stopped = self.stopped or not alive

    def work(self, budget: RepairBudget) -> None:
        row = self.row
        sessions = list(affected_sessions(row))
        bridge = build_repair(
            clinic=row.clinic,
            lost=sessions,
            now=row.asked_at,
            moves_rest=row.moves_rest,
            also=[pk for pk in (row.therapist_id, row.substitute_id) if pk is not None],
        )
        self.tell(0.0, len(sessions))
        started = time.perf_counter()
        budget = replace(budget, progress=self.tell, cancelled=lambda: self.stopped)
        answer: dict[str, Any] = _solve(row, bridge, sessions, budget) if sessions else {"items": []}
        # Worked out anew, it keeps account of what has been applied.
        applied = [item for item in row.items if item["applied"]]
        answer["items"] = applied + answer["items"]
        self.update(
            **answer,
            status=Repair.Status.PARTLY_APPLIED if applied else Repair.Status.PROPOSED,
            step=Repair.Step.DONE,
            progress=1,
            versions={str(pk): version for pk, version in bridge.versions.items()},
            solve_ms=round((time.perf_counter() - started) * 1000, 2),
            finished_at=timezone.now(),
            seen_at=timezone.now(),
        )


def _solve(row: Repair, bridge: RepairBridge, sessions: Sequence[Session], budget: RepairBudget) -> dict[str, Any]:
    problem, moves, left = bridge.problem, [], {session.pk for session in sessions}
    stays: list[Unplaced] = []
    if row.kind != Repair.Kind.REPLACE:
        handover = _go_over(row, bridge)
        problem, moves = handover.rest, list(handover.moves)
        # Whom the substitute cannot take stays with the therapist, unless she is away, too.
        left = {int(u.session) for u in handover.left} if row.kind == Repair.Kind.SWAP else set()
        left |= {int(u.session) for u in handover.left if bridge.sessions[int(u.session)].to_replace}
        stays = [u for u in handover.left if u.session not in left]
    if not left:
        return {"items": bridge.items(moves, stays), "cost": 0, "bound": 0, "unplaced_bound": 0, "proven": True}
    problem = only_these(problem, left)
    answer = repair(problem, budget=budget)
    _require_sound(problem, answer)
    return {
        "items": bridge.items([*moves, *answer.moves], [*stays, *answer.unplaced]),
        "cost": answer.cost,
        "bound": answer.bound,
        "unplaced_bound": answer.unplaced_bound,
        "proven": answer.proven,
    }


def _go_over(row: Repair, bridge: RepairBridge) -> Handover:
    assert row.substitute_id is not None  # noqa: S101 - how it was asked for
    assert row.therapist_id is not None  # noqa: S101
    if row.kind == Repair.Kind.HANDOVER:
        return hand_over(bridge.problem, to=row.substitute_id)
    return swap_shifts(
        bridge.problem,
        first=row.therapist_id,
        first_days=_days_of(bridge, row.starts_at, row.ends_at),
        second=row.substitute_id,
        second_days=_days_of(bridge, row.their_starts_at, row.their_ends_at),
    )


def _days_of(bridge: RepairBridge, starts_at: dt.datetime | None, ends_at: dt.datetime | None) -> list[int]:
    days = bridge.days
    assert starts_at is not None  # noqa: S101 - a swap has both
    assert ends_at is not None  # noqa: S101
    first = days.index(days.clinic.local_date(starts_at))
    last = days.index(days.clinic.local_date(ends_at - dt.timedelta(seconds=1)))
    return [day for day in range(first, last + 1) if 0 <= day < days.count]


def _require_sound(problem: RepairProblem, answer: Answer) -> None:
    violations = verify_repair(problem, answer)
    if violations:
        raise AssertionError(f"the repair broke its rules: {sorted({v.code for v in violations})}")


def requeue_silent(*, now: dt.datetime) -> int:
    """Queue again what no worker has shown a sign of for a while: it died, or was never told. After some attempts it
    has failed. Returns how many were queued."""
    silent = Repair.objects.filter(status__in=Repair.UNDER_WAY, seen_at__lt=now - SILENCE)
    silent.filter(attempts__gte=MOST_ATTEMPTS, status=Repair.Status.RUNNING).update(
        status=Repair.Status.FAILED, finished_at=now
    )
    count = 0
    for pk, seen_at in silent.values_list("pk", "seen_at"):
        with transaction.atomic():
            if silent.filter(pk=pk, seen_at=seen_at).update(
                status=Repair.Status.QUEUED, step=Repair.Step.WAITING, seen_at=now
            ):
                _enqueue(pk)
                count += 1
    return count


# --- Going on and giving up -----------------------------------------------------------------------------------------


def retry_repair(*, repair: Repair, by: User | None, now: dt.datetime) -> Repair:
    """Work it out anew for this moment: what failed, what fell silent, and what of a proposal is still open. What was
    applied stays applied and is not looked at any more. Raises Conflict while a worker is at it, or where it is over.
    """
    with writing():
        row = Repair.objects.select_for_update(no_key=True, of=("self",)).get(pk=repair.pk)
        at_work = row.status in Repair.UNDER_WAY and row.seen_at > now - SILENCE
        if at_work or row.status in (Repair.Status.DROPPED, Repair.Status.APPLIED):
            raise Conflict(_("This repair is being worked out or is over."), code="repair_not_open")
        row.status, row.step, row.progress = Repair.Status.QUEUED, Repair.Step.WAITING, 0.0
        row.attempts += 1  # whoever may still be at it writes nothing any more
        row.asked_at = row.seen_at = now
        row.items, row.finished_at = [item for item in row.items if item["applied"]], None
        row.save(
            update_fields=["status", "step", "progress", "attempts", "asked_at", "seen_at", "items", "finished_at"]
        )
        _enqueue(row.pk)
    return row


def drop_repair(*, repair: Repair, by: User | None, now: dt.datetime) -> Repair:
    """Give it up: nothing of it can be applied any more, and a worker at it stops. What waits goes on waiting. Raises
    Conflict where it is over.
    """
    with writing():
        row = Repair.objects.select_for_update(no_key=True, of=("self",)).get(pk=repair.pk)
        if row.status in (Repair.Status.DROPPED, Repair.Status.APPLIED):
            raise Conflict(_("This repair is over."), code="repair_not_open")
        row.status, row.finished_at = Repair.Status.DROPPED, now
        row.save(update_fields=["status", "finished_at"])
    return row


# --- Looking at it --------------------------------------------------------------------------------------------------


def sessions_to_call(row: Repair, *, now: dt.datetime) -> list[Session]:
    """Affected sessions that start within four hours, the nearest first, with their patients' phones."""
    keys = [item["session"] for item in row.items if item["lost"] and not item["applied"]]
    sessions = affected_sessions(row) if row.status in Repair.UNDER_WAY else Session.objects.filter(pk__in=keys)
    return list(
        sessions.filter(status__in=PLANNED, appointment__starts_at__gt=now, appointment__starts_at__lt=now + URGENT)
        .select_related("course__clinic", "course__patient", "course__procedure", "appointment")
        .prefetch_related("course__patient__phones")
        .order_by("appointment__starts_at", "pk")
    )


def count_changes(row: Repair) -> dict[str, int]:
    """How many sessions are kept, moved, given another therapist, unplaced; of the rest of courses, only the moved."""
    counts = dict.fromkeys(("kept", "other_therapist", "moved", UNPLACED), 0)
    for item in row.items:
        counts[item["change"]] += 1
    return counts


def count_patients(row: Repair) -> dict[str, Any]:
    """How many patients would hear of it by mail and by call, and who has no mail; those of places still open."""
    told = {item["patient"] for item in row.open_items if item["change"] == "moved"}
    channels = {p.pk: recipient_of(p, row.clinic).channel for p in Patient.objects.filter(pk__in=told)}
    without = sorted(pk for pk, channel in channels.items() if channel != EMAIL)
    return {"by_mail": len(told) - len(without), "by_call": len(without), "without_mail": without}
