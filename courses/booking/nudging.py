"""Nudging a proposal: one session earlier, later, or to a time of one's choice; the rest moves as little as can be."""

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict, Invalid
from clinic.models import User
from courses import planning
from courses.booking.calendars import local_moment, slot_of
from courses.booking.changing import Former, Place, places_in
from courses.booking.checking import UNKNOWN_THERAPIST
from courses.booking.holds import release_hold
from courses.booking.models import Plan
from courses.booking.problems import Bridge
from courses.booking.proposals import Question, question_of
from courses.booking.transitions import Status
from courses.planning import masks
from courses.planning.classes import accepted_series
from courses.planning.ground import Ground
from courses.planning.single import choose_rooms
from courses.planning.table import CourseTable
from courses.planning.types import SLOT_MINUTES, CourseRequest, FormerSession, NoPlan, PlannedSession

LEAST_STEP = 3  # slots by which "earlier" and "later" move on one day at least
FURTHEST_DAYS = 14
MOST_SLOTS = 6
MOST_TRIES = 8  # times tried that would move other sessions too
MOST_LOOKS = 16  # times of one day of which it is asked whether the others can stay, some milliseconds each

EARLIER, LATER = "earlier", "later"


@dataclass(frozen=True, slots=True)
class Start:
    """A time that one session of a plan could have."""

    day: int
    slot: int
    therapist: int | None


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """keeps_others: every other session of the plan can stay where it is."""

    starts_at: dt.datetime
    ends_at: dt.datetime
    therapist_id: int | None
    keeps_others: bool


def nudge_plan(
    *,
    plan: Plan,
    session: int,
    by: User | None,
    now: dt.datetime,
    to: str | None = None,
    starts_at: dt.datetime | None = None,
    therapist: int | None = None,
    keep_others: bool = False,
) -> Plan:
    """Another plan, based on a proposed or held one, with one session earlier, later (`to`) or at `starts_at`.

    The session stays at its new time in further nudges too; the others are where they were if that is possible
    (`keep_others`: or else there is no such plan), and moved as little as can be if it is not. A hold is let go; the
    old plan can still be booked. Raises Invalid for a wrong field, Conflict where no such time is free.
    """
    if (to is None) == (starts_at is None):
        raise Invalid(details={"to": [_("Say earlier or later, or give a time.")]})
    if to not in {None, EARLIER, LATER}:
        raise Invalid(details={"to": [_("Say earlier or later, or give a time.")]})
    search = _search(plan, session, by=by, now=now)
    if starts_at is not None:
        targets = iter([search.target(starts_at, therapist, now=now)])
    else:
        targets = search.in_direction(1 if to == LATER else -1)
    tries = 0
    for target, fits in targets:
        if keep_others and not fits:
            continue
        if tries >= MOST_TRIES:
            break
        tries += 1
        found = search.solve(target, keep_others=keep_others)
        if found is not None and _is_held(plan, now):
            # The hold goes only now that there is something instead; with it the patient's calendar changes.
            release_hold(plan=plan, by=by, now=now)
            found = _search(plan, session, by=by, now=now).solve(target, keep_others=keep_others)
        if found is not None:
            return found.store()
    if keep_others and starts_at is not None:
        raise Conflict(_("Other sessions would have to move as well."), code="others_must_move")
    if starts_at is not None:
        raise Conflict(_("The plan does not fit around this time. Choose another one."), code="time_does_not_fit")
    message = _("No later time is free.") if to == LATER else _("No earlier time is free.")
    raise Conflict(message, code="no_such_time")


def slots_for(*, plan: Plan, session: int, by: User | None, now: dt.datetime) -> list[FreeSlot]:
    """Up to six times for one session of a plan, near its own: two of its day, then one a day. First those for which no
    other session has to move; where these are fewer, others that still give a plan. In order of time.
    """
    search = _search(plan, session, by=by, now=now)
    kept: dict[tuple[int, bool], Start] = {}
    moving: dict[tuple[int, bool], Start] = {}
    looks: Counter[tuple[int, bool]] = Counter()
    for start in search.nearest():
        same_day = start.day == search.old.day
        part = (start.day, same_day and start.slot > search.old.slot)
        if part in kept or looks[part] >= MOST_LOOKS or (same_day and search.is_near(start)):
            continue
        looks[part] += 1
        (kept if search.keeps_others(start) else moving).setdefault(part, start)
        if len(kept) == MOST_SLOTS:
            break
    found = [search.free_slot(start, keeps_others=True) for start in kept.values()]
    tries = [start for part, start in moving.items() if part not in kept]
    if len(search.bridge.problem.courses) == 1:  # of several courses each try takes a while
        for start in tries[:MOST_TRIES]:
            if len(found) < MOST_SLOTS and search.solve(start, keep_others=False) is not None:
                found.append(search.free_slot(start, keeps_others=False))
    return sorted(found, key=lambda slot: slot.starts_at)


def _is_held(plan: Plan, now: dt.datetime) -> bool:
    return plan.status == Plan.Status.HELD and plan.held_until is not None and plan.held_until > now


def _search(plan: Plan, session: int, *, by: User | None, now: dt.datetime) -> "_Search":
    if plan.status != Plan.Status.PROPOSED and not _is_held(plan, now):
        raise Conflict(_("This plan is not a proposal any more."), code="plan_not_proposed")
    item = next((item for item in plan.items if item["session"] == session), None)
    if item is None:
        raise Invalid(details={"session": [_("This session is not in the plan.")]})
    return _Search(plan, item, by=by, now=now)


@dataclass(frozen=True, slots=True)
class _Nudged:
    question: Question
    answer: planning.Plan
    profile: str
    plan_ms: float

    def store(self) -> Plan:
        return self.question.store(self.answer, profile=self.profile, plan_ms=self.plan_ms)


class _Search:
    """The times that one session of a plan could have, and the plans with them.

    old: where the session is planned; request: its course.
    """

    def __init__(self, plan: Plan, item: Mapping[str, Any], *, by: User | None, now: dt.datetime) -> None:
        self.plan, self.item, self.by, self.now = plan, item, by, now
        held = list(plan.sessions.filter(status=Status.HELD).select_related("course", "appointment"))
        self.question: Question = question_of(plan, by=by, now=now, also_moving=held)
        self.bridge: Bridge = self.question.bridge
        self.request: CourseRequest = next(c for c in self.bridge.problem.courses if c.key == item["course"])
        self.sessions = [self._planned(one) for one in plan.items]
        self.mine = next(s for s, one in zip(self.sessions, plan.items, strict=True) if one is item)
        self.old = Start(self.mine.day, self.mine.slot, self.mine.therapist)

    def _planned(self, item: Mapping[str, Any]) -> PlannedSession:
        place = Place.of_item(item)
        wall = place.start.astimezone(self.bridge.clinic.tz)
        minutes = round((place.end - place.start).total_seconds() / 60)
        series = next(
            (
                one.series
                for course in self.bridge.problem.courses
                for one in course.series or ()
                if any(m.meeting == item["meeting"] for m in one.meetings)
            ),
            None,
        )
        return PlannedSession(
            item["course"],
            0,
            self.bridge.days.index(wall.date()),
            slot_of(wall.time()),
            minutes // SLOT_MINUTES,
            place.therapist,
            place.room,
            place.device,
            series,
            item["meeting"],
        )

    def starts(self) -> Iterator[Start]:
        """Every time that the session could have if the plan's other sessions were not there."""
        if self.request.series is not None:
            for series in accepted_series(self.request):
                therapist = series.therapist.therapist if series.therapist else None
                yield from (Start(m.day, m.slot, therapist) for m in series.meetings if m.held and m.seats_free > 0)
            return
        table = CourseTable(Ground(self.bridge.problem), replace(self.request, former=()))
        for option, joined in zip(table.options, table.starts, strict=True):
            for day, mask in enumerate(masks.split_days(joined, self.bridge.days.count)):
                for first, end in masks.runs(mask):
                    yield from (Start(day, slot, option.therapist if option else None) for slot in range(first, end))

    def nearest(self) -> list[Start]:
        """Starts by distance: days, another therapist, slots."""
        old = self.old
        near = [s for s in self.starts() if abs(s.day - old.day) <= FURTHEST_DAYS and s != old]
        return sorted(
            near,
            key=lambda s: (abs(s.day - old.day), s.therapist != old.therapist, abs(s.slot - old.slot), s.day, s.slot),
        )

    def is_near(self, start: Start) -> bool:
        """Too near the old time, on its day, to be another one."""
        return abs(start.slot - self.old.slot) < LEAST_STEP

    def in_direction(self, sign: int) -> Iterator[tuple[Start, bool]]:
        """Starts before (-1) or after (1) the old one, each with whether the others can stay; of each day first those
        for which they can.
        """
        old = self.old
        for _away, starts in groupby(self.nearest(), key=lambda s: abs(s.day - old.day)):
            ahead = [
                s
                for s in starts
                if sign * (s.day - old.day) > 0
                or (s.day == old.day and sign * (s.slot - old.slot) > 0 and not self.is_near(s))
            ]
            waiting = []
            for start in ahead[:MOST_LOOKS]:
                if self.keeps_others(start):
                    yield start, True
                else:
                    waiting.append((start, False))
            yield from waiting[:MOST_TRIES]

    def target(self, starts_at: dt.datetime, therapist: int | None, *, now: dt.datetime) -> tuple[Start, bool]:
        """The start asked for, with the therapist asked for, else the same one, else anyone. Raises Invalid."""
        if starts_at <= now:
            raise Invalid(details={"starts_at": [_("Date has passed. Enter today or later.")]})
        if starts_at.minute % SLOT_MINUTES or starts_at.second or starts_at.microsecond:
            raise Invalid(details={"starts_at": [_("Times are in steps of five minutes.")]})
        qualified = {option.therapist for option in self.request.therapists}
        if therapist is not None and self.request.series is None and therapist not in qualified:
            raise Invalid(details={"therapist": [UNKNOWN_THERAPIST]})
        wall = starts_at.astimezone(self.bridge.clinic.tz)
        day, slot = self.bridge.days.index(wall.date()), slot_of(wall.time())
        there = [s for s in self.starts() if (s.day, s.slot) == (day, slot) and therapist in {None, s.therapist}]
        if not there:
            raise Conflict(_("This time is not free."), code="time_not_free")
        start = min(there, key=lambda s: (s.therapist != self.old.therapist, s.therapist or 0))
        return start, self.keeps_others(start)

    def keeps_others(self, start: Start) -> bool:
        """Whether the plan with the session there, and nothing else changed, keeps every must."""
        moved = replace(self.mine, day=start.day, slot=start.slot, therapist=start.therapist)
        own = [s for s in self.sessions if s.course == self.mine.course and s is not self.mine]
        if self.request.series is not None or any(s.day == start.day for s in own):
            return False
        others = [s for s in self.sessions if s is not self.mine]
        placed = self._with_room(moved, others)
        if placed is None:
            return False
        known = {v.code for v in self._violations(self.sessions)}
        return not {v.code for v in self._violations([*others, placed])} - known

    def _with_room(self, moved: PlannedSession, others: list[PlannedSession]) -> PlannedSession | None:
        """The session in a room and on a device that are free then, its own if they are."""
        ground = Ground(self.bridge.problem).beside([s for s in others if s.day == moved.day])
        own = FormerSession(moved.day, moved.slot, moved.therapist, self.mine.room, self.mine.device)
        try:
            [(room, device)] = choose_rooms(ground, replace(self.request, former=(own,)), [(moved.day, moved.slot)])
        except LookupError:
            return None
        return replace(moved, room=room, device=device)

    def _violations(self, sessions: list[PlannedSession]) -> list[planning.types.Violation]:
        numbered = []
        for course in self.bridge.problem.courses:
            own = sorted((s for s in sessions if s.course == course.key), key=lambda s: (s.day, s.slot))
            numbered += [replace(s, number=n) for n, s in enumerate(own, start=1)]
        return planning.verify(self.bridge.problem, planning.Plan(tuple(numbered), 0, 0, False))

    def solve(self, start: Start, *, keep_others: bool) -> "_Nudged | None":
        """The plan with the session there; None if there is none."""
        places = places_in(self.plan)
        before = set(self.plan.request.get("fixed", []))
        stay = places.keys() if keep_others else before & places.keys()
        fixed = {pk: places[pk] for pk in stay} | {self.item["session"]: self._place(start)}
        question = self.question.starting_from(Former(places, fixed), based_on=self.plan)
        started = time.perf_counter()
        answer = question.answer()
        if isinstance(answer, NoPlan):
            return None
        if keep_others:  # the next nudge may move them
            request = question.request | {"fixed": sorted(before | {self.item["session"]})}
            question = replace(question, request=request)
        return _Nudged(question, answer, self.plan.profile, (time.perf_counter() - started) * 1000)

    def _place(self, start: Start) -> Place:
        begin = local_moment(self.bridge.clinic, self.bridge.days.date(start.day), start.slot)
        old = Place.of_item(self.item)
        return Place(begin, begin + (old.end - old.start), start.therapist, old.room, old.device)

    def free_slot(self, start: Start, *, keeps_others: bool) -> FreeSlot:
        place = self._place(start)
        return FreeSlot(place.start, place.end, place.therapist, keeps_others)
