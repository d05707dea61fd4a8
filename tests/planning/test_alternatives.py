"""Several plans to choose from: what each profile promises holds, and what coincides says so."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courses.planning import Budget, NoPlan, alternatives, plan, verify
from courses.planning.alternatives import COMPARED, THREE, differences, figures_of
from courses.planning.reference import reference_clinic
from courses.planning.types import PROFILES, PinnedSession, TherapistOption
from tests.planning.small import cost_by_hand, mask, placements, random_problem, resource
from tests.planning.test_single import simple

PROMISED = {"earliest_finish": "last_day", "fewest_visits": "visits", "same_therapist": "changes"}


def assert_promises(problem, found):
    """Sound, counted right, and none better than another at what that one promises."""
    assert sorted(name for a in found for name in a.profiles) == sorted(THREE)
    for one in found:
        assert verify(problem, one.plan) == []
        own = replace(problem, profile=PROFILES[one.profiles[0]])
        assert one.plan.cost == cost_by_hand(own, one.plan.sessions)
        assert one.plan.bound <= one.plan.cost
        for name in one.profiles:
            figure = PROMISED[name]
            assert getattr(one.figures, figure) == min(getattr(other.figures, figure) for other in found)
    keys = {tuple(getattr(a.figures, name) for name in ("first_day", *COMPARED)) for a in found}
    assert len(keys) == len(found)


def counted(problem, sessions):
    """Last day, visits and changes of therapist, counted here."""
    days = {s.day for s in sessions}
    changes = 0
    for course in problem.courses:
        people = {s.therapist for s in sessions if s.course == course.key} | {p.therapist for p in course.pinned}
        changes += len(people) - 1
    return max(days), len(days - set(problem.patient.visits)), changes


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_one_course_keeps_its_promises_exactly(seed):
    problem = random_problem(seed, density=0.25)
    found = alternatives(problem)
    every = [counted(problem, sessions) for sessions in placements(problem, problem.courses[0])]
    if not every:
        assert found == NoPlan(proven=True)
        return
    assert_promises(problem, found)
    for at, name in enumerate(THREE):
        best = next(a for a in found if name in a.profiles)
        assert counted(problem, best.plan.sessions)[at] == min(figures[at] for figures in every)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**9))
def test_two_courses_keep_their_promises(seed):
    problem = random_problem(seed, courses=2, days=9, density=0.2, most=3)
    found = alternatives(problem)
    if not isinstance(found, NoPlan):
        assert_promises(problem, found)


@pytest.fixture(scope="module")
def clinic():
    return reference_clinic(days=42)


@pytest.mark.parametrize("number", range(4))
def test_three_courses_really_differ_and_keep_their_promises(clinic, number):
    problem = clinic.problem(number, courses=3)
    found = alternatives(problem)
    assert_promises(problem, found)
    assert len(found) > 1
    assert found == alternatives(problem)
    # Cheap to say, and it must be right: nothing ends before the earliest.
    earliest = next(a for a in found if "earliest_finish" in a.profiles)
    sooner = tuple(replace(c, finish_day=earliest.figures.last_day - 1) for c in problem.courses)
    assert alternatives(replace(problem, courses=sooner)) == NoPlan(proven=True)


def test_a_budget_of_seconds_is_shared(clinic):
    ticks = iter(range(10**6))
    problem = clinic.problem(0, courses=3)
    found = alternatives(problem, budget=Budget(steps=None, seconds=9, clock=lambda: float(next(ticks))))
    assert_promises(problem, found)


def test_alternatives_that_coincide_are_one():
    [only] = alternatives(simple())
    assert set(only.profiles) == set(THREE)
    assert only.best_in == ()
    assert only.plan.proven


def test_each_is_compared_with_the_others():
    """Anna works every other day; with Boris in between the course ends sooner."""
    days = 14
    problem = replace(
        simple(days=days),
        resources={
            10: resource(days, tuple(mask((108, 114)) if d % 2 == 0 else 0 for d in range(days))),
            11: resource(days, (mask((108, 114)),) * days),
        },
    )
    course = replace(problem.courses[0], therapists=(TherapistOption(10), TherapistOption(11, valid_days=0b10)))
    problem = replace(problem, courses=(course,))
    soon, same = alternatives(problem, ["earliest_finish", "same_therapist"])
    assert (soon.profiles, same.profiles) == (("earliest_finish",), ("same_therapist",))
    assert (soon.figures.last_day, soon.figures.changes, soon.figures.visits) == (2, 1, 3)
    assert (same.figures.last_day, same.figures.changes, same.figures.visits) == (4, 0, 3)
    assert soon.best_in == ("last_day",)
    assert same.best_in == ("therapists", "changes")
    assert differences(same.figures, soon.figures) == {
        "last_day": 2,
        "visits": 0,
        "wait_minutes": 0,
        "therapists": -1,
        "changes": -1,
        "broken_wishes": 0,
    }


def test_figures_count_pinned_therapists_and_visits_booked_already():
    problem = simple(pinned=(PinnedSession(4, 108, 11),))
    problem = replace(problem, patient=replace(problem.patient, visits={1: (96, 102)}))
    [only] = alternatives(problem)
    figures = figures_of(problem, only.plan.sessions)
    assert figures == only.figures
    assert figures.changes == 1
    assert figures.visits == len({s.day for s in only.plan.sessions} - {1})


def test_no_plan_has_no_alternatives():
    assert alternatives(simple(finish_day=1)) == NoPlan(proven=True)


def test_a_profile_without_a_promise_is_the_best_by_its_weights(clinic):
    problem = clinic.problem(1, courses=2)
    found = alternatives(problem, ["balanced", "fewest_visits"])
    balanced = next(a for a in found if "balanced" in a.profiles)
    assert balanced.plan.cost == plan(problem).cost
