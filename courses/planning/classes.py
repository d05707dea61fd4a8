"""Enrolment into a group class: every series, every first meeting, compared exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import masks, weights
from .ground import Ground
from .single import CourseSolution
from .table import first_starts, starts_window, staying, usable_days, visit_spans
from .types import ClassMeeting, ClassSeries, CourseRequest, PlannedSession, Stay
from .weights import ANCHORS


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Consecutive meetings of one series that a patient can join."""

    series: ClassSeries
    meetings: tuple[ClassMeeting, ...]

    def sessions(self, course: CourseRequest) -> tuple[PlannedSession, ...]:
        therapist = self.series.therapist.therapist if self.series.therapist else None
        return tuple(
            PlannedSession(
                course=course.key,
                number=n,
                day=m.day,
                slot=m.slot,
                slots=m.slots,
                therapist=therapist,
                room=self.series.room,
                series=self.series.series,
                meeting=m.meeting,
            )
            for n, m in enumerate(self.meetings, start=1)
        )


def accepted_series(course: CourseRequest) -> list[ClassSeries]:
    return [s for s in course.series or () if s.therapist is None or weights.accepts(course, s.therapist)]


def enrolments(ground: Ground, course: CourseRequest) -> Iterator[Enrolment]:
    """Every run of `sessions` consecutive held meetings with a seat left, the patient free, the musts kept."""
    usable = set(usable_days(ground, course))
    stays = {(f.day, f.slot): f for f in staying(ground, course)}
    fixed = {(f.day, f.slot) for f in course.former if f.stay is Stay.MUST}
    windows = ground.number_windows(course)
    given = len(course.done_days) + len(course.pinned)
    rest = course.patient_margins
    for series in accepted_series(course):
        held = [m for m in series.meetings if m.held]
        fits = [
            m.seats_free > 0
            and ((m.day, m.slot) in stays or (m.day in usable and bool(starts_window(course, m.slots) >> m.slot & 1)))
            and _is_free(ground, m, rest.before, rest.after)
            and keeps_rules(ground, course, m)
            for m in held
        ]
        for first in range(len(held) - course.sessions + 1):
            last = first + course.sessions
            chosen = held[first:last]
            stays_fixed = fixed <= {(m.day, m.slot) for m in chosen}
            if all(fits[first:last]) and stays_fixed and _in_windows(chosen, windows, given):
                yield Enrolment(series, tuple(held[first:last]))


def _is_free(ground: Ground, meeting: ClassMeeting, before: int, after: int) -> bool:
    wanted = masks.interval(meeting.day, meeting.slot - before, meeting.slot + meeting.slots + after)
    return ground.patient & wanted == wanted


def keeps_rules(ground: Ground, course: CourseRequest, meeting: ClassMeeting) -> bool:
    """Whether rules between procedures allow the meeting beside what is booked and taken that day."""
    if ground.excludes(course, meeting.day):
        return False
    if not ground.rulebook or meeting.day not in ground.fixed:
        return True
    return bool(ground.rulebook.starts(course, meeting.slots, ground.fixed[meeting.day]) >> meeting.slot & 1)


def _in_windows(meetings: list[ClassMeeting], windows: dict[int, tuple[int, int]], given: int) -> bool:
    everywhere = (0, meetings[-1].day if meetings else 0)
    return all(
        windows.get(given + n, everywhere)[0] <= m.day <= windows.get(given + n, everywhere)[1]
        for n, m in enumerate(meetings, start=1)
    )


def solve_classes(
    ground: Ground, course: CourseRequest, *, anchor_costs: dict[int, int] | None = None
) -> CourseSolution | None:
    """The cheapest enrolment; None means that there is none.  `anchor_costs` as for `solve_course`."""
    extra = anchor_costs or dict.fromkeys(ANCHORS, 0)
    best: tuple[int, Enrolment, int] | None = None
    count = 0
    for enrolment in enrolments(ground, course):
        count += 1
        costs = enrolment_costs(ground, course, enrolment, tuple(extra))
        for (anchor, elsewhere), cost in zip(extra.items(), costs, strict=True):
            if best is None or cost + elsewhere < best[0]:
                best = (cost + elsewhere, enrolment, anchor)
    if best is None:
        return None
    return CourseSolution(best[1].sessions(course), best[0], best[0], best[2], count)


def enrolment_costs(ground: Ground, course: CourseRequest, enrolment: Enrolment, anchors: tuple[int, ...]) -> list[int]:
    """What an enrolment adds to the cost of what is on the ground, for each usual arrival time."""
    profile = ground.problem.profile
    spans, first = visit_spans(ground), first_starts(ground)
    fixed = weights.finish_cost(profile, course, enrolment.meetings[-1].day)
    totals = [0] * len(anchors)
    for m in enrolment.meetings:
        fixed += weights.window_cost(profile, course, m.slot, m.slots)
        fixed += weights.weekday_cost(profile, course, ground.weekdays[m.day])
        fixed += weights.therapist_cost(profile, course, enrolment.series.therapist)
        instructor = enrolment.series.therapist.therapist if enrolment.series.therapist else None
        fixed += weights.movement_cost(profile, course, day=m.day, slot=m.slot, therapist=instructor)
        fixed += profile.wait * weights.wait_added(spans.get(m.day), m.slot, m.slot + m.slots)
        fixed += 0 if m.day in spans else weights.visit_weight(ground.problem)
        if m.day in spans and m.day not in first:
            continue
        quarter = m.slot // weights.QUARTER
        settled = first[m.day] // weights.QUARTER if m.day in first else None
        for i, anchor in enumerate(anchors):
            if settled is None:
                totals[i] += weights.arrival_cost(profile, quarter=quarter, anchor=anchor)
            else:
                totals[i] += weights.arrival_cost(profile, quarter=min(quarter, settled), anchor=anchor)
                totals[i] -= weights.arrival_cost(profile, quarter=settled, anchor=anchor)
    return [fixed + t for t in totals]
