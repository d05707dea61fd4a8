"""Seeded disruptions of the reference clinic, to measure repair on.

Every scenario stands on the reference clinic of one seed (`courses.planning.reference`).  A *course* is what one
patient has booked of one procedure.  Each is given rules from the seed that its bookings keep: a maximal gap of its
longest one (three opening days at least), a weekly maximum of its fullest week now and then, and a must of hours,
weekdays or gender now and then.  Its sessions may go to any day from the disruption until `SLACK` days after the
course's last one.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from courses.planning import masks
from courses.planning.reference import (
    CLOSES,
    FIRST_DAY,
    OPENS,
    THERAPISTS,
    Booking,
    ReferenceClinic,
)
from courses.planning.types import (
    FULL_DAY,
    CourseRequest,
    Horizon,
    Key,
    Patient,
    PinnedSession,
    RoomOption,
    Strength,
    TherapistOption,
)

from .types import BookedSession, PlacesDays, RepairCourse, RepairProblem

SLACK = 14  # calendar days after a course's last session
AWAY_DAYS = 12  # how long each therapist of `sessions_out` is away at most


@dataclass(frozen=True, slots=True)
class Outage:
    """A therapist, room or device that is not there on the days first..last."""

    resource: int
    first: int
    last: int

    def covers(self, booking: Booking) -> bool:
        named = self.resource in (booking.therapist, booking.room, booking.device)
        return named and self.first <= booking.day <= self.last


def therapist_away(clinic: ReferenceClinic, therapist: int, first: int, days: int) -> RepairProblem:
    """One therapist is away from a day on for so many days."""
    return disruption(clinic, [Outage(therapist, first, first + days - 1)])


def resource_out(clinic: ReferenceClinic, resource: int, first: int, days: int) -> RepairProblem:
    """A room or device is out of service."""
    return disruption(clinic, [Outage(resource, first, first + days - 1)])


def sessions_out(clinic: ReferenceClinic, sessions: int, seed: int, *, with_rest: bool = False) -> RepairProblem:
    """Therapists fall ill in an order drawn from the seed, each day by day, until so many sessions are affected.

    All from one day in the first three weeks on; one is away for `AWAY_DAYS` days before the next falls ill.
    """
    rng = random.Random(seed)  # noqa: S311
    first = int(rng.random() * 18)
    order = sorted((t.number for t in THERAPISTS), key=lambda _: rng.random())
    away: dict[int, Outage] = {}
    for therapist in order:
        for day in range(first, first + AWAY_DAYS):
            away[therapist] = Outage(therapist, first, day)
            if sum(o.covers(b) for b in clinic.bookings for o in away.values()) >= sessions:
                return disruption(clinic, list(away.values()), seed=seed, with_rest=with_rest)
    raise ValueError("the clinic has no so many sessions in these days")


def disruption(
    clinic: ReferenceClinic, outages: Iterable[Outage], *, seed: int = 0, with_rest: bool = False
) -> RepairProblem:
    """The problem that some outages make.  with_rest: the later sessions of the courses concerned may be moved."""
    outages = list(outages)
    today = min(o.first for o in outages)
    lost = {i for i, b in enumerate(clinic.bookings) if any(o.covers(b) for o in outages)}
    of_course: dict[tuple[int, str], list[int]] = defaultdict(list)
    for i, booking in enumerate(clinic.bookings):
        of_course[booking.patient, booking.procedure].append(i)
    concerned = sorted({(clinic.bookings[i].patient, clinic.bookings[i].procedure) for i in lost})
    courses = []
    for key in concerned:
        own = sorted(of_course[key], key=lambda i: (clinic.bookings[i].day, clinic.bookings[i].slot))
        courses.append(_course(clinic, key, own, lost, today=today, seed=seed, with_rest=with_rest))
    taken_out = {int(s.key) for c in courses for s in (*c.lost, *c.movable)}
    used, patients = _reserved(clinic, taken_out)
    return RepairProblem(
        horizon=Horizon(FIRST_DAY, clinic.opening),
        resources=_resources(clinic, outages, used),
        patients={key: patients(key) for key in sorted({c.patient for c in courses}, key=str)},
        courses=tuple(courses),
    )


def _course(
    clinic: ReferenceClinic,
    key: tuple[int, str],
    own: list[int],
    lost: set[int],
    *,
    today: int,
    seed: int,
    with_rest: bool,
) -> RepairCourse:
    bookings = [clinic.bookings[i] for i in own]
    movable = [i for i in own if i not in lost and clinic.bookings[i].day >= today] if with_rest else []
    if len({b.day for b in bookings}) < len(bookings):
        movable = []  # booked twice on a day, which the rules would not allow
    kept = [clinic.bookings[i] for i in own if i not in lost and i not in movable]
    return RepairCourse(
        request=_request(clinic, key, bookings, kept, today=today, seed=seed),
        patient=key[0],
        lost=tuple(_booked(clinic, i) for i in own if i in lost),
        movable=tuple(_booked(clinic, i) for i in movable),
    )


def _booked(clinic: ReferenceClinic, number: int) -> BookedSession:
    b = clinic.bookings[number]
    return BookedSession(number, b.day, b.slot, b.therapist, b.room, b.device)


def _request(
    clinic: ReferenceClinic,
    key: tuple[int, str],
    bookings: list[Booking],
    kept: list[Booking],
    *,
    today: int,
    seed: int,
) -> CourseRequest:
    patient, code = key
    rng = random.Random(seed * 1000 + patient * 10 + sum(map(ord, code)) % 10)  # noqa: S311
    procedure = clinic.procedures[code]
    position = [sum(clinic.opening[: d + 1]) for d in range(clinic.days)]
    days = sorted({b.day for b in bookings})
    gaps = [position[b] - position[a] for a, b in itertools.pairwise(days)]
    request = CourseRequest(
        key=f"{patient}/{code}",
        procedure=code,
        sessions=len(bookings) - len(kept),
        slots=procedure.slots,
        therapists=tuple(
            TherapistOption(t.number, gender=t.gender, languages=t.languages)
            for t in THERAPISTS
            if code in t.procedures
        ),
        rooms=tuple(RoomOption(room, devices) for room, devices in clinic.places(procedure)),
        gap_min=2 if rng.random() < 0.3 and min(gaps, default=2) >= 2 else 1,
        gap_max=max([3, *gaps]),
        start_day=today,
        finish_day=min(clinic.days - 1, max(days) + SLACK),
        # A session kept may lie on the day of another one of its course; it counts once.
        pinned=tuple(PinnedSession(d, min(b.slot for b in kept if b.day == d)) for d in sorted({b.day for b in kept})),
        tags=frozenset({procedure.tag}),
    )
    draw = rng.random()
    if draw < 0.05:
        hours = min(b.slot for b in bookings) - 12, max(b.slot + b.slots for b in bookings) + 12
        return replace(request, window=(max(hours[0], 0), hours[1]), window_strength=Strength.MUST)
    if draw < 0.15:
        return replace(
            request, window=(OPENS, 156) if bookings[0].slot < 156 else (156, CLOSES), window_strength=Strength.WISH
        )
    if draw < 0.20:
        weekdays = {(FIRST_DAY + timedelta(days=b.day)).weekday() for b in bookings} | {0, 2, 4}
        return replace(request, weekdays=frozenset(weekdays), weekdays_strength=Strength.MUST)
    genders = {next(t.gender for t in THERAPISTS if t.number == b.therapist) for b in bookings}
    if draw < 0.25 and len(genders) == 1:
        return replace(request, gender=genders.pop())
    if draw < 0.35:
        weeks: dict[int, int] = defaultdict(int)
        for day in days:
            weeks[day // 7] += 1
        return replace(request, per_week=max(2, *weeks.values()))
    return request


def _reserved(
    clinic: ReferenceClinic, taken_out: set[int]
) -> tuple[dict[tuple[int, int], list[int]], Callable[[Key], Patient]]:
    """Places used per resource and day, slot by slot, and a patient's own time, without the sessions re-placed."""
    used: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0] * masks.STRIDE)
    own: dict[Key, list[Booking]] = defaultdict(list)
    for i, b in enumerate(clinic.bookings):
        if i in taken_out:
            continue
        own[b.patient].append(b)
        for resource in (b.therapist, b.room, b.device):
            if resource is not None:
                row = used[resource, b.day]
                for slot in range(b.slot, b.slot + b.slots):
                    row[slot] += 1

    def patient(key: Key) -> Patient:
        free = [FULL_DAY] * clinic.days
        visits: dict[int, tuple[int, int]] = {}
        booked: dict[int, frozenset[str]] = {}
        for b in own[key]:
            free[b.day] &= ~masks.interval(0, b.slot, b.slot + b.slots)
            first, last = visits.get(b.day, (b.slot, b.slot + b.slots))
            visits[b.day] = min(first, b.slot), max(last, b.slot + b.slots)
            booked[b.day] = booked.get(b.day, frozenset()) | {b.procedure}
        return Patient(tuple(free), visits, booked)

    return used, patient


def _resources(
    clinic: ReferenceClinic, outages: list[Outage], used: dict[tuple[int, int], list[int]]
) -> dict[int, PlacesDays]:
    found = {}
    for resource, capacity in clinic.capacity.items():
        works = clinic.works[resource]
        out = {d for o in outages if o.resource == resource for d in range(o.first, o.last + 1)}
        present = tuple(0 if d in out else m for d, m in enumerate(works))
        layers: list[list[int]] = [[0] * clinic.days for _ in range(capacity)]
        for day in range(clinic.days):
            row = used.get((resource, day))
            for k in range(capacity):
                full = 0
                if row is not None:
                    full = sum(1 << s for s in range(OPENS, CLOSES) if row[s] + k >= capacity)
                layers[k][day] = present[day] & ~full
        found[resource] = PlacesDays(works, present, tuple(tuple(layer) for layer in layers))
    return found
