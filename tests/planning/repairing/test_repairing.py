"""What a repair does, case by case."""

import subprocess
import sys
from dataclasses import replace
from itertools import count

import pytest

from courses.planning.reference import reference_clinic
from courses.planning.repairing import RepairBudget, hand_over, repair, set_down, swap_shifts, verify_repair
from courses.planning.repairing.scenarios import resource_out, sessions_out, therapist_away
from courses.planning.repairing.types import BookedSession, Change, Obstacle
from courses.planning.types import (
    FULL_DAY,
    ClassMeeting,
    ClassSeries,
    Patient,
    PinnedSession,
    ProblemError,
    RoomOption,
    Strength,
    TherapistOption,
)
from tests.planning.repairing.small import DAWN, DUSK, course, places, problem
from tests.planning.small import mask

OPEN = mask((DAWN, DUSK))


def booked(key="s", day=1, slot=DAWN, **fields):
    return BookedSession(key, day, slot, **{"therapist": 10, **fields})


def away(*days, length=5):
    """A therapist who is absent on these days and free on the others."""
    free = tuple(0 if d in days else OPEN for d in range(length))
    return replace(places(length, free), present=free)


def only(found):
    assert not found.unplaced
    return {m.session: m for m in found.moves}


# -- least change -------------------------------------------------------------------------------------------------


def test_a_substitute_at_the_same_time_comes_first():
    found = repair(problem(course(lost=[booked()]), resources={10: away(1)}))
    move = only(found)["s"]
    assert (move.change, move.day, move.slot, move.therapist) == (Change.OTHER_THERAPIST, 1, DAWN, 11)
    assert (found.cost, found.bound, found.proven) == (4, 4, True)


def test_an_hour_later_with_the_substitute_is_less_change_than_another_day():
    found = repair(problem(course(lost=[booked()]), resources={10: away(1), 11: mask((DAWN + 12, DUSK))}))
    move = only(found)["s"]
    assert (move.change, move.day, move.slot, move.therapist) == (Change.MOVED, 1, DAWN + 12, 11)
    assert found.cost == 4 + 4


def test_a_therapist_who_is_a_must_is_waited_for():
    asked = course(lost=[booked()], preferred_therapist=10, therapist_strength=Strength.MUST)
    move = only(repair(problem(asked, resources={10: away(1, 2)})))["s"]
    assert (move.day, move.slot, move.therapist) == (0, DAWN, 10)


def test_another_room_keeps_time_and_therapist():
    asked = course(lost=[booked(room=20)], rooms=(RoomOption(20), RoomOption(21)))
    found = repair(problem(asked, resources={20: away(1), 21: OPEN}))
    move = only(found)["s"]
    assert (move.change, move.room, move.therapist, found.cost) == (Change.KEPT, 21, 10, 0)


def test_sessions_of_one_course_take_different_days():
    lost = [booked("s", day=1), booked("t", day=2)]
    moves = only(repair(problem(course(lost=lost), resources={10: away(1, 2), 11: away(1)})))
    assert moves["t"].day == 2
    assert moves["s"].day == 0


def test_a_gap_too_long_costs_but_is_allowed():
    pins = (PinnedSession(0, DAWN),)
    asked = course(lost=[booked(day=1)], pinned=pins, gap_max=1, therapists=(TherapistOption(10),))
    found = repair(problem(asked, resources={10: away(0, 1, 2)}))
    assert only(found)["s"].day == 3
    assert found.cost == 8 + 2 * 2 + 4 * 2


def test_the_minimal_gap_and_the_weekly_maximum_are_never_broken():
    pins = (PinnedSession(0, DAWN), PinnedSession(4, DAWN))
    crowded = course(lost=[booked(day=2)], pinned=pins, gap_min=3)
    assert repair(problem(crowded)).unplaced[0].reason is Obstacle.NO_DAY
    full = course(lost=[booked(day=2)], pinned=pins, per_week=2)
    assert repair(problem(full)).unplaced[0].reason is Obstacle.NO_DAY


def test_two_courses_of_one_patient_do_not_meet():
    one, other = course(key="c", lost=[booked("s")]), course(key="d", lost=[booked("t")])
    tight = {10: (mask((DAWN, DAWN + 6)),) * 5, 11: (mask((DAWN, DAWN + 6)),) * 5}
    found = repair(problem(one, other, resources={r: places(5, m) for r, m in tight.items()}))
    days = [m.day for m in found.moves]
    assert sorted(days) == [0, 1] or sorted(days) == [1, 2]


# -- the rest -----------------------------------------------------------------------------------------------------


def scarce(day_of_rest):
    """One therapist with a single place on days 1 and 3; the lost session may only go to day 3 at the latest."""
    free = tuple(mask((DAWN, DAWN + 6)) if d in (1, 3) else 0 for d in range(5))
    lost = course(key="c", lost=[booked("s", day=1)], start_day=1, finish_day=1)
    rest = course(key="d", movable=[booked("r", day=day_of_rest)], patient="q")
    return problem(lost, rest, resources={10: places(5, free), 11: 0})


def test_a_movable_session_makes_room_for_a_lost_one():
    moves = only(repair(scarce(day_of_rest=1)))
    assert (moves["s"].day, moves["r"].day) == (1, 3)
    assert moves["r"].change is Change.MOVED


def test_a_movable_session_stays_where_it_saves_nothing():
    moves = only(repair(scarce(day_of_rest=3)))
    assert set(moves) == {"s"}


# -- rooms, devices, classes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", [103, 106, 205, 209])
def test_a_room_or_device_out_is_worked_around(resource):
    asked = resource_out(reference_clinic(), resource, 7, 3)
    found = repair(asked)
    assert asked.courses
    assert verify_repair(asked, found) == []
    assert all(resource not in (m.room, m.device) or not 7 <= m.day < 10 for m in found.moves)
    assert len(found.unplaced) <= found.stats.greedy_unplaced


def test_a_seat_in_another_class_is_taken_once():
    series = ClassSeries(1, TherapistOption(11), (ClassMeeting(7, 2, DAWN, 6, 1), ClassMeeting(8, 4, DAWN, 6, 5)), 20)
    lost = [booked("s", meeting=6), booked("t", meeting=6)]
    asked = [course(key=k, lost=[b], patient=k, series=(series,)) for k, b in zip("cd", lost, strict=True)]
    found = repair(problem(*asked))
    assert sorted((m.meeting, m.therapist, m.room) for m in found.moves) == [(7, 11, 20), (8, 11, 20)]
    assert verify_repair(problem(*asked), found) == []


# -- reasons ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "resources", "reason"),
    [
        ({"therapists": ()}, {}, Obstacle.NOT_QUALIFIED),
        ({"gender": "F"}, {}, Obstacle.AGAINST_MUST),
        ({"start_day": 4, "finish_day": 4, "excluded_days": frozenset({4})}, {}, Obstacle.NO_DAY),
        ({"window": (DUSK, DUSK + 12), "window_strength": Strength.MUST}, {}, Obstacle.OFF_SHIFT),
        ({"therapists": (TherapistOption(10),)}, {10: away(0, 1, 2, 3, 4)}, Obstacle.ABSENT),
        ({"therapists": (TherapistOption(10),)}, {10: 0}, Obstacle.THERAPIST_BUSY),
        ({"rooms": (RoomOption(20),)}, {20: 0}, Obstacle.NO_ROOM),
        ({"rooms": (RoomOption(20, (30,)),)}, {20: OPEN, 30: 0}, Obstacle.NO_DEVICE),
    ],
)
def test_the_first_thing_in_the_way_is_the_reason(fields, resources, reason):
    asked = course(lost=[booked()], **fields)
    found = repair(problem(asked, resources=resources))
    assert [(u.session, u.reason) for u in found.unplaced] == [("s", reason)]
    assert found.unplaced_bound == 1


def test_a_busy_patient_and_a_full_class_are_reasons():
    busy = Patient((0,) * 5)
    assert repair(problem(course(lost=[booked()]), patients={"p": busy})).unplaced[0].reason is Obstacle.PATIENT_BUSY
    full = ClassSeries(1, None, (ClassMeeting(7, 2, DAWN, 6, 0),))
    assert repair(problem(course(lost=[booked()], series=(full,)))).unplaced[0].reason is Obstacle.CLASS_FULL


def test_a_time_that_another_session_took_is_said_so():
    one = course(key="c", lost=[booked("s")])
    other = course(key="d", lost=[booked("t")], patient="q")
    lone = places(5, tuple(mask((DAWN, DAWN + 6)) if d == 1 else 0 for d in range(5)))
    found = repair(problem(one, other, resources={10: lone, 11: 0}))
    assert [(u.reason, u.params["times"]) for u in found.unplaced] == [(Obstacle.TAKEN, 1)]
    assert found.unplaced_bound == 1


# -- handing over and swapping ------------------------------------------------------------------------------------


def test_a_shift_goes_over_as_far_as_it_fits_and_the_rest_is_repaired():
    here = [booked(k, slot=s) for k, s in (("s", DAWN), ("t", DAWN + 6), ("u", DAWN + 12))]
    asked = [course(key=b.key, lost=[b], patient=b.key) for b in here]
    asked[2] = course(key="u", lost=[here[2]], patient="u", gender="M")
    asked = problem(*asked, resources={10: away(1), 11: mask((DAWN, DAWN + 6), (DAWN + 12, DUSK))})
    handed = hand_over(asked, to=11)
    assert [(m.session, m.therapist, m.change) for m in handed.moves] == [("s", 11, Change.OTHER_THERAPIST)]
    assert {u.session: u.reason for u in handed.left} == {"t": Obstacle.THERAPIST_BUSY, "u": Obstacle.AGAINST_MUST}
    assert handed.rest == set_down(asked, handed.moves)
    found = repair(handed.rest)
    moved = only(replace(found, unplaced=()))
    assert moved["t"].day != 1 or moved["t"].slot >= DAWN + 12
    whole = replace(found, moves=(*handed.moves, *found.moves))
    assert verify_repair(asked, whole) == []


def test_only_the_sessions_named_go_over():
    asked = problem(*(course(key=k, lost=[booked(k, slot=s)], patient=k) for k, s in (("s", DAWN), ("t", DAWN + 6))))
    assert [m.session for m in hand_over(asked, to=11, sessions={"t"}).moves] == ["t"]


def test_two_therapists_swap_their_days():
    morning, noon = mask((DAWN, DAWN + 9)), mask((DAWN + 9, DUSK))
    shifts = {
        10: places(3, (0, morning, 0)),
        11: places(3, (0, 0, noon)),
    }
    shifts = {k: replace(p, works=p.layers[0], present=p.layers[0]) for k, p in shifts.items()}
    one = course(key="c", lost=[booked("s", day=1, slot=DAWN)])
    other = course(key="d", lost=[booked("t", day=2, slot=DAWN + 9, therapist=11)], patient="q")
    stranger = course(key="e", lost=[booked("u", day=2, slot=DAWN + 12, therapist=11)], patient="r", gender="M")
    asked = problem(one, other, stranger, days=3, resources=shifts)
    assert hand_over(asked, to=11, sessions={"s"}).left[0].reason is Obstacle.OFF_SHIFT
    swapped = swap_shifts(asked, first=10, first_days={1}, second=11, second_days={2})
    assert {m.session: m.therapist for m in swapped.moves} == {"s": 11, "t": 10}
    assert {u.session: u.reason for u in swapped.left} == {"u": Obstacle.AGAINST_MUST}
    assert swapped.rest.resources[10].works == (0, 0, noon)
    assert swapped.rest.resources[11].works == (0, morning, 0)


def test_what_is_settled_is_gone_for_the_others():
    one, other = course(key="c", lost=[booked("s")]), course(key="d", lost=[booked("t")], patient="q")
    asked = problem(one, other, resources={10: away(1)})
    handed = hand_over(asked, to=11, sessions={"s"})
    left = handed.rest
    assert [c.request.pinned for c in left.courses] == [(PinnedSession(1, DAWN, 11),), ()]
    assert not left.resources[11].layers[0][1] & mask((DAWN, DAWN + 6))
    assert not left.patients["p"].free[1] & mask((DAWN, DAWN + 6))
    assert left.patients["p"].booked == {1: frozenset({"Pc"})}
    assert only(repair(left))["t"].slot == DAWN + 6


# -- the way there ------------------------------------------------------------------------------------------------


def test_the_same_problem_gives_the_same_repair():
    assert repair(sessions_out(reference_clinic(), 60, 0)) == repair(sessions_out(reference_clinic(), 60, 0))


def test_a_repair_of_the_reference_clinic_is_within_five_percent_and_better_than_greedy():
    asked = therapist_away(reference_clinic(), 7, 7, 7)
    found = repair(asked)
    assert found.gap <= 0.05
    assert (len(found.unplaced), found.cost) < (found.stats.greedy_unplaced, found.stats.greedy_cost)


def test_progress_rises_and_ends_at_one():
    told = []
    repair(
        sessions_out(reference_clinic(), 60, 1),
        budget=RepairBudget(progress=lambda share, unplaced: told.append((share, unplaced))),
    )
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 3
    assert told[-1][1] <= told[0][1]


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_cancelled_repair_answers_with_the_best_so_far(after):
    asked = sessions_out(reference_clinic(), 60, 1)
    asks = count()
    found = repair(asked, budget=RepairBudget(cancelled=lambda: next(asks) >= after))
    assert found.stats.cancelled
    assert not found.proven
    assert verify_repair(asked, found) == []
    assert len(found.unplaced) <= found.stats.greedy_unplaced


def test_a_problem_that_is_none_is_refused_with_each_flaw():
    twice = course(lost=[booked(), booked()], gap_min=0, gap_max=0, patient="nobody")
    asked = replace(problem(twice), patients={"p": Patient((FULL_DAY,) * 5)}, resources={10: places(4, OPEN)})
    with pytest.raises(ProblemError) as refused:
        repair(asked)
    assert {(f.field, f.code) for f in refused.value.flaws} == {
        ("resources.10", "wrong_length"),
        ("patient", "unknown"),
        ("gap_min", "not_positive"),
        ("lost", "not_unique"),
        ("therapists", "unknown"),
    }


def test_nothing_lost_needs_nothing():
    found = repair(problem(course()))
    assert (found.moves, found.unplaced, found.cost, found.proven) == ((), (), 0, True)


def test_ortools_is_not_imported_with_the_planner():
    code = "import sys, courses.planning, courses.planning.repairing; sys.exit('ortools' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
