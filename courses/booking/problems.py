"""The one bridge between rows and the planner: courses become a Problem, its answer becomes items of a plan."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid
from clinic.models import Clinic, Patient
from courses.booking.calendars import Days, local_moment, read_calendars, read_days, slot_of
from courses.booking.models import Course, Session
from courses.booking.patient_days import read_patients
from courses.booking.rules import parse_rules
from courses.booking.series import read_series
from courses.booking.supply import Supply
from courses.booking.transitions import LIVE, Status
from courses.booking.wishes import Wishes
from courses.catalogue.models import GapUnit, Procedure
from courses.planning import types as planning
from courses.planning.types import SLOT_MINUTES

# Days beyond the last allowed finish that the planner may look at, for "the earliest finish that opens a plan".
LOOK_BEYOND = dt.timedelta(days=42)
DEFAULT_WINDOW = dt.timedelta(days=84)
# A finish in the next century is a slip of the pen, and no reason to read calendars until then.
LONGEST_WINDOW = dt.timedelta(days=370)


@dataclass(frozen=True, slots=True)
class Asked:
    """A course as it is to be planned: its open sessions in order of number, and what stays around them."""

    course: Course
    procedure: Procedure
    sessions: tuple[Session, ...]
    kept: tuple[Session, ...]
    done: tuple[dt.date, ...]
    wishes: Wishes
    patient_version: int

    def given_before(self, date: dt.date) -> int:
        """Sessions given before a date, those before the software's time included."""
        return self.course.done_before + sum(done < date for done in self.done)


@dataclass(frozen=True, slots=True)
class Bridge:
    """A problem with what it takes to read its answer."""

    clinic: Clinic
    patient: Patient
    days: Days
    asked: tuple[Asked, ...]
    problem: planning.Problem
    versions: Mapping[int, int]
    hands: Mapping[int, int] = field(default_factory=dict)
    former: Mapping[int, planning.FormerSession] = field(default_factory=dict)

    def items(self, plan: planning.Plan) -> list[dict[str, Any]]:
        """Plan items (see `Plan.items`) in order of time."""
        sessions = {
            (asked.course.pk, placed.number): session
            for asked in self.asked
            for placed, session in self._matched(asked, [s for s in plan.sessions if s.course == asked.course.pk])
        }
        return [self.item(placed, sessions[int(placed.course), placed.number]) for placed in plan.sessions]

    def _matched(
        self, asked: Asked, planned: Sequence[planning.PlannedSession]
    ) -> Iterator[tuple[planning.PlannedSession, Session]]:
        """Which session each planned one is: the one that was there, or on that day; the others in order of time."""
        left = {session.pk: session for session in asked.sessions}
        open_ = list(planned)
        for same in (lambda f, p: (f.day, f.slot) == (p.day, p.slot), lambda f, p: f.day == p.day):
            for placed in list(open_):
                pk = next((pk for pk in left if pk in self.former and same(self.former[pk], placed)), None)
                if pk is not None:
                    open_.remove(placed)
                    yield placed, left.pop(pk)
        yield from zip(open_, left.values(), strict=False)

    def item(self, placed: planning.PlannedSession, session: Session) -> dict[str, Any]:
        request = next(c for c in self.problem.courses if c.key == placed.course)
        return {
            "session": session.pk,
            "course": session.course_id,
            **placed_item(self.days, request, placed, patient=self.patient.pk, hands=self.hands),
        }


class Placed(Protocol):
    """What planning and repair say alike of a session that has a place."""

    @property
    def day(self) -> int: ...
    @property
    def slot(self) -> int: ...
    @property
    def slots(self) -> int: ...
    @property
    def therapist(self) -> int | None: ...
    @property
    def room(self) -> int | None: ...
    @property
    def device(self) -> int | None: ...
    @property
    def meeting(self) -> int | None: ...


def placed_item(
    days: Days, request: planning.CourseRequest, placed: Placed, *, patient: int, hands: Mapping[int, int]
) -> dict[str, Any]:
    """Times, resources and reservations of a place, as in `Plan.items`; `hands` maps therapists to theirs."""
    start = local_moment(days.clinic, days.date(placed.day), placed.slot)
    end = start + _slots(placed.slots)
    takes = _takes(request, placed, start, end, patient=patient, hands=hands)
    return {
        "start": start.isoformat(),
        "end": end.isoformat(),
        "therapist": placed.therapist,
        "room": placed.room,
        "device": placed.device,
        "meeting": placed.meeting,
        "takes": [[pk, first.isoformat(), last.isoformat()] for pk, first, last in takes],
    }


def _takes(
    request: planning.CourseRequest,
    placed: Placed,
    start: dt.datetime,
    end: dt.datetime,
    *,
    patient: int,
    hands: Mapping[int, int],
) -> Iterator[tuple[int, dt.datetime, dt.datetime]]:
    yield patient, start - _slots(request.patient_margins.before), end + _slots(request.patient_margins.after)
    if placed.meeting is not None:  # a class reserves its own hall and instructor
        return
    for pk, margins in (
        (placed.therapist, request.therapist_margins),
        (placed.room, request.room_margins),
        (placed.device, request.device_margins),
    ):
        if pk is not None:
            yield pk, start - _slots(margins.before), end + _slots(margins.after)
    own_hands = hands.get(placed.therapist or 0)
    if own_hands is not None:
        if request.hands_on_start:
            yield own_hands, start, start + _slots(request.hands_on_start)
        if request.hands_on_end:
            yield own_hands, end - _slots(request.hands_on_end), end


def _slots(count: int) -> dt.timedelta:
    return dt.timedelta(minutes=count * SLOT_MINUTES)


def build_problem(
    *,
    courses: Sequence[Course],
    now: dt.datetime,
    profile: str = "balanced",
    wishes: Mapping[int, Wishes] | None = None,
    not_before: dt.date | None = None,
    moving: Collection[Session] = (),
    only_moving: bool = False,
    rules: Sequence[Mapping[str, Any]] = (),
) -> Bridge:
    """Read everything the planner needs for these courses of one patient.

    `moving` names placed sessions that are planned anew along with the unplaced ones, or, with `only_moving`, alone;
    `rules` hold between the procedures, see `parse_rules`.
    Raises Invalid where a course cannot be asked for: no open sessions, unknown frequency, a finish that has passed,
    different patients or clinics.
    """
    clinic, patient = _shared(courses)
    asked = [
        _ask(course, (wishes or {}).get(course.pk, Wishes()), moving, only_moving=only_moving, now=now)
        for course in courses
    ]
    # Read first, and from the database: what changes from here on makes the plan stale rather than wrong.
    patient_version = asked[0].patient_version
    if not any(one.sessions for one in asked):
        message = _("Every session of this course has a time already.")
        raise Invalid(message, code="nothing_to_plan", details={"courses": [message]})
    asked = [one for one in asked if one.sessions]
    today = clinic.local_date(now)
    first = max(filter(None, [today, not_before]))
    # Days already used count for gaps and weekly maxima, so the horizon begins with their week.
    past = [date for one in asked for date in one.done] + [_date(clinic, s) for one in asked for s in one.kept]
    horizon_from = min([first, *(date for date in past if date >= first - dt.timedelta(days=35))])
    finishes = {one.course.pk: _last_day(one, clinic, first) for one in asked}
    last = max(finishes.values()) + LOOK_BEYOND
    if clinic.book_until is not None:
        last = max(min(last, clinic.book_until), *finishes.values())
    # What was moved far away with a reason stays part of its course.
    days = read_days(clinic, horizon_from, max([last, first, *past]))

    supply = Supply.read([one.procedure for one in asked], days)
    series = read_series(asked, days, now=now, moving=moving)
    ignoring = [s.appointment_id for s in moving if s.appointment_id]
    calendars = read_calendars(
        days,
        therapists=supply.therapist_ids,
        places=supply.place_ids,
        hands=supply.hands,
        capacities=supply.capacities,
        patient=patient.pk,
        now=now,
        ignoring=ignoring,
    )
    requests = tuple(
        course_request(one, supply, days=days, first=first, finish=finishes[one.course.pk], series=series)
        for one in asked
    )
    problem = planning.Problem(
        horizon=planning.Horizon(days.first, days.opening),
        patient=read_patients(days, {patient.pk: calendars.patient}, now=now, moving=moving)[patient.pk],
        resources=calendars.resources,
        courses=requests,
        profile=planning.PROFILES[profile],
        combine_visits=any(c.programme is not None and c.programme.combine_visits for c in courses),
        rules=parse_rules(rules, earlier={one.course.pk: one.given_before(days.first) for one in asked}),
    )
    return Bridge(
        clinic=clinic,
        patient=patient,
        days=days,
        asked=tuple(asked),
        problem=problem,
        versions=supply.versions | {patient.pk: patient_version},
        hands={therapist: hands for hands, therapist in supply.hands.items()},
    )


def _shared(courses: Sequence[Course]) -> tuple[Clinic, Patient]:
    if not courses:
        raise Invalid(_("Choose at least one course."), details={"courses": [_("Choose at least one course.")]})
    first = courses[0]
    if any(c.patient_id != first.patient_id or c.clinic_id != first.clinic_id for c in courses):
        message = _("Courses are planned together only for one patient in one clinic.")
        raise Invalid(message, details={"courses": [message]})
    return first.clinic, first.patient


def _ask(course: Course, wishes: Wishes, moving: Collection[Session], *, only_moving: bool, now: dt.datetime) -> Asked:
    moved = {session.pk for session in moving}
    open_sessions: list[Session] = []
    kept: list[Session] = []
    done: list[dt.date] = []
    version = 0
    rows = course.sessions.filter(status__in=LIVE).annotate(version_of_patient=F("course__patient__resource__version"))
    for session in rows.select_related("appointment").order_by("number"):
        version = session.version_of_patient
        if session.pk in moved or (session.status == Status.UNPLACED and not only_moving):
            open_sessions.append(session)
        elif session.status == Status.UNPLACED or is_expired(session, now):
            continue
        elif session.time.starts_at > now:
            kept.append(session)
        else:
            done.append(_date(course.clinic, session))
    merged = wishes.over(course)
    if len(open_sessions) + len(kept) + len(done) > 1 and not course.procedure.is_group and merged.gap_min is None:
        message = _("The frequency of this course is not known. Enter how often its sessions are.")
        raise Invalid(message, code="frequency_unknown", details={"gap_min": [message]})
    return Asked(course, course.procedure, tuple(open_sessions), tuple(kept), tuple(done), merged, version)


def is_expired(session: Session, now: dt.datetime) -> bool:
    """Whether only a hold of the past still stands on the session's time."""
    return session.held_until is not None and session.held_until <= now


def _date(clinic: Clinic, session: Session) -> dt.date:
    return clinic.local_date(session.time.starts_at)


def _last_day(asked: Asked, clinic: Clinic, first: dt.date) -> dt.date:
    latest = asked.wishes.finish_by or clinic.book_until or first + DEFAULT_WINDOW
    latest = min(latest, first + LONGEST_WINDOW)
    if clinic.book_until is not None:
        latest = min(latest, clinic.book_until)
    return latest


def course_request(
    asked: Asked,
    supply: Supply,
    *,
    days: Days,
    first: dt.date,
    finish: dt.date,
    series: Mapping[int, Sequence[planning.ClassSeries]],
) -> planning.CourseRequest:
    course, wishes = asked.course, asked.wishes
    start = max(filter(None, [first, wishes.start_from]))
    if finish < start:
        message = _("The finish lies before the first day that can be booked. Enter a later one.")
        raise Invalid(details={"finish_by": [message]})
    return planning.CourseRequest(
        key=course.pk,
        sessions=len(asked.sessions),
        **supply.needs(asked.procedure, minutes=course.minutes, days=days),
        gap_min=wishes.gap_min or 1,
        gap_max=wishes.gap_max,
        gap_unit=planning.GapUnit(course.gap_unit),
        per_week=wishes.per_week,
        start_day=days.index(start),
        finish_day=days.index(finish),
        done_days=tuple(sorted(days.index(d) for d in asked.done if d >= days.first)),
        resuming=_is_resuming(asked, days, start),
        pinned=tuple(_pin(session, days) for session in asked.kept if _date(days.clinic, session) >= days.first),
        excluded_days=frozenset(days.index(d) for d in wishes.excluded_days if days.first <= d <= days.last),
        weekdays=frozenset(day - 1 for day in wishes.weekdays),
        weekdays_strength=planning.Strength(wishes.weekdays_strength),
        window=wishes.window,
        window_strength=planning.Strength(wishes.window_strength),
        preferred_therapist=wishes.preferred_therapist,
        therapist_strength=planning.Strength(wishes.therapist_strength),
        gender=wishes.therapist_gender,
        languages=frozenset([wishes.therapist_language]) if wishes.therapist_language else frozenset(),
        language_strength=planning.Strength(wishes.language_strength),
        tags=frozenset(asked.procedure.tags),
        extra_therapist=asked.procedure.therapist_change_cost,
        series=tuple(series.get(course.pk, ())) if asked.procedure.is_group else None,
    )


def _is_resuming(asked: Asked, days: Days, start: dt.date) -> bool:
    """Whether the longest gap since the last session given has gone by already: it cannot be kept any more."""
    if not asked.done or asked.wishes.gap_max is None:
        return False
    last = max(asked.done)
    if asked.course.gap_unit == GapUnit.CALENDAR or last < days.first:
        return (start - last).days > asked.wishes.gap_max
    opened = sum(days.opening[days.index(last) + 1 : days.index(start) + 1])
    return opened > asked.wishes.gap_max


def _pin(session: Session, days: Days) -> planning.PinnedSession:
    wall = session.time.starts_at.astimezone(days.clinic.tz)
    return planning.PinnedSession(day=days.index(wall.date()), slot=slot_of(wall.time()))


__all__ = ["Asked", "Bridge", "build_problem", "course_request", "is_expired", "placed_item"]
