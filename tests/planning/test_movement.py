"""Planning anew with least movement: former times, sessions that may or must stay, demands on what moves."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courses.planning import NoPlan, Plan, plan, verify
from courses.planning.reference import reference_clinic
from courses.planning.types import FormerSession, Stay, Strength, TherapistOption
from tests.planning.small import mask, random_problem, resource, with_class, with_former
from tests.planning.test_programme import assert_sound
from tests.planning.test_single import assert_optimal, days_of, simple

WIDE = mask((108, 132))  # 09:00-11:00


def roomy(**fields):
    """Two therapists, free 09:00-11:00 every day."""
    problem = replace(simple(**fields), resources={t: resource(14, (WIDE,) * 14) for t in (10, 11)})
    return change(problem, therapists=(TherapistOption(10), TherapistOption(11)))


def former(*days, slot=114, therapist=10, stay=Stay.FREE):
    return tuple(FormerSession(day, slot, therapist, stay=stay) for day in days)


def change(problem, **fields):
    return replace(problem, courses=(replace(problem.courses[0], **fields),))


def places(found):
    return [(s.day, s.slot, s.therapist) for s in found.sessions]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_small_problems_with_former_times_are_solved_to_the_optimum(seed):
    assert_optimal(with_former(random_problem(seed, density=0.25), seed))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**9))
def test_two_courses_with_former_times_against_trying_everything(seed):
    assert_sound(with_former(random_problem(seed, courses=2, days=8, density=0.12, most=2), seed))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**9))
def test_classes_with_former_times_against_trying_everything(seed):
    problem = with_class(random_problem(seed, density=0.25, most=2), seed)
    meetings = [(m, s.therapist) for s in problem.courses[0].series for m in s.meetings if m.held and m.seats_free]
    kept = [
        FormerSession(m.day, m.slot, option.therapist, stay=list(Stay)[(seed + i) % 3])
        for i, (m, option) in enumerate(meetings[seed % 2 : seed % 2 + 1])
    ]
    assert_optimal(change(problem, former=tuple(kept)))


def test_nothing_moves_where_everything_can_stay():
    problem = roomy(former=former(1, 3, 5, slot=120, therapist=11))
    assert places(plan(problem)) == [(1, 120, 11), (3, 120, 11), (5, 120, 11)]


def test_only_the_session_that_cannot_stay_moves_and_no_further_than_it_must():
    problem = roomy(former=former(1, 3, 5), excluded_days=frozenset({3}))
    found = plan(problem)
    assert {1, 5} < set(days_of(found))
    [moved] = [s for s in found.sessions if s.day not in (1, 5)]
    assert (moved.slot, moved.therapist) == (114, 10)


def test_another_therapist_at_the_same_time_is_less_than_another_day():
    problem = roomy(former=former(1, 3, 5), excluded_therapists=frozenset({10}))
    assert places(plan(problem)) == [(1, 114, 11), (3, 114, 11), (5, 114, 11)]


def test_demands_bind_what_moves_and_not_what_may_stay():
    stays = former(1, 5, stay=Stay.MAY) + former(3)
    other = plan(roomy(former=stays, excluded_therapists=frozenset({10})))
    assert sorted(places(other)) == [(1, 114, 10), (3, 114, 11), (5, 114, 10)]
    later = plan(roomy(former=stays, hours=(120, 288)))
    assert sorted(places(later)) == [(1, 114, 10), (3, 120, 10), (5, 114, 10)]


def test_what_may_stay_moves_where_the_rhythm_asks_for_it():
    problem = roomy(former=former(1, 2, stay=Stay.MAY) + former(5), gap_min=2, start_day=1)
    found = plan(problem)
    assert verify(problem, found) == []
    assert days_of(found) == [1, 3, 5]


def test_a_fixed_session_stays_though_a_must_forbids_it():
    problem = roomy(former=former(4, slot=108, stay=Stay.MUST), window=(114, 132), window_strength=Strength.MUST)
    found = plan(problem)
    assert (4, 108, 10) in places(found)
    assert all(s.slot >= 114 for s in found.sessions if s.day != 4)
    without = replace(found, sessions=tuple(s for s in found.sessions if s.day != 4))
    assert "fixed_session_moved" in {v.code for v in verify(problem, without)}


def test_a_fixed_session_whose_time_has_gone_is_no_plan():
    problem = roomy(former=former(4, slot=126, stay=Stay.MUST))
    taken = replace(problem, resources={t: resource(14, (mask((108, 126)),) * 14) for t in (10, 11)})
    assert plan(problem).proven
    assert plan(taken) == NoPlan(proven=True)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_programme_is_planned_around_one_nudged_session(number):
    problem = reference_clinic(days=28).problem(number, courses=3)
    first = plan(problem)

    def kept(key, stay):
        own = [s for s in first.sessions if s.course == key]
        return tuple(FormerSession(s.day, s.slot, s.therapist, s.room, s.device, stay) for s in own)

    courses = tuple(replace(c, former=kept(c.key, Stay.MAY)) for c in problem.courses)
    same = plan(replace(problem, courses=courses))
    assert same.proven
    assert same.sessions == first.sessions  # rooms and devices too

    barred = first.sessions[4].day
    moved = plan(
        replace(
            problem, courses=tuple(replace(c, former=kept(c.key, Stay.FREE), excluded_days={barred}) for c in courses)
        )
    )
    assert isinstance(moved, Plan)
    assert all(s.day != barred for s in moved.sessions)
    gone = sum(s.day == barred for s in first.sessions)
    stayed = len(
        {(s.course, s.day, s.slot, s.therapist) for s in first.sessions}
        & {(s.course, s.day, s.slot, s.therapist) for s in moved.sessions}
    )
    assert stayed >= len(first.sessions) - 2 * gone
