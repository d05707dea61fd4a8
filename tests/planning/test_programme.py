"""Several courses of one patient together."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courses.planning import Budget, NoPlan, Plan, plan, verify
from courses.planning.costing import plan_cost
from courses.planning.ground import Ground
from courses.planning.joint import suits
from courses.planning.reference import reference_clinic
from courses.planning.types import FULL_DAY, PROFILES
from tests.planning.small import (
    best_by_trying,
    cost_by_hand,
    mask,
    placements,
    random_problem,
    resource,
    with_class,
)
from tests.planning.test_single import simple

MOST_TRIED = 400  # placements of both courses multiplied


def ways(problem):
    """How many placements of all courses there are to try."""
    tried = 1
    for course in problem.courses:
        tried *= sum(1 for _ in placements(problem, course))
    return tried


def assert_sound(problem):
    """The plan is sound, counted right and as good as it says; exact where the joint search applies."""
    if ways(problem) <= MOST_TRIED:
        assert_as_good_as_it_says(problem)


def assert_as_good_as_it_says(problem):
    found = plan(problem)
    best = best_by_trying(problem)
    if isinstance(found, NoPlan):
        assert best is None or not found.proven
        return
    assert verify(problem, found) == []
    assert cost_by_hand(problem, found.sessions) == found.cost == plan_cost(problem, found.sessions)
    assert found.bound <= best <= found.cost
    assert found.proven == (found.bound == found.cost)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_two_courses_against_trying_everything(seed):
    assert_sound(random_problem(seed, courses=2, days=8, density=0.12, most=2))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_a_course_and_a_class_against_trying_everything(seed):
    assert_sound(with_class(random_problem(seed, courses=2, days=9, density=0.12, most=2), seed))


# Seeds of problems with many ways to be placed, though few enough to try them all.
@pytest.mark.parametrize("seed", [17, 25, 43, 76, 82, 117, 140, 172, 197, 230, 266, 304, 335])
def test_two_courses_of_three_sessions_against_trying_everything(seed):
    problem = random_problem(seed, courses=2, days=9, density=0.15, most=3)
    assert 50 < ways(problem) < 5000
    assert_as_good_as_it_says(problem)


@pytest.mark.parametrize("seed", [20, 53, 87, 142, 205, 253, 302, 403, 473, 545, 597, 645, 695, 783])
def test_three_courses_against_trying_everything(seed):
    problem = random_problem(seed, courses=3, days=8, density=0.15, most=2)
    assert 10 < ways(problem) < 5000
    assert_as_good_as_it_says(problem)


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("seed", [4, 13, 28, 41])
def test_three_sessions_under_every_profile_against_trying_everything(seed, profile):
    problem = random_problem(seed, courses=3, days=7, density=0.2, most=1)
    assert 10 < ways(problem) < 5000
    assert_as_good_as_it_says(replace(problem, profile=PROFILES[profile]))


@pytest.fixture(scope="module")
def clinic():
    return reference_clinic(days=28)


@pytest.mark.parametrize("number", [0, 1])
def test_three_courses_of_ten_are_proven(clinic, number):
    problem = clinic.problem(number, courses=3)
    assert suits(Ground(problem), problem.courses)
    found = plan(problem)
    assert isinstance(found, Plan)
    assert verify(problem, found) == []
    assert found.proven
    assert found.cost == cost_by_hand(problem, found.sessions)


def test_no_single_course_can_be_placed_better_beside_the_others(clinic):
    problem = clinic.problem(4, courses=2)
    found = plan(problem)
    for course in problem.courses:
        rest = [s for s in found.sessions if s.course != course.key]
        around = replace(
            problem,
            courses=(course,),
            patient=replace(
                problem.patient,
                free=tuple(
                    FULL_DAY & ~sum(mask((s.slot, s.slot + s.slots)) for s in rest if s.day == d)
                    for d in range(problem.horizon.days)
                ),
            ),
        )
        again = [*plan(around).sessions, *rest]
        assert plan_cost(problem, again) >= found.cost


@pytest.mark.parametrize("count", [4, 5, 6])
def test_more_courses_are_planned_soundly_within_their_bound(clinic, count):
    problem = clinic.problem(1, courses=count)
    problem = replace(problem, courses=tuple(replace(c, sessions=5) for c in problem.courses))
    found = plan(problem, budget=Budget(steps=60))
    assert isinstance(found, Plan)
    assert verify(problem, found) == []
    assert 0 < found.bound <= found.cost == cost_by_hand(problem, found.sessions)
    assert found.gap < 0.5


def test_four_courses_are_proven(clinic):
    problem = clinic.problem(5, courses=4)
    problem = replace(problem, courses=tuple(replace(c, sessions=7) for c in problem.courses))
    found = plan(problem)
    assert verify(problem, found) == []
    assert found.proven
    assert found.cost == cost_by_hand(problem, found.sessions)


def pair(free, **fields):
    """Two courses of one therapist each, half an hour, on the given masks."""
    problem = simple(days=len(free), sessions=2)
    first = problem.courses[0]
    second = replace(first, key="other", procedure="other", **fields)
    return replace(problem, resources={10: resource(len(free), free)}, courses=(first, second))


def test_courses_share_visits():
    found = plan(pair((mask((108, 120)),) * 7))
    assert found.proven
    assert {s.day for s in found.sessions} == {0, 1}
    assert found.stats.visits == 2
    assert found.stats.wait_slots == 0


def test_procedures_that_exclude_each_other_come_on_different_days():
    code = simple().courses[0].procedure
    found = plan(pair((mask((108, 120)),) * 7, not_same_day_with=frozenset({code})))
    assert len({s.day for s in found.sessions}) == 4


def test_courses_that_fit_alone_but_not_together_are_proven_impossible():
    narrow = (mask((108, 114)), 0, mask((108, 114)))
    assert plan(pair(narrow)) == replace(plan(pair(narrow)), proven=True)
    assert isinstance(plan(pair(narrow)), NoPlan)


def test_a_plan_is_found_where_one_course_first_would_block_the_other():
    # Course one may take any of three days and would take the first two, which are all the other can use.
    days = (mask((108, 114)), mask((108, 114)), mask((108, 114)), mask((108, 114)))
    problem = pair(days, finish_day=1)
    found = plan(problem)
    assert isinstance(found, Plan)
    assert {s.day for s in found.sessions if s.course == "other"} == {0, 1}


def test_a_budget_of_no_steps_still_gives_a_plan(clinic):
    found = plan(clinic.problem(0, courses=3), budget=Budget(steps=1))
    assert isinstance(found, Plan)
    assert found.bound <= found.cost


def test_cancelling_ends_the_search(clinic):
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) > 3

    found = plan(clinic.problem(0, courses=3), budget=Budget(cancelled=cancelled))
    assert asked
    assert isinstance(found, Plan | NoPlan)


def test_seconds_are_counted_on_the_clock_given(clinic):
    ticks = iter(range(10**6))
    found = plan(clinic.problem(0, courses=3), budget=Budget(steps=None, seconds=3, clock=lambda: float(next(ticks))))
    assert isinstance(found, Plan)
    assert not found.proven
