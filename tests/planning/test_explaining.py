"""Reasons, waterfalls and concessions."""

from dataclasses import replace

import pytest

from courses.planning import explain, verify
from courses.planning.types import (
    ClassMeeting,
    ClassSeries,
    Filter,
    Reason,
    Relaxation,
    ResourceDays,
    RoomOption,
    Strength,
    TherapistOption,
)
from tests.planning.small import mask, resource
from tests.planning.test_single import simple

MORNING = mask((108, 114))
UKRAINIAN = {"languages": frozenset({"uk"}), "language_strength": Strength.MUST}


def change(problem, **fields):
    return replace(problem, courses=(replace(problem.courses[0], **fields),))


def staffed(problem, **therapists):
    """The problem with other resources: keywords like t10=ResourceDays(...)."""
    return replace(problem, resources={int(name[1:]): days for name, days in therapists.items()})


def relaxations(explanation):
    return [tuple(c.relaxation for c in concession.changes) for concession in explanation.concessions]


def test_a_problem_with_a_plan_needs_no_explanation():
    assert explain(simple()) is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"therapists": ()}, Reason.NO_QUALIFIED_THERAPIST),
        ({"preferred_therapist": 99, "therapist_strength": Strength.MUST}, Reason.NO_QUALIFIED_THERAPIST),
        ({"gender": "M"}, Reason.NO_THERAPIST_OF_REQUESTED_GENDER),
        (UKRAINIAN, Reason.NO_THERAPIST_OF_REQUESTED_LANGUAGE),
        ({"excluded_therapists": frozenset({10})}, Reason.NO_OTHER_THERAPIST),
        ({"hours": (200, 220)}, Reason.NO_SHIFT_AT_REQUESTED_TIME),
        ({"needs_room": True}, Reason.NO_ROOM),
        ({"needs_room": True, "rooms": (RoomOption(20),)}, Reason.FULLY_BOOKED),
        ({"window": (200, 220), "window_strength": Strength.MUST}, Reason.NO_SHIFT_AT_REQUESTED_TIME),
        ({"weekdays": frozenset({6}), "weekdays_strength": Strength.MUST}, Reason.NO_SHIFT_AT_REQUESTED_TIME),
        ({"sessions": 3, "finish_day": 1}, Reason.WINDOW_TOO_SHORT),
        ({"gap_min": 3, "gap_max": 3, "finish_day": 6}, Reason.WINDOW_TOO_SHORT),
    ],
)  # fmt: skip
def test_reasons(fields, reason):
    problem = simple()
    problem = replace(problem, resources={**problem.resources, 20: resource(14, (0,) * 14)})
    explanation = explain(change(problem, **fields))
    assert explanation.reason is reason
    assert explanation.courses[0].reason is reason


def test_absence_and_full_calendar_are_told_apart():
    problem = change(simple(), finish_day=2)
    works = (MORNING,) * 14
    away = (MORNING, 0, *works[2:])
    absent = staffed(problem, t10=ResourceDays(works, away, away))
    full = staffed(problem, t10=ResourceDays(works, works, away))
    assert explain(absent).reason is Reason.REQUIRED_THERAPIST_ABSENT
    assert explain(full).reason is Reason.FULLY_BOOKED
    both = staffed(problem, t10=ResourceDays(works, away, (0, *away[1:])))
    assert explain(both).reason is Reason.FULLY_BOOKED  # without the absence it would still be full


def test_a_full_class_opens_with_more_seats_only():
    meetings = tuple(ClassMeeting(d, d, 108, 9, seats_free=int(d > 8)) for d in range(0, 14, 2) if d % 7 != 6)
    series = (ClassSeries(1, TherapistOption(10, gender="F"), meetings),)
    explanation = explain(change(simple(), series=series, finish_day=8))
    assert explanation.reason is Reason.CLASS_FULL
    steps = {s.filter: s.days for s in explanation.courses[0].waterfall}
    assert steps[Filter.WORKS] == 4
    assert steps[Filter.FREE] == 0


def test_the_waterfall_counts_the_days_left_after_each_filter():
    works = tuple(MORNING if d < 10 else 0 for d in range(14))
    present = tuple(m if d != 0 else 0 for d, m in enumerate(works))
    free = tuple(m if d not in (0, 1) else 0 for d, m in enumerate(works))
    room = resource(14, tuple(0 if d == 2 else MORNING for d in range(14)))
    device = resource(14, tuple(0 if d == 3 else MORNING for d in range(14)))
    problem = staffed(simple(), t10=ResourceDays(works, present, free), t20=room, t30=device)
    busy = tuple(0 if d == 4 else (1 << 288) - 1 for d in range(14))
    problem = replace(problem, patient=replace(problem.patient, free=busy))
    problem = change(
        problem,
        sessions=9,
        needs_room=True,
        rooms=(RoomOption(20, (30,)),),
        weekdays=frozenset({0, 1, 2, 3, 4}),
        weekdays_strength=Strength.MUST,
        window=(108, 120),
        window_strength=Strength.MUST,
    )
    course = explain(problem).courses[0]
    # Opening days 0-5 and 7-12; she works on days 0-5 and 7-9; day 5 is a Saturday.
    assert [(s.filter, s.days) for s in course.waterfall] == [
        (Filter.OPENING, 12),
        (Filter.WORKS, 9),
        (Filter.PRESENT, 8),
        (Filter.FREE, 7),
        (Filter.ROOM, 6),
        (Filter.DEVICE, 5),
        (Filter.PATIENT, 4),
        (Filter.WEEKDAYS, 3),
        (Filter.WINDOW, 3),
    ]
    assert course.longest_hole == 1
    assert course.most_sessions == 3


def test_concessions_are_solved_and_say_what_they_bring():
    problem = change(
        simple(),
        window=(200, 220),
        window_strength=Strength.MUST,
    )
    explanation = explain(problem)
    assert relaxations(explanation)[0] == (Relaxation.WINDOW,)
    concession = explanation.concessions[0]
    assert (concession.first_day, concession.last_day) == (0, 2)
    eased = change(problem, window_strength=Strength.NONE)
    assert verify(eased, concession.plan) == []


def test_the_finish_offered_is_the_earliest_that_opens():
    explanation = explain(change(simple(), sessions=4, finish_day=1, gap_min=2))
    later = next(c for c in explanation.concessions if c.changes[0].relaxation is Relaxation.FINISH)
    assert later.changes[0].params == {"finish_day": 7}  # days 0, 2, 4, then over the Sunday
    assert later.last_day == 7
    fewer = next(c for c in explanation.concessions if c.changes[0].relaxation is Relaxation.FEWER)
    assert fewer.changes[0].params == {"sessions": 1}
    assert explanation.concessions.index(later) < explanation.concessions.index(fewer)


def test_another_therapist_is_offered_by_name():
    problem = simple()
    problem = staffed(problem, t10=resource(14, (0,) * 14), t11=resource(14, (MORNING,) * 14))
    problem = change(
        problem,
        therapists=(TherapistOption(10), TherapistOption(11)),
        preferred_therapist=10,
        therapist_strength=Strength.MUST,
    )
    explanation = explain(problem)
    assert relaxations(explanation) == [(Relaxation.THERAPIST,)]
    assert explanation.concessions[0].changes[0].params == {"therapists": (11,)}


def test_a_pair_is_offered_where_one_concession_is_not_enough():
    problem = staffed(simple(), t10=resource(14, (0,) * 14), t11=resource(14, (MORNING,) * 14))
    problem = change(
        problem,
        therapists=(TherapistOption(10), TherapistOption(11)),
        preferred_therapist=10,
        therapist_strength=Strength.MUST,
        window=(120, 140),
        window_strength=Strength.MUST,
    )
    assert relaxations(explain(problem)) == [(Relaxation.WINDOW, Relaxation.THERAPIST)]


def test_courses_that_fit_alone_only_are_fully_booked_together():
    problem = simple(sessions=2)
    narrow = replace(problem, resources={10: resource(14, (MORNING, MORNING, MORNING, *(0,) * 11))})
    first = narrow.courses[0]
    both = replace(narrow, courses=(first, replace(first, key="b", procedure="b")))
    explanation = explain(both)
    assert (explanation.reason, explanation.course) == (Reason.FULLY_BOOKED, None)
    assert all(c.alone and c.reason is None for c in explanation.courses)


def test_two_stuck_courses_are_opened_together():
    problem = simple(sessions=2)
    free = replace(problem, resources={10: resource(14, (mask((108, 120)),) * 14)})
    late = replace(free.courses[0], window=(200, 220), window_strength=Strength.MUST)
    both = replace(free, courses=(late, replace(late, key="b", procedure="b")))
    explanation = explain(both)
    assert explanation.reason is Reason.NO_SHIFT_AT_REQUESTED_TIME
    changed = {(c.course, c.relaxation) for c in explanation.concessions[0].changes}
    assert changed == {(0, Relaxation.WINDOW), ("b", Relaxation.WINDOW)}
