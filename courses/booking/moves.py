"""Moving one session: to any time that is free and keeps the course's rules, or with a reason past the softer ones."""

import datetime as dt
from dataclasses import dataclass, replace

from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict, Invalid, OutsideAvailability, PlaceTaken, RuleBroken
from clinic.locking import writing
from clinic.models import User
from courses import planning
from courses.booking.availability import FreeStart, each_start, pick_place, start_masks
from courses.booking.holds import again_without_expired_holds
from courses.booking.models import Course, Session
from courses.booking.placing import Placement, lock_for, lock_sessions, place
from courses.booking.problems import Bridge, build_problem
from courses.booking.transitions import PLANNED, Status
from courses.booking.visits import regroup_and_tell
from courses.planning import masks
from courses.planning.types import SLOT_MINUTES, PlannedSession, Violation

# What a reason may override, and the permission is checked by whoever calls: hours, and the rhythm of the course.
_HOURS = frozenset({"not_free_hours", "closed"})
_RHYTHM = frozenset(
    {
        "gap_too_short",
        "gap_too_long",
        "too_many_a_week",
        "before_start",
        "after_finish",
        "wrong_weekday",
        "outside_window",
        "excluded_day",
        "wrong_gender",
        "wrong_therapist",
        "wrong_language",
        "not_one_series",
        "not_consecutive",
    }
)
_TAKEN = frozenset({"not_free", "patient_busy", "hands_busy", "sessions_overlap", "class_full"})


@dataclass(frozen=True, slots=True)
class Target:
    """Where a session is to go; what is None is chosen (the same therapist if possible, a free room)."""

    starts_at: dt.datetime
    therapist: int | None = None
    room: int | None = None
    device: int | None = None
    meeting: int | None = None


def move_session(
    *,
    session: Session,
    starts_at: dt.datetime,
    by: User | None,
    now: dt.datetime,
    therapist: int | None = None,
    room: int | None = None,
    device: int | None = None,
    meeting: int | None = None,
    override_reason: str = "",
    version: int | None = None,
) -> Session:
    """Give a session another time (or its first one), book it, and tell the patient.

    Raises Invalid for a time off the grid or in the past; PlaceTaken where someone else has it; OutsideAvailability
    and RuleBroken where only `override_reason` opens it; Conflict where the session changed since `version`.
    """
    if starts_at <= now:
        raise Invalid(details={"starts_at": [_("Date has passed. Enter today or later.")]})
    if starts_at.minute % SLOT_MINUTES or starts_at.second or starts_at.microsecond:
        raise Invalid(details={"starts_at": [_("Times are in steps of five minutes.")]})
    _require_movable(session, version)
    bridge = _bridge(session, now=now, until=starts_at)
    target = _complete(bridge, session, Target(starts_at, therapist, room, device, meeting))
    planned = _planned(bridge, target)
    _require_allowed(bridge, planned, override_reason)
    item = bridge.item(planned, session)
    return again_without_expired_holds(
        lambda: _write(session, item, version=version, override_reason=override_reason, now=now), now=now
    )


def free_starts(*, session: Session, first_day: dt.date, days: int, now: dt.datetime) -> list[FreeStart]:
    """Times this session could take without breaking a rule, in order; one per start, its therapist preferred."""
    if session.course.procedure.is_group:
        return _free_meetings(session, first_day=first_day, days=days, now=now)
    last = first_day + dt.timedelta(days=days - 1)
    end = dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), tzinfo=session.course.clinic.tz)
    bridge = _bridge(session, now=now, until=end)
    request = bridge.problem.courses[0]
    patient = masks.starts_for(
        masks.join_days(bridge.problem.patient.free),
        request.slots,
        request.patient_margins.before,
        request.patient_margins.after,
    )
    current = _therapist_of(session)
    by_therapist = start_masks(request, dict(bridge.problem.resources))
    found: dict[dt.datetime, FreeStart] = {}
    for therapist in sorted(by_therapist, key=lambda pk: (pk != current, pk)):
        joined = by_therapist[therapist] & patient
        for day, slot, moment in each_start(bridge.clinic, bridge.days, joined):
            if moment in found or not first_day <= bridge.days.date(day) <= last or moment <= now:
                continue
            where = pick_place(request, dict(bridge.problem.resources), day, slot)
            if where is None:
                continue
            planned = PlannedSession(request.key, 1, day, slot, request.slots, therapist or None, where[0], where[1])
            if not _violations(bridge, planned):
                found[moment] = FreeStart(moment, therapist or None, where[0], where[1])
    return [found[moment] for moment in sorted(found)]


def _free_meetings(session: Session, *, first_day: dt.date, days: int, now: dt.datetime) -> list[FreeStart]:
    last = first_day + dt.timedelta(days=days - 1)
    end = dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), tzinfo=session.course.clinic.tz)
    bridge = _bridge(session, now=now, until=end)
    found = []
    for series in bridge.problem.courses[0].series or ():
        for meeting in series.meetings:
            planned = _meeting_session(bridge, meeting.meeting)
            if planned is None or not first_day <= bridge.days.date(meeting.day) <= last:
                continue
            if not _violations(bridge, planned):
                moment = dt.datetime.fromisoformat(bridge.item(planned, session)["start"])
                therapist = series.therapist.therapist if series.therapist else None
                found.append(FreeStart(moment, therapist, series.room, None))
    return sorted(found, key=lambda start: start.starts_at)


def _require_movable(session: Session, version: int | None) -> None:
    if session.status not in {*PLANNED, Status.UNPLACED}:
        raise Conflict(_("Only a session that is still to come can be moved."), code="wrong_status")
    if session.course.status not in (Course.Status.ACTIVE, Course.Status.DRAFT):
        raise Conflict(_("This course is paused or has ended. Resume it first."), code="course_not_active")
    if version is not None and session.version != version:
        raise Conflict(code="changed_meanwhile")


def _bridge(session: Session, *, now: dt.datetime, until: dt.datetime) -> Bridge:
    bridge = build_problem(courses=[session.course], now=now, moving=[session], only_moving=True)
    date = session.course.clinic.local_date(until)
    if date > bridge.days.last:
        raise Invalid(details={"starts_at": [_("This date is beyond the days that can be booked.")]})
    return bridge


def _complete(bridge: Bridge, session: Session, target: Target) -> Target:
    """Fill in what the caller left open."""
    request = bridge.problem.courses[0]
    if request.series is not None or (target.room is not None and target.therapist is not None):
        return target
    therapist = target.therapist if target.therapist is not None else _therapist_of(session)
    day, slot = _day_and_slot(bridge, target.starts_at)
    if not 0 <= day < bridge.days.count:
        return replace(target, therapist=therapist)
    resources = dict(bridge.problem.resources)
    if target.therapist is None and request.needs_therapist:
        at = 1 << (day * masks.STRIDE + slot)
        able = [pk for pk, joined in start_masks(request, resources).items() if joined & at]
        if therapist not in able:
            therapist = min(able, default=therapist)
    where = (target.room, target.device) if target.room else pick_place(request, resources, day, slot)
    if where is None:
        # Nothing is free: name the first that would serve, so that the refusal says what is taken.
        first = request.rooms[0] if request.rooms else None
        where = (first.room, first.devices[0] if first.devices else None) if first else (None, None)
    return replace(target, therapist=therapist, room=where[0], device=where[1])


def _therapist_of(session: Session) -> int | None:
    if session.appointment_id is None:
        return None
    kinds = session.appointment.reservations.filter(resource__kind="therapist")  # type: ignore[union-attr]
    return kinds.values_list("resource_id", flat=True).first()


def _day_and_slot(bridge: Bridge, moment: dt.datetime) -> tuple[int, int]:
    wall = moment.astimezone(bridge.clinic.tz)
    return bridge.days.index(wall.date()), (wall.hour * 60 + wall.minute) // SLOT_MINUTES


def _planned(bridge: Bridge, target: Target) -> PlannedSession:
    request = bridge.problem.courses[0]
    if request.series is not None:
        planned = _meeting_session(bridge, target.meeting, target.starts_at)
        if planned is None:
            raise Invalid(details={"starts_at": [_("No class of this course meets at this time.")]})
        return planned
    day, slot = _day_and_slot(bridge, target.starts_at)
    return PlannedSession(request.key, 1, day, slot, request.slots, target.therapist, target.room, target.device)


def _meeting_session(
    bridge: Bridge, meeting: int | None, starts_at: dt.datetime | None = None
) -> PlannedSession | None:
    request = bridge.problem.courses[0]
    at = _day_and_slot(bridge, starts_at) if starts_at is not None else None
    for series in request.series or ():
        for one in series.meetings:
            if one.meeting == meeting or (meeting is None and (one.day, one.slot) == at):
                therapist = series.therapist.therapist if series.therapist else None
                return PlannedSession(
                    request.key,
                    1,
                    one.day,
                    one.slot,
                    one.slots,
                    therapist,
                    series.room,
                    None,
                    series.series,
                    one.meeting,
                )
    return None


def _violations(bridge: Bridge, planned: PlannedSession) -> list[Violation]:
    plan = planning.Plan(sessions=(planned,), cost=0, bound=0, proven=False)
    return planning.verify(bridge.problem, plan)


def _require_allowed(bridge: Bridge, planned: PlannedSession, override_reason: str) -> None:
    violations = [_tell_hours_apart(bridge, v) for v in _violations(bridge, planned)]
    codes = {violation.code for violation in violations}
    details = {"violations": [{"code": v.code, **v.params} for v in violations]}
    if codes & _TAKEN:
        raise PlaceTaken(_("Someone else has this time. Choose another one."), details=details)
    hard = codes - _HOURS - _RHYTHM
    if hard:
        raise RuleBroken(details=details | {"overridable": False})
    if override_reason.strip():
        return
    if codes & _HOURS:
        raise OutsideAvailability(details=details | {"overridable": True})
    if codes:
        raise RuleBroken(details=details | {"overridable": True})


def _tell_hours_apart(bridge: Bridge, violation: Violation) -> Violation:
    """A resource that is not free may be taken by someone, or merely not at work."""
    if violation.code != "not_free":
        return violation
    params = dict(violation.params)
    resource = bridge.problem.resources[int(str(params["resource"]))]
    day, slot = int(str(params["day"])), int(str(params["slot"]))
    at_work = slot >= 0 and resource.present[day] >> slot & 1
    return violation if at_work else Violation("not_free_hours", violation.course, violation.number, params)


def _write(
    session: Session, item: dict[str, object], *, version: int | None, override_reason: str, now: dt.datetime
) -> Session:
    with writing():
        locked = lock_sessions([session.pk], courses=[session.course_id])[session.pk]
        _require_movable(locked, version)
        placement = Placement.parse(item, locked)
        before = locked.appointment.starts_at if locked.appointment else None
        resources = lock_for([placement], freeing=[locked])
        place(
            [placement],
            clinic=locked.course.clinic,
            resources=resources,
            status=Status.BOOKED,
            now=now,
            override_reason=override_reason.strip()[:300],
        )
        clinic = locked.course.clinic
        dates = {clinic.local_date(moment) for moment in (before, placement.start) if moment is not None}
        regroup_and_tell(clinic=clinic, patient=locked.course.patient, dates=dates, now=now)
    return Session.objects.select_related("course__clinic", "appointment", "visit").get(pk=session.pk)
