"""Whole programmes: how soon a plan is there, how soon it is within 2 % of the optimum, how soon that is proven.

Three courses of ten sessions on the reference clinic, at its own load and at 90 %.  The optimum is the proven one;
where the proof takes more than `PATIENCE` seconds, the bound stands in for it, which can only make the figures worse.
A plan counts at t milliseconds if it was there by then, give or take the tenth of a second that one step may take.

Four, five and six courses of nine sessions are planned for two seconds.  `four_gap_*` compare with the best plan known
from a long search, which is the proven optimum in `four_reference_proven_share` of the requests; the `*_bound_gap_*`
figures compare with the bound that came with the plan itself.
"""

import gc
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from courses.benchmarks.footprint import peak_mb
from courses.benchmarks.timing import percentile
from courses.demo.progress import Bar
from courses.planning import Budget, NoPlan, Plan, Problem, plan
from courses.planning.reference import ReferenceClinic, reference_clinic

PATIENCE = 30.0
MARKS = (0.3, 0.5, 1.0)
STEP = 0.1
NEAR = 1.02
MANY_SECONDS = 2.0
LONG_SECONDS = 20.0


def measure(options: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds but where a name says milliseconds; shares of the requests that have a plan."""
    requests = options["requests"] or 100
    usual = _measure_three(reference_clinic(), range(requests), label="Three courses, 80 %")
    crowded = _measure_three(reference_clinic(load=0.9), range(max(requests * 2 // 5, 1)), label="Three courses, 90 %")
    many: dict[str, Any] = {}
    for name, courses in (("four", 4), ("five", 5), ("six", 6)):
        many |= _measure_many(name, courses, requests=max(requests // 5, 1))
    return {
        "requests": requests,
        **usual,
        **{f"at_90_{name}": value for name, value in crowded.items()},
        **many,
        "peak_mb": max(peak_mb(courses, 10) for courses in (3, 4)),
    }


@dataclass(frozen=True, slots=True)
class _Run:
    answer: Plan | NoPlan
    seconds: float


def _run(problem: Problem, seconds: float) -> _Run:
    gc.collect(0)
    started = time.perf_counter()
    answer = plan(problem, budget=Budget(steps=None, seconds=seconds, clock=time.perf_counter))
    return _Run(answer, time.perf_counter() - started)


def _first(problem: Problem) -> float:
    """Seconds until there is any plan."""
    started = time.perf_counter()
    plan(problem, budget=Budget(steps=1, last_resort=24))
    return time.perf_counter() - started


def _measure_three(clinic: ReferenceClinic, numbers: Iterable[int], *, label: str) -> dict[str, Any]:
    numbers = list(numbers)
    near: dict[float, list[bool]] = {mark: [] for mark in MARKS}
    firsts, proofs, refusals = [], [], []
    proven = infeasible = 0
    plan(clinic.problem(0, courses=3))  # numpy loads parts of itself at the first use
    with Bar(label, len(numbers)) as bar:
        for done, number in enumerate(numbers, 1):
            problem = clinic.problem(number, courses=3)
            whole = _run(problem, PATIENCE)
            proven += whole.answer.proven
            if isinstance(whole.answer, NoPlan):
                infeasible += whole.answer.proven
                refusals.append(whole.seconds)
            else:
                proofs.append(whole.seconds)
                firsts.append(_first(problem))
                for mark in MARKS:
                    near[mark].append(_is_near(problem, whole, mark))
            bar.to(done)
    return {
        **{f"share_2pct_{round(mark * 1000)}ms": _share(hits) for mark, hits in near.items()},
        "first_s_p50": _seconds(firsts, 0.5),
        "first_s_p95": _seconds(firsts, 0.95),
        "proof_s_p50": _seconds(proofs, 0.5),
        "proof_s_p95": _seconds(proofs, 0.95),
        "proven_share": round(proven / len(numbers), 4),
        "infeasible": infeasible,
        "infeasible_proof_s_p95": _seconds(refusals, 0.95),
    }


def _is_near(problem: Problem, whole: _Run, mark: float) -> bool:
    """Whether the plan at hand after `mark` seconds costs at most 2 % more than the best."""
    if whole.seconds <= mark and whole.answer.proven:
        return True
    assert isinstance(whole.answer, Plan)  # noqa: S101 - else there is nothing to be near to
    best = whole.answer.bound
    early = _run(problem, mark)
    in_time = early.seconds <= mark + STEP
    return in_time and isinstance(early.answer, Plan) and early.answer.cost <= best * NEAR


def _measure_many(name: str, courses: int, *, requests: int) -> dict[str, Any]:
    clinic = reference_clinic()
    seconds, known_gaps, bound_gaps, proven, reference_proven = [], [], [], 0, 0
    with Bar(f"{name.capitalize()} courses", requests) as bar:
        for number in range(requests):
            problem = clinic.problem(number, courses=courses)
            problem = replace(problem, courses=tuple(replace(c, sessions=9) for c in problem.courses))
            soon = _run(problem, MANY_SECONDS)
            bar.to(number + 1)
            if isinstance(soon.answer, NoPlan):
                continue
            best: Plan | NoPlan = soon.answer
            if not soon.answer.proven and courses == 4:
                best = _run(problem, LONG_SECONDS).answer
            assert isinstance(best, Plan)  # noqa: S101 - more time never loses a plan
            seconds.append(soon.seconds)
            known = min(best.cost, soon.answer.cost)
            known_gaps.append(100 * (soon.answer.cost - known) / known)
            bound_gaps.append(100 * soon.answer.gap)
            proven += soon.answer.proven
            reference_proven += best.proven
    planned = max(len(seconds), 1)
    figures = {
        f"{name}_planned": len(seconds),
        f"{name}_proven_share": round(proven / planned, 4),
        f"{name}_bound_gap_pct_p50": percentile(bound_gaps, 0.5),
        f"{name}_bound_gap_pct_p95": percentile(bound_gaps, 0.95),
        f"{name}_s_p95": _seconds(seconds, 0.95),
    }
    if courses == 4:
        figures |= {
            "four_gap_pct_p95": percentile(known_gaps, 0.95),
            "four_gap_pct_max": percentile(known_gaps, 1.0),
            "four_reference_proven_share": round(reference_proven / planned, 4),
        }
    return figures


def _share(hits: list[bool]) -> float | None:
    return round(sum(hits) / len(hits), 4) if hits else None


def _seconds(times: list[float], share: float) -> float | None:
    """A percentile in seconds, to the millisecond; None where nothing was measured."""
    return percentile([t * 1000 for t in times], share) / 1000 if times else None
