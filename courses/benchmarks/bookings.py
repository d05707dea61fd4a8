"""Booking a proposed course of ten sessions: SQL statements inside the service, and time over HTTP."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from courses.benchmarks.clinics import LoadedClinic, load_reference_clinic
from courses.benchmarks.timing import p50, p95, timed
from courses.benchmarks.web import WebClient
from courses.booking.bookings import book_plan
from courses.booking.models import Course, Plan
from courses.booking.proposals import propose_plan
from courses.demo.progress import Bar

WARM_UP = 5
COUNTED = 5
# What only begins and ends transactions is not counted.
FRAME = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


def measure(options: Mapping[str, Any]) -> dict[str, Any]:
    """`statements` is the most that one of some bookings took; only the booking is timed, not the proposal before."""
    requests = options["requests"] or 100
    loaded = load_reference_clinic(timezone.localdate())
    courses = iter(_new_courses(loaded, 2 * (COUNTED + WARM_UP + requests)))
    statements = [_count(loaded, courses) for _ in range(COUNTED)]
    times: list[float] = []
    with WebClient(settings.PUBLIC_URL, loaded.token) as web, Bar("Bookings over HTTP", requests) as bar:
        for number in range(-WARM_UP, requests):
            plan = _propose(web, courses)
            path = f"/api/v1/plans/{plan}/book/"
            (status, answer), taken = timed(lambda path=path: web.post(path))  # type: ignore[misc]
            if status != 200 or answer["status"] != Plan.Status.BOOKED:
                raise RuntimeError(f"HTTP {status}: {answer}")
            if number >= 0:
                times.append(taken)
                bar.to(number + 1)
    return {
        "requests": requests,
        "sessions": 10,
        "statements": max(statements),
        "http_ms_p50": p50(times),
        "http_ms_p95": p95(times),
    }


def _new_courses(loaded: LoadedClinic, count: int) -> list[Course]:
    patients = loaded.new_patients(count)
    return [loaded.new_course(patient, loaded.reference.lines(n)[0]) for n, patient in enumerate(patients)]


def _propose(web: WebClient, courses: Any) -> int:
    """A plan for the next course that has one: the clinic fills up while it is measured."""
    for course in courses:
        status, answer = web.post("/api/v1/plans/", {"courses": [course.pk]})
        if status != 201:
            raise RuntimeError(f"HTTP {status}: {answer}")
        if answer["status"] == Plan.Status.PROPOSED:
            return int(answer["id"])
    raise RuntimeError("The clinic is too full for so many courses. Ask for fewer requests.")


def _count(loaded: LoadedClinic, courses: Any) -> int:
    now = timezone.now()
    for course in courses:
        proposed = propose_plan(courses=[course], by=loaded.user, now=now)
        if proposed.status == Plan.Status.PROPOSED:
            plan = Plan.objects.select_related("clinic", "patient").get(pk=proposed.pk)
            with CaptureQueriesContext(connection) as captured:
                book_plan(plan=plan, by=loaded.user, now=now)
            return sum(not query["sql"].startswith(FRAME) for query in captured.captured_queries)
    raise RuntimeError("The clinic has no room for a course of ten sessions.")
