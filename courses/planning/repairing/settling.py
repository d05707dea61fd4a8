"""A problem with some sessions settled: they become pinned, and what they take is gone for the others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from courses.planning import masks
from courses.planning.types import FULL_DAY, ClassSeries, CourseRequest, Key, Masks, Patient, PinnedSession

from .types import BookedSession, Change, PlacesDays, RepairCourse, RepairMove, RepairProblem


def set_down(problem: RepairProblem, moves: Iterable[RepairMove]) -> RepairProblem:
    """What is left to repair once these moves are settled."""
    settled = {(m.course, m.session): m for m in moves}
    of_course: dict[Key, list[RepairMove]] = defaultdict(list)
    of_patient: dict[Key, list[tuple[CourseRequest, RepairMove]]] = defaultdict(list)
    taken: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for course in problem.courses:
        for session in (*course.lost, *course.movable):
            move = settled.get((course.request.key, session.key))
            if move is None:
                continue
            of_course[course.request.key].append(move)
            of_patient[course.patient].append((course.request, move))
            for resource, first, end in takes(course.request, move):
                taken[resource].append((move.day * masks.STRIDE + first, move.day * masks.STRIDE + end))
    seats = Counter(m.meeting for own in of_course.values() for m in own if m.meeting is not None)
    return replace(
        problem,
        resources={r: _less(places, taken[r]) if r in taken else places for r, places in problem.resources.items()},
        patients={k: _busier(p, of_patient[k]) if k in of_patient else p for k, p in problem.patients.items()},
        courses=tuple(_pinned(course, of_course.get(course.request.key, []), seats) for course in problem.courses),
    )


def takes(request: CourseRequest, move: RepairMove) -> Iterator[tuple[int, int, int]]:
    """(resource, first slot, slot after the last) of all that a session reserves but its patient."""
    if move.meeting is not None:
        return
    start, end = move.slot, move.slot + move.slots
    for resource, margins in (
        (move.therapist, request.therapist_margins),
        (move.room, request.room_margins),
        (move.device, request.device_margins),
    ):
        if resource is not None:
            yield resource, start - margins.before, end + margins.after
    option = next((o for o in request.therapists if o.therapist == move.therapist), None)
    if option is not None and option.hands is not None:
        if request.hands_on_start:
            yield option.hands, start, start + request.hands_on_start
        if request.hands_on_end:
            yield option.hands, end - request.hands_on_end, end


def as_booked(request: CourseRequest, session: BookedSession) -> RepairMove:
    """The move of a session that stays where it is."""
    slots = request.slots
    for series in request.series or ():
        slots = next((m.slots for m in series.meetings if m.meeting == session.meeting), slots)
    return RepairMove(
        session.key,
        request.key,
        Change.KEPT,
        session.day,
        session.slot,
        slots,
        session.therapist,
        session.room,
        session.device,
        session.series,
        session.meeting,
    )


def pin_rest(problem: RepairProblem, keys: set[tuple[Key, Key]] | None = None) -> RepairProblem:
    """The problem without movable sessions: all of them, or those of these (course, session) keys, stay."""
    return set_down(
        problem,
        [
            as_booked(course.request, session)
            for course in problem.courses
            for session in course.movable
            if keys is None or (course.request.key, session.key) in keys
        ],
    )


def _less(places: PlacesDays, taken: list[tuple[int, int]]) -> PlacesDays:
    """One place fewer in each interval of joined bits."""
    days = len(places.works)
    layers = [masks.join_days(layer) for layer in places.layers]
    for first, end in taken:
        bits = ((1 << max(0, end - max(first, 0))) - 1) << max(first, 0)
        layers = [
            layer & ~bits | (layers[k + 1] & bits if k + 1 < len(layers) else 0) for k, layer in enumerate(layers)
        ]
    whole = (1 << (days * masks.STRIDE)) - 1
    return replace(places, layers=tuple(masks.split_days(layer & whole, days) for layer in layers))


def _busier(patient: Patient, own: list[tuple[CourseRequest, RepairMove]]) -> Patient:
    free: list[int] = list(patient.free)
    visits, booked = dict(patient.visits), dict(patient.booked)
    for request, move in own:
        if not 0 <= move.day < len(free):
            continue
        rest = request.patient_margins
        start, end = move.slot, move.slot + move.slots
        free[move.day] &= FULL_DAY & ~masks.interval(0, start - rest.before, end + rest.after)
        first, last = visits.get(move.day, (start, end))
        visits[move.day] = min(first, start), max(last, end)
        booked[move.day] = booked.get(move.day, frozenset()) | {request.procedure}
    return Patient(_masks(free), visits, booked)


def _masks(days: list[int]) -> Masks:
    return tuple(days)


def _pinned(course: RepairCourse, moves: list[RepairMove], seats: Counter[int]) -> RepairCourse:
    request = course.request
    gone = {m.session for m in moves}
    if moves:
        pins = tuple(PinnedSession(m.day, m.slot, m.therapist) for m in moves)
        request = replace(request, pinned=tuple(sorted((*request.pinned, *pins), key=lambda p: (p.day, p.slot))))
    if request.series is not None and seats:
        request = replace(request, series=tuple(_fuller(series, seats) for series in request.series))
    return replace(
        course,
        request=request,
        lost=tuple(s for s in course.lost if s.key not in gone),
        movable=tuple(s for s in course.movable if s.key not in gone),
    )


def _fuller(series: ClassSeries, seats: Counter[int]) -> ClassSeries:
    meetings = tuple(replace(m, seats_free=m.seats_free - seats[m.meeting]) for m in series.meetings)
    return replace(series, meetings=meetings)
