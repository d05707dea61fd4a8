"""The one bridge between rows and the planner: courses become a Problem, its answer becomes items of a plan."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dateutil.rrule import rrulestr
from django.db import connection
from django.db.models import Count, F, Q
from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid
from clinic.models import Clinic, Patient
from courses.booking.calendars import (
    Days,
    local_moment,
    period_masks,
    read_calendars,
    read_days,
    slot_of,
)
from courses.booking.models import Course, Session
from courses.booking.supply import Supply, to_slots
from courses.booking.transitions import LIVE, PLACED, Status
from courses.booking.wishes import Wishes
from courses.catalogue.models import GapUnit, Procedure
from courses.groups.meetings import falls_out
from courses.groups.models import ClassMeeting, GroupClass
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

    def items(self, plan: planning.Plan) -> list[dict[str, Any]]:
        """Plan items (see `Plan.items`) in order of time."""
        sessions = {asked.course.pk: asked.sessions for asked in self.asked}
        return [self.item(placed, sessions[int(placed.course)][placed.number - 1]) for placed in plan.sessions]

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
) -> Bridge:
    """Read everything the planner needs for these courses of one patient.

    `moving` names placed sessions that are planned anew along with the unplaced ones, or, with `only_moving`, alone.
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
        raise Invalid(_("Every session of this course has a time already."), code="nothing_to_plan")
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


def weekly_meetings(rrule: str) -> int | None:
    """How many times a week a weekly rule meets; None where that cannot be said."""
    rule: Any = rrulestr(rrule.removeprefix("RRULE:"), ignoretz=True)
    if getattr(rule, "_freq", None) != 2 or getattr(rule, "_interval", 1) != 1:
        return None
    return len(getattr(rule, "_byweekday", None) or [0])


def read_series(
    asked: Sequence[Asked], days: Days, *, now: dt.datetime, moving: Collection[Session]
) -> dict[int, list[planning.ClassSeries]]:
    """Series of the right rhythm for each course in groups: a course of 3 a week takes classes that meet 3 a week.

    Seats of `moving` sessions and of holds that have expired count as free.
    """
    groups = [one for one in asked if one.procedure.is_group]
    if not groups:
        return {}
    start, end = days.bounds()
    until = "appointment__sessions__held_until"
    sold = Q(appointment__sessions__status__in=PLACED) & (Q(**{until: None}) | Q(**{f"{until}__gt": now}))
    if moving:
        sold &= ~Q(appointment__sessions__in=[session.pk for session in moving])
    meetings: dict[int, list[ClassMeeting]] = defaultdict(list)
    for meeting in (
        ClassMeeting.objects.filter(
            group_class__procedure__in={one.procedure.pk for one in groups},
            group_class__clinic=days.clinic,
            group_class__is_active=True,
            appointment__live=True,
            appointment__starts_at__gte=start,
            appointment__starts_at__lt=end,
        )
        .select_related("appointment", "group_class__instructor")
        .annotate(seats_taken=Count("appointment__sessions", filter=sold), is_off=falls_out())
        .order_by("appointment__starts_at")
    ):
        meetings[meeting.group_class_id].append(meeting)
    series: dict[int, list[planning.ClassSeries]] = defaultdict(list)
    for held in meetings.values():
        group = held[0].group_class
        rhythm = weekly_meetings(group.rrule)
        one_series = _series(group, held, days)
        for one in groups:
            if one.procedure.pk == group.procedure_id and one.wishes.per_week in (None, rhythm):
                series[one.course.pk].append(one_series)
    return series


def _series(group: GroupClass, held: Sequence[ClassMeeting], days: Days) -> planning.ClassSeries:
    instructor = group.instructor
    meetings = []
    for meeting in held:
        wall = meeting.appointment.starts_at.astimezone(days.clinic.tz)
        length = meeting.appointment.ends_at - meeting.appointment.starts_at
        meetings.append(
            planning.ClassMeeting(
                meeting=meeting.pk,
                day=days.index(wall.date()),
                slot=slot_of(wall.time()),
                slots=to_slots(round(length.total_seconds() / 60)),
                seats_free=(meeting.appointment.seats or 0) - meeting.seats_taken,  # type: ignore[attr-defined]
                held=not meeting.is_off,  # type: ignore[attr-defined]
            )
        )
    option = planning.TherapistOption(
        instructor.pk, gender=instructor.gender, languages=frozenset(instructor.languages)
    )
    return planning.ClassSeries(group.pk, option, tuple(meetings), group.room_id)


_BOOKED = """
    SELECT c.patient_id, a.starts_at, a.ends_at, p.code, c.clinic_id
    FROM courses_session s JOIN courses_course c ON c.id = s.course_id JOIN courses_procedure p ON p.id = c.procedure_id
    JOIN clinic_appointment a ON a.id = s.appointment_id
    WHERE c.patient_id = ANY (%s) AND s.status = ANY (%s) AND a.starts_at >= %s AND a.starts_at < %s
      AND (s.held_until IS NULL OR s.held_until > %s) AND NOT s.id = ANY (%s)
"""


def read_patients(
    days: Days, free: Mapping[int, planning.Masks], *, now: dt.datetime, moving: Collection[Session]
) -> dict[int, planning.Patient]:
    """Patients by key, `free` the time in which they have no booking; what lies before `now` is nobody's.

    One statement, whatever their number.
    """
    start, end = days.bounds()
    # A session starts after now, so the slot that begins this very moment has gone too.
    gone = period_masks(days, start, now + dt.timedelta(seconds=1))
    visits: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
    booked: dict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    with connection.cursor() as cursor:
        leaving = [session.pk for session in moving]
        cursor.execute(_BOOKED, [list(free), sorted(PLACED), start, end, now, leaving])
        rows = cursor.fetchall()
    for patient, starts_at, ends_at, code, clinic_id in rows:
        wall, until = starts_at.astimezone(days.clinic.tz), ends_at.astimezone(days.clinic.tz)
        day = days.index(wall.date())
        booked[patient][day].add(code)
        if clinic_id == days.clinic.pk:
            first, last = slot_of(wall.time()), slot_of(until.time(), up=True)
            known = visits[patient].get(day, (first, last))
            visits[patient][day] = (min(known[0], first), max(known[1], last))
    return {
        patient: planning.Patient(
            tuple(mask & ~gone[day] if day in gone else mask for day, mask in enumerate(own)),
            visits[patient],
            {day: frozenset(codes) for day, codes in booked[patient].items()},
        )
        for patient, own in free.items()
    }


__all__ = [
    "Asked",
    "Bridge",
    "build_problem",
    "course_request",
    "is_expired",
    "placed_item",
    "read_patients",
    "read_series",
    "weekly_meetings",
]
