"""Fewest unplaced, then fewest of the rest moved, then least change: small cases against trying everything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courses.planning.repairing import RepairBudget, repair, verify_repair
from tests.planning.repairing.small import best_by_trying, random_problem, rank

EXACT = RepairBudget(gap=0.0, deterministic=5.0)


def assert_optimal(problem):
    found = repair(problem, budget=EXACT)
    assert verify_repair(problem, found) == []
    best = best_by_trying(problem)
    assert rank(problem, found) == best
    assert (len(found.unplaced), found.stats.moved_rest, found.cost) == best
    assert found.unplaced_bound <= len(found.unplaced)
    assert found.bound <= found.cost
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**9))
def test_small_problems_are_repaired_best(seed):
    assert assert_optimal(random_problem(seed)).proven


@pytest.mark.parametrize("seed", range(40))
def test_known_seeds(seed):
    assert assert_optimal(random_problem(seed)).proven


@pytest.mark.parametrize("seed", range(15))
def test_the_rest_moves_only_where_that_places_more(seed):
    assert_optimal(random_problem(seed, with_rest=True))
