"""The checker finds every kind of broken rule."""

from dataclasses import replace

import pytest

from courses.planning import Plan, plan, verify
from courses.planning.types import Margins, PinnedSession, RoomOption, Strength, TherapistOption
from tests.planning.small import mask, random_problem, resource, with_class
from tests.planning.test_single import simple


def broken(problem, *sessions):
    return {v.code for v in verify(problem, Plan(tuple(sessions), 0, 0, False))}


def change(problem, **fields):
    return replace(problem, courses=(replace(problem.courses[0], **fields),))


@pytest.fixture
def problem():
    return simple()


@pytest.fixture
def sessions(problem):
    return plan(problem).sessions


def test_a_sound_plan_has_no_violations(problem, sessions):
    assert broken(problem, *sessions) == set()


def test_missing_and_foreign_sessions(problem, sessions):
    assert broken(problem, *sessions[:2]) == {"wrong_count"}
    assert "unknown_course" in broken(problem, *sessions, replace(sessions[0], course="?"))
    assert "wrong_numbers" in broken(problem, *(replace(s, number=1) for s in sessions))
    assert "outside_horizon" in broken(problem, *sessions[:2], replace(sessions[2], day=99))


@pytest.mark.parametrize(("day", "code"), [(6, "closed"), (5, "gap_too_long"), (1, "twice_a_day")])
def test_days(problem, sessions, day, code):
    assert code in broken(problem, *sessions[:2], replace(sessions[2], day=day))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"start_day": 1}, "before_start"),
        ({"finish_day": 1}, "after_finish"),
        ({"excluded_days": frozenset({1})}, "excluded_day"),
        ({"weekdays": frozenset({0, 1}), "weekdays_strength": Strength.MUST}, "wrong_weekday"),
        ({"window": (108, 113), "window_strength": Strength.MUST}, "outside_window"),
        ({"gap_min": 2}, "gap_too_short"),
        ({"per_week": 2}, "too_many_a_week"),
        ({"done_days": (0,)}, "twice_a_day"),
        ({"pinned": (PinnedSession(2, 120),)}, "twice_a_day"),
        ({"gender": "X"}, "wrong_gender"),
        ({"preferred_therapist": 11, "therapist_strength": Strength.MUST}, "wrong_therapist"),
        ({"languages": frozenset({"xx"}), "language_strength": Strength.MUST}, "wrong_language"),
        ({"therapists": (TherapistOption(11),)}, "not_qualified"),
        ({"therapists": (TherapistOption(10, valid_days=0b11),)}, "not_qualified"),
        ({"therapists": (TherapistOption(10, hands=40),), "hands_on_end": 2}, "hands_busy"),
        ({"therapist_margins": Margins(1, 0)}, "not_free"),
        ({"slots": 5}, "wrong_length"),
        ({"needs_room": True, "rooms": (RoomOption(22),)}, "wrong_room"),
    ],
)
def test_rules(problem, sessions, fields, code):
    with_hands = replace(problem, resources={**problem.resources, 40: resource(14, (mask((108, 113)),) * 14)})
    assert code in broken(change(with_hands, **fields), *sessions)


def test_a_device_must_be_one_of_the_room_and_free(problem, sessions):
    resources = {**problem.resources, 20: resource(14, (mask((90, 130)),) * 14), 30: resource(14, (0,) * 14)}
    course = {"needs_room": True, "rooms": (RoomOption(20, (30,)),)}
    roomed = change(replace(problem, resources=resources), **course)
    placed = [replace(s, room=20) for s in sessions]
    assert broken(roomed, *placed) == {"wrong_device"}
    assert broken(roomed, *(replace(s, device=30) for s in placed)) == {"not_free"}


def test_the_patient_is_in_one_place_and_rests(problem, sessions):
    busy = replace(problem, patient=replace(problem.patient, free=(mask((100, 113)),) * 14))
    assert "patient_busy" in broken(busy, *sessions)
    both = replace(problem, courses=(problem.courses[0], replace(problem.courses[0], key="b", procedure="b")))
    copies = [replace(s, course="b") for s in sessions]
    assert {"sessions_overlap", "not_free"} <= broken(both, *sessions, *copies)


def test_two_places_are_enough_for_two_overlapping_margins(problem, sessions):
    wide = resource(14, (mask((100, 130)),) * 14, twice=(mask((100, 130)),) * 14)
    course = replace(problem.courses[0], therapist_margins=Margins(0, 2), slots=6)
    both = replace(problem, resources={10: wide}, courses=(course, replace(course, key="b", procedure="b")))
    later = [replace(s, course="b", slot=s.slot + 6) for s in sessions]
    assert broken(both, *sessions, *later) == set()
    single = replace(both, resources={10: replace(wide, free_twice=None)})
    assert broken(single, *sessions, *later) == {"not_free"}


def test_exclusions_hold_against_booked_and_planned_procedures(problem, sessions):
    forbids = change(problem, not_same_day_with=frozenset({"heat"}))
    assert broken(forbids, *sessions) == set()
    heated = replace(forbids, patient=replace(problem.patient, booked={1: frozenset({"heat"})}))
    assert broken(heated, *sessions) == {"not_same_day"}


def test_classes():
    for seed in range(40):
        problem = with_class(random_problem(seed), seed)
        found = plan(problem)
        if isinstance(found, Plan) and len(found.sessions) > 1:
            break
    first, *rest = found.sessions
    assert broken(problem, *found.sessions) == set()
    assert "class_not_held" in broken(problem, replace(first, slot=first.slot + 1), *rest)
    assert "not_one_series" in broken(problem, replace(first, series=99), *rest)

    def seats(series):
        return replace(series, meetings=tuple(replace(m, seats_free=0) for m in series.meetings))

    full = change(problem, series=tuple(seats(s) for s in problem.courses[0].series))
    assert "class_full" in broken(full, *found.sessions)


def test_skipping_a_meeting_is_found():
    problem = with_class(random_problem(2), 2)
    series = problem.courses[0].series[0]
    held = [m for m in series.meetings if m.held]
    like = replace(plan(simple()).sessions[0], course=0, series=series.series)
    chosen = [
        replace(like, number=n, day=m.day, slot=m.slot, slots=m.slots, meeting=m.meeting)
        for n, m in enumerate((held[0], held[2]), start=1)
    ]
    assert "not_consecutive" in broken(change(problem, sessions=2), *chosen)
