"""Repairing 60 and 200 sessions of the reference clinic: the engine alone, no database."""

import gc
import resource
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

from courses.benchmarks.timing import p50, p95
from courses.demo.progress import Bar
from courses.planning.reference import reference_clinic
from courses.planning.repairing import RepairBudget, RepairProblem, repair, verify_repair
from courses.planning.repairing.scenarios import sessions_out, therapist_away
from courses.planning.repairing.types import Repair

SIZES = {"": 200, "_60": 60}


def measure(options: Mapping[str, Any]) -> dict[str, Any]:
    """Keys without a suffix are of 200 sessions.

    gap_pct: how far at most the change is from the least, against the bound over all starts; unplaced_share: of the
    sessions lost; unplaced_known_share: of the repairs, those shown to leave the fewest possible unplaced;
    greedy_worse_pct: how much dearer greedy placing is where it leaves no more unplaced, on average, and
    greedy_unplaced_share: what it leaves unplaced.
    """
    seeds = options["requests"] or 20
    clinic = reference_clinic()
    figures: dict[str, Any] = {"seeds": seeds}
    with Bar("Repairs", seeds * len(SIZES)) as bar:
        for number, (suffix, size) in enumerate(SIZES.items()):
            # The first import of the solvers is no part of a repair.
            repair(therapist_away(clinic, 7, 7, 1))
            found, seconds = [], []
            for seed in range(seeds):
                problem = sessions_out(clinic, size, seed)
                answer, taken = _timed(problem)
                if verify_repair(problem, answer):
                    raise RuntimeError(f"an unsound repair of {size} sessions, seed {seed}")
                found.append(answer)
                seconds.append(taken)
                bar.to(number * seeds + seed + 1)
            figures |= {f"{name}{suffix}": value for name, value in _summary(found, seconds).items()}
    # Linux counts it in KiB, macOS in bytes.
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return figures | {"peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)}


def _timed(problem: RepairProblem) -> tuple[Repair, float]:
    gc.collect()
    started = time.perf_counter()
    answer = repair(problem, budget=RepairBudget())
    return answer, time.perf_counter() - started


def _summary(found: list[Repair], seconds: list[float]) -> dict[str, Any]:
    gaps = [100 * r.gap for r in found]
    sessions = sum(r.stats.sessions for r in found)
    comparable = [r for r in found if r.stats.greedy_unplaced == len(r.unplaced) and r.cost]
    worse = [100 * (r.stats.greedy_cost / r.cost - 1) for r in comparable]
    return {
        "sessions": round(statistics.mean(r.stats.sessions for r in found)),
        "gap_pct_p50": p50(gaps),
        "gap_pct_p95": p95(gaps),
        "seconds_p50": p50(seconds),
        "seconds_p95": p95(seconds),
        "unplaced_share": round(sum(len(r.unplaced) for r in found) / sessions, 4),
        "unplaced_known_share": round(statistics.mean(len(r.unplaced) == r.unplaced_bound for r in found), 3),
        "greedy_unplaced_share": round(sum(r.stats.greedy_unplaced for r in found) / sessions, 4),
        "greedy_worse_pct": round(statistics.mean(worse), 1) if worse else None,
    }
