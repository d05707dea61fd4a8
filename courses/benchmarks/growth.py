"""How planning grows: with weeks, therapists, load, and a hundred times the history in the database.

Seconds are medians of whole plans of three courses of ten sessions, to the proof or for `PATIENCE` seconds at most, and
`single_ms` those of one course.  Clinics of 24 therapists and more are several reference clinics side by side, each of
another seed, whose therapists, rooms and devices serve all; six therapists are every other one of the twelve.

`history_growth` is how much longer reading a problem takes after every booking of the reference clinic has been put
into the database a hundred times more, 56 days earlier each time, as completed sessions.  The rows are written by the
database itself, with its triggers off: what the application reads is the same.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import psycopg
from django.db import connection
from django.utils import timezone

from courses.benchmarks.clinics import LoadedClinic, load_reference_clinic, owner_connection
from courses.benchmarks.timing import p50, percentile, timed
from courses.booking.models import Course
from courses.booking.problems import build_problem
from courses.demo.progress import Bar
from courses.planning import Budget, Problem, plan
from courses.planning.reference import SEED, ReferenceClinic, reference_clinic
from courses.planning.types import CourseRequest, RoomOption

PATIENCE = 5.0
WEEKS = (4, 8, 16, 26)
THERAPISTS = (6, 12, 24, 48, 96)
LOADS = (60, 70, 80, 90, 95)
HISTORY = 100
OTHER = 1000  # how far apart the numbers of two clinics' resources lie


def measure(options: Mapping[str, Any]) -> dict[str, Any]:
    requests = min(options["requests"] or 8, 50)
    sizes: list[tuple[str, Any]] = []
    sizes += [(f"weeks_{weeks}", (weeks * 7, 12, 80)) for weeks in WEEKS]
    sizes += [(f"therapists_{count}", (56, count, 80)) for count in THERAPISTS]
    sizes += [(f"load_{load}", (56, 12, load)) for load in LOADS]
    figures: dict[str, Any] = {"requests": requests}
    with Bar("Sizes", len(sizes)) as bar:
        for done, (name, (days, therapists, load)) in enumerate(sizes, 1):
            figures |= _measure(name, days, therapists, load, requests)
            bar.to(done, note=name)
    return {**figures, **_measure_history(40)}


def _measure(name: str, days: int, therapists: int, load: int, requests: int) -> dict[str, Any]:
    seconds, singles, proven = [], [], 0
    for number in range(requests):
        problem = sized_problem(number, courses=3, days=days, therapists=therapists, load=load)
        budget = Budget(steps=None, seconds=PATIENCE, clock=time.perf_counter)
        answer, taken = timed(lambda p=problem, b=budget: plan(p, budget=b))  # type: ignore[misc]
        seconds.append(taken / 1000)
        proven += answer.proven
        single = replace(problem, courses=problem.courses[:1])
        singles.append(timed(lambda p=single: plan(p))[1])  # type: ignore[misc]
    return {
        f"{name}_s_p50": percentile(seconds, 0.5),
        f"{name}_s_max": percentile(seconds, 1.0),
        f"{name}_proven_share": round(proven / requests, 4),
        f"{name}_single_ms_p50": p50(singles),
    }


@cache
def _clinic(seed: int, load: int, days: int) -> ReferenceClinic:
    return reference_clinic(seed, load=load / 100, days=days)


def sized_problem(number: int, *, courses: int, days: int, therapists: int, load: int) -> Problem:
    """A request of the reference clinic, served by so many therapists."""
    problem = _clinic(SEED, load, days).problem(number, courses=courses)
    if therapists < 12:
        return replace(problem, courses=tuple(_halved(course) for course in problem.courses))
    resources = dict(problem.resources)
    requests = {course.key: course for course in problem.courses}
    for other in range(1, therapists // 12):
        clinic = _clinic(SEED + other, load, days)
        resources |= {other * OTHER + key: clinic.resources[key] for key in problem.resources}
        for course in problem.courses:
            requests[course.key] = _joined(requests[course.key], course, other * OTHER)
    return replace(problem, resources=resources, courses=tuple(requests.values()))


def _halved(course: CourseRequest) -> CourseRequest:
    return replace(course, therapists=course.therapists[::2])


def _joined(course: CourseRequest, own: CourseRequest, shift: int) -> CourseRequest:
    """The course with the therapists, rooms and devices of another clinic as well."""
    therapists = tuple(replace(option, therapist=option.therapist + shift) for option in own.therapists)
    rooms = tuple(RoomOption(r.room + shift, tuple(d + shift for d in r.devices)) for r in own.rooms)
    return replace(course, therapists=course.therapists + therapists, rooms=course.rooms + rooms)


def _measure_history(requests: int) -> dict[str, Any]:
    loaded = load_reference_clinic(timezone.localdate())
    courses = list(_new_courses(loaded, requests))
    before = _load_times(courses)
    with owner_connection() as owner, Bar("History", HISTORY) as bar:
        with owner.transaction():
            for table in _MOVED:
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
            for age in range(1, HISTORY + 1):
                _add_history(owner, age)
                bar.to(age)
            for table in _MOVED:
                owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())
        owner.execute("VACUUM ANALYZE")
    after = _load_times(courses)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM clinic_reservation")
        rows = cursor.fetchone()[0]
    return {
        "history_reservations": rows,
        "load_ms_p50": p50(before),
        "load_ms_p50_with_history": p50(after),
        "history_growth": round(p50(after) / p50(before), 3),
    }


def _new_courses(loaded: LoadedClinic, requests: int) -> Iterator[Course]:
    """Courses of patients who have bookings, and with the history hundreds of them."""
    for number in range(requests):
        booked = Course.objects.filter(patient__card_number=f"R{number + 1:06}").select_related("patient").first()
        if booked is not None:
            yield loaded.new_course(booked.patient, loaded.reference.lines(number)[0])


def _load_times(courses: list[Course]) -> list[float]:
    now = timezone.now()
    times = []
    for _ in range(3):
        # The first round warms caches.
        times = [timed(lambda c=course: build_problem(courses=[c], now=now))[1] for course in courses]  # type: ignore[misc]
    return times


# One block of a clinic's bookings, moved back by so many days: the ids of its rows are those of the first, shifted.
_COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'"
_MOVED = {
    "courses_visit": {
        "id": "shift",
        "date": "days",
        "starts_at": "time",
        "ends_at": "time",
        "revised_at": "time",
        "uid": "name",
    },
    "clinic_appointment": {"id": "shift", "starts_at": "time", "ends_at": "time"},
    "clinic_reservation": {"id": "shift", "appointment_id": "shift", "starts_at": "time", "ends_at": "time"},
    "courses_session": {"id": "shift", "appointment_id": "shift", "visit_id": "shift", "number": "number"},
}
_BLOCK = 10_000_000  # more ids than one block has


def _add_history(owner: "psycopg.Connection[tuple[object, ...]]", age: int) -> None:
    changes = {
        "shift": f"{{0}} + {age * _BLOCK}",
        "days": f"{{0}} - {age * 56}",
        "time": f"{{0}} - interval '{age * 56} days'",
        "number": f"{{0}} + {age * 100}",
        "name": f"{{0}} || '.{age}'",
    }
    for table, moved in _MOVED.items():
        columns = [str(row[0]) for row in owner.execute(_COLUMNS, [table])]
        values = [changes[moved[c]].format(c) if c in moved else c for c in columns]
        only = f"id < {_BLOCK}"
        if table == "courses_session":
            values = ["'completed'" if c == "status" else v for c, v in zip(columns, values, strict=True)]
            only += " AND appointment_id IS NOT NULL"
        text = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table} WHERE {only}"
        owner.execute(text.encode())
