"""Rules between the procedures of a programme: kept by every solver, as good as trying everything."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courses.planning import NoPlan, Plan, PlannedSession, ProblemError, explain, plan, verify
from courses.planning.ground import Ground
from courses.planning.joint import suits
from courses.planning.rule_validity import find_rule_flaws
from courses.planning.rules import Apart, DayLimit, NotTogether, OpensAfter, Review, SameDay
from courses.planning.types import BookedSession, Filter, GapUnit, Margins, Patient, Reason, Relaxation
from tests.planning.small import DAWN, DUSK, best_by_trying, cost_by_hand, mask, random_problem, resource, with_class
from tests.planning.test_programme import MOST_TRIED, ways
from tests.planning.test_single import simple


def random_rules(rng, courses):
    names = [c.procedure for c in courses] + ["massage", "device", "manual"]
    keys = [c.key for c in courses]
    rules = []
    for _ in range(rng.randint(1, 3)):
        one, other = rng.sample(names, 2)
        rest = rng.choice([0, 0, 2, 5])
        rules.append(
            rng.choice(
                [
                    SameDay(one, other, rest, rng.choice([None, rest + rng.randint(0, 8)]), ordered=rng.random() < 0.6),
                    SameDay(one, other, rest, rng.choice([None, rest + rng.randint(0, 8)]), ordered=rng.random() < 0.6),
                    Apart(one, other, rng.randint(0, 2)),
                    DayLimit(rng.choice(names), 1),
                ]
            )
        )
    if rng.random() < 0.4:
        course, after = rng.sample(keys, 2)
        total = next(c.sessions for c in courses if c.key == after)
        rules.append(OpensAfter(course, after, rng.randint(1, total)))
    return tuple(rules)


def random_review(rng, problem):
    """The last course becomes a doctor's visit along the first."""
    first, *between, last = problem.courses
    after = tuple(sorted(rng.sample(range(1, first.sessions + 1), rng.randint(1, min(2, first.sessions)))))
    visit = replace(last, sessions=len(after), gap_min=1, gap_max=None, per_week=None, free_gaps=True)
    review = Review(visit.key, first.key, after, within=rng.randint(0, 4))
    return replace(problem, courses=(first, *between, visit), rules=(review,))


def ruled_problem(seed, **kind):
    rng = random.Random(seed)
    problem = random_problem(seed, **kind)
    # Without margins, which could meet in one therapist's calendar: then a joint plan is only a bound.
    plain = {"therapist_margins": Margins(), "device_margins": Margins()}
    problem = replace(problem, courses=tuple(replace(c, **plain) for c in problem.courses))
    booked = tuple(
        BookedSession(
            day,
            start,
            end - start,
            rng.choice(["P0", "P1", "X"]),
            frozenset(rng.sample(["massage", "device", "manual"], 1)),
        )
        for day, (start, end) in problem.patient.visits.items()
    )
    problem = replace(problem, patient=replace(problem.patient, sessions=booked))
    if rng.random() < 0.3:
        return random_review(rng, problem)
    return replace(problem, rules=random_rules(rng, problem.courses))


def assert_as_good_as_trying(problem, *, proven=True):
    if list(find_rule_flaws(problem)) or ways(problem) > MOST_TRIED:
        return
    found = plan(problem)
    best = best_by_trying(problem)
    if isinstance(found, NoPlan):
        assert best is None or not found.proven
        assert best is None or not proven
        return
    assert verify(problem, found) == []
    assert found.cost == cost_by_hand(problem, found.sessions)
    assert best is not None
    assert found.bound <= best <= found.cost
    if proven:
        assert found.proven


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_two_courses_with_rules_against_trying_everything(seed):
    assert_as_good_as_trying(ruled_problem(seed, courses=2, days=8, density=0.15, most=2))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_three_courses_with_rules_against_trying_everything(seed):
    assert_as_good_as_trying(ruled_problem(seed, courses=3, days=5, density=0.12, most=1))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9))
def test_four_courses_with_rules_against_trying_everything(seed):
    # Four that may share a day under rules that reach over neighbours are planned three at a time.
    problem = ruled_problem(seed, courses=4, days=5, density=0.1, most=1)
    assert_as_good_as_trying(problem, proven=suits(Ground(problem), problem.courses))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_one_course_beside_booked_sessions_against_trying_everything(seed):
    rng = random.Random(seed)
    problem = random_problem(seed, courses=1, days=9)
    booked = tuple(
        BookedSession(day, start, end - start, "X", frozenset({"device"}))
        for day, (start, end) in problem.patient.visits.items()
    )
    code = problem.courses[0].procedure
    rules = (
        SameDay(*rng.sample([code, "X"], 2), rng.randint(0, 5), rng.choice([None, 8]), ordered=rng.random() < 0.7),
        rng.choice([Apart(code, "device", rng.randint(0, 1)), DayLimit("device", 1)]),
    )
    assert_as_good_as_trying(replace(problem, patient=replace(problem.patient, sessions=booked), rules=rules))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_a_course_beside_a_class_with_rules_against_trying_everything(seed):
    problem = with_class(ruled_problem(seed, courses=2, days=9, density=0.12, most=2), seed)
    assert_as_good_as_trying(problem, proven=False)


# -- one rule at a time ----------------------------------------------------------------------------------------------


def programme(*, days=10, sessions=(2, 2), rules=(), slots=(6, 6, 6), free=None, booked=()):
    """Courses heat, massage, laser of one therapist each, free from dawn to dusk."""
    base = simple(days=days, sessions=1).courses[0]
    names = ("heat", "massage", "laser")
    courses = tuple(
        replace(
            base,
            key=name,
            procedure=name,
            sessions=count,
            slots=length,
            therapists=(replace(base.therapists[0], therapist=10 + i),),
            tags=frozenset({"thermal"} if name == "heat" else {"device"} if name == "laser" else {"massage"}),
        )
        for i, (name, count, length) in enumerate(zip(names, sessions, slots, strict=False))
    )
    times = (free or mask((DAWN, DUSK)),) * days
    problem = simple(days=days, sessions=1)
    return replace(
        problem,
        courses=courses,
        rules=tuple(rules),
        resources={10 + i: resource(days, times) for i in range(3)},
        patient=Patient((mask((0, 288)),) * days, sessions=tuple(booked)),
    )


def times(found, key):
    return [(s.day, s.slot) for s in found.sessions if s.course == key]


def test_heat_comes_before_massage_and_within_two_hours():
    found = plan(programme(rules=[SameDay("heat", "massage", rest=2, lag=24)]))
    assert found.proven
    for (day, heat), (other, massage) in zip(times(found, "heat"), times(found, "massage"), strict=True):
        assert day == other
        assert 2 <= massage - (heat + 6) <= 24


def test_a_rule_between_the_first_and_the_last_of_three_is_kept():
    # Laser may take the time between heat and massage only if these still follow within half an hour.
    rules = [SameDay("heat", "laser"), SameDay("laser", "massage"), SameDay("heat", "massage", lag=8)]
    found = plan(programme(sessions=(1, 1, 1), slots=(6, 6, 9), rules=rules))
    assert found.proven
    assert found.stats.visits == 2
    longer = [*rules[:2], SameDay("heat", "massage", lag=9)]
    assert plan(programme(sessions=(1, 1, 1), slots=(6, 6, 9), rules=longer)).stats.visits == 1


def test_a_rest_between_the_first_and_the_last_of_three_is_kept():
    rules = [SameDay("heat", "laser"), SameDay("laser", "massage"), SameDay("heat", "massage", rest=20)]
    found = plan(programme(sessions=(1, 1, 1), rules=rules))
    assert found.proven
    if found.stats.visits == 1:
        assert times(found, "massage")[0][1] - times(found, "heat")[0][1] >= 26


def test_at_most_one_of_a_tag_a_day_counts_what_is_booked():
    booked = [BookedSession(0, DAWN, 3, "magnet", frozenset({"thermal"}))]
    found = plan(programme(rules=[DayLimit("thermal", 1)], booked=booked))
    assert all(day != 0 for day, _ in times(found, "heat"))


def test_not_on_consecutive_days_holds_also_after_a_course_is_through():
    found = plan(programme(sessions=(1, 1), rules=[Apart("heat", "massage", days=1)], days=6))
    assert found.proven
    assert abs(times(found, "heat")[0][0] - times(found, "massage")[0][0]) >= 2


def test_a_course_opens_after_the_second_session_of_another():
    found = plan(programme(sessions=(3, 2), rules=[OpensAfter("massage", "heat", 2)]))
    assert found.proven
    assert times(found, "massage")[0][0] > times(found, "heat")[1][0]


def test_sessions_given_count_for_the_opening():
    problem = programme(sessions=(2, 1), rules=[OpensAfter("massage", "heat", 2)])
    heat = replace(problem.courses[0], done_days=(0,), start_day=1)
    found = plan(replace(problem, courses=(heat, problem.courses[1])))
    assert times(found, "massage")[0][0] > times(found, "heat")[0][0]
    assert times(found, "massage")[0][0] <= times(found, "heat")[1][0]


def test_the_doctor_sees_the_patient_after_the_second_and_the_last_session():
    problem = programme(sessions=(4, 2), rules=[Review("massage", "heat", (2, 4), within=3)])
    visit = replace(problem.courses[1], gap_max=None, free_gaps=True)
    found = plan(replace(problem, courses=(problem.courses[0], visit)))
    assert found.proven
    heat, seen = times(found, "heat"), times(found, "massage")
    assert heat[1] < seen[0] < heat[2]
    assert heat[3] < seen[1]
    assert found.stats.visits == 4


def test_reviews_follow_also_where_more_courses_are_planned_than_jointly():
    problem = programme(sessions=(4, 2, 2), rules=[Review("massage", "heat", (2, 4), within=3)])
    heat, visit, laser = problem.courses
    extra = replace(laser, key="extra", procedure="extra")
    visit = replace(visit, gap_max=None, free_gaps=True)
    problem = replace(problem, courses=(heat, visit, laser, extra))
    found = plan(problem)
    assert verify(problem, found) == []


def test_rules_hold_beside_a_plan_of_calendar_days():
    problem = programme(sessions=(3, 2), rules=[OpensAfter("massage", "heat", 3), Apart("heat", "massage", 2)])
    courses = tuple(replace(c, gap_unit=GapUnit.CALENDAR) for c in problem.courses)
    found = plan(replace(problem, courses=courses))
    assert found.proven
    assert times(found, "massage")[0][0] - times(found, "heat")[2][0] >= 3


# -- what is no problem ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "flaw"),
    [
        ([SameDay("heat", "massage"), SameDay("massage", "heat")], ("rules", "cycle")),
        ([OpensAfter("heat", "massage", 1), OpensAfter("massage", "heat", 1)], ("rules", "cycle")),
        ([NotTogether("thermal", "massage")], ("procedure", "not_together")),
        ([SameDay("heat", "massage", rest=6, lag=3)], ("rules", "lag_below_rest")),
        ([SameDay("heat", "heat")], ("rules", "order_of_itself")),
        ([Apart("heat", "massage", -1)], ("rules", "negative_days")),
        ([DayLimit("heat", 0)], ("rules", "not_positive")),
        ([OpensAfter("heat", "massage", 9)], ("rules", "more_than_there_are")),
        ([OpensAfter("heat", "nothing", 1)], ("rules", "unknown_course")),
        ([Review("massage", "heat", (1,))], ("sessions", "not_the_reviews")),
        ([Review("massage", "heat", (2, 1))], ("rules", "more_than_there_are")),
        ([Review("massage", "nothing", (1, 2))], ("rules", "unknown_course")),
    ],
)
def test_a_rule_that_is_none_is_named_before_any_solving(rules, flaw):
    with pytest.raises(ProblemError) as refused:
        plan(programme(rules=rules))
    assert flaw in {(f.field, f.code) for f in refused.value.flaws}


# -- why there is no plan --------------------------------------------------------------------------------------------


def test_rules_that_leave_no_time_are_the_reason_and_their_loss_a_concession():
    problem = programme(days=4, sessions=(3, 3), rules=[Apart("heat", "massage")])
    found = explain(problem)
    assert (found.reason, found.course) == (Reason.KEPT_APART, None)
    assert any(c.relaxation is Relaxation.SEQUENCING for one in found.concessions for c in one.changes)


def test_the_waterfall_counts_the_days_that_rules_leave_beside_what_is_booked():
    booked = [BookedSession(day, DAWN, 3, "magnet", frozenset({"thermal"})) for day in (0, 1, 2)]
    problem = programme(days=4, sessions=(2,), rules=[DayLimit("thermal", 1)], booked=booked)
    found = explain(problem)
    assert (found.reason, found.course) == (Reason.KEPT_APART, "heat")
    steps = {step.filter: step.days for step in found.courses[0].waterfall}
    assert (steps[Filter.PATIENT], steps[Filter.RULES]) == (4, 1)
    without = explain(replace(problem, rules=(), courses=(replace(problem.courses[0], sessions=9),)))
    assert Filter.RULES not in {step.filter for step in without.courses[0].waterfall}


# -- the checker -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "heat", "massage", "code"),
    [
        (SameDay("heat", "massage"), (0, 130), (0, 110), "wrong_order"),
        (SameDay("heat", "massage", rest=4), (0, 110), (0, 118), "too_little_rest"),
        (SameDay("massage", "heat", rest=4, ordered=False), (0, 110), (0, 118), "too_little_rest"),
        (SameDay("heat", "massage", lag=4), (0, 100), (0, 118), "too_late_after"),
        (Apart("thermal", "massage"), (0, 100), (0, 118), "too_near"),
        (Apart("massage", "thermal", 1), (0, 100), (1, 100), "too_near"),
        (DayLimit("one_a_day", 1), (0, 100), (0, 118), "too_many_a_day"),
        (NotTogether("heat", "massage"), (0, 100), (3, 118), "not_together"),
        (OpensAfter("massage", "heat", 1), (2, 100), (2, 118), "opens_too_early"),
        (Review("massage", "heat", (1,), within=1), (0, 100), (2, 100), "review_not_after_session"),
        (Review("massage", "heat", (1,)), (0, 118), (0, 100), "review_before_session"),
    ],
)
def test_the_checker_names_each_broken_rule(rule, heat, massage, code):
    problem = programme(sessions=(1, 1), rules=[rule])
    problem = replace(problem, courses=tuple(replace(c, tags=c.tags | {"one_a_day"}) for c in problem.courses))
    sessions = tuple(
        PlannedSession(key, 1, day, slot, 6, therapist, 22)
        for key, (day, slot), therapist in (("heat", heat, 10), ("massage", massage, 11))
    )
    found = {v.code for v in verify(problem, Plan(sessions, 0, 0, False))}
    assert code in found
    assert code not in {v.code for v in verify(replace(problem, rules=()), Plan(sessions, 0, 0, False))}
