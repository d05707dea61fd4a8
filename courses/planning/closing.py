"""Working through a joint search: each better placement is kept, until none is left or the budget is spent."""

from __future__ import annotations

from collections.abc import Callable

from .joint import JointSearch, Placement
from .programme import Search
from .types import Plan
from .verification import verify
from .weights import IMPOSSIBLE

MANY = 48  # open combinations from which quick looks for a better plan save time
LOOKS = {1: 0, 2: 2, 3: 2, 4: 4}  # how many, by courses


def known_cost(search: Search) -> int:
    return search.best.cost if search.best else IMPOSSIBLE


def exhaust(search: Search, joint: JointSearch, fixed: Placement = ()) -> None:
    """Work through a joint search, keeping what it finds beside the fixed sessions."""
    if joint.exhausted:
        return
    joint.refine()
    for _ in range(LOOKS[len(joint.courses)] if len(joint.bound_of) > MANY else 0):
        if joint.exhausted or search.spent():
            break
        advance(search, joint, joint.glance, fixed)
    if len(joint.courses) > 1 and not search.spent():
        joint.tailor()
    while not joint.exhausted and not search.spent():
        advance(search, joint, joint.step, fixed)


def advance(search: Search, joint: JointSearch, way: Callable[[], Placement | None], fixed: Placement) -> None:
    """One step of a joint search, by `way` of a step or a glance."""
    search.rounds += 1
    before = joint.combinations
    placed = way()
    search.combinations += joint.combinations - before
    if placed is not None:
        take(search, joint, (*fixed, *placed))


def take(search: Search, joint: JointSearch, placed: Placement) -> None:
    """Keep what a joint search found; where margins of two courses collide in a resource it is only a bound."""
    sessions = tuple(s for _, own in placed for s in own)
    if verify(search.problem, Plan(sessions, 0, 0, False)):
        joint.floor = min(joint.floor, float(joint.best))
        joint.best = known_cost(search)
        return
    search.keep(dict(placed))
