"""Concessions: minimal, as small as opens a plan, and every family of them."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courses.planning import Plan, explain, plan, verify
from courses.planning.conceding import find_partial
from courses.planning.easing import Eased, eases
from courses.planning.explaining import explain_course
from courses.planning.ground import Ground
from courses.planning.reference import reference_clinic
from courses.planning.rules import Apart
from courses.planning.types import PinnedSession, Relaxation, RoomOption, Strength, TherapistOption
from tests.planning.small import best_by_trying, mask, placements, random_problem, resource
from tests.planning.test_explaining import change, relaxations, staffed
from tests.planning.test_single import simple

MORNING, WIDE = mask((108, 114)), mask((96, 150))


def harder(problem):
    """Every wish a must, and an early finish."""
    course = problem.courses[0]
    return change(
        problem,
        window_strength=Strength.MUST,
        weekdays_strength=Strength.MUST,
        therapist_strength=Strength.MUST,
        finish_day=max(course.start_day, 5),
        sessions=max(course.sessions, 2),
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**9))
def test_sets_are_minimal_complete_and_open_a_plan(seed):
    problem = harder(random_problem(seed, density=0.2, most=2))
    explanation = explain(problem)
    if explanation is None:
        return
    course = problem.courses[0]
    families = list(eases(problem, course, most_sessions=explanation.courses[0].most_sessions))

    def opens(group):
        eased = Eased(problem)
        for ease in group:
            eased = eased.give_up(ease)
        return best_by_trying(eased.problem) is not None

    opening = [
        {e.change for e in group} for count in (1, 2, 3) for group in combinations(families, count) if opens(group)
    ]
    minimal = [group for group in opening if not any(other < group for other in opening)]
    told = [{c.relaxation for c in concession.changes} for concession in explanation.concessions]
    assert len(told) == min(len(minimal), 4)
    assert all(group in minimal for group in told)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_the_partial_plan_of_one_course_has_as_many_sessions_as_fit(seed):
    problem = harder(random_problem(seed, density=0.3))
    explained = explain_course(Ground(problem), problem.courses[0])
    asked = problem.courses[0].sessions
    fitting = [
        n
        for n in range(1, asked + 1)
        if any(True for _ in placements(problem, replace(problem.courses[0], sessions=n)))
    ]
    assert explained.most_sessions == max(fitting, default=0)
    partial = find_partial(problem, (explained,))
    assert (len(partial.sessions) if partial else 0) == explained.most_sessions


def staffed_wide(**fields):
    return change(staffed(simple(), t10=resource(14, (WIDE,) * 14)), **fields)


def test_the_hour_is_moved_no_further_than_it_takes():
    problem = staffed_wide(window=(156, 200), window_strength=Strength.MUST)
    [concession] = explain(problem).concessions
    assert concession.changes[0].params == {"window": (144, 200)}  # 12:00 to 12:30 is her last half hour
    assert {s.slot for s in concession.plan.sessions} == {144}
    late = staffed_wide(window=(60, 90), window_strength=Strength.MUST)
    assert explain(late).concessions[0].changes[0].params == {"window": (60, 102)}


def test_hours_far_away_are_any_time_of_day():
    problem = staffed_wide(window=(210, 230), window_strength=Strength.MUST)
    assert explain(problem).concessions[0].changes[0].params == {}


def test_one_more_weekday_is_enough():
    problem = simple(weekdays=frozenset({0, 2}), weekdays_strength=Strength.MUST, finish_day=5, gap_max=5)
    kinds = {c.changes[0].relaxation: c for c in explain(problem).concessions}
    assert kinds[Relaxation.WEEKDAYS].changes[0].params == {"weekdays": (1,)}
    saturday = simple(weekdays=frozenset(range(5)), weekdays_strength=Strength.MUST, sessions=6, finish_day=6)
    [first, *_] = explain(saturday).concessions
    assert first.changes[0].params == {"weekdays": (5,)}
    assert (first.last_day, len(first.plan.sessions)) == (5, 6)


def test_the_gap_grows_by_as_many_days_as_it_takes():
    free = tuple(MORNING if d in (0, 4, 9) else 0 for d in range(14))
    problem = staffed(simple(gap_max=2), t10=resource(14, free))
    [first, *_] = explain(problem).concessions
    assert first.changes[0].params == {"gap_max": 4}  # from day 4 over the Sunday to day 9


def test_excluded_days_and_excluded_therapists_can_be_given_back():
    shut = simple(excluded_days=frozenset({1, 2, 3}), finish_day=4)
    assert (Relaxation.EXCLUDED,) in relaxations(explain(shut))
    barred = change(simple(), excluded_therapists=frozenset({10}))
    [concession] = explain(barred).concessions
    assert concession.changes[0].relaxation is Relaxation.THERAPIST
    assert concession.changes[0].params == {"therapists": (10,)}
    hours = change(simple(), hours=(120, 288))
    assert explain(hours).concessions[0].changes[0].params == {"window": (108, 288)}


def test_another_room_is_for_the_doctor_to_allow():
    rooms = {"t10": resource(14, (MORNING,) * 14), "t20": resource(14, (0,) * 14), "t21": resource(14, (MORNING,) * 14)}
    problem = change(
        staffed(simple(), **rooms), needs_room=True, rooms=(RoomOption(20),), other_rooms=(RoomOption(21),)
    )
    [concession] = explain(problem).concessions
    assert concession.changes[0].relaxation is Relaxation.ROOM
    assert {s.room for s in concession.plan.sessions} == {21}


@pytest.mark.parametrize("ruled", [False, True])
def test_rules_between_procedures_are_for_the_doctor_to_give_up(ruled):
    free = tuple(mask((108, 120)) if d < 2 else 0 for d in range(14))
    problem = staffed(simple(sessions=2), t10=resource(14, free))
    first = problem.courses[0]
    apart = frozenset() if ruled else frozenset({first.procedure})
    second = replace(first, key="b", procedure="heat", not_same_day_with=apart)
    rules = (Apart(first.procedure, "heat"),) if ruled else ()
    problem = replace(problem, courses=(first, second), rules=rules)
    explanation = explain(problem)
    assert explanation.course is None
    assert relaxations(explanation)[0] == (Relaxation.SEQUENCING,)
    assert len(explanation.concessions[0].plan.sessions) == 4
    assert len(explanation.partial.sessions) == 2
    assert verify(problem, replace(explanation.partial, sessions=())) != []


def test_three_musts_may_have_to_go_together():
    problem = staffed(simple(), t10=resource(14, (0,) * 14), t11=resource(14, (MORNING,) * 14))
    problem = change(
        problem,
        therapists=(TherapistOption(10), TherapistOption(11, gender="M")),
        preferred_therapist=10,
        therapist_strength=Strength.MUST,
        gender="F",
        window=(120, 140),
        window_strength=Strength.MUST,
    )
    assert relaxations(explain(problem)) == [(Relaxation.WINDOW, Relaxation.THERAPIST, Relaxation.GENDER)]


def test_a_pinned_session_stays_whatever_is_given_up():
    problem = simple(pinned=(PinnedSession(2, 108, 10),), finish_day=3, sessions=4)
    for concession in explain(problem).concessions:
        assert all(s.day != 2 for s in concession.plan.sessions)


@pytest.mark.parametrize("number", range(3))
def test_concessions_of_a_programme_are_plans(number):
    problem = reference_clinic(days=42).problem(number, courses=3)
    tight = replace(problem, courses=tuple(replace(c, finish_day=13) for c in problem.courses))
    explanation = explain(tight)
    assert explanation.concessions
    for concession in explanation.concessions:
        finish = {c.course: c.params["finish_day"] for c in concession.changes if c.relaxation is Relaxation.FINISH}
        fewer = {c.course: c.params["sessions"] for c in concession.changes if c.relaxation is Relaxation.FEWER}
        eased = tuple(
            replace(c, finish_day=finish.get(c.key, 13), sessions=fewer.get(c.key, c.sessions)) for c in tight.courses
        )
        assert verify(replace(tight, courses=eased), concession.plan) == []
    counts = {c.key: sum(s.course == c.key for s in explanation.partial.sessions) for c in tight.courses}
    part = replace(tight, courses=tuple(replace(c, sessions=counts[c.key]) for c in tight.courses if counts[c.key]))
    assert verify(part, explanation.partial) == []
    assert isinstance(plan(part), Plan)
    assert 0 < len(explanation.partial.sessions) < sum(c.sessions for c in tight.courses)
