"""Free times of all twelve therapists over HTTP: one day, and the 56 days of the horizon."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils import timezone

from courses.benchmarks.clinics import EXAMINATION, LoadedClinic, load_reference_clinic
from courses.benchmarks.timing import p50, p95, timed
from courses.benchmarks.web import WebClient
from courses.demo.progress import Bar

WARM_UP = 10


def measure(options: Mapping[str, Any]) -> dict[str, Any]:
    """`starts_*` say how much was in the last answer: ranges of free starts."""
    requests = options["requests"] or 200
    loaded = load_reference_clinic(timezone.localdate())
    day, ranges = _ask(loaded, days=1, requests=requests)
    whole, all_ranges = _ask(loaded, days=loaded.reference.days, requests=requests)
    return {
        "requests": requests,
        "therapists": 12,
        "day_ms_p50": p50(day),
        "day_ms_p95": p95(day),
        "range56_ms_p50": p50(whole),
        "range56_ms_p95": p95(whole),
        "starts_day": ranges,
        "starts_range56": all_ranges,
    }


def _ask(loaded: LoadedClinic, *, days: int, requests: int) -> tuple[list[float], int]:
    times: list[float] = []
    ranges = 0
    procedure = loaded.procedures[EXAMINATION].pk
    with WebClient(settings.PUBLIC_URL, loaded.token) as web, Bar(f"Free times of {days} d", requests) as bar:
        for number in range(-WARM_UP, requests):
            # Another day each time, a Sunday never; all of the horizon has only one beginning.
            offset = (number % 48 // 6 * 7 + number % 6) if days == 1 else 0
            first = loaded.first_day + dt.timedelta(days=offset)
            query = {"clinic": loaded.clinic.pk, "procedure": procedure, "first_day": first, "days": days}
            (status, answer), taken = timed(lambda query=query: web.get("/api/v1/availability/", **query))  # type: ignore[misc]
            if status != 200 or not answer["results"]:
                raise RuntimeError(f"HTTP {status}: {answer}")
            if number >= 0:
                times.append(taken)
                ranges = sum(len(row["starts"]) for row in answer["results"])
                bar.to(number + 1)
    return times, ranges
