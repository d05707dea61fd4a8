"""Enrolment into group classes, against trying every series and start."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from courses.planning import NoPlan, Plan, plan, verify
from courses.planning.types import ClassMeeting, ClassSeries, TherapistOption
from tests.planning.small import best_by_trying, random_problem, with_class


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_enrolments_are_optimal(seed):
    problem = with_class(random_problem(seed), seed)
    found = plan(problem)
    best = best_by_trying(problem)
    if best is None:
        assert found == NoPlan(proven=True)
        return
    assert isinstance(found, Plan)
    assert verify(problem, found) == []
    assert (found.cost, found.proven) == (best, True)


def test_meetings_that_fall_out_are_skipped_and_full_ones_are_not():
    problem = with_class(random_problem(2), 2)
    free = ((1 << 288) - 1,) * problem.horizon.days

    def series(full, fallen):
        meetings = tuple(
            ClassMeeting(d, d, 108, 9, seats_free=0 if d == full else 2, held=d != fallen) for d in (1, 3, 5, 8, 10)
        )
        return ClassSeries(7, TherapistOption(10), meetings)

    course = replace(
        problem.courses[0], sessions=2, start_day=0, finish_day=None, weekdays=frozenset(), window=None, gender="",
        preferred_therapist=None, excluded_days=frozenset(), series=(series(3, None),),
    )  # fmt: skip
    problem = replace(
        problem,
        courses=(course,),
        patient=replace(problem.patient, free=free, visits={}),
        horizon=replace(problem.horizon, opening=(True,) * problem.horizon.days),
    )
    assert [s.day for s in plan(problem).sessions] == [5, 8]
    fallen = replace(problem, courses=(replace(course, series=(series(None, 3),)),))
    assert [s.day for s in plan(fallen).sessions] == [1, 5]
