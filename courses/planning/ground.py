"""What a problem's courses stand on: joined masks of its resources, opening days, what other courses took.

A `Ground` is built once per problem; `Ground.beside(sessions)` is the same ground with some sessions taken: that is
how one course is planned around the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cached_property

from . import masks
from .rulebook import Fixed, RuleBook, kind_of
from .types import CourseRequest, Key, PlannedSession, Problem


class Ground:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.days = problem.horizon.days
        self.opening_days = [d for d, is_open in enumerate(problem.horizon.opening) if is_open]
        self.courses = {c.key: c for c in problem.courses}
        self.rulebook = RuleBook(problem)
        self.taken: tuple[PlannedSession, ...] = ()
        self._free: dict[int, int] = {}
        self._given: dict[int, int] = {}
        self._shared: dict[int, int] = {}
        self._patient = masks.join_days(problem.patient.free)

    @cached_property
    def weekdays(self) -> list[int]:
        first = self.problem.horizon.first_day.weekday()
        return [(first + d) % 7 for d in range(self.days)]

    @cached_property
    def weeks(self) -> list[int]:
        """A number per ISO week, the same for the days of one week."""
        first = self.problem.horizon.first_day
        monday = first - timedelta(days=first.weekday())
        return [(first + timedelta(days=d) - monday).days // 7 for d in range(self.days)]

    @property
    def patient(self) -> int:
        return self._patient

    def free(self, resource: int) -> int:
        """Joined bits at which the resource has a place, after what has been taken here."""
        found = self._free.get(resource)
        if found is None:
            found = self._free[resource] = self.untaken(resource)
        return found

    def untaken(self, resource: int) -> int:
        """The same as the problem gives it, whatever has been taken here."""
        found = self._given.get(resource)
        if found is None:
            found = self._given[resource] = masks.join_days(self.problem.resources[resource].free)
        return found

    def has_one_place(self, resource: int) -> bool:
        return self.problem.resources[resource].free_twice is None

    @cached_property
    def fixed(self) -> Mapping[int, tuple[Fixed, ...]]:
        """Day → what is booked or taken there, for the rules between procedures."""
        found = defaultdict(tuple, self.rulebook.booked)
        for s in self.taken:
            found[s.day] += (Fixed(kind_of(self.courses[s.course]), s.slot, s.slot + s.slots),)
        return found

    @cached_property
    def taken_by(self) -> Mapping[Key, list[PlannedSession]]:
        found: dict[Key, list[PlannedSession]] = defaultdict(list)
        for s in self.taken:
            found[s.course].append(s)
        return found

    def number_windows(self, course: CourseRequest) -> dict[int, tuple[int, int]]:
        """Session number → first and last day it may lie on beside what is taken; see `RuleBook.number_windows`."""
        return self.rulebook.number_windows(course, self.taken_by) if self.rulebook else {}

    def excludes(self, course: CourseRequest, day: int) -> bool:
        """The course may not be on this day beside what the patient has there already."""
        booked = self.problem.patient.booked.get(day)
        if booked and booked & course.not_same_day_with:
            return True
        return any(
            self.courses[s.course].procedure in course.not_same_day_with
            or course.procedure in self.courses[s.course].not_same_day_with
            for s in self.taken
            if s.day == day
        )

    def beside(self, sessions: Iterable[PlannedSession]) -> Ground:
        """This ground with the sessions taken: their patient time, and their resources' time with margins."""
        ground = Ground.__new__(Ground)
        ground.problem, ground.days, ground.opening_days = self.problem, self.days, self.opening_days
        ground.courses, ground._given, ground.rulebook = self.courses, self._given, self.rulebook
        ground.__dict__.update({k: self.__dict__[k] for k in ("weekdays", "weeks") if k in self.__dict__})
        ground.taken = self.taken + tuple(sessions)
        ground._free, ground._shared = dict(self._free), dict(self._shared)
        ground._patient = self._patient
        for session in ground.taken[len(self.taken) :]:
            course = self.courses[session.course]
            rest = course.patient_margins
            end = session.slot + session.slots
            ground._patient &= ~masks.interval(session.day, session.slot - rest.before, end + rest.after)
            if session.meeting is not None:
                continue  # the class reserves its own room and instructor
            for resource, margins in (
                (session.therapist, course.therapist_margins),
                (session.room, course.room_margins),
                (session.device, course.device_margins),
            ):
                if resource is not None:
                    ground._take(resource, session.day, session.slot - margins.before, end + margins.after)
        return ground

    def _take(self, resource: int, day: int, start: int, end: int) -> None:
        bits = masks.interval(day, start, end)
        left = self.free(resource) & ~bits
        twice = self.problem.resources[resource].free_twice
        if twice is not None:
            # Of two places or more one is gone, so another is left; a third overlap counts as full, which margins
            # of one patient's sessions hardly ever reach.
            shared = self._shared.get(resource, 0)
            left |= bits & self.free(resource) & masks.join_days(twice) & ~shared
            self._shared[resource] = shared | bits
        self._free[resource] = left
