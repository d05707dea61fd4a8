"""Moving one session: to any time that is free and keeps the course's rules, or with a reason past the softer ones."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.errors import Busy, Conflict, Invalid, NotAllowed, OutsideAvailability, PlaceTaken, RuleBroken
from clinic.locking import writing
from clinic.models import User
from clinic.permissions import Permission
from courses import planning
from courses.booking.availability import FreeStart, each_start, pick_place, start_masks
from courses.booking.holds import again_without_expired_holds
from courses.booking.lifecycle import activate_locked
from courses.booking.models import Course, Session
from courses.booking.placing import Placement, lock_for, lock_sessions, place, require_current, require_open
from courses.booking.problems import Bridge, build_problem
from courses.booking.proposals import require_consent
from courses.booking.texts import short_text
from courses.booking.transitions import PLANNED, Status
from courses.booking.visits import regroup_and_tell
from courses.booking.wishes import Wishes
from courses.planning import masks
from courses.planning.types import SLOT_MINUTES, CourseRequest, PlannedSession, Violation

# A patient's bookings do not change under one's hands more often than this, unless a machine does it.
MOST_ATTEMPTS = 3

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
    and RuleBroken where only `override_reason` opens it; NotAllowed for a reason by someone who may not override;
    Conflict where the session changed since `version`, or has its first time here and its course misses a signed
    referral.
    """
    override_reason = short_text("override_reason", override_reason)
    if override_reason and by is not None and not by.may(Permission.OVERRIDE_HOURS, session.course.clinic_id):
        raise NotAllowed()
    if starts_at <= now:
        raise Invalid(details={"starts_at": [_("Date has passed. Enter today or later.")]})
    if starts_at.minute % SLOT_MINUTES or starts_at.second or starts_at.microsecond:
        raise Invalid(details={"starts_at": [_("Times are in steps of five minutes.")]})
    _require_movable(session, version)
    if session.status == Status.UNPLACED:
        require_consent(session.course)
    for _attempt in range(MOST_ATTEMPTS):
        bridge = _bridge(session, now=now, until=starts_at)
        target = _complete(bridge, session, Target(starts_at, therapist, room, device, meeting))
        planned = _planned(bridge, target)
        _require_allowed(bridge, planned, override_reason)
        move = _Move(session, bridge.item(planned, session), bridge.versions, version, override_reason, now)
        try:
            return again_without_expired_holds(move.write, now=now)
        except PlaceTaken as error:
            # Hours or the patient's other bookings changed since the rules were looked at: look again.
            if error.code != "plan_stale":
                raise
    raise Busy()


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
    require_open([session.course])
    if version is not None and session.version != version:
        raise Conflict(code="changed_meanwhile")


def _bridge(session: Session, *, now: dt.datetime, until: dt.datetime) -> Bridge:
    course = session.course
    bridge = build_problem(
        courses=[course], now=now, moving=[session], only_moving=True, wishes={course.pk: _wishes(session, now=now)}
    )
    if course.clinic.local_date(until) > bridge.days.last:
        raise Invalid(details={"starts_at": [_("This date is beyond the days that can be booked.")]})
    return bridge


def _wishes(session: Session, *, now: dt.datetime) -> Wishes:
    """What was agreed when the session was planned holds for its moves too.

    Where nothing says how often, as in courses brought from elsewhere, a day of its own is all that one session needs.
    After a finish that has passed every later day is late, but can be had for a reason.
    """
    course = session.course
    asked = session.plan.request.get("wishes") if session.plan is not None else None
    wishes = Wishes.of(asked or {}, course)
    whole = wishes.over(course)
    if whole.gap_min is None and not course.procedure.is_group:
        wishes = replace(wishes, gap_min=1, given=wishes.given | {"gap_min"})
    first = max(filter(None, [course.clinic.local_date(now), whole.start_from]))
    if whole.finish_by is not None and whole.finish_by < first:
        return replace(wishes, finish_by=first, given=wishes.given | {"finish_by"})
    return wishes


def _complete(bridge: Bridge, session: Session, target: Target) -> Target:
    """Fill in what the caller left open."""
    request = bridge.problem.courses[0]
    if request.series is not None:
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
    wanted = _only_where(request, target)
    where = pick_place(wanted, resources, day, slot)
    if where is None:
        # Nothing is free: name the first that would serve, so that the refusal says what is taken.
        first = wanted.rooms[0] if wanted.rooms else None
        where = (first.room, first.devices[0] if first.devices else None) if first else (target.room, target.device)
    return replace(target, therapist=therapist, room=where[0], device=where[1])


def _only_where(request: CourseRequest, target: Target) -> CourseRequest:
    """The request in the room and on the device that the target names, if it names any."""
    rooms = [room for room in request.rooms if target.room in (None, room.room)]
    if target.device is not None:
        rooms = [replace(room, devices=(target.device,)) for room in rooms if target.device in room.devices]
    return replace(request, rooms=tuple(rooms))


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
            if meeting in (None, one.meeting) and at in (None, (one.day, one.slot)):
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
    """The rules that this time breaks; not those that the course's other sessions break among themselves."""
    plan = planning.Plan(sessions=(planned,), cost=0, bound=0, proven=False)
    found = planning.verify(bridge.problem, plan)
    if not any(violation.number is None for violation in found):
        return found
    known = planning.verify(bridge.problem, replace(plan, sessions=()))
    own = []
    for violation in found:
        if violation.number is None and violation in known:
            known.remove(violation)
        else:
            own.append(violation)
    return own


def _require_allowed(bridge: Bridge, planned: PlannedSession, override_reason: str) -> None:
    violations = [_tell_hours_apart(bridge, v) for v in _violations(bridge, planned)]
    codes = {violation.code for violation in violations}
    details = {"violations": [{"code": v.code, **v.params} for v in violations]}
    if codes & _TAKEN:
        raise PlaceTaken(_("Someone else has this time. Choose another one."), details=details)
    hard = codes - _HOURS - _RHYTHM
    if hard:
        raise RuleBroken(details=details | {"overridable": False})
    if override_reason:
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


@dataclass(frozen=True, slots=True)
class _Move:
    """A move whose rules were looked at when the resources had these `versions`."""

    session: Session
    item: Mapping[str, Any]
    versions: Mapping[int, int]
    version: int | None
    override_reason: str
    now: dt.datetime

    def write(self) -> Session:
        with writing():
            locked = lock_sessions([self.session.pk], courses=[self.session.course_id])[self.session.pk]
            _require_movable(locked, self.version)
            if locked.course.status == Course.Status.DRAFT:
                activate_locked(locked.course, now=self.now)
            placement = Placement.parse(self.item, locked)
            before = locked.appointment.starts_at if locked.appointment else None
            resources = lock_for([placement], freeing=[locked])
            require_current({str(pk): version for pk, version in self.versions.items()}, resources)
            clinic = locked.course.clinic
            place(
                [placement],
                clinic=clinic,
                resources=resources,
                status=Status.BOOKED,
                plan_id=locked.plan_id,
                now=self.now,
                override_reason=self.override_reason,
            )
            dates = {clinic.local_date(moment) for moment in (before, placement.start) if moment is not None}
            regroup_and_tell(clinic=clinic, patient=locked.course.patient, dates=dates, now=self.now)
        return Session.objects.select_related("course__clinic", "appointment", "visit").get(pk=locked.pk)
