"""Times taken, in milliseconds, and what is said of many of them."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

Result = TypeVar("Result")


def timed(call: Callable[[], Result]) -> tuple[Result, float]:
    """What a call returns, and how many milliseconds it took."""
    started = time.perf_counter()
    result = call()
    return result, (time.perf_counter() - started) * 1000


def percentile(times: Sequence[float], share: float) -> float:
    """The time that this share of all stays within (nearest rank). Raises ValueError for none."""
    if not times:
        raise ValueError("nothing was measured")
    rank = -(-len(times) * share // 1)
    return round(sorted(times)[max(int(rank), 1) - 1], 2)


def p50(times: Sequence[float]) -> float:
    return percentile(times, 0.50)


def p95(times: Sequence[float]) -> float:
    return percentile(times, 0.95)
