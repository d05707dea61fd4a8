"""Every start on the grid at which a session to be re-placed could lie, as flat arrays; the others' wishes ignored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np

from courses.planning import masks, weights
from courses.planning.types import SLOTS_PER_DAY, CourseRequest, Key, Margins, RoomOption, Strength, TherapistOption

from .rhythm import Rhythm
from .types import BookedSession, RepairCourse, RepairProblem, RepairWeights

Array = np.ndarray
_CHAIN = 8  # sessions laid flush one after another from an end of a free run


class Calendar:
    """Places left of every resource, and starts from them, each computed once."""

    def __init__(self, problem: RepairProblem) -> None:
        self.problem = problem
        self.days = problem.horizon.days
        self._free: dict[int, int] = {}
        self._starts: dict[tuple[int, int, Margins], int] = {}
        self._rooms: dict[tuple[tuple[RoomOption, ...], int, Margins, Margins], int] = {}

    def free(self, resource: int) -> int:
        """Joined bits at which one place at least is left."""
        found = self._free.get(resource)
        if found is None:
            layers = self.problem.resources[resource].layers
            found = self._free[resource] = masks.join_days(layers[0]) if layers else 0
        return found

    def starts(self, resource: int, slots: int, margins: Margins) -> int:
        key = resource, slots, margins
        found = self._starts.get(key)
        if found is None:
            found = masks.starts_for(self.free(resource), slots, margins.before, margins.after)
            self._starts[key] = found
        return found

    def place_starts(self, request: CourseRequest, option: RoomOption, device: int | None) -> int:
        """Joined starts at which this room and this device are free."""
        found = self.starts(option.room, request.slots, request.room_margins)
        return found if device is None else found & self.starts(device, request.slots, request.device_margins)

    def room_starts(self, request: CourseRequest) -> int:
        """Joined starts at which some suitable room, with a device in it where one is needed, is free."""
        if not request.needs_room:
            return masks.day_bits(self.days)
        key = request.rooms, request.slots, request.room_margins, request.device_margins
        found = self._rooms.get(key)
        if found is None:
            found = 0
            for option in request.rooms:
                for device in option.devices or (None,):
                    found |= self.place_starts(request, option, device)
            self._rooms[key] = found
        return found

    def therapist_starts(self, request: CourseRequest, option: TherapistOption) -> int:
        found = self.starts(option.therapist, request.slots, request.therapist_margins)
        if option.hands is not None:
            if request.hands_on_start:
                found &= masks.erode(self.free(option.hands), request.hands_on_start)
            if request.hands_on_end:
                ends = masks.erode(self.free(option.hands), request.hands_on_end)
                found &= ends >> (request.slots - request.hands_on_end)
        if option.valid_days is not None:
            found &= self.bits_of_days([d for d in range(self.days) if option.valid_days >> d & 1])
        return found

    def bits_of_days(self, days: list[int], mask: int = (1 << SLOTS_PER_DAY) - 1) -> int:
        shown = set(days)
        return masks.join_days(tuple(mask if d in shown else 0 for d in range(self.days)))


@dataclass(frozen=True, slots=True)
class Lost:
    """A session of the search: its place among them all is its number.  rest: a movable one, staying is free."""

    number: int
    course: int
    booked: BookedSession
    rest: bool


@dataclass(frozen=True, slots=True)
class Meeting:
    """A class meeting with seats left."""

    series: int
    meeting: int
    slots: int
    seats: int
    therapist: TherapistOption | None
    room: int | None


class Starts:
    """All columns (session, start) as parallel arrays, sorted by session.

    therapist: index of the option in the request's therapists, -1 without one; meeting: index in `meetings`, or -1;
    flush: the start is flush against an end of a free run of the therapist, or against others laid so, or the session's
    own time now; stays: a movable session stays as it is.
    """

    def __init__(self, problem: RepairProblem) -> None:
        self.problem = problem
        self.calendar = Calendar(problem)
        self.rhythms = [Rhythm(problem.horizon, c.request) for c in problem.courses]
        self.excess_before = [
            rhythm.excess([s.day for s in (*c.lost, *c.movable)])
            for rhythm, c in zip(self.rhythms, problem.courses, strict=True)
        ]
        self.sessions: list[Lost] = []
        self.meetings: list[Meeting] = []
        self._meeting_index: dict[int, int] = {}
        parts: dict[str, list[Array]] = defaultdict(list)
        for position, course in enumerate(problem.courses):
            own = self._of_course(position, course)
            for booked, rest in [*((b, False) for b in course.lost), *((b, True) for b in course.movable)]:
                lost = Lost(len(self.sessions), position, booked, rest)
                self.sessions.append(lost)
                for name, values in self._of_session(lost, course, own).items():
                    parts[name].append(values)

        def joined(name: str, dtype: type = np.int32) -> Array:
            return np.concatenate(parts[name]).astype(dtype) if parts[name] else np.zeros(0, dtype)

        self.session, self.course = joined("session"), joined("course")
        self.day, self.slot = joined("day"), joined("slot")
        self.therapist, self.meeting = joined("therapist"), joined("meeting")
        self.cost = joined("cost")
        self.flush, self.stays = joined("flush", bool), joined("stays", bool)
        self.absent_cost = np.array([self._gap_cost(s.course, ()) for s in self.sessions], dtype=np.int32)
        self.first = np.searchsorted(self.session, np.arange(len(self.sessions) + 1))

    def __len__(self) -> int:
        return len(self.session)

    @cached_property
    def sizes(self) -> list[int]:
        """How many sessions of each course are to be placed, the movable ones among them."""
        return [len(c.lost) + len(c.movable) for c in self.problem.courses]

    @cached_property
    def shared_courses(self) -> list[int]:
        """Courses with several sessions to place, which bind one another."""
        return [c for c, size in enumerate(self.sizes) if size > 1]

    @cached_property
    def days_of_course(self) -> list[Array]:
        """Days on which a course has any start."""
        cells = np.unique(self.course.astype(np.int64) * self.calendar.days + self.day)
        bounds = np.searchsorted(cells, np.arange(len(self.problem.courses) + 1) * self.calendar.days)
        return [cells[a:b] % self.calendar.days for a, b in pairwise(bounds)]

    @cached_property
    def exclusive_pairs(self) -> list[tuple[int, int]]:
        """Courses of one patient that may not lie on one day."""
        of_patient: dict[Key, list[int]] = defaultdict(list)
        for i, course in enumerate(self.problem.courses):
            of_patient[course.patient].append(i)
        requests = [c.request for c in self.problem.courses]
        return [
            (i, j)
            for own in of_patient.values()
            for i, j in combinations(own, 2)
            if requests[i].procedure in requests[j].not_same_day_with
            or requests[j].procedure in requests[i].not_same_day_with
        ]

    @cached_property
    def is_rest(self) -> Array:
        return np.array([s.rest for s in self.sessions], dtype=bool)

    def _of_course(self, position: int, course: RepairCourse) -> dict[str, Array]:
        """Starts of any session of the course."""
        request = course.request
        days = self._days(position, course)
        if request.series is not None:
            return self._of_classes(course, set(days))
        window = masks.interval(0, *_hours(request, request.slots))
        common = self.calendar.bits_of_days(days, window)
        patient = self.problem.patients[course.patient]
        rest = request.patient_margins
        common &= masks.starts_for(masks.join_days(patient.free), request.slots, rest.before, rest.after)
        common &= self.calendar.room_starts(request)
        if not request.needs_therapist:
            return self._unpacked([(-1, common, common)])
        found = []
        margins = request.therapist_margins
        length = margins.before + request.slots + margins.after
        for i, option in enumerate(request.therapists):
            if not weights.accepts(request, option):
                continue
            starts = common & self.calendar.therapist_starts(request, option)
            free = self.calendar.free(option.therapist)
            left = starts & ~(free << (margins.before + 1))
            right = starts & ~(free >> (request.slots + margins.after))
            for _ in range(_CHAIN):
                left |= (left << length) & starts
                right |= (right >> length) & starts
            found.append((i, starts, left | right))
        return self._unpacked(found)

    def _days(self, position: int, course: RepairCourse) -> list[int]:
        booked = self.problem.patients[course.patient].booked
        barred = course.request.not_same_day_with
        return [d for d in self.rhythms[position].usable_days() if not (barred and booked.get(d, frozenset()) & barred)]

    def _unpacked(self, options: list[tuple[int, int, int]]) -> dict[str, Array]:
        """From (therapist, joined starts, those of them that are flush)."""
        found: dict[str, list[Array]] = {name: [np.zeros(0, dtype=np.int32)] for name in ("at", "flush", "therapist")}
        for therapist, starts, laid in options:
            at: Array = np.flatnonzero(masks.to_array(starts, self.calendar.days))
            found["at"].append(at.astype(np.int32))
            found["flush"].append(masks.to_array(laid, self.calendar.days).ravel()[at])
            found["therapist"].append(np.full(len(at), therapist))
        moment, flush, who = (np.concatenate(found[name]).astype(np.int32) for name in ("at", "flush", "therapist"))
        meeting = np.full(len(moment), -1, dtype=np.int32)
        day, slot = moment // masks.STRIDE, moment % masks.STRIDE
        return {"day": day, "slot": slot, "therapist": who, "meeting": meeting, "flush": flush.astype(bool)}

    def _of_classes(self, course: RepairCourse, days: set[int]) -> dict[str, Array]:
        request = course.request
        free = self.problem.patients[course.patient].free
        rest = request.patient_margins
        found = []
        for series in request.series or ():
            if series.therapist is not None and not weights.accepts(request, series.therapist):
                continue
            for m in series.meetings:
                first, end = _hours(request, m.slots)
                wanted = masks.interval(0, m.slot - rest.before, m.slot + m.slots + rest.after)
                fits = m.held and m.day in days and first <= m.slot < end and free[m.day] & wanted == wanted
                if fits and m.seats_free > 0:
                    index = self._meeting_index.setdefault(m.meeting, len(self.meetings))
                    if index == len(self.meetings):
                        self.meetings.append(
                            Meeting(series.series, m.meeting, m.slots, m.seats_free, series.therapist, series.room)
                        )
                    found.append((m.day, m.slot, index))
        day, slot, meeting = np.array(found, dtype=np.int32).reshape(-1, 3).T
        lone = np.full(len(day), -1, dtype=np.int32)
        return {"day": day, "slot": slot, "therapist": lone, "meeting": meeting, "flush": np.ones(len(day), dtype=bool)}

    def _of_session(self, lost: Lost, course: RepairCourse, own: dict[str, Array]) -> dict[str, Array]:
        booked = lost.booked
        at_home = (own["day"] == booked.day) & (own["slot"] == booked.slot)
        kept = own
        if booked.same_time:
            kept = {name: values[at_home] for name, values in own.items()}
            at_home = at_home[at_home]
        cost = self._costs(course, kept, booked)
        if len(cost) and self.sizes[lost.course] == 1 and course.request.gap_max is not None:
            days, inverse = np.unique(kept["day"], return_inverse=True)
            cost = cost + np.array([self._gap_cost(lost.course, (d,)) for d in days.tolist()])[inverse]
        stays = np.zeros(len(cost), dtype=bool)
        if lost.rest:
            stays = at_home & self._has_same_staff(course.request, kept, booked)
            cost = np.where(stays, 0, cost)
        return {
            **kept,
            "flush": kept["flush"] | at_home,
            "session": np.full(len(cost), lost.number, dtype=np.int32),
            "course": np.full(len(cost), lost.course, dtype=np.int32),
            "cost": cost,
            "stays": stays,
        }

    def _gap_cost(self, course: int, days: tuple[int, ...]) -> int:
        """What the gaps cost when the only session to place of a course lies there; 0 for other courses."""
        if self.sizes[course] > 1:
            return 0
        return self.gaps_cost(course, days)

    def gaps_cost(self, course: int, days: Iterable[int]) -> int:
        """Cost of the course's gaps with its sessions on these days."""
        beyond = self.rhythms[course].excess(days) - self.excess_before[course]
        return self.problem.weights.gap * max(0, beyond)

    def _has_same_staff(self, request: CourseRequest, own: dict[str, Array], booked: BookedSession) -> Array:
        if request.series is not None:
            same = np.array([*(m.meeting == booked.meeting for m in self.meetings), False])
            return np.asarray(same[own["meeting"]])
        same = np.array([*(o.therapist == booked.therapist for o in request.therapists), booked.therapist is None])
        return np.asarray(same[own["therapist"]])

    def _costs(self, course: RepairCourse, own: dict[str, Array], booked: BookedSession) -> Array:
        """Of change, and of wishes missed; see `RepairWeights`."""
        request, w = course.request, self.problem.weights
        day, slot = own["day"], own["slot"]
        apart = np.abs(day - booked.day)
        cost = np.where(apart > 0, w.other_day + w.per_day * apart, 0)
        cost = cost + w.quarter * -(-np.abs(slot - booked.slot) // weights.QUARTER)
        lengths: Array | int = request.slots
        if request.series is None:
            staff = [_staff_cost(request, o, booked, w) for o in request.therapists]
            cost = cost + np.array([*staff, 0])[own["therapist"]]
        else:
            staff = [_staff_cost(request, m.therapist, booked, w) for m in self.meetings]
            cost = cost + np.array([*staff, 0])[own["meeting"]]
            lengths = np.array([*(m.slots for m in self.meetings), 0])[own["meeting"]]
        if request.window is not None and request.window_strength is Strength.WISH:
            first, end = request.window
            cost = cost + w.wish * ((slot < first) | (slot + lengths > end))
        if request.weekdays and request.weekdays_strength is Strength.WISH:
            missed = np.array([d not in request.weekdays for d in range(7)])
            cost = cost + w.wish * missed[(day + self.problem.horizon.first_day.weekday()) % 7]
        return np.asarray(cost)


def _staff_cost(request: CourseRequest, option: TherapistOption | None, booked: BookedSession, w: RepairWeights) -> int:
    therapist = option.therapist if option else None
    cost = w.other_therapist if booked.therapist is not None and therapist != booked.therapist else 0
    if request.therapist_strength is Strength.WISH and request.preferred_therapist not in (None, therapist):
        cost += w.wish
    spoken = option.languages if option else frozenset()
    if request.language_strength is Strength.WISH and request.languages and not request.languages & spoken:
        cost += w.wish
    return cost


def _hours(request: CourseRequest, slots: int) -> tuple[int, int]:
    """Half-open range of the starts that keep a session inside hours that are a must."""
    first, end = 0, SLOTS_PER_DAY
    if request.window is not None and request.window_strength is Strength.MUST:
        first, end = request.window
    return first, max(first, end - slots + 1)
