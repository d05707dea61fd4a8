"""Group classes as the planner sees them: series of meetings with the seats that are left."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from dateutil.rrule import rrulestr
from django.db.models import Count, Q

from courses.booking.calendars import Days, slot_of
from courses.booking.models import Session
from courses.booking.supply import to_slots
from courses.booking.transitions import PLACED
from courses.groups.meetings import falls_out
from courses.groups.models import ClassMeeting, GroupClass
from courses.planning import types as planning

if TYPE_CHECKING:
    from courses.booking.problems import Asked


def weekly_meetings(rrule: str) -> int | None:
    """How many times a week a weekly rule meets; None where that cannot be said."""
    rule: Any = rrulestr(rrule.removeprefix("RRULE:"), ignoretz=True)
    if getattr(rule, "_freq", None) != 2 or getattr(rule, "_interval", 1) != 1:
        return None
    return len(getattr(rule, "_byweekday", None) or [0])


def read_series(
    asked: Sequence["Asked"], days: Days, *, now: dt.datetime, moving: Collection[Session]
) -> dict[int, list[planning.ClassSeries]]:
    """Series of the right rhythm for each course in groups: a course of 3 a week takes classes that meet 3 a week.

    Seats of `moving` sessions and of holds that have expired count as free.
    """
    groups = [one for one in asked if one.procedure.is_group]
    if not groups:
        return {}
    start, end = days.bounds()
    until = "appointment__sessions__held_until"
    sold = Q(appointment__sessions__status__in=PLACED) & (Q(**{until: None}) | Q(**{f"{until}__gt": now}))
    if moving:
        sold &= ~Q(appointment__sessions__in=[session.pk for session in moving])
    meetings: dict[int, list[ClassMeeting]] = defaultdict(list)
    for meeting in (
        ClassMeeting.objects.filter(
            group_class__procedure__in={one.procedure.pk for one in groups},
            group_class__clinic=days.clinic,
            group_class__is_active=True,
            appointment__live=True,
            appointment__starts_at__gte=start,
            appointment__starts_at__lt=end,
        )
        .select_related("appointment", "group_class__instructor")
        .annotate(seats_taken=Count("appointment__sessions", filter=sold), is_off=falls_out())
        .order_by("appointment__starts_at")
    ):
        meetings[meeting.group_class_id].append(meeting)
    series: dict[int, list[planning.ClassSeries]] = defaultdict(list)
    for held in meetings.values():
        group = held[0].group_class
        rhythm = weekly_meetings(group.rrule)
        one_series = _series(group, held, days)
        for one in groups:
            if one.procedure.pk == group.procedure_id and one.wishes.per_week in (None, rhythm):
                series[one.course.pk].append(one_series)
    return series


def _series(group: GroupClass, held: Sequence[ClassMeeting], days: Days) -> planning.ClassSeries:
    instructor = group.instructor
    meetings = []
    for meeting in held:
        wall = meeting.appointment.starts_at.astimezone(days.clinic.tz)
        length = meeting.appointment.ends_at - meeting.appointment.starts_at
        meetings.append(
            planning.ClassMeeting(
                meeting=meeting.pk,
                day=days.index(wall.date()),
                slot=slot_of(wall.time()),
                slots=to_slots(round(length.total_seconds() / 60)),
                seats_free=(meeting.appointment.seats or 0) - meeting.seats_taken,  # type: ignore[attr-defined]
                held=not meeting.is_off,  # type: ignore[attr-defined]
            )
        )
    option = planning.TherapistOption(
        instructor.pk, gender=instructor.gender, languages=frozenset(instructor.languages)
    )
    return planning.ClassSeries(group.pk, option, tuple(meetings), group.room_id)
