"""The checker finds every way to spoil a sound repair."""

from dataclasses import replace

import pytest

from courses.planning.reference import reference_clinic
from courses.planning.repairing import repair, verify_repair
from courses.planning.repairing.scenarios import sessions_out
from courses.planning.repairing.types import BookedSession, Change, RepairMove
from courses.planning.types import (
    FULL_DAY,
    ClassMeeting,
    ClassSeries,
    Patient,
    PinnedSession,
    RoomOption,
    Strength,
    TherapistOption,
)
from tests.planning.repairing.small import DAWN, DUSK, answer, course, places, problem
from tests.planning.small import mask


def booked(key="s", day=1, slot=DAWN, **fields):
    return BookedSession(key, day, slot, **{"therapist": 10, **fields})


def move(session="s", *, day=1, slot=DAWN, therapist=10, change=None, key="c", **fields):
    expected = Change.KEPT if (day, slot, therapist) == (1, DAWN, 10) else Change.MOVED
    if (day, slot) == (1, DAWN) and therapist != 10:
        expected = Change.OTHER_THERAPIST
    return RepairMove(session, key, change or expected, day, slot, fields.pop("slots", 6), therapist, **fields)


def codes(asked, *moves):
    return {v.code for v in verify_repair(asked, answer(asked, {(m.course, m.session): m for m in moves}))}


def test_a_sound_move_is_left_in_peace():
    assert codes(problem(course(lost=[booked()])), move(therapist=11)) == set()


@pytest.mark.parametrize(
    ("fields", "moved", "code"),
    [
        ({}, {"change": Change.MOVED}, "wrong_change"),
        ({}, {"day": 7}, "outside_horizon"),
        ({"start_day": 2}, {}, "before_start"),
        ({"finish_day": 0}, {}, "after_finish"),
        ({"excluded_days": frozenset({1})}, {}, "excluded_day"),
        ({"weekdays": frozenset({3}), "weekdays_strength": Strength.MUST}, {}, "wrong_weekday"),
        ({"window": (DAWN + 1, DUSK), "window_strength": Strength.MUST}, {}, "outside_window"),
        ({}, {"slots": 5}, "wrong_length"),
        ({}, {"therapist": 12}, "not_qualified"),
        ({"therapists": (TherapistOption(10, valid_days=0b101),)}, {}, "not_qualified"),
        ({"gender": "F"}, {}, "wrong_gender"),
        ({"preferred_therapist": 11, "therapist_strength": Strength.MUST}, {}, "wrong_therapist"),
        ({"languages": frozenset({"ru"}), "language_strength": Strength.MUST}, {}, "wrong_language"),
        ({"rooms": (RoomOption(20),)}, {"room": 21}, "wrong_room"),
        ({"rooms": (RoomOption(20, (30,)),)}, {"room": 20, "device": 31}, "wrong_device"),
        ({"done_days": (1,)}, {}, "twice_a_day"),
        ({"pinned": (PinnedSession(2, DAWN),), "gap_min": 2}, {}, "gap_too_short"),
        ({"pinned": (PinnedSession(3, DAWN),), "per_week": 1}, {}, "too_many_a_week"),
        ({}, {"slot": DUSK - 5}, "not_free"),
    ],
)
def test_each_rule_is_held(fields, moved, code):
    spare = {r: places(5, mask((DAWN, DUSK))) for r in (12, 20, 21, 30, 31)}
    asked = problem(course(lost=[booked()], **fields), resources=spare)
    assert code in codes(asked, move(**moved))


def test_a_session_of_its_own_time_may_not_move():
    assert "may_not_move" in codes(problem(course(lost=[booked(same_time=True)])), move(day=2))


def test_closed_days_are_closed():
    asked = problem(course(lost=[booked()]), opening=(True, False, True, True, True))
    assert "closed" in codes(asked, move())


def test_patients_are_in_one_place():
    one, other = course(key="c", lost=[booked()]), course(key="d", lost=[booked("t")])
    assert "sessions_overlap" in codes(problem(one, other), move(), move("t", key="d", therapist=11, slot=DAWN + 3))
    busy = Patient((FULL_DAY, FULL_DAY & ~mask((DAWN, DAWN + 2)), *(FULL_DAY,) * 3))
    assert "patient_busy" in codes(problem(one, patients={"p": busy}), move())


def test_courses_that_exclude_each_other_share_no_day():
    one = course(key="c", lost=[booked()], not_same_day_with=frozenset({"Pd"}))
    other = course(key="d", lost=[booked("t")])
    assert "not_same_day" in codes(problem(one, other), move(), move("t", key="d", slot=DAWN + 8))
    there = Patient((FULL_DAY,) * 5, {}, {1: frozenset({"Pd"})})
    assert "not_same_day" in codes(problem(one, patients={"p": there}), move())


def test_places_are_counted():
    one, other = course(key="c", lost=[booked()]), course(key="d", lost=[booked("t")], patient="q")
    both = move(), move("t", key="d")
    assert "not_free" in codes(problem(one, other), *both)
    two = places(5, mask((DAWN, DUSK)), mask((DAWN, DUSK)))
    assert codes(problem(one, other, resources={10: two}), *both) == set()


def test_hands_are_counted():
    hands = (TherapistOption(10, hands=40),)
    asked = problem(
        course(lost=[booked()], therapists=hands, hands_on_end=2), resources={40: mask((DAWN, DAWN + 4), (DUSK, DUSK))}
    )
    assert "not_free" in codes(asked, move())


def test_what_stays_takes_its_place():
    asked = problem(course(key="c", lost=[booked()]), course(key="d", movable=[booked("t")], patient="q"))
    assert "not_free" in codes(asked, move())
    assert codes(asked, move(), move("t", key="d", slot=DAWN + 6)) == set()


def test_seats_are_counted():
    def seat(free, held=True):
        series = ClassSeries(1, None, (ClassMeeting(7, 1, DAWN, 6, free, held),))
        lost = [booked("s"), booked("t")]
        return problem(*(course(key=k, lost=[b], patient=k, series=(series,)) for k, b in zip("cd", lost, strict=True)))

    both = [move(s, key=k, therapist=None, meeting=7, change=Change.OTHER_THERAPIST) for s, k in ("sc", "td")]
    assert codes(seat(2), *both) == set()
    assert codes(seat(1), *both) == {"class_full"}
    assert "class_not_held" in codes(seat(2, held=False), *both)
    assert "unknown_class" in codes(seat(2), replace(both[0], meeting=8))


def test_every_session_is_accounted_for():
    asked = problem(course(lost=[booked()], movable=[booked("r", day=3)]))
    sound = answer(asked, {("c", "s"): move()})
    assert verify_repair(asked, sound) == []
    spoiled = {
        "not_answered_once": replace(sound, moves=(*sound.moves, *sound.moves)),
        "unknown_session": replace(sound, moves=(*sound.moves, move("x", day=4))),
        "rest_unplaced": replace(sound, unplaced=answer(problem(course(lost=[booked("r")])), {}).unplaced),
    }
    for code, repaired in spoiled.items():
        assert code in {v.code for v in verify_repair(asked, repaired)}
    nothing = replace(sound, moves=())
    assert {v.code for v in verify_repair(asked, nothing)} == {"not_answered_once"}


def test_a_repair_of_the_reference_clinic_is_sound_and_any_swap_of_two_times_is_not():
    asked = sessions_out(reference_clinic(), 60, 1)
    found = repair(asked)
    assert verify_repair(asked, found) == []
    spoiled = 0
    for one, other in zip(found.moves, found.moves[1:], strict=False):
        swapped = [replace(m, day=other.day, slot=other.slot) if m is one else m for m in found.moves]
        spoiled += bool(verify_repair(asked, replace(found, moves=tuple(swapped))))
    assert spoiled == len(found.moves) - 1
