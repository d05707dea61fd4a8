"""Proposing a course of ten sessions: the engine alone, reading what it needs, and the whole of it over HTTP."""

import gc
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils import timezone

from courses import planning
from courses.benchmarks.clinics import load_reference_clinic
from courses.benchmarks.timing import p50, p95, timed
from courses.benchmarks.web import WebClient
from courses.booking.models import Plan
from courses.demo.progress import Bar
from courses.planning.reference import ReferenceClinic

WARM_UP = 10


def measure(options: Mapping[str, Any]) -> dict[str, Any]:
    """`engine_*` time the solver on the description; `load_*` is what the web process took to read the problem."""
    requests = options["requests"] or 300
    loaded = load_reference_clinic(timezone.localdate())
    engine, proven = _measure_engine(loaded.reference, requests, frequency=None)
    weekly, weekly_proven = _measure_engine(loaded.reference, requests, frequency="3_per_week")
    patients = loaded.new_patients(WARM_UP + requests)
    courses = [loaded.new_course(p, loaded.reference.lines(n)[0]) for n, p in enumerate(patients)]
    times: list[float] = []
    keys: list[int] = []
    with WebClient(settings.PUBLIC_URL, loaded.token) as web, Bar("Plans over HTTP", len(courses)) as bar:
        for number, course in enumerate(courses):
            body = {"courses": [course.pk]}
            (status, answer), taken = timed(lambda body=body: web.post("/api/v1/plans/", body))  # type: ignore[misc]
            if status != 201:
                raise RuntimeError(f"HTTP {status}: {answer}")
            if number >= WARM_UP:
                times.append(taken)
                keys.append(answer["id"])
            bar.to(number + 1)
    plans = list(Plan.objects.filter(pk__in=keys))
    loading = [plan.request["load_ms"] for plan in plans]
    shown = [plan.proven for plan in plans]
    everything = [*proven, *weekly_proven, *shown]
    return {
        "requests": requests,
        "proven_share": sum(everything) / len(everything),
        "planned": sum(plan.status == Plan.Status.PROPOSED for plan in plans),
        "engine_ms_p50": p50(engine),
        "engine_ms_p95": p95(engine),
        "engine_weekly_ms_p95": p95(weekly),
        "http_ms_p50": p50(times),
        "http_ms_p95": p95(times),
        "load_ms_p50": p50(loading),
        "load_ms_p95": p95(loading),
    }


def _measure_engine(
    reference: ReferenceClinic, requests: int, *, frequency: str | None
) -> tuple[list[float], list[bool]]:
    times: list[float] = []
    proven: list[bool] = []
    label = "Engine" if frequency is None else "Engine, weekly maximum"
    with Bar(label, requests) as bar:
        for number in range(-WARM_UP, requests):
            problem = reference.problem(abs(number), frequency=frequency)
            gc.collect(0)
            answer, taken = timed(lambda problem=problem: planning.plan(problem, budget=_budget()))  # type: ignore[misc]
            if number >= 0:
                times.append(taken)
                proven.append(answer.proven)
                bar.to(number + 1)
    return times, proven


def _budget() -> planning.Budget:
    return planning.Budget(seconds=1.0, clock=time.perf_counter)
