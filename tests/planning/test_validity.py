"""Problems that are none: one flaw per field, before any solving."""

from dataclasses import replace

import pytest

from courses.planning import ProblemError, explain, plan
from courses.planning.types import PinnedSession, RoomOption, Strength, TherapistOption
from tests.planning.test_single import simple


@pytest.mark.parametrize(
    ("fields", "flaw"),
    [
        ({"sessions": 0}, ("sessions", "not_positive")),
        ({"slots": 0}, ("slots", "not_positive")),
        ({"slots": 400}, ("slots", "too_long")),
        ({"gap_min": 0}, ("gap_min", "not_positive")),
        ({"gap_min": 4, "gap_max": 3}, ("gap_max", "below_gap_min")),
        ({"per_week": 0}, ("per_week", "not_positive")),
        ({"start_day": 20}, ("start_day", "outside_horizon")),
        ({"start_day": 5, "finish_day": 4}, ("finish_day", "before_start")),
        ({"window": (50, 50), "window_strength": Strength.WISH}, ("window", "not_an_interval")),
        ({"window": (50, 52), "window_strength": Strength.MUST}, ("window", "shorter_than_session")),
        ({"weekdays": frozenset({7})}, ("weekdays", "unknown")),
        ({"pinned": (PinnedSession(99, 108),)}, ("pinned", "outside_horizon")),
        ({"pinned": (PinnedSession(3, 108), PinnedSession(3, 120))}, ("pinned", "twice_a_day")),
        ({"therapists": (TherapistOption(99),)}, ("therapists", "unknown")),
        ({"rooms": (RoomOption(99),)}, ("rooms", "unknown")),
    ],
)
def test_flaws(fields, flaw):
    problem = simple()
    broken = replace(problem, courses=(replace(problem.courses[0], **fields),))
    with pytest.raises(ProblemError) as error:
        plan(broken)
    assert [(f.field, f.code) for f in error.value.flaws] == [flaw]
    with pytest.raises(ProblemError):
        explain(broken)


def test_every_flaw_is_named():
    problem = simple()
    course = replace(problem.courses[0], sessions=-1, gap_min=0)
    with pytest.raises(ProblemError, match=r"sessions: not_positive.*gap_min: not_positive"):
        plan(replace(problem, courses=(course,)))


def test_problems_without_courses_or_with_masks_of_another_length():
    problem = simple()
    with pytest.raises(ProblemError, match="courses: empty"):
        plan(replace(problem, courses=()))
    with pytest.raises(ProblemError, match="key: not_unique"):
        plan(replace(problem, courses=problem.courses * 2))
    with pytest.raises(ProblemError, match=r"patient\.free: wrong_length"):
        plan(replace(problem, patient=replace(problem.patient, free=())))
