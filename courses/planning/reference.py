"""The reference clinic: a seeded, plain description of a busy clinic to measure planners on.

12 therapists, 8 rooms, 5 kinds of device, 56 days, about 8,400 bookings, 80 % of the therapists' time taken.  The same
seed gives the same clinic on every machine and version (only `random.Random.random` is used, whose sequence Python
keeps).  `reference_clinic(SEED)` is the clinic of all published figures; its requests are numbered from 0.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import TypeVar

from . import masks
from .types import (
    FULL_DAY,
    CourseRequest,
    Horizon,
    Masks,
    Patient,
    Problem,
    ResourceDays,
    RoomOption,
    Strength,
    TherapistOption,
)

SEED = 20260907
FIRST_DAY = date(2026, 9, 7)  # a Monday
DAYS = 56
LOAD = 0.80
OPENS, CLOSES = 96, 240  # 08:00 to 20:00
PATIENTS = 900

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ReferenceProcedure:
    code: str
    slots: int
    room_type: str
    device_type: str  # "" = none
    tag: str
    weight: int  # how often it is booked, relative to the therapist's other procedures


PROCEDURES = (
    ReferenceProcedure("massage", 6, "massage", "", "massage", 4),
    ReferenceProcedure("manual", 4, "manual", "", "manual", 3),
    ReferenceProcedure("acupuncture", 4, "acupuncture", "", "acupuncture", 1),
    ReferenceProcedure("exercise", 5, "exercise", "", "exercise", 3),
    ReferenceProcedure("traction", 4, "exercise", "traction", "traction", 2),
    ReferenceProcedure("amplipulse", 3, "physio", "amplipulse", "device", 3),
    ReferenceProcedure("magnet", 3, "physio", "magnet", "device", 3),
    ReferenceProcedure("laser", 2, "physio", "laser", "device", 2),
    ReferenceProcedure("ultrasound", 3, "physio", "ultrasound", "device", 2),
)


@dataclass(frozen=True, slots=True)
class ReferenceTherapist:
    """pattern: early, late, or odd and even: early on those dates of the month, late on the others."""

    number: int
    procedures: tuple[str, ...]
    pattern: str
    gender: str
    languages: frozenset[str]


@dataclass(frozen=True, slots=True)
class ReferenceRoom:
    number: int
    type: str
    capacity: int


@dataclass(frozen=True, slots=True)
class ReferenceDevice:
    number: int
    type: str
    room: int


@dataclass(frozen=True, slots=True)
class Shift:
    """One therapist's working time on one day, slots from start to end without the break."""

    therapist: int
    day: int
    start: int
    end: int
    break_start: int
    break_end: int


@dataclass(frozen=True, slots=True)
class Booking:
    patient: int
    procedure: str
    therapist: int
    room: int
    device: int | None
    day: int
    slot: int
    slots: int


@dataclass(frozen=True, slots=True)
class ReferenceLine:
    """What is asked for one course; frequency is a key of FREQUENCIES."""

    procedure: str
    sessions: int
    frequency: str
    window: tuple[int, int] | None
    window_strength: Strength
    preferred_therapist: int | None
    start_day: int


# frequency: least and most opening days from one session to the next, most in a week
FREQUENCIES: dict[str, tuple[int, int, int | None]] = {
    "daily": (1, 3, None),
    "every_other_day": (2, 4, None),
    "3_per_week": (1, 4, 3),
    "2_per_week": (2, 5, 2),
}

THERAPISTS = tuple(
    ReferenceTherapist(number, procedures, pattern, gender, frozenset(languages.split()))
    for number, (procedures, pattern, gender, languages) in enumerate(
        (
            (("massage",), "early", "F", "en ru"),
            (("massage",), "late", "M", "en"),
            (("massage",), "even", "F", "en ru"),
            (("massage",), "odd", "F", "en pl"),
            (("massage", "manual"), "early", "M", "en ru"),
            (("amplipulse", "magnet", "laser", "ultrasound"), "early", "F", "en ru"),
            (("amplipulse", "magnet", "laser", "ultrasound"), "late", "F", "en"),
            (("amplipulse", "magnet", "laser", "ultrasound"), "odd", "F", "en pl"),
            (("acupuncture",), "even", "F", "en"),
            (("exercise",), "early", "F", "en pl"),
            (("exercise",), "late", "M", "en ru"),
            (("exercise", "traction"), "even", "M", "en"),
        ),
        start=1,
    )
)
ROOMS = tuple(
    ReferenceRoom(number, kind, capacity)
    for number, (kind, capacity) in enumerate(
        (
            ("massage", 2),
            ("massage", 2),
            ("massage", 1),
            ("physio", 4),
            ("physio", 2),
            ("manual", 1),
            ("acupuncture", 1),
            ("exercise", 4),
        ),
        start=101,
    )
)
DEVICES = tuple(
    ReferenceDevice(number, kind, room)
    for number, (kind, room) in enumerate(
        (
            ("amplipulse", 104),
            ("amplipulse", 105),
            ("magnet", 104),
            ("magnet", 105),
            ("laser", 104),
            ("laser", 105),
            ("ultrasound", 104),
            ("ultrasound", 105),
            ("traction", 108),
        ),
        start=201,
    )
)


class ReferenceClinic:
    """The clinic of one seed: its shifts, its bookings, and as many requests as are asked for.

    Resource ids in problems are the numbers of therapists, rooms and devices.
    """

    def __init__(self, seed: int = SEED, *, load: float = LOAD, days: int = DAYS) -> None:
        self.seed, self.load, self.days = seed, load, days
        self.procedures = {p.code: p for p in PROCEDURES}
        self.opening = tuple((FIRST_DAY + timedelta(days=d)).weekday() != 6 for d in range(days))
        self.shifts = tuple(self._shift(t, d) for t in THERAPISTS for d in range(days) if self.opening[d])
        self._used: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0] * masks.STRIDE)
        self._patients: dict[tuple[int, int], int] = defaultdict(int)
        self.bookings = tuple(self._book(random.Random(seed)))  # noqa: S311

    @property
    def capacity(self) -> dict[int, int]:
        found = {t.number: 1 for t in THERAPISTS} | {d.number: 1 for d in DEVICES}
        return found | {r.number: r.capacity for r in ROOMS}

    def _shift(self, therapist: ReferenceTherapist, day: int) -> Shift:
        today = FIRST_DAY + timedelta(days=day)
        if today.weekday() == 5:
            return Shift(therapist.number, day, OPENS + 12, OPENS + 60, OPENS + 60, OPENS + 60)
        early = therapist.pattern == "early" or (
            therapist.pattern != "late" and (today.day % 2 == 0) == (therapist.pattern == "even")
        )
        start = OPENS if early else CLOSES - 90
        return Shift(therapist.number, day, start, start + 90, start + 42, start + 48)

    @cached_property
    def works(self) -> dict[int, tuple[int, ...]]:
        """Masks of each resource's working time."""
        found = {number: [0] * self.days for number in self.capacity}
        for shift in self.shifts:
            whole = masks.interval(0, shift.start, shift.end)
            found[shift.therapist][shift.day] = whole & ~masks.interval(0, shift.break_start, shift.break_end)
        for number in self.capacity:
            if number > 100:
                found[number] = [masks.interval(0, OPENS, CLOSES) if o else 0 for o in self.opening]
        return {number: tuple(days) for number, days in found.items()}

    def _book(self, rng: random.Random) -> list[Booking]:
        """Fill every therapist's day to the load, most bookings flush against the break, the shift or one another."""
        found: list[Booking] = []
        by_number = {t.number: t for t in THERAPISTS}
        for shift in sorted(self.shifts, key=lambda s: (s.day, s.therapist)):
            therapist = by_number[shift.therapist]
            open_slots = self.works[therapist.number][shift.day].bit_count()
            wanted = self.load * open_slots
            taken = 0
            misses = 0
            while misses < 40:
                procedure = self._draw_procedure(rng, therapist)
                if taken + procedure.slots / 3 > wanted:
                    break
                booking = self._draw_booking(rng, therapist, procedure, shift.day)
                if booking is None:
                    misses += 1
                    continue
                found.append(booking)
                taken += booking.slots
        return found

    def _draw_procedure(self, rng: random.Random, therapist: ReferenceTherapist) -> ReferenceProcedure:
        own = [self.procedures[code] for code in therapist.procedures]
        return _draw(rng, [p for p in own for _ in range(p.weight)])

    def _free(self, number: int, day: int, places: int = 1) -> int:
        """Where so many places are free."""
        used, most = self._used[number, day], self.capacity[number] - places
        full = sum(1 << s for s in range(OPENS, CLOSES) if used[s] > most)
        return self.works[number][day] & ~full

    def _draw_booking(
        self, rng: random.Random, therapist: ReferenceTherapist, procedure: ReferenceProcedure, day: int
    ) -> Booking | None:
        free = self._free(therapist.number, day)
        places = []
        for room, devices in self.places(procedure):
            starts = masks.erode(free & self._free(room, day), procedure.slots)
            for device in devices or (None,):
                both = starts if device is None else starts & masks.erode(self._free(device, day), procedure.slots)
                if both:
                    places.append((room, device, both))
        if not places:
            return None
        room, device, starts = _draw(rng, places)
        flush = starts & ~(free << 1) | starts & ~(free >> procedure.slots)
        slot = _draw(rng, masks_bits(flush if flush and rng.random() < 0.85 else starts))
        busy = masks.interval(0, slot, slot + procedure.slots)
        patient = int(rng.random() * PATIENTS)
        while self._patients[patient, day] & busy:
            patient = (patient + 1) % PATIENTS
        self._patients[patient, day] |= busy
        for number in (therapist.number, room, device):
            if number is not None:
                for s in range(slot, slot + procedure.slots):
                    self._used[number, day][s] += 1
        return Booking(patient, procedure.code, therapist.number, room, device, day, slot, procedure.slots)

    def places(self, procedure: ReferenceProcedure) -> list[tuple[int, tuple[int, ...]]]:
        """Rooms for a procedure, with the devices of its kind that stand there."""
        found = []
        for room in ROOMS:
            if room.type != procedure.room_type:
                continue
            devices = tuple(d.number for d in DEVICES if d.room == room.number and d.type == procedure.device_type)
            if devices or not procedure.device_type:
                found.append((room.number, devices))
        return found

    @cached_property
    def free_places(self) -> dict[int, tuple[Masks, ...]]:
        """Masks of at least one free place of each resource, of at least two, and so on."""
        return {
            number: tuple(tuple(self._free(number, d, n) for d in range(self.days)) for n in range(1, capacity + 1))
            for number, capacity in self.capacity.items()
        }

    @cached_property
    def resources(self) -> dict[int, ResourceDays]:
        found = {}
        for number, levels in self.free_places.items():
            works = self.works[number]
            found[number] = ResourceDays(works, works, levels[0], levels[1] if len(levels) > 1 else None)
        return found

    def lines(self, number: int, *, courses: int = 1, frequency: str | None = None) -> tuple[ReferenceLine, ...]:
        """The request of a number: courses of ten sessions, different procedures, with a wish now and then."""
        rng = random.Random(self.seed * 1000 + number)  # noqa: S311
        codes = [p.code for p in PROCEDURES]
        found = []
        window, strength = None, Strength.NONE
        if rng.random() < 0.4:
            window = _draw(rng, [(96, 144), (132, 186), (168, 216), (192, 240)])
            strength = Strength.WISH
        start = int(rng.random() * 10)
        for _ in range(courses):
            procedure = self.procedures[codes.pop(int(rng.random() * len(codes)))]
            qualified = [t.number for t in THERAPISTS if procedure.code in t.procedures]
            found.append(
                ReferenceLine(
                    procedure=procedure.code,
                    sessions=10,
                    frequency=frequency or _draw(rng, ["daily", "daily", "every_other_day"]),
                    window=window,
                    window_strength=strength,
                    preferred_therapist=_draw(rng, qualified) if rng.random() < 0.2 else None,
                    start_day=start,
                )
            )
        return tuple(found)

    def problem(self, number: int, *, courses: int = 1, frequency: str | None = None) -> Problem:
        """The request of a number as a problem of the planner, for a patient without other bookings."""
        requests = []
        named: set[int] = set()
        for key, line in enumerate(self.lines(number, courses=courses, frequency=frequency)):
            course = self._course(key, line)
            requests.append(course)
            named |= {o.therapist for o in course.therapists}
            named |= {r.room for r in course.rooms} | {d for r in course.rooms for d in r.devices}
        return Problem(
            horizon=Horizon(FIRST_DAY, self.opening),
            patient=Patient((FULL_DAY,) * self.days),
            resources={n: self.resources[n] for n in sorted(named)},
            courses=tuple(requests),
        )

    def _course(self, key: int, line: ReferenceLine) -> CourseRequest:
        procedure = self.procedures[line.procedure]
        gap_min, gap_max, per_week = FREQUENCIES[line.frequency]
        request = CourseRequest(
            key=key,
            procedure=line.procedure,
            sessions=line.sessions,
            slots=procedure.slots,
            therapists=tuple(
                TherapistOption(t.number, gender=t.gender, languages=t.languages)
                for t in THERAPISTS
                if line.procedure in t.procedures
            ),
            rooms=tuple(RoomOption(room, devices) for room, devices in self.places(procedure)),
            gap_min=gap_min,
            gap_max=gap_max,
            per_week=per_week,
            start_day=line.start_day,
            window=line.window,
            window_strength=line.window_strength,
            tags=frozenset({procedure.tag}),
        )
        if line.preferred_therapist is None:
            return request
        return replace(request, preferred_therapist=line.preferred_therapist, therapist_strength=Strength.WISH)


def masks_bits(mask: int) -> list[int]:
    """The set bits of a mask, ascending."""
    return [s for start, end in masks.runs(mask) for s in range(start, end)]


def reference_clinic(seed: int = SEED, *, load: float = LOAD, days: int = DAYS) -> ReferenceClinic:
    """The clinic of a seed; loads other than 0.8 and other horizons are for growth measurements."""
    return ReferenceClinic(seed, load=load, days=days)


def _draw(rng: random.Random, choices: Sequence[_T]) -> _T:
    return choices[int(rng.random() * len(choices))]
