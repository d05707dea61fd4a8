"""Many patients' prescriptions on one clinic's calendar, and that calendar as it fills.

`one_after_another` books in an order, as a front desk does; `ejecting` places together what does not fit that way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from .ground import Ground
from .masks import interval_mask
from .solving import plan
from .table import CourseTable
from .types import Budget, ClassSeries, CourseRequest, Key, Masks, NoPlan, Patient, Plan, PlannedSession, Problem
from .verification import verify

# One prescription among many gets a good plan rather than a proven one.
QUICK = Budget(steps=10)


@dataclass(frozen=True, slots=True)
class Prescription:
    """What one patient is to be given; its problem is that of the calendar before any prescription is placed.

    Prescriptions of the same `patient` share that patient's time.
    """

    key: Key
    patient: Key
    problem: Problem

    @property
    def sessions(self) -> int:
        return sum(course.sessions for course in self.problem.courses)

    @property
    def last_day(self) -> date:
        """The day by which all of it must be done, or the end of its horizon."""
        horizon = self.problem.horizon
        last = [horizon.days - 1 if c.finish_day is None else c.finish_day for c in self.problem.courses]
        return date.fromordinal(horizon.first_day.toordinal() + max(last))


@dataclass(frozen=True, slots=True)
class Caseload:
    """places: of each resource, masks from `first_day` on of at least one free place, of at least two, and so on."""

    first_day: date
    places: Mapping[int, tuple[Masks, ...]]
    prescriptions: tuple[Prescription, ...]


@dataclass(frozen=True, slots=True)
class CaseloadPlan:
    """plans: those placed; `order` is how they were found. Fewer unplaced is better, then fewer sessions, then cost."""

    order: str
    plans: Mapping[Key, Plan]
    unplaced: tuple[Key, ...]
    unplaced_sessions: int
    cost: int
    steps: int = 0

    @property
    def rank(self) -> tuple[int, int, int]:
        return len(self.unplaced), self.unplaced_sessions, self.cost


@dataclass(slots=True)
class SharedCalendar:
    """The clinic's free places, less what the placed prescriptions take."""

    caseload: Caseload
    plans: dict[Key, Plan] = field(default_factory=dict)
    _places: dict[int, list[list[int]]] = field(init=False)
    _seats: dict[int, int] = field(default_factory=dict)
    _by_key: dict[Key, Prescription] = field(init=False)

    def __post_init__(self) -> None:
        self._places = {key: [list(masks) for masks in levels] for key, levels in self.caseload.places.items()}
        self._by_key = {one.key: one for one in self.caseload.prescriptions}

    def take(self, key: Key, placed: Plan) -> None:
        self.plans[key] = placed
        self._move(self._by_key[key], placed, take=True)

    def release(self, key: Key) -> Plan:
        """Give back what a prescription takes; its plan."""
        placed = self.plans.pop(key)
        self._move(self._by_key[key], placed, take=False)
        return placed

    def _move(self, one: Prescription, placed: Plan, *, take: bool) -> None:
        offset = self._offset(one)
        courses = {course.key: course for course in one.problem.courses}
        for session in placed.sessions:
            if session.meeting is not None:
                self._seats[session.meeting] = self._seats.get(session.meeting, 0) + (1 if take else -1)
                continue
            for resource, start, end in takes(courses[session.course], session):
                self._shift(resource, session.day + offset, interval_mask(start, end), take=take)

    def _shift(self, resource: int, day: int, bits: int, *, take: bool) -> None:
        """One place less, or more, in these slots: what holds for k + 1 places holds for k, or the other way round."""
        levels = self._places[resource]
        days = [level[day] for level in levels]
        for level, moved in zip(levels, [*days[1:], 0] if take else [bits, *days[:-1]], strict=True):
            level[day] = level[day] & ~bits | moved & bits

    def _offset(self, one: Prescription) -> int:
        return (one.problem.horizon.first_day - self.caseload.first_day).days

    def problem(self, one: Prescription) -> Problem:
        """The prescription's problem beside all that is placed; it must not be placed itself."""
        problem = one.problem
        first = self._offset(one)
        until = first + problem.horizon.days
        resources = {}
        for key, days in problem.resources.items():
            levels = self._places[key]
            free = tuple(levels[0][first:until])
            twice = days.free_twice
            if twice is not None:
                twice = tuple(levels[1][first:until]) if len(levels) > 1 else (0,) * len(free)
            resources[key] = replace(days, free=free, free_twice=twice)
        return replace(
            problem,
            resources=resources,
            patient=self._patient(one),
            courses=tuple(self._with_seats(course) for course in problem.courses),
        )

    def _with_seats(self, course: CourseRequest) -> CourseRequest:
        if course.series is None or not self._seats:
            return course

        def left(series: ClassSeries) -> ClassSeries:
            meetings = (replace(m, seats_free=m.seats_free - self._seats.get(m.meeting, 0)) for m in series.meetings)
            return replace(series, meetings=tuple(meetings))

        return replace(course, series=tuple(left(series) for series in course.series))

    def _patient(self, one: Prescription) -> Patient:
        """The patient's time without what other prescriptions of the same person take."""
        patient = one.problem.patient
        others = [key for key in self.plans if self._by_key[key].patient == one.patient]
        if not others:
            return patient
        free, visits, booked = list(patient.free), dict(patient.visits), dict(patient.booked)
        for key in others:
            other = self._by_key[key]
            shift = self._offset(other) - self._offset(one)
            courses = {course.key: course for course in other.problem.courses}
            for session in self.plans[key].sessions:
                day = session.day + shift
                if not 0 <= day < len(free):
                    continue
                course, end = courses[session.course], session.slot + session.slots
                rest = course.patient_margins
                free[day] &= ~interval_mask(session.slot - rest.before, end + rest.after)
                known = visits.get(day, (session.slot, end))
                visits[day] = (min(known[0], session.slot), max(known[1], end))
                booked[day] = booked.get(day, frozenset()) | {course.procedure}
        return Patient(tuple(free), visits, booked)


def takes(course: CourseRequest, session: PlannedSession) -> Iterable[tuple[int, int, int]]:
    """(resource, first slot, slot after the last) of everything but the patient that a session takes."""
    end = session.slot + session.slots
    for resource, margins in (
        (session.therapist, course.therapist_margins),
        (session.room, course.room_margins),
        (session.device, course.device_margins),
    ):
        if resource is not None:
            yield resource, session.slot - margins.before, end + margins.after
    hands = next((o.hands for o in course.therapists if o.therapist == session.therapist), None)
    if hands is not None:
        if course.hands_on_start:
            yield hands, session.slot, session.slot + course.hands_on_start
        if course.hands_on_end:
            yield hands, end - course.hands_on_end, end


def result(calendar: SharedCalendar, order: str, *, steps: int = 0) -> CaseloadPlan:
    """What is placed, each plan checked beside all the others.  Raises AssertionError for a broken rule."""
    for one in calendar.caseload.prescriptions:
        if one.key in calendar.plans:
            placed = calendar.release(one.key)
            broken = verify(calendar.problem(one), placed)
            calendar.take(one.key, placed)
            if broken:
                raise AssertionError(f"the plan of {one.key} breaks {[v.code for v in broken]}")
    unplaced = [one for one in calendar.caseload.prescriptions if one.key not in calendar.plans]
    return CaseloadPlan(
        order=order,
        plans=dict(calendar.plans),
        unplaced=tuple(one.key for one in unplaced),
        unplaced_sessions=sum(one.sessions for one in unplaced),
        cost=sum(placed.cost for placed in calendar.plans.values()),
        steps=steps,
    )


def one_after_another(
    caseload: Caseload,
    order: Sequence[Prescription],
    *,
    name: str,
    budget: Budget = QUICK,
    done: Callable[[int], None] = lambda _count: None,
) -> CaseloadPlan:
    """Each prescription planned on what those before it have left. `done` hears how many have had their turn."""
    calendar = SharedCalendar(caseload)
    for count, one in enumerate(order, 1):
        found = plan(calendar.problem(one), budget=budget)
        if not isinstance(found, NoPlan):
            calendar.take(one.key, found)
        done(count)
    return result(calendar, name, steps=len(order))


def orders(caseload: Caseload) -> dict[str, tuple[Prescription, ...]]:
    """Orders in which a front desk might book."""
    given = caseload.prescriptions
    tight = {one.key: tightness(one.problem) for one in given}
    weights = {one.key: weight(one.problem) for one in given}
    return {
        "as given": given,
        "earliest finish first": tuple(sorted(given, key=lambda one: one.last_day)),
        "tightest first": tuple(sorted(given, key=lambda one: -tight[one.key])),
        "most sessions first": tuple(sorted(given, key=lambda one: -one.sessions)),
        "lightest first": tuple(sorted(given, key=lambda one: weights[one.key])),
    }


def tightness(problem: Problem) -> float:
    """Sessions wanted for each day that has a start, of the course that has the fewest; more is tighter."""
    ground = Ground(problem)
    worst = 0.0
    for course in problem.courses:
        if course.series is not None:
            held = max((sum(m.held and m.seats_free > 0 for m in s.meetings) for s in course.series), default=0)
            worst = max(worst, course.sessions / max(held, 0.5))
            continue
        table = CourseTable(ground, course)
        starts = sum(mask.bit_count() for mask in table.starts)
        worst = max(worst, course.sessions / max(starts, 0.5))
    return worst


def weight(problem: Problem) -> float:
    """The part of their therapists' free time that all its courses take."""
    total = 0.0
    for course in problem.courses:
        margins = course.therapist_margins
        wanted = course.sessions * (margins.before + course.slots + margins.after)
        free = sum(m.bit_count() for o in course.therapists for m in problem.resources[o.therapist].free)
        total += wanted / max(free, 1) if course.series is None else 0.0
    return total
