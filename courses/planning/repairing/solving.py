"""`repair`: the rest of the courses stays first; only where sessions remain unplaced may it move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from courses.planning.types import Key

from .obstacles import find_obstacle
from .placement import Placement, staying
from .search import Found, Search
from .settling import pin_rest
from .starts import Calendar, Lost, Starts
from .supply import Supply
from .types import (
    BookedSession,
    Change,
    Obstacle,
    Repair,
    RepairBudget,
    RepairMove,
    RepairProblem,
    RepairStats,
    Unplaced,
)
from .validity import require_valid

MOST_SESSIONS = 150  # lost and movable ones in a search that may move the rest
LEAST_REST = 30  # movable ones at least, however many are lost


def repair(problem: RepairProblem, *, budget: RepairBudget | None = None) -> Repair:
    """Re-place the lost sessions: fewest unplaced first, then fewest of the rest moved, then least change.

    Raises ProblemError for a problem that is none.  Imports ortools.
    """
    require_valid(problem)
    budget = budget or RepairBudget()
    told = _Progress(budget.progress)
    has_rest = any(c.movable for c in problem.courses)
    found = Search(pin_rest(problem), budget, told.within(0.0, 0.5 if has_rest else 0.99)).run()
    if has_rest and found.placement.unplaced and not found.cancelled:
        loose, is_whole = _loosened(problem, found)
        wider = Search(loose, budget, told.within(0.5, 0.99)).run()
        if not is_whole:
            wider = replace(wider, unplaced_bound=0, proven=False)
        if wider.placement.unplaced < found.placement.unplaced:
            found = wider
        else:
            bound = min(found.unplaced_bound, wider.unplaced_bound)
            proven = found.proven and bound == found.placement.unplaced
            found = replace(found, unplaced_bound=bound, proven=proven, cancelled=wider.cancelled)
    answer = _answer(problem, found)
    told.within(0.0, 1.0)(1.0, len(answer.unplaced))
    return answer


class _Progress:
    """Never goes back."""

    def __init__(self, tell: Callable[[float, int], None] | None) -> None:
        self.tell, self.share = tell, 0.0

    def within(self, first: float, last: float) -> Callable[[float, int], None]:
        def show(share: float, unplaced: int) -> None:
            self.share = max(self.share, first + share * (last - first))
            if self.tell is not None:
                self.tell(self.share, unplaced)

        return show


def _loosened(problem: RepairProblem, found: Found) -> tuple[RepairProblem, bool]:
    """The problem with as much of the rest movable as is worth it, and whether that is all of it.

    What could not even stay, because it was booked against a rule, is left alone.
    """
    starts = Starts(problem)
    kept = staying(Placement(starts, Supply(starts)))
    rest = [s for s in starts.sessions if s.rest and s.number in kept]
    chosen = _most_useful(found, rest, max(0, MOST_SESSIONS - sum(not s.rest for s in starts.sessions)))
    alone = {
        (problem.courses[s.course].request.key, s.booked.key)
        for s in starts.sessions
        if s.rest and s.number not in chosen
    }
    return (pin_rest(problem, alone) if alone else problem), len(chosen) == len(rest)


def _most_useful(found: Found, rest: list[Lost], count: int) -> set[int]:
    """Those of courses that have one unplaced, then those whose therapist one unplaced could have; soonest first."""
    starts = found.placement.starts
    open_ones = [s for s in starts.sessions if found.placement.chosen[s.number] < 0]
    courses = {s.course for s in open_ones}
    wanted = {o.therapist for c in courses for o in starts.problem.courses[c].request.therapists}

    def order(session: Lost) -> tuple[bool, bool, int, int, int]:
        booked = session.booked
        return session.course not in courses, booked.therapist not in wanted, booked.day, booked.slot, session.number

    return {s.number for s in sorted(rest, key=order)[: max(count, LEAST_REST)]}


def _answer(problem: RepairProblem, found: Found) -> Repair:
    placement = found.placement
    starts = placement.starts
    placed = {(s.course, s.booked.key): s for s in starts.sessions}
    moves: list[RepairMove] = []
    unplaced: list[Unplaced] = []
    calendar = Calendar(starts.problem)
    moved = 0
    for position, course in enumerate(problem.courses):
        for booked in (*course.lost, *course.movable):
            session = placed.get((position, booked.key))
            if session is None:
                continue  # one of the rest that stays
            column = placement.chosen[session.number]
            if column < 0:
                unplaced.append(_reason(starts, session, calendar, course.request.key))
                continue
            move = _move(placement, session, column)
            if not session.rest or not _is_as_booked(move, booked):
                moves.append(move)
                moved += session.rest
    stats = RepairStats(
        sessions=sum(len(c.lost) for c in problem.courses),
        moved_rest=moved,
        columns=found.columns,
        greedy_unplaced=found.greedy.unplaced,
        greedy_cost=found.greedy.cost,
        cancelled=found.cancelled,
    )
    return Repair(tuple(moves), tuple(unplaced), placement.cost, found.bound, found.unplaced_bound, found.proven, stats)


def _move(placement: Placement, session: Lost, column: int) -> RepairMove:
    starts, supply = placement.starts, placement.supply
    request, booked = starts.problem.courses[session.course].request, session.booked
    day, slot, option = int(starts.day[column]), int(starts.slot[column]), int(starts.therapist[column])
    therapist = request.therapists[option].therapist if option >= 0 else None
    room = device = None
    place = placement.places[session.number]
    if place >= 0:
        chosen = supply.groups[supply.group[column]].places[place]
        room, device = chosen.room, chosen.device
    slots, series, meeting = request.slots, None, None
    if starts.meeting[column] >= 0:
        seat = starts.meetings[starts.meeting[column]]
        slots, series, meeting = seat.slots, seat.series, seat.meeting
        therapist = seat.therapist.therapist if seat.therapist else None
        room = seat.room
    change = change_of(booked, day, slot, therapist)
    return RepairMove(booked.key, request.key, change, day, slot, slots, therapist, room, device, series, meeting)


def change_of(booked: BookedSession, day: int, slot: int, therapist: int | None) -> Change:
    if (day, slot) != (booked.day, booked.slot):
        return Change.MOVED
    return Change.KEPT if therapist == booked.therapist else Change.OTHER_THERAPIST


def _is_as_booked(move: RepairMove, booked: BookedSession) -> bool:
    return move.change is Change.KEPT and (move.room, move.device, move.meeting) == (
        booked.room,
        booked.device,
        booked.meeting,
    )


def _reason(starts: Starts, session: Lost, calendar: Calendar, key: Key) -> Unplaced:
    first, end = starts.first[session.number], starts.first[session.number + 1]
    course = starts.problem.courses[session.course]
    at = session.booked if session.booked.same_time else None
    obstacle, params = find_obstacle(starts.problem, course, calendar=calendar, at=at)
    if end > first or obstacle is None:
        return Unplaced(session.booked.key, key, Obstacle.TAKEN, {**params, "times": int(end - first)})
    return Unplaced(session.booked.key, key, obstacle, params)
