"""Sessions put down one after another: a repair in the making, which never breaks a rule."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .matrix import Array
from .relaxation import Relaxed
from .starts import Starts
from .supply import Supply

_TRIES = 600  # of moving one session for another that has no place


class Placement:
    """chosen[session]: its column, -1 while unplaced; places[session]: index of its place in the group, or -1."""

    def __init__(self, starts: Starts, supply: Supply) -> None:
        self.starts, self.supply = starts, supply
        self.left = supply.places.astype(np.int32)
        self.chosen = [-1] * len(starts.sessions)
        self.places = [-1] * len(starts.sessions)
        self.days: dict[int, list[int]] = {}
        self._excluding: dict[int, list[int]] = {}
        for one, other in starts.exclusive_pairs:
            self._excluding.setdefault(one, []).append(other)
            self._excluding.setdefault(other, []).append(one)

    @property
    def unplaced(self) -> int:
        return sum(c < 0 for c, s in zip(self.chosen, self.starts.sessions, strict=True) if not s.rest)

    @property
    def moved(self) -> int:
        """Movable sessions that do not stay."""
        pairs = zip(self.chosen, self.starts.sessions, strict=True)
        return sum(s.rest and not self.starts.stays[c] for c, s in pairs)

    @property
    def cost(self) -> int:
        starts = self.starts
        total = sum(int(starts.cost[c]) if c >= 0 else int(starts.absent_cost[s]) for s, c in enumerate(self.chosen))
        return total + sum(starts.gaps_cost(course, self.days.get(course, ())) for course in starts.shared_courses)

    @property
    def rank(self) -> tuple[int, int, int]:
        return self.unplaced, self.moved, self.cost

    @property
    def is_complete(self) -> bool:
        """Whether every movable session has a place."""
        return all(c >= 0 for c, s in zip(self.chosen, self.starts.sessions, strict=True) if s.rest)

    def open_columns(self, session: int) -> Array:
        """The session's columns for which therapist, hands, patient and seat are free now."""
        first, end = self.starts.first[session], self.starts.first[session + 1]
        free = np.ones(end - first, dtype=bool)
        for begins, ends in self.supply.intervals:
            begin, until = begins[first:end], ends[first:end]
            for k in range(int((until - begin).max(initial=0))):
                at = begin + k
                free &= (at >= until) | (self.left[np.minimum(at, len(self.left) - 1)] > 0)
        return np.asarray(first + np.flatnonzero(free))

    def place_for(self, column: int) -> int | None:
        """Index of a place for it, -1 where it needs none; None where a rule or the place is in the way."""
        starts, supply = self.starts, self.supply
        course, day = int(starts.course[column]), int(starts.day[column])
        own = self.days.get(course)
        if own and not starts.rhythms[course].is_kept_by([*own, day]):
            return None
        if any(day in self.days.get(other, ()) for other in self._excluding.get(course, ())):
            return None
        for begins, ends in supply.intervals:
            if ends[column] > begins[column] and self.left[begins[column] : ends[column]].min() <= 0:
                return None
        return self.own_place(column)

    def own_place(self, column: int) -> int | None:
        supply = self.supply
        if supply.group[column] < 0:
            return -1
        group, at = supply.groups[supply.group[column]], int(supply.at[column])
        booked = self.starts.sessions[self.starts.session[column]].booked
        enough = np.flatnonzero(group.enough[:, at])
        candidates = enough if len(enough) else np.flatnonzero(group.free[:, at])
        # Its own room and device first, then the same room.
        order = sorted(candidates.tolist(), key=lambda p: group.unlike(p, booked.room, booked.device))
        for p in order:
            if len(enough) or all(self.left[a:b].min() > 0 for a, b in group.spans(p, at, supply.span)):
                return p
        return None

    def put(self, column: int, place: int) -> None:
        starts, supply = self.starts, self.supply
        session = int(starts.session[column])
        self.chosen[session], self.places[session] = column, place
        self.days.setdefault(int(starts.course[column]), []).append(int(starts.day[column]))
        for begins, ends in supply.intervals:
            self.left[begins[column] : ends[column]] -= 1
        if place >= 0:
            for first, end in supply.groups[supply.group[column]].spans(place, int(supply.at[column]), supply.span):
                self.left[first:end] -= 1

    def lift(self, session: int) -> tuple[int, int]:
        """Take a session up again; returns its column and place."""
        starts, supply = self.starts, self.supply
        column, place = self.chosen[session], self.places[session]
        self.chosen[session] = self.places[session] = -1
        self.days[int(starts.course[column])].remove(int(starts.day[column]))
        for begins, ends in supply.intervals:
            self.left[begins[column] : ends[column]] += 1
        if place >= 0:
            for first, end in supply.groups[supply.group[column]].spans(place, int(supply.at[column]), supply.span):
                self.left[first:end] += 1
        return column, place

    def put_first(self, columns: Iterable[int]) -> bool:
        """Put the first column that fits."""
        for column in columns:
            place = self.place_for(column)
            if place is not None:
                self.put(column, place)
                return True
        return False

    def put_cheapest(self, session: int, cost: Array) -> None:
        columns = self.open_columns(session)
        self.put_first(columns[np.argsort(cost[columns], kind="stable")].tolist())


def greedily(starts: Starts, supply: Supply) -> Placement:
    """The rest stays; the lost sessions one after another in order of their time, each at its cheapest start."""
    placement = Placement(starts, supply)
    staying(placement)
    lost = [s for s in starts.sessions if not s.rest]
    for session in sorted(lost, key=lambda s: (s.booked.day, s.booked.slot, s.number)):
        placement.put_cheapest(session.number, starts.cost)
    return placement


def rounded(starts: Starts, supply: Supply, relaxed: Relaxed) -> Placement:
    """Columns in order of their share in the relaxation, then what is left at the relaxation's prices."""
    placement = Placement(starts, supply)
    shares, columns, reduced = relaxed.values, relaxed.columns, relaxed.pricing.reduced
    used = np.flatnonzero(shares > 1e-6)
    for i in used[np.lexsort((columns[used], reduced[columns[used]], -shares[used]))].tolist():
        column = int(columns[i])
        if placement.chosen[int(starts.session[column])] < 0:
            placement.put_first([column])
    open_sessions = [s.number for s in starts.sessions if placement.chosen[s.number] < 0]
    for session in sorted(open_sessions, key=lambda s: (not starts.sessions[s].rest, s)):
        placement.put_cheapest(session, reduced)
    if placement.unplaced > relaxed.unplaced_bound:
        make_room(placement, reduced, tries=_TRIES)
    polish(placement)
    return placement


def make_room(placement: Placement, cost: Array, *, tries: int) -> None:
    """Place sessions that are unplaced by moving one other lost session elsewhere for each, where that is possible."""
    sessions = placement.starts.sessions
    for session in [s.number for s in sessions if not s.rest and placement.chosen[s.number] < 0]:
        for other in [s.number for s in sessions if not s.rest and placement.chosen[s.number] >= 0]:
            if tries <= 0:
                return
            tries -= 1
            column, place = placement.lift(other)
            placement.put_cheapest(session, cost)
            if placement.chosen[session] >= 0:
                placement.put_cheapest(other, cost)
                if placement.chosen[other] >= 0:
                    break
                placement.lift(session)
            placement.put(column, place)


def polish(placement: Placement) -> None:
    """Each lost session, dearest first, to its cheapest start that is free now."""
    starts = placement.starts
    placed = [s for s in starts.sessions if not s.rest and placement.chosen[s.number] >= 0]
    for session in sorted(placed, key=lambda s: (-int(starts.cost[placement.chosen[s.number]]), s.number)):
        before = _cost_beside(placement, session.number)
        column, place = placement.lift(session.number)
        placement.put_cheapest(session.number, starts.cost)
        if _cost_beside(placement, session.number) > before:
            placement.lift(session.number)
            placement.put(column, place)


def _cost_beside(placement: Placement, session: int) -> int:
    """Of the session and of the gaps of its course."""
    starts = placement.starts
    course = starts.sessions[session].course
    gaps = starts.gaps_cost(course, placement.days.get(course, ())) if starts.sizes[course] > 1 else 0
    return int(starts.cost[placement.chosen[session]]) + gaps


def staying(placement: Placement) -> set[int]:
    """Let the movable sessions stay as they are, and say for which of them that breaks no rule."""
    starts = placement.starts
    for column in np.flatnonzero(starts.stays).tolist():
        placement.put_first([column])
    return {s.number for s in starts.sessions if placement.chosen[s.number] >= 0}
