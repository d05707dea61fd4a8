"""The one bridge between rows and the planner: courses become a Problem, its answer becomes items of a plan."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dateutil.rrule import rrulestr
from django.db.models import Count, Q
from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid
from clinic.models import Clinic, Equipment, Patient, Resource, ResourceKind, Room
from courses.booking.calendars import (
    Days,
    local_moment,
    masks_of,
    period_masks,
    read_calendars,
    read_days,
    read_taken,
    slot_of,
)
from courses.booking.models import Course, Session
from courses.booking.transitions import LIVE, PLACED, Status
from courses.booking.wishes import Wishes
from courses.catalogue.models import Procedure, Qualification, Requirement
from courses.groups.models import ClassMeeting, GroupClass
from courses.planning import types as planning
from courses.planning.types import FULL_DAY, SLOT_MINUTES

# Days beyond the last allowed finish that the planner may look at, for "the earliest finish that opens a plan".
LOOK_BEYOND = dt.timedelta(days=42)
DEFAULT_WINDOW = dt.timedelta(days=84)

# The planner's families of "another therapist costs" by the catalogue's categories.
_FAMILY = {"MS": "massage", "AC": "acupuncture", "MT": "manual", "EX": "exercise", "TR": "traction", "PT": "device"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A course as it is to be planned: its open sessions in order of number, and what stays around them."""

    course: Course
    procedure: Procedure
    sessions: tuple[Session, ...]
    kept: tuple[Session, ...]
    done: tuple[dt.date, ...]
    wishes: Wishes


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
        needs_hands = {
            course.key for course in self.problem.courses if course.hands_on_start or course.hands_on_end
        }
        items = []
        for placed in plan.sessions:
            date = self.days.date(placed.day)
            start = local_moment(self.clinic, date, placed.slot)
            items.append(
                {
                    "session": sessions[int(placed.course)][placed.number - 1].pk,
                    "course": int(placed.course),
                    "start": start.isoformat(),
                    "end": (start + dt.timedelta(minutes=placed.slots * SLOT_MINUTES)).isoformat(),
                    "therapist": placed.therapist,
                    "room": placed.room,
                    "device": placed.device,
                    "meeting": placed.meeting,
                    "hands": self.hands.get(placed.therapist or 0) if placed.course in needs_hands else None,
                }
            )
        return items


def build_problem(
    *,
    courses: Sequence[Course],
    now: dt.datetime,
    profile: str = "balanced",
    wishes: Mapping[int, Wishes] | None = None,
    not_before: dt.date | None = None,
    moving: Collection[Session] = (),
) -> Bridge:
    """Read everything the planner needs for these courses of one patient.

    `moving` names placed sessions that are planned anew along with the unplaced ones. Raises Invalid where a course
    cannot be asked for: no open sessions, unknown frequency, different patients or clinics.
    """
    clinic, patient = _shared(courses)
    asked = [_ask(course, (wishes or {}).get(course.pk, Wishes()), moving) for course in courses]
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
    days = read_days(clinic, horizon_from, max(last, first))

    supply = _Supply.read(asked, days)
    ignoring = [s.appointment_id for s in moving if s.appointment_id and s.seat is None]
    calendars = read_calendars(
        days,
        therapists=supply.therapist_ids,
        places=supply.place_ids,
        hands=supply.hands,
        capacities=supply.capacities,
        now=now,
        ignoring=ignoring,
    )
    requests = tuple(
        supply.request(one, days=days, first=first, finish=finishes[one.course.pk], now=now) for one in asked
    )
    problem = planning.Problem(
        horizon=planning.Horizon(days.first, days.opening),
        patient=_patient_days(patient, days, now=now, moving=moving),
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
        versions=supply.versions,
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


def _ask(course: Course, wishes: Wishes, moving: Collection[Session]) -> Asked:
    moved = {session.pk for session in moving}
    open_sessions: list[Session] = []
    kept: list[Session] = []
    done: list[dt.date] = []
    for session in course.sessions.filter(status__in=LIVE).select_related("appointment").order_by("number"):
        if session.status == Status.UNPLACED or session.pk in moved:
            open_sessions.append(session)
        elif session.status in (Status.BOOKED, Status.CONFIRMED, Status.HELD):
            kept.append(session)
        else:
            done.append(_date(course.clinic, session))
    merged = wishes.over(course)
    if len(open_sessions) + len(kept) + len(done) > 1 and not course.procedure.is_group and merged.gap_min is None:
        message = _("The frequency of this course is not known. Enter how often its sessions are.")
        raise Invalid(message, code="frequency_unknown", details={"gap_min": [message]})
    return Asked(course, course.procedure, tuple(open_sessions), tuple(kept), tuple(done), merged)


def _date(clinic: Clinic, session: Session) -> dt.date:
    assert session.appointment is not None
    return clinic.local_date(session.appointment.starts_at)


def _last_day(asked: Asked, clinic: Clinic, first: dt.date) -> dt.date:
    latest = asked.wishes.finish_by or clinic.book_until or first + DEFAULT_WINDOW
    if clinic.book_until is not None:
        latest = min(latest, clinic.book_until)
    return latest


@dataclass(slots=True)
class _Supply:
    """Who and what could serve the asked courses."""

    requirements: dict[int, list[Requirement]]
    qualifications: dict[int, list[Qualification]]
    rooms: dict[str, list[Room]]
    devices: dict[str, dict[int, list[int]]]  # type → room → devices
    hands: dict[int, int]
    capacities: dict[int, int]
    versions: dict[int, int]
    series: dict[int, list[planning.ClassSeries]]
    therapist_ids: list[int]
    place_ids: list[int]

    @classmethod
    def read(cls, asked: Sequence[Asked], days: Days) -> "_Supply":
        procedures = {one.procedure.pk for one in asked}
        clinic = days.clinic
        requirements: dict[int, list[Requirement]] = defaultdict(list)
        for requirement in Requirement.objects.filter(procedure_id__in=procedures):
            requirements[requirement.procedure_id].append(requirement)
        qualifications: dict[int, list[Qualification]] = defaultdict(list)
        for qualification in (
            Qualification.objects.filter(procedure_id__in=procedures, therapist__is_active=True)
            .select_related("therapist__resource")
            .order_by("therapist_id", "pk")
        ):
            qualifications[qualification.procedure_id].append(qualification)
        room_types = {r.type_code for rs in requirements.values() for r in rs if r.role == ResourceKind.ROOM}
        device_types = {r.type_code for rs in requirements.values() for r in rs if r.role == ResourceKind.EQUIPMENT}
        rooms: dict[str, list[Room]] = defaultdict(list)
        capacities: dict[int, int] = {}
        versions: dict[int, int] = {}

        def note(resource: Resource) -> None:
            capacities[resource.pk] = resource.capacity
            versions[resource.pk] = resource.version

        places = Room.objects.filter(clinic=clinic, room_type__in=room_types, is_active=True)
        for room in places.select_related("resource").order_by("pk"):
            rooms[room.room_type].append(room)
            note(room.resource)
        devices: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        equipment = Equipment.objects.filter(clinic=clinic, equipment_type__in=device_types, is_active=True)
        for device in equipment.select_related("resource").order_by("pk"):
            devices[device.equipment_type][device.room_id].append(device.pk)
            note(device.resource)
        hands: dict[int, int] = {}
        therapists: dict[int, None] = {}
        for found in qualifications.values():
            for qualification in found:
                therapist = qualification.therapist
                note(therapist.resource)
                therapists[therapist.pk] = None
                if therapist.hands_id is not None:
                    hands[therapist.hands_id] = therapist.pk
                    capacities[therapist.hands_id] = 1
        return cls(
            requirements=requirements,
            qualifications=qualifications,
            rooms=rooms,
            devices=devices,
            hands=hands,
            capacities=capacities,
            versions=versions,
            series=_read_series(asked, days),
            therapist_ids=list(therapists),
            place_ids=[pk for pk in capacities if pk not in therapists and pk not in hands],
        )

    def request(
        self, asked: Asked, *, days: Days, first: dt.date, finish: dt.date, now: dt.datetime
    ) -> planning.CourseRequest:
        course, wishes = asked.course, asked.wishes
        by_role: dict[str, list[Requirement]] = defaultdict(list)
        for requirement in self.requirements[asked.procedure.pk]:
            by_role[requirement.role].append(requirement)
        staff = (by_role[ResourceKind.THERAPIST] or [None])[0]
        room = (by_role[ResourceKind.ROOM] or [None])[0]
        device = (by_role[ResourceKind.EQUIPMENT] or [None])[0]
        rest = (by_role[ResourceKind.PATIENT] or [None])[0]
        start = max(filter(None, [first, wishes.start_from]))
        sessions = [*asked.kept]
        return planning.CourseRequest(
            key=course.pk,
            procedure=asked.procedure.code,
            sessions=len(asked.sessions),
            slots=-(-course.minutes // SLOT_MINUTES),
            therapists=self._therapists(asked.procedure, days),
            rooms=self._rooms(room, device),
            needs_therapist=staff is not None,
            needs_room=room is not None,
            therapist_margins=_margins(staff),
            room_margins=_margins(room),
            device_margins=_margins(device),
            patient_margins=_margins(rest),
            hands_on_start=-(-staff.hands_on_start // SLOT_MINUTES) if staff else 0,
            hands_on_end=-(-staff.hands_on_end // SLOT_MINUTES) if staff else 0,
            gap_min=wishes.gap_min or 1,
            gap_max=wishes.gap_max,
            gap_unit=planning.GapUnit(course.gap_unit),
            per_week=wishes.per_week,
            start_day=days.index(start),
            finish_day=days.index(finish),
            done_days=tuple(sorted(days.index(d) for d in asked.done if d >= days.first)),
            resuming=course.paused_until is not None,
            pinned=tuple(_pin(session, days) for session in sessions),
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
            not_same_day_with=frozenset(p.code for p in asked.procedure.not_same_day_with.all()),
            tags=frozenset([_FAMILY.get(asked.procedure.category, ""), *asked.procedure.tags]) - {""},
            series=tuple(self.series.get(course.pk, ())) if asked.procedure.is_group else None,
        )

    def _therapists(self, procedure: Procedure, days: Days) -> tuple[planning.TherapistOption, ...]:
        valid: dict[int, int] = defaultdict(int)
        options = {}
        everyday = (1 << days.count) - 1
        for qualification in self.qualifications[procedure.pk]:
            first = max(days.index(qualification.valid_from), 0) if qualification.valid_from else 0
            last = min(days.index(qualification.valid_until), days.count - 1) if qualification.valid_until else None
            span = everyday >> first << first
            if last is not None:
                span = span & ((1 << (last + 1)) - 1) if last >= 0 else 0
            therapist = qualification.therapist
            valid[therapist.pk] |= span
            options[therapist.pk] = planning.TherapistOption(
                therapist=therapist.pk,
                valid_days=valid[therapist.pk] if valid[therapist.pk] != everyday else None,
                gender=therapist.gender,
                languages=frozenset(therapist.languages),
                hands=therapist.hands_id,
            )
        return tuple(options.values())

    def _rooms(self, room: Requirement | None, device: Requirement | None) -> tuple[planning.RoomOption, ...]:
        if room is None:
            return ()
        if device is None:
            return tuple(planning.RoomOption(r.pk) for r in self.rooms[room.type_code])
        standing = self.devices[device.type_code]
        return tuple(
            planning.RoomOption(r.pk, tuple(standing[r.pk])) for r in self.rooms[room.type_code] if standing.get(r.pk)
        )


def _margins(requirement: Requirement | None) -> planning.Margins:
    if requirement is None:
        return planning.Margins()
    return planning.Margins(
        -(-requirement.minutes_before // SLOT_MINUTES), -(-requirement.minutes_after // SLOT_MINUTES)
    )


def _pin(session: Session, days: Days) -> planning.PinnedSession:
    assert session.appointment is not None
    wall = session.appointment.starts_at.astimezone(days.clinic.tz)
    return planning.PinnedSession(day=days.index(wall.date()), slot=slot_of(wall.time()))


def weekly_meetings(rrule: str) -> int | None:
    """How many times a week a weekly rule meets; None where that cannot be said."""
    rule: Any = rrulestr(rrule.removeprefix("RRULE:"), ignoretz=True)
    if getattr(rule, "_freq", None) != 2 or getattr(rule, "_interval", 1) != 1:
        return None
    return len(getattr(rule, "_byweekday", None) or [0])


def _read_series(asked: Sequence[Asked], days: Days) -> dict[int, list[planning.ClassSeries]]:
    """Series of the right rhythm for each course in groups: a course of 3 a week takes classes that meet 3 a week."""
    groups = [one for one in asked if one.procedure.is_group]
    if not groups:
        return {}
    start, end = days.bounds()
    taken = Count("appointment__sessions", filter=Q(appointment__sessions__status__in=PLACED))
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
        .annotate(seats_taken=taken)
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
                slots=-(-round(length.total_seconds() / 60) // SLOT_MINUTES),
                seats_free=(meeting.appointment.seats or 0) - meeting.seats_taken,  # type: ignore[attr-defined]
            )
        )
    option = planning.TherapistOption(
        instructor.pk, gender=instructor.gender, languages=frozenset(instructor.languages)
    )
    return planning.ClassSeries(group.pk, option, tuple(meetings), group.room_id)


def _patient_days(
    patient: Patient, days: Days, *, now: dt.datetime, moving: Collection[Session]
) -> planning.Patient:
    moved = [session.pk for session in moving]
    ignoring = [session.appointment_id for session in moving if session.appointment_id]
    taken = read_taken(days, [patient.pk], now=now, ignoring=ignoring).get(patient.pk)
    free = [FULL_DAY] * days.count
    if taken is not None:
        free = list(masks_of(taken == 0))
    today = days.index(days.clinic.local_date(now))
    for day in range(min(max(today, 0), days.count)):
        free[day] = 0
    start, _end = days.bounds()
    if 0 <= today < days.count:
        free[today] &= ~period_masks(days, start, now).get(today, 0)
    visits: dict[int, tuple[int, int]] = {}
    booked: dict[int, set[str]] = defaultdict(set)
    rows = (
        Session.objects.filter(
            course__patient=patient,
            status__in=PLACED,
            appointment__starts_at__gte=days.bounds()[0],
            appointment__starts_at__lt=days.bounds()[1],
        )
        .exclude(pk__in=moved)
        .values_list("appointment__starts_at", "appointment__ends_at", "course__procedure__code", "course__clinic")
    )
    for starts_at, ends_at, code, clinic_id in rows:
        wall, until = starts_at.astimezone(days.clinic.tz), ends_at.astimezone(days.clinic.tz)
        day = days.index(wall.date())
        booked[day].add(code)
        if clinic_id == days.clinic.pk:
            first, last = slot_of(wall.time()), slot_of(until.time(), up=True)
            known = visits.get(day, (first, last))
            visits[day] = (min(known[0], first), max(known[1], last))
    return planning.Patient(tuple(free), visits, {day: frozenset(codes) for day, codes in booked.items()})


__all__ = ["Asked", "Bridge", "build_problem", "weekly_meetings"]
