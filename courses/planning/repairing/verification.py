"""Does a repair keep every rule?  Checked slot by slot, with nothing of the search's own arithmetic."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from courses.planning.types import CourseRequest, GapUnit, Key, Margins, Strength, TherapistOption, Violation

from .types import BookedSession, Change, Repair, RepairCourse, RepairMove, RepairProblem


@dataclass(frozen=True, slots=True)
class _Final:
    """A session as it will be: moved (`move`), or one of the rest that stays."""

    course: RepairCourse
    booked: BookedSession
    move: RepairMove | None
    slots: int

    @property
    def day(self) -> int:
        return self.move.day if self.move else self.booked.day

    @property
    def slot(self) -> int:
        return self.move.slot if self.move else self.booked.slot

    @property
    def at(self) -> RepairMove | BookedSession:
        return self.move or self.booked

    def violation(self, code: str, **params: object) -> Violation:
        return Violation(code, self.course.request.key, None, {"session": self.booked.key, **params})


def verify_repair(problem: RepairProblem, repair: Repair) -> list[Violation]:
    """Every rule the repair breaks, [] for a sound one.  What was broken before and is not touched is not told."""
    found = list(_check_account(problem, repair))
    finals = list(_finals(problem, repair))
    for final in finals:
        if final.move is not None:
            found += _check_change(final, final.move)
            found += _check_time(problem, final, final.move)
            found += _check_staff(problem, final, final.move)
            found += _check_place(final, final.move)
    by_course = defaultdict(list)
    for final in finals:
        by_course[final.course.request.key].append(final)
    for course in problem.courses:
        found += _check_rhythm(problem, course.request, by_course[course.request.key])
    found += _check_patients(problem, finals)
    found += _check_resources(problem, finals)
    found += _check_seats(problem, finals)
    return found


def _check_account(problem: RepairProblem, repair: Repair) -> Iterator[Violation]:
    """Every lost session has one answer, nothing else but a movable one has a move."""
    answers = Counter((m.course, m.session) for m in repair.moves)
    answers += Counter((u.course, u.session) for u in repair.unplaced)
    known = set()
    for course in problem.courses:
        key = course.request.key
        for session in course.lost:
            known.add((key, session.key))
            if answers[key, session.key] != 1:
                yield Violation("not_answered_once", key, None, {"session": session.key})
        for session in course.movable:
            known.add((key, session.key))
            if answers[key, session.key] > 1 or any(
                (u.course, u.session) == (key, session.key) for u in repair.unplaced
            ):
                yield Violation("rest_unplaced", key, None, {"session": session.key})
    for course_key, session_key in answers.keys() - known:
        yield Violation("unknown_session", course_key, None, {"session": session_key})


def _finals(problem: RepairProblem, repair: Repair) -> Iterator[_Final]:
    moves = {(m.course, m.session): m for m in repair.moves}
    for course in problem.courses:
        for session in (*course.lost, *course.movable):
            move = moves.get((course.request.key, session.key))
            if move is None and session in course.lost:
                continue
            meeting = move.meeting if move else session.meeting
            lengths = [m.slots for s in course.request.series or () for m in s.meetings if m.meeting == meeting]
            yield _Final(course, session, move, lengths[0] if lengths else course.request.slots)


def _check_change(final: _Final, move: RepairMove) -> Iterator[Violation]:
    booked = final.booked
    same_time = move.day == booked.day and move.slot == booked.slot
    if same_time:
        expected = Change.KEPT if move.therapist == booked.therapist else Change.OTHER_THERAPIST
    else:
        expected = Change.MOVED
    if move.change is not expected:
        yield final.violation("wrong_change", change=move.change)
    if booked.same_time and not same_time:
        yield final.violation("may_not_move")


def _check_time(problem: RepairProblem, final: _Final, move: RepairMove) -> Iterator[Violation]:
    request = final.course.request
    if not 0 <= move.day < problem.horizon.days:
        yield final.violation("outside_horizon")
        return
    if not problem.horizon.opening[move.day]:
        yield final.violation("closed")
    if move.day < request.start_day:
        yield final.violation("before_start")
    if request.finish_day is not None and move.day > request.finish_day:
        yield final.violation("after_finish")
    if move.day in request.excluded_days:
        yield final.violation("excluded_day")
    weekday = (problem.horizon.first_day + timedelta(days=move.day)).weekday()
    if request.weekdays and request.weekdays_strength is Strength.MUST and weekday not in request.weekdays:
        yield final.violation("wrong_weekday")
    window = request.window if request.window_strength is Strength.MUST else None
    if window is not None and (move.slot < window[0] or move.slot + move.slots > window[1]):
        yield final.violation("outside_window")
    if move.slots != final.slots:
        yield final.violation("wrong_length")


def _unfit(request: CourseRequest, option: TherapistOption) -> Iterator[str]:
    if request.gender and option.gender != request.gender:
        yield "wrong_gender"
    if request.therapist_strength is Strength.MUST and request.preferred_therapist not in (None, option.therapist):
        yield "wrong_therapist"
    if request.language_strength is Strength.MUST and request.languages and not option.languages & request.languages:
        yield "wrong_language"


def _check_staff(problem: RepairProblem, final: _Final, move: RepairMove) -> Iterator[Violation]:
    request = final.course.request
    if request.series is not None:
        yield from _check_class(final, move)
        return
    if not request.needs_therapist:
        return
    option = next((o for o in request.therapists if o.therapist == move.therapist), None)
    if option is None or (option.valid_days is not None and not option.valid_days >> move.day & 1):
        yield final.violation("not_qualified", therapist=move.therapist)
        return
    for code in _unfit(request, option):
        yield final.violation(code, therapist=move.therapist)


def _check_class(final: _Final, move: RepairMove) -> Iterator[Violation]:
    for series in final.course.request.series or ():
        for meeting in series.meetings:
            if meeting.meeting != move.meeting:
                continue
            if not meeting.held or (meeting.day, meeting.slot) != (move.day, move.slot):
                yield final.violation("class_not_held", meeting=move.meeting)
            for code in _unfit(final.course.request, series.therapist) if series.therapist else ():
                yield final.violation(code, therapist=move.therapist)
            return
    yield final.violation("unknown_class", meeting=move.meeting)


def _check_place(final: _Final, move: RepairMove) -> Iterator[Violation]:
    request = final.course.request
    if not request.needs_room or request.series is not None:
        return
    option = next((r for r in request.rooms if r.room == move.room), None)
    if option is None:
        yield final.violation("wrong_room", room=move.room)
    elif option.devices and move.device not in option.devices:
        yield final.violation("wrong_device", device=move.device)


def _check_rhythm(problem: RepairProblem, request: CourseRequest, own: list[_Final]) -> Iterator[Violation]:
    fixed = [p.day for p in request.pinned] + list(request.done_days)
    days = [(f.day, f) for f in own] + [(d, None) for d in fixed]
    for i, (day, final) in enumerate(days):
        for other, beside in days[i + 1 :]:
            mover = next((f for f in (final, beside) if f is not None and f.move is not None), None)
            if mover is None:
                continue
            if day == other:
                yield mover.violation("twice_a_day", day=day)
            elif _gap(problem, request, min(day, other), max(day, other)) < request.gap_min:
                yield mover.violation("gap_too_short", days=(min(day, other), max(day, other)))
    if request.per_week is None:
        return
    weeks = defaultdict(list)
    for day, final in days:
        weeks[(problem.horizon.first_day + timedelta(days=day)).isocalendar()[:2]].append((day, final))
    for members in weeks.values():
        movers = [f for _, f in members if f is not None and f.move is not None]
        if movers and len({d for d, _ in members}) > request.per_week:
            yield movers[0].violation("too_many_a_week", most=request.per_week)


def _gap(problem: RepairProblem, request: CourseRequest, earlier: int, later: int) -> int:
    if request.gap_unit is GapUnit.CALENDAR:
        return later - earlier
    own = {p.day for p in request.pinned} | set(request.done_days)
    days = range(earlier + 1, later + 1)
    return sum(d in own or not 0 <= d < problem.horizon.days or problem.horizon.opening[d] for d in days)


def _footprint(start: int, slots: int, margins: Margins) -> range:
    return range(start - margins.before, start + slots + margins.after)


def _check_patients(problem: RepairProblem, finals: list[_Final]) -> Iterator[Violation]:
    taken: dict[tuple[Key, int, int], _Final] = {}
    on_day: dict[tuple[Key, int], list[_Final]] = defaultdict(list)
    for final in finals:
        patient = final.course.patient
        free = problem.patients[patient].free
        slots = _footprint(final.slot, final.slots, final.course.request.patient_margins)
        mask = free[final.day] if 0 <= final.day < len(free) else 0
        if final.move is not None and any(s < 0 or not mask >> s & 1 for s in slots):
            yield final.violation("patient_busy", day=final.day)
        overlapped = [taken[patient, final.day, s] for s in slots if (patient, final.day, s) in taken]
        if overlapped and (final.move or overlapped[0].move):
            yield final.violation("sessions_overlap", day=final.day)
        taken.update({(patient, final.day, s): final for s in slots})
        on_day[patient, final.day].append(final)
    for (patient, day), together in on_day.items():
        booked = problem.patients[patient].booked.get(day, frozenset())
        for final in together:
            barred = final.course.request.not_same_day_with
            if final.move is not None and booked & barred:
                yield final.violation("not_same_day", day=day)
            for other in together:
                is_other = other.course is not final.course and other.course.request.procedure in barred
                if is_other and (final.move or other.move):
                    yield final.violation("not_same_day", day=day)


def _takes(final: _Final) -> Iterator[tuple[int, Iterable[int]]]:
    request, at = final.course.request, final.at
    if request.series is not None:
        return
    for resource, margins in (
        (at.therapist, request.therapist_margins),
        (at.room, request.room_margins),
        (at.device, request.device_margins),
    ):
        if resource is not None:
            yield resource, _footprint(final.slot, final.slots, margins)
    option = next((o for o in request.therapists if o.therapist == at.therapist), None)
    if option is not None and option.hands is not None:
        end = final.slot + final.slots
        both = {*range(final.slot, final.slot + request.hands_on_start), *range(end - request.hands_on_end, end)}
        yield option.hands, sorted(both)


def _check_resources(problem: RepairProblem, finals: list[_Final]) -> Iterator[Violation]:
    """Stays are counted first, so that it is a moved session that is told."""
    used: Counter[tuple[int, int, int]] = Counter()
    for final in sorted(finals, key=lambda f: f.move is not None):
        if not 0 <= final.day < problem.horizon.days:
            continue
        for resource, slots in _takes(final):
            places = problem.resources.get(resource)
            if places is None:
                continue
            for slot in slots:
                taken = used[resource, final.day, slot]
                used[resource, final.day, slot] += 1
                is_free = slot >= 0 and taken < len(places.layers) and places.layers[taken][final.day] >> slot & 1
                if not is_free and final.move is not None:
                    yield final.violation("not_free", resource=resource, day=final.day, slot=slot)
                    break


def _check_seats(problem: RepairProblem, finals: list[_Final]) -> Iterator[Violation]:
    seats: dict[int, int] = {}
    for course in problem.courses:
        for series in course.request.series or ():
            seats.update({m.meeting: m.seats_free for m in series.meetings})
    taken: Counter[int] = Counter()
    for final in sorted(finals, key=lambda f: f.move is not None):
        meeting = final.at.meeting
        if meeting is None or final.course.request.series is None:
            continue
        taken[meeting] += 1
        if final.move is not None and taken[meeting] > seats.get(meeting, 0):
            yield final.violation("class_full", meeting=meeting)
