"""Whole shifts in one step: handed over to a substitute, or swapped between two therapists.

Only sessions at their own times are looked at; what does not fit is named with why, and `repair` goes on from there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from courses.planning.types import Key, Masks

from .obstacles import find_obstacle
from .settling import pin_rest, set_down
from .solving import change_of
from .starts import Calendar
from .types import BookedSession, Handover, Obstacle, PlacesDays, RepairCourse, RepairMove, RepairProblem, Unplaced


def hand_over(problem: RepairProblem, *, to: int, sessions: Collection[Key] | None = None) -> Handover:
    """The substitute takes the lost sessions (those with these keys) at their own times, one by one in time order."""
    wanted = [(c, s, to) for c in problem.courses for s in c.lost if sessions is None or s.key in sessions]
    return _go_over(problem, wanted)


def swap_shifts(
    problem: RepairProblem, *, first: int, first_days: Collection[int], second: int, second_days: Collection[int]
) -> Handover:
    """The second therapist works the first one's shifts on `first_days` and gets her lost sessions, and the reverse.

    List both therapists' sessions of these days as lost.
    """
    exchanged = exchange_shifts(problem, first=first, first_days=first_days, second=second, second_days=second_days)
    wanted = []
    for course in exchanged.courses:
        for session in course.lost:
            if session.therapist == first and session.day in first_days:
                wanted.append((course, session, second))
            elif session.therapist == second and session.day in second_days:
                wanted.append((course, session, first))
    return _go_over(exchanged, wanted)


def exchange_shifts(
    problem: RepairProblem, *, first: int, first_days: Collection[int], second: int, second_days: Collection[int]
) -> RepairProblem:
    """The problem with two therapists' hours exchanged: each gets those the other works by shift, absences ignored.

    What a therapist is absent or booked for within her own hours of such a day still stands in the way.
    """
    one, other = problem.resources[first], problem.resources[second]
    resources = dict(problem.resources)
    resources[first] = _exchanged(one, other, gives=first_days, takes=second_days)
    resources[second] = _exchanged(other, one, gives=second_days, takes=first_days)
    return replace(problem, resources=resources)


def _exchanged(own: PlacesDays, others: PlacesDays, *, gives: Collection[int], takes: Collection[int]) -> PlacesDays:
    days = range(len(own.works))
    works: list[int] = []
    present: list[int] = []
    layers: list[list[int]] = [[] for _ in own.layers]
    for day in days:
        kept = 0 if day in gives else own.works[day]
        gained = others.works[day] if day in takes else 0
        works.append(kept | gained)
        away = own.works[day] & ~own.present[day]
        present.append((kept | gained) & ~away)
        for k, layer in enumerate(own.layers):
            booked = own.present[day] & ~layer[day]
            layers[k].append(present[day] & ~booked)
    return PlacesDays(tuple(works), tuple(present), tuple(_masks(layer) for layer in layers))


def _masks(days: list[int]) -> Masks:
    return tuple(days)


def _go_over(problem: RepairProblem, wanted: list[tuple[RepairCourse, BookedSession, int]]) -> Handover:
    wanted = sorted(wanted, key=lambda w: (w[1].day, w[1].slot, str(w[0].request.key), str(w[1].key)))
    moves: list[RepairMove] = []
    left: list[Unplaced] = []
    state = pin_rest(problem)
    calendar = Calendar(state)
    for course, session, therapist in wanted:
        now = next(c for c in state.courses if c.request.key == course.request.key)
        obstacle, params = _in_the_way(state, now, session, therapist, calendar)
        if obstacle is not None:
            left.append(Unplaced(session.key, course.request.key, obstacle, params))
            continue
        move = _move(now, session, therapist, calendar)
        moves.append(move)
        state = set_down(state, [move])
        calendar = Calendar(state)
    return Handover(tuple(moves), tuple(left), set_down(problem, moves))


def _in_the_way(
    state: RepairProblem, course: RepairCourse, session: BookedSession, therapist: int, calendar: Calendar
) -> tuple[Obstacle | None, dict[str, object]]:
    if not course.request.needs_therapist or course.request.series is not None:
        return Obstacle.NOT_QUALIFIED, {"therapists": (therapist,), "days": 0}
    return find_obstacle(state, course, calendar=calendar, at=session, therapist=therapist)


def _move(course: RepairCourse, session: BookedSession, therapist: int, calendar: Calendar) -> RepairMove:
    """At its own time, in its own room with its own device where they are free, else in the first that is."""
    request = course.request
    room = device = None
    if request.needs_room:
        at = calendar.bits_of_days([session.day], 1 << session.slot)
        places = [
            (option.room, d)
            for option in request.rooms
            for d in option.devices or (None,)
            if calendar.place_starts(request, option, d) & at
        ]
        room, device = min(places, key=lambda p: (p != (session.room, session.device), p[0] != session.room))
    change = change_of(session, session.day, session.slot, therapist)
    return RepairMove(
        session.key, request.key, change, session.day, session.slot, request.slots, therapist, room, device
    )
