"""One course: the planner's cost is the optimum's, for everything a request can ask."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courses.planning import NoPlan, Plan, plan, verify
from courses.planning.types import PROFILES, GapUnit, Margins, PinnedSession, TherapistOption
from tests.planning.small import best_by_trying, cost_by_hand, mask, random_problem, resource


def assert_optimal(problem):
    found = plan(problem)
    best = best_by_trying(problem)
    if best is None:
        assert found == NoPlan(proven=True)
        return
    assert isinstance(found, Plan)
    assert verify(problem, found) == []
    assert (found.cost, found.proven) == (best, True)
    assert cost_by_hand(problem, found.sessions) == found.cost


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_small_problems_are_solved_to_the_optimum(seed):
    assert_optimal(random_problem(seed, density=0.25))


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("seed", [3, 11, 29])
def test_every_profile_is_solved_to_its_own_optimum(profile, seed):
    assert_optimal(replace(random_problem(seed, density=0.25), profile=PROFILES[profile]))


# Seeds that between them have a weekly maximum, a pinned session, done ones, hands, two places and a booked visit.
@pytest.mark.parametrize("seed", [0, 4, 7, 12, 17, 23, 31, 38])
def test_known_seeds(seed):
    assert_optimal(random_problem(seed))


def test_the_same_problem_gives_the_same_plan():
    problem = random_problem(5)
    assert plan(problem) == plan(problem)


def simple(days=14, **fields):
    """One therapist, free 09:00-09:30 every day, three half-hour sessions with gaps of 1-3 opening days."""
    free = (mask((108, 114)),) * days
    problem = random_problem(1, days=days)
    course = replace(
        problem.courses[0],
        therapists=(TherapistOption(10),),
        needs_room=False,
        rooms=(),
        **{
            "sessions": 3,
            "slots": 6,
            "therapist_margins": Margins(),
            "device_margins": Margins(),
            "patient_margins": Margins(),
            "gap_min": 1,
            "gap_max": 3,
            "gap_unit": GapUnit.OPENING,
            "per_week": None,
            "start_day": 0,
            "finish_day": None,
            "weekdays": frozenset(),
            "window": None,
            "preferred_therapist": None,
            "gender": "",
            "languages": frozenset(),
            "excluded_days": frozenset(),
            "done_days": (),
            "pinned": (),
            **fields,
        },
    )
    return replace(
        problem,
        horizon=replace(problem.horizon, opening=tuple(d % 7 != 6 for d in range(days))),
        patient=replace(problem.patient, free=((1 << 288) - 1,) * days, visits={}),
        resources={10: resource(days, free)},
        courses=(course,),
    )


def days_of(found):
    return [s.day for s in found.sessions]


def test_sessions_follow_one_another_as_closely_as_the_gap_allows():
    assert days_of(plan(simple())) == [0, 1, 2]
    assert days_of(plan(simple(gap_min=2))) == [0, 2, 4]


def test_gaps_in_opening_days_skip_the_sunday():
    assert days_of(plan(simple(start_day=5, gap_max=1))) == [5, 7, 8]
    assert days_of(plan(simple(start_day=5, gap_max=1, gap_unit=GapUnit.CALENDAR))) == [7, 8, 9]


def test_the_weekly_maximum_holds_per_iso_week():
    assert isinstance(plan(simple(per_week=1, gap_max=7)), NoPlan)  # three weeks are needed, there are two
    found = plan(simple(days=21, per_week=1, gap_max=7))
    assert [d // 7 for d in days_of(found)] == [0, 1, 2]
    twice = plan(simple(per_week=2, gap_max=6))
    assert [d // 7 for d in days_of(twice)] in ([0, 0, 1], [0, 1, 1])


def test_done_sessions_count_for_the_first_gap_and_the_week():
    assert days_of(plan(simple(done_days=(0,), gap_min=2)))[0] == 2
    assert days_of(plan(simple(sessions=2, done_days=(0, 1), per_week=2, gap_max=6)))[0] == 7
    assert isinstance(plan(simple(done_days=(0,), start_day=8)), NoPlan)
    assert days_of(plan(simple(done_days=(0,), start_day=8, resuming=True)))[0] == 8


def test_pinned_sessions_stay_and_the_rest_is_planned_around_them():
    found = plan(simple(pinned=(PinnedSession(4, 108, 10),), start_day=1))
    assert days_of(found) == [1, 2, 3]
    assert [s.number for s in found.sessions] == [1, 2, 3]
    late = plan(simple(pinned=(PinnedSession(1, 108, 10),), start_day=2, gap_min=2))
    assert days_of(late)[0] == 3


def test_more_than_five_qualified_are_bounded_honestly():
    problem = simple()
    many = tuple(TherapistOption(n) for n in range(10, 18))
    resources = {
        n: resource(14, tuple(mask((108, 114)) if d % 8 == n - 10 else 0 for d in range(14))) for n in range(10, 18)
    }
    course = replace(problem.courses[0], therapists=many, sessions=5, finish_day=5)
    crowded = replace(problem, resources=resources, courses=(course,))
    found = plan(crowded)
    assert verify(crowded, found) == []
    assert found.bound <= best_by_trying(crowded) <= found.cost
    assert len({s.therapist for s in found.sessions}) == 5
    assert found.proven == (found.cost == found.bound)
