"""Places left of everything sessions compete for, and what each column takes of them.

Therapists, hands, rooms, devices, class meetings and patients with several courses each have a *row* of slots; a moment
is the number row * days * 288 + day * 288 + slot, so that one array holds all places and one interval one take.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from courses.planning import masks
from courses.planning.types import SLOTS_PER_DAY, CourseRequest, Margins, RoomOption

from .starts import Array, Starts

Take = tuple[Array, Array, Array]  # columns, first moment, moment after the last


@dataclass(frozen=True, slots=True)
class Place:
    """A room and a device in it, with the rows they stand in; -1 without a device."""

    room: int
    device: int | None
    room_row: int
    device_row: int


class Group:
    """Sessions that need the same: suitable places, length and margins.  free[place, day * 288 + slot]: may start."""

    def __init__(self, request: CourseRequest, places: list[Place], free: Array) -> None:
        self.slots = request.slots
        self.room_margins, self.device_margins = request.room_margins, request.device_margins
        self.places, self.free = places, free
        self.enough = np.zeros_like(free)
        self.settled = np.full(free.shape[1], -1, dtype=np.int16)

    def spans(self, place: int, at: int, span: int) -> list[tuple[int, int]]:
        """The same for one session."""
        return [(int(a[0]), int(b[0])) for a, b in self.takes(self.places[place], np.array([at]), span)]

    def unlike(self, place: int, room: int | None, device: int | None) -> tuple[bool, bool, int]:
        """Order of places for a session that has a room and a device: the same ones first."""
        here = self.places[place]
        return (here.room, here.device) != (room, device), here.room != room, place

    def settle(self, ample: Array, span: int) -> None:
        """enough[place, at]: it is ample all along; settled[at]: the first such place, -1 where there is none."""
        scarce = np.concatenate([[0], np.cumsum(~ample)])
        at = np.arange(span)
        for p in reversed(range(len(self.places))):
            enough = self.enough[p]
            enough |= self.free[p]
            for first, end in self.takes(self.places[p], at, span):
                enough &= scarce[np.clip(end, 0, len(ample))] == scarce[np.clip(first, 0, len(ample))]
            self.settled[enough] = p

    def takes(self, place: Place, at: Array, span: int) -> list[tuple[Array, Array]]:
        """Intervals of moments that sessions starting at day * 288 + slot take of the place."""
        found = []
        for row, margins in ((place.room_row, self.room_margins), (place.device_row, self.device_margins)):
            if row >= 0:
                first = row * span + at
                found.append((first - margins.before, first + self.slots + margins.after))
        return found


class Supply:
    def __init__(self, starts: Starts) -> None:
        self.starts = starts
        problem = starts.problem
        self.span = problem.horizon.days * SLOTS_PER_DAY
        self._rows: dict[tuple[str, object], int] = {}
        self._places: list[Array] = []
        self.groups: list[Group] = []
        self._group_index: dict[tuple[tuple[RoomOption, ...], int, Margins, Margins], int] = {}
        self.at = starts.day * SLOTS_PER_DAY + starts.slot
        requests = [c.request for c in problem.courses]
        of_course = np.array([self._group(r) for r in requests], dtype=np.int32)
        self.group = of_course[starts.course] if len(of_course) else np.zeros(0, np.int32)
        self.takes = list(self._therapist_takes(requests)) + self._meeting_takes() + self._patient_takes()
        self.places = np.concatenate(self._places) if self._places else np.zeros(0, np.int16)
        self.intervals = [self._interval(take) for take in self.takes]
        self.ample = self._ample(requests)
        for group in self.groups:
            group.settle(self.ample, self.span)
        self.drops = np.flatnonzero((self.places[1:] < self.places[:-1]) & (self.places[1:] > 0)) + 1

    def _interval(self, take: Take) -> tuple[Array, Array]:
        """A take with an entry for every column, empty where it takes nothing."""
        columns, first, end = take
        begins, ends = np.zeros(len(self.at), dtype=np.int64), np.zeros(len(self.at), dtype=np.int64)
        begins[columns], ends[columns] = first, end
        return begins, ends

    def _row(self, kind: str, key: object, places: Array | None = None) -> int:
        found = self._rows.get((kind, key))
        if found is None:
            found = self._rows[kind, key] = len(self._places)
            self._places.append(self._count(key) if places is None else places)
        return found

    def _count(self, resource: object) -> Array:
        days = self.starts.problem.horizon.days
        found = np.zeros(self.span, dtype=np.int16)
        assert isinstance(resource, int)  # noqa: S101 - rows of other kinds bring their places along
        for layer in self.starts.problem.resources[resource].layers:
            found += masks.to_array(masks.join_days(layer), days)[:, :SLOTS_PER_DAY].ravel()
        return found

    def _group(self, request: CourseRequest) -> int:
        if not request.needs_room or request.series is not None:
            return -1
        key = request.rooms, request.slots, request.room_margins, request.device_margins
        found = self._group_index.get(key)
        if found is None:
            calendar, days = self.starts.calendar, self.starts.problem.horizon.days
            places, free = [], []
            for option in request.rooms:
                for device in option.devices or (None,):
                    device_row = -1 if device is None else self._row("resource", device)
                    places.append(Place(option.room, device, self._row("resource", option.room), device_row))
                    bits = masks.to_array(calendar.place_starts(request, option, device), days)
                    free.append(bits[:, :SLOTS_PER_DAY].ravel())
            self.groups.append(Group(request, places, np.array(free, dtype=bool).reshape(len(places), self.span)))
            found = self._group_index[key] = len(self.groups) - 1
        return found

    def _ample(self, requests: list[CourseRequest]) -> Array:
        """Moments at which a room or device has a place for everyone who could want it at once.

        No more can than there are therapists free then, as long as they stay as long as the session's place is taken.
        """
        starts, ample = self.starts, np.zeros(len(self.places), dtype=bool)
        within = np.array([_is_within(r) for r in requests], dtype=bool)
        wanting: dict[int, dict[int, Array]] = {}  # row of a place -> row of a therapist (-1: any number) -> moments
        lead = np.full(len(starts), -1, dtype=np.int64)
        columns, first, _ = self.takes[0]
        lead[columns] = first // self.span
        lead[~within[starts.course]] = -1
        for g, group in enumerate(self.groups):
            own = np.flatnonzero(self.group == g)
            for therapist in np.unique(lead[own]).tolist():
                at = np.unique(self.at[own[lead[own] == therapist]])
                for place in group.places:
                    for first, end in group.takes(place, at, self.span):
                        row = int(first[0]) // self.span
                        cover = np.zeros(self.span + 1, dtype=np.int32)
                        np.add.at(cover, first - row * self.span, 1)
                        np.subtract.at(cover, end - row * self.span, 1)
                        of_row = wanting.setdefault(row, {})
                        covered = np.cumsum(cover)[:-1] > 0
                        of_row[therapist] = of_row[therapist] | covered if therapist in of_row else covered
        for row, therapists in wanting.items():
            wanted = np.zeros(self.span, dtype=np.int32)
            for therapist, covered in therapists.items():
                if therapist < 0:
                    wanted += 10_000 * covered
                else:
                    wanted += self.places[therapist * self.span : (therapist + 1) * self.span] * covered
            ample[row * self.span : (row + 1) * self.span] = (
                self.places[row * self.span : (row + 1) * self.span] >= wanted
            )
        return ample

    def _therapist_takes(self, requests: list[CourseRequest]) -> list[Take]:
        """Of the therapist with margins, and of the hands at start and end."""
        starts = self.starts
        width = max([len(r.therapists) for r in requests], default=0) + 1
        rows = np.full((len(requests), width), -1, dtype=np.int64)
        hands = np.full((len(requests), width), -1, dtype=np.int64)
        spans = np.zeros((len(requests), 4), dtype=np.int64)
        for i, request in enumerate(requests):
            margins = request.therapist_margins
            on_start, on_end = request.hands_on_start, request.slots - request.hands_on_end
            spans[i] = -margins.before, request.slots + margins.after, on_start, on_end
            for j, option in enumerate(request.therapists if request.series is None else ()):
                rows[i, j] = self._row("resource", option.therapist)
                if option.hands is not None and (request.hands_on_start or request.hands_on_end):
                    hands[i, j] = self._row("resource", option.hands)
        row, hand = rows[starts.course, starts.therapist], hands[starts.course, starts.therapist]
        span = spans[starts.course]
        takes = [_take(row, self.at, span[:, 0], span[:, 1], self.span)]
        if (hand >= 0).any():
            length = np.array([r.slots for r in requests])[starts.course]
            zero = np.zeros_like(length)
            takes.append(_take(np.where(span[:, 2] > 0, hand, -1), self.at, zero, span[:, 2], self.span))
            takes.append(_take(np.where(span[:, 3] < length, hand, -1), self.at, span[:, 3], length, self.span))
        return takes

    def _meeting_takes(self) -> list[Take]:
        starts = self.starts
        if not starts.meetings:
            return []
        row = []
        for m in starts.meetings:
            seats = np.full(self.span, m.seats, dtype=np.int16)
            row.append(self._row("meeting", m.meeting, seats))
        one = np.ones(len(starts), dtype=np.int64)
        return [_take(np.array([*row, -1])[starts.meeting], self.at, one * 0, one, self.span)]

    def _patient_takes(self) -> list[Take]:
        """Of the time of patients who have several courses to repair; one course has one session a day anyway."""
        starts, problem = self.starts, self.starts.problem
        courses = Counter(c.patient for c in problem.courses)
        days = problem.horizon.days
        row = np.full(len(problem.courses), -1, dtype=np.int64)
        spans = np.zeros((len(problem.courses), 2), dtype=np.int64)
        for i, course in enumerate(problem.courses):
            if courses[course.patient] > 1:
                free = masks.to_array(masks.join_days(problem.patients[course.patient].free), days)
                places = free[:, :SLOTS_PER_DAY].ravel().astype(np.int16)
                row[i] = self._row("patient", course.patient, places)
            rest = course.request.patient_margins
            spans[i] = -rest.before, course.request.slots + rest.after
        if not (row >= 0).any():
            return []
        ends = spans[starts.course, 1]
        if starts.meetings:
            ends = ends + np.where(starts.meeting >= 0, self._meeting_lengths() - self._slots(), 0)
        return [_take(row[starts.course], self.at, spans[starts.course, 0], ends, self.span)]

    def _slots(self) -> Array:
        slots: Array = np.array([c.request.slots for c in self.starts.problem.courses])
        return np.asarray(slots[self.starts.course])

    def _meeting_lengths(self) -> Array:
        slots: Array = np.array([*(m.slots for m in self.starts.meetings), 0])
        return np.asarray(slots[self.starts.meeting])


def _is_within(request: CourseRequest) -> bool:
    """Whether the therapist is with the session for as long as its room and device are taken."""
    therapist, room, device = request.therapist_margins, request.room_margins, request.device_margins
    before, after = max(room.before, device.before), max(room.after, device.after)
    return request.needs_therapist and before <= therapist.before and after <= therapist.after


def _take(row: Array, at: Array, first: Array, end: Array, span: int) -> Take:
    columns = np.flatnonzero(row >= 0)
    base = row[columns] * span + at[columns]
    return columns, base + first[columns], base + end[columns]
