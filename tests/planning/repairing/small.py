"""Small random repair problems, and their answers by trying everything.

The costs here are counted from the words of `RepairWeights`, not with the engine's code.
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

from courses.planning.repairing import Repair, RepairProblem, verify_repair
from courses.planning.repairing.types import (
    BookedSession,
    Change,
    Obstacle,
    PlacesDays,
    RepairCourse,
    RepairMove,
    Unplaced,
)
from courses.planning.types import (
    FULL_DAY,
    CourseRequest,
    GapUnit,
    Horizon,
    Margins,
    Patient,
    PinnedSession,
    RoomOption,
    Strength,
    TherapistOption,
)
from tests.planning.small import FIRST_DAY, mask

DAWN, DUSK = 108, 126  # 09:00 to 10:30
ROOMS, DEVICES, HANDS = (20, 21, 22), (30, 31), 40


def places(days, *layers):
    """A resource with these masks for its first place, its second and so on; one mask stands for every day."""
    full = [(layer,) * days if isinstance(layer, int) else tuple(layer) for layer in layers]
    works = (mask((DAWN, DUSK)),) * days
    return PlacesDays(works, works, tuple(full))


def course(*, key="c", lost=(), movable=(), patient="p", **fields):
    """Half-hour sessions with therapist 10 or 11, in a room only where rooms are named, any day."""
    request = CourseRequest(
        key=key,
        procedure=f"P{key}",
        sessions=len(lost),
        slots=6,
        needs_room="rooms" in fields,
        **{"therapists": (TherapistOption(10), TherapistOption(11)), "gap_max": None, **fields},
    )
    return RepairCourse(request, patient, tuple(lost), tuple(movable))


def problem(*courses, days=5, resources=None, patients=None, opening=None):
    """Therapists 10 and 11 are free 09:00 to 10:30 unless other resources are named; patients are free."""
    named = {10: mask((DAWN, DUSK)), 11: mask((DAWN, DUSK)), **(resources or {})}
    return RepairProblem(
        horizon=Horizon(FIRST_DAY, opening or (True,) * days),
        resources={r: p if isinstance(p, PlacesDays) else places(days, p) for r, p in named.items()},
        patients={c.patient: Patient((FULL_DAY,) * days) for c in courses} | (patients or {}),
        courses=courses,
    )


# -- random problems ----------------------------------------------------------------------------------------------


def _random_mask(rng, density):
    found, at = 0, DAWN
    while at < DUSK:
        length = rng.randint(2, 6)
        if rng.random() < density:
            found |= mask((at, min(at + length, DUSK)))
        at += length
    return found


def _random_places(rng, days, density, count):
    layers = [[_random_mask(rng, density) for _ in range(days)]]
    for _ in range(count - 1):
        layers.append([m & _random_mask(rng, 0.7) for m in layers[-1]])
    return places(days, *layers)


def _random_course(rng, key, days, therapists, *, with_rest):
    options = tuple(
        TherapistOption(
            t,
            valid_days=None if rng.random() < 0.85 else rng.getrandbits(days),
            gender=rng.choice("FM"),
            languages=frozenset({rng.choice(["en", "ru"])}),
            hands=HANDS if rng.random() < 0.2 else None,
        )
        for t in therapists
    )
    slots = rng.randint(2, 4)
    taken = rng.sample(range(days), min(days, rng.choice([1, 1, 2]) + (1 if with_rest else 0) + 1))
    gap_min = rng.choice([1, 1, 2])
    has_therapist = rng.random() < 0.9
    strength = lambda: rng.choice([Strength.NONE, Strength.NONE, Strength.WISH, Strength.MUST])  # noqa: E731

    def booked(number, day):
        return BookedSession(
            f"{key}{number}",
            day,
            rng.randint(DAWN, DUSK - slots),
            rng.choice(therapists) if has_therapist else None,
            20,
            30,
            same_time=rng.random() < 0.1,
        )

    fixed = taken.pop()
    rest = (booked(9, taken.pop()),) if with_rest and rng.random() < 0.8 else ()
    request = CourseRequest(
        key=key,
        procedure=f"P{key}",
        sessions=len(taken),
        slots=slots,
        therapists=options,
        rooms=rng.choice([(RoomOption(20, (30,)), RoomOption(21, (31,))), (RoomOption(20), RoomOption(22))]),
        needs_room=rng.random() < 0.8,
        needs_therapist=has_therapist,
        therapist_margins=Margins(rng.randint(0, 1), rng.randint(0, 1)),
        room_margins=Margins(0, rng.randint(0, 1)),
        device_margins=Margins(rng.randint(0, 1), 0),
        patient_margins=Margins(0, rng.randint(0, 1)),
        hands_on_start=1,
        hands_on_end=rng.randint(0, 1),
        gap_min=gap_min,
        gap_max=rng.choice([gap_min, gap_min + 1, None]),
        gap_unit=rng.choice([GapUnit.OPENING, GapUnit.CALENDAR]),
        per_week=rng.choice([None, None, 2, 3]),
        start_day=rng.choice([0, 0, 1]),
        finish_day=rng.choice([None, None, days - 2]),
        pinned=(PinnedSession(fixed, DAWN, therapists[0]),) if rng.random() < 0.4 else (),
        done_days=(fixed,) if fixed == 0 and rng.random() < 0.5 else (),
        resuming=rng.random() < 0.3,
        excluded_days=frozenset(rng.sample(range(days), rng.randint(0, 1))),
        weekdays=frozenset(rng.sample(range(6), 4)),
        weekdays_strength=strength(),
        window=(DAWN, DUSK - 4) if rng.random() < 0.5 else (DAWN + 4, DUSK),
        window_strength=strength(),
        preferred_therapist=rng.choice(therapists),
        therapist_strength=rng.choice([Strength.NONE, Strength.WISH]),
        gender=rng.choice(["", "", "", "F"]),
        languages=frozenset({"en"}),
        language_strength=rng.choice([Strength.NONE, Strength.WISH]),
    )
    if request.done_days:
        request = replace(request, pinned=())
    return RepairCourse(request, rng.choice(["ann", "ben"]), tuple(booked(n, d) for n, d in enumerate(taken)), rest)


def random_problem(seed, *, with_rest=False):
    rng = random.Random(seed)
    days = rng.randint(4, 6)
    therapists = (10, 11)
    density = rng.choice([0.3, 0.5])
    resources = {t: _random_places(rng, days, density, rng.choice([1, 1, 2])) for t in therapists}
    resources |= {r: _random_places(rng, days, 0.8, rng.choice([1, 2])) for r in (*ROOMS, *DEVICES, HANDS)}
    courses = [_random_course(rng, k, days, therapists, with_rest=with_rest) for k in "ab"[: rng.randint(1, 2)]]
    if rng.random() < 0.3:
        first = courses[0]
        courses[0] = replace(first, request=replace(first.request, not_same_day_with=frozenset({"Pb"})))
    free = lambda: tuple(FULL_DAY if rng.random() < 0.6 else _random_mask(rng, 0.7) for _ in range(days))  # noqa: E731
    found = RepairProblem(
        horizon=Horizon(FIRST_DAY, tuple(rng.random() < 0.9 for _ in range(days))),
        resources=resources,
        patients={name: Patient(free(), {}, {}) for name in ("ann", "ben")},
        courses=tuple(courses),
    )
    return _with_sound_rest(found)


def _with_sound_rest(problem):
    """The problem with only those movable sessions that are well where they are."""
    stays, courses = {}, []
    for c in problem.courses:
        kept = []
        for s in c.movable:
            as_booked = [m for m in candidates(problem, c, s) if m.change is Change.KEPT]
            more = {**stays, (c.request.key, s.key): as_booked[0]} if as_booked else {}
            if as_booked and not collides(problem, more):
                stays = more
                kept.append(replace(s, room=as_booked[0].room, device=as_booked[0].device))
        courses.append(replace(c, movable=tuple(kept)))
    return replace(problem, courses=tuple(courses))


# -- trying everything --------------------------------------------------------------------------------------------


def answer(problem, chosen):
    """A repair from {(course key, session key): move}, everything else unplaced; movable sessions stay."""
    left = [
        Unplaced(s.key, c.request.key, Obstacle.TAKEN)
        for c in problem.courses
        for s in c.lost
        if (c.request.key, s.key) not in chosen
    ]
    return Repair(tuple(chosen.values()), tuple(left), 0, 0, 0, False)


def candidates(problem, course, session):
    """Every move of the session that breaks no rule by itself, all others away."""
    lone = replace(course, lost=(session,), movable=())
    alone = replace(problem, courses=(lone,))
    request = course.request
    therapists = [o.therapist for o in request.therapists] if request.needs_therapist else [None]
    rooms = (
        [(r.room, d) for r in request.rooms for d in (r.devices or (None,))] if request.needs_room else [(None, None)]
    )
    found = []
    for day in range(problem.horizon.days):
        for slot in range(DAWN, DUSK - request.slots + 1):
            for therapist in therapists:
                change = change_by_hand(session, day, slot, therapist)
                for room, device in rooms:
                    move = RepairMove(
                        session.key, request.key, change, day, slot, request.slots, therapist, room, device
                    )
                    if not verify_repair(alone, answer(alone, {(request.key, session.key): move})):
                        found.append(move)
    return found


def change_by_hand(session, day, slot, therapist):
    if (day, slot) != (session.day, session.slot):
        return Change.MOVED
    return Change.KEPT if therapist == session.therapist else Change.OTHER_THERAPIST


def best_by_trying(problem):
    """The least (unplaced, moved of the rest, cost).  The rest is movable where that places more."""
    sessions = [(c, s, s in c.movable) for c in problem.courses for s in (*c.lost, *c.movable)]
    options = []
    for c, s, rest in sessions:
        moves = sorted(candidates(problem, c, s), key=lambda m: session_by_hand(problem, c, s, m))
        options.append([None, *moves] if rest else [*moves, None])
    best = (len(sessions) + 1, 0, 0)

    def go(index, chosen, unplaced, moved, cost):
        nonlocal best
        if (unplaced, moved, cost) > best:
            return
        if index == len(sessions):
            total = unplaced, moved, cost + gaps_by_hand(problem, chosen)
            if total < best and is_sound(problem, chosen):
                best = total
            return
        c, s, rest = sessions[index]
        for move in options[index]:
            if move is None:
                go(index + 1, chosen, unplaced + (not rest), moved, cost)
                continue
            if rest and move.change is Change.KEPT:
                continue  # staying is a choice of its own, without a move
            more = {**chosen, (c.request.key, s.key): move}
            if not collides(problem, more):
                go(index + 1, more, unplaced, moved + rest, cost + session_by_hand(problem, c, s, move))

    go(0, {}, 0, 0, 0)
    return best


def is_sound(problem, chosen):
    return not verify_repair(problem, answer(problem, chosen))


def collides(problem, chosen):
    """Whether the moves so far break a rule among themselves, the rest of the courses away."""
    bare = replace(problem, courses=tuple(replace(c, movable=(), lost=(*c.lost, *c.movable)) for c in problem.courses))
    return not is_sound(bare, chosen)


def session_by_hand(problem, course, session, move):
    w, request = problem.weights, course.request
    cost = 0
    if move.day != session.day:
        cost += w.other_day + w.per_day * abs(move.day - session.day)
    cost += w.quarter * ((abs(move.slot - session.slot) + 2) // 3)
    if session.therapist is not None and move.therapist != session.therapist:
        cost += w.other_therapist
    end = move.slot + move.slots
    if request.window_strength is Strength.WISH and not request.window[0] <= move.slot <= end <= request.window[1]:
        cost += w.wish
    if request.weekdays_strength is Strength.WISH and move.day % 7 not in request.weekdays:
        cost += w.wish
    if not request.needs_therapist:
        return cost
    if request.therapist_strength is Strength.WISH and move.therapist != request.preferred_therapist:
        cost += w.wish
    spoken = next((o.languages for o in request.therapists if o.therapist == move.therapist), frozenset())
    if request.language_strength is Strength.WISH and not spoken & request.languages:
        cost += w.wish
    return cost


def gaps_by_hand(problem, chosen):
    return sum(
        problem.weights.gap
        * max(0, excess_by_hand(problem, c, days_after(c, chosen)) - excess_by_hand(problem, c, days_before(c)))
        for c in problem.courses
    )


def days_before(course):
    return [s.day for s in (*course.lost, *course.movable)]


def days_after(course, chosen):
    moved = {s: m.day for (key, s), m in chosen.items() if key == course.request.key}
    stay = [s.day for s in course.movable if s.key not in moved]
    return [*moved.values(), *stay]


def excess_by_hand(problem, course, days):
    request = course.request
    if request.gap_max is None:
        return 0
    last_done = [] if request.resuming or not request.done_days else [max(request.done_days)]
    own = {p.day for p in request.pinned} | set(request.done_days)
    chain = sorted({*days, *(p.day for p in request.pinned), *last_done})
    excess = 0
    for earlier, later in pairwise(chain):
        if request.gap_unit is GapUnit.CALENDAR:
            gap = later - earlier
        else:
            gap = sum(problem.horizon.opening[d] or d in own for d in range(earlier + 1, later + 1))
        excess += max(0, gap - request.gap_max)
    return excess


def rank(problem, repair):
    """(unplaced, moved of the rest, cost) of a repair, counted by hand."""
    chosen = {(m.course, m.session): m for m in repair.moves}
    cost, moved = gaps_by_hand(problem, chosen), 0
    for c in problem.courses:
        for s in (*c.lost, *c.movable):
            move = chosen.get((c.request.key, s.key))
            if move is not None and not (s in c.movable and move.change is Change.KEPT):
                cost += session_by_hand(problem, c, s, move)
                moved += s in c.movable
    return len(repair.unplaced), moved, cost
