"""A plan as people read it: its dates, a calendar of them, and what it says about itself."""

import calendar
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from django.utils import dateformat
from django.utils.translation import gettext as _

from clinic.models import Equipment, Room, Therapist
from courses.booking import sentences
from courses.booking.models import Course, Plan, Session
from courses.dates import local


@dataclass(slots=True)
class Line:
    """One session of a plan; `old` is when it is booked now, where the plan moves it."""

    session: Session
    course: Course
    starts_at: dt.datetime
    ends_at: dt.datetime
    therapist: str
    room: str
    device: str
    old: dt.datetime | None

    @property
    def is_moved(self) -> bool:
        return self.old is not None and self.old != self.starts_at


@dataclass(slots=True)
class Day:
    date: dt.date
    lines: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class Month:
    name: str
    weeks: list[list[tuple[dt.date, bool, Day | None]]]  # the date, whether it is of this month, its visit


@dataclass(slots=True)
class Concession:
    """A change that would open a plan. Fewer sessions or rules between procedures are a doctor's to change."""

    index: int
    sentence: str
    is_receptions: bool


def read_lines(plan: Plan, items: Iterable[dict[str, Any]] | None = None) -> list[Line]:
    """The plan's items in order of time, with names. Five statements."""
    items = list(plan.items if items is None else items)

    def named(model: Any, key: str) -> dict[int, str]:
        return {row.pk: str(row) for row in model.objects.filter(pk__in={i[key] for i in items if i.get(key)})}

    therapists, rooms, devices = named(Therapist, "therapist"), named(Room, "room"), named(Equipment, "device")
    sessions = Session.objects.select_related("appointment").in_bulk([item["session"] for item in items])
    courses = Course.objects.select_related("procedure").in_bulk({item["course"] for item in items})
    lines = []
    for item in items:
        session = sessions.get(item["session"])
        if session is None:
            continue
        lines.append(
            Line(
                session=session,
                course=courses[item["course"]],
                starts_at=dt.datetime.fromisoformat(item["start"]),
                ends_at=dt.datetime.fromisoformat(item["end"]),
                therapist=therapists.get(item.get("therapist") or 0, ""),
                room=rooms.get(item.get("room") or 0, ""),
                device=devices.get(item.get("device") or 0, ""),
                old=session.appointment.starts_at
                if session.appointment and session.pk in plan.request.get("moving", [])
                else None,
            )
        )
    return sorted(lines, key=lambda line: (line.starts_at, line.course.pk))


def days_of(lines: list[Line]) -> list[Day]:
    days: dict[dt.date, Day] = {}
    for line in lines:
        date = local(line.starts_at).date()
        days.setdefault(date, Day(date)).lines.append(line)
    return list(days.values())


def months_of(days: list[Day]) -> list[Month]:
    """The months from the first to the last visit, in weeks from Monday."""
    if not days:
        return []
    by_date = {day.date: day for day in days}
    months = []
    year, month = days[0].date.year, days[0].date.month
    while (year, month) <= (days[-1].date.year, days[-1].date.month):
        weeks = [
            [(date, date.month == month, by_date.get(date) if date.month == month else None) for date in week]
            for week in calendar.Calendar(firstweekday=0).monthdatescalendar(year, month)
        ]
        months.append(Month(dateformat.format(dt.date(year, month, 1), "F Y"), weeks))
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return months


def quality_text(plan: Plan) -> str:
    """Whether a better plan can exist, in words."""
    if plan.proven:
        return _("Best possible: no better plan exists.")
    gap = plan.gap
    if gap is None:
        return _("Good plan; a better one may exist.")
    return _("Within %(percent)d %% of the best possible plan.") % {"percent": max(1, round(gap * 100))}


def concessions_of(plan: Plan) -> list[Concession]:
    found = (plan.explanation or {}).get("concessions", [])
    return [
        Concession(index, sentences.concession_sentence(plan, one), one["wishes"] is not None)
        for index, one in enumerate(found)
    ]


def summary_of(lines: list[Line]) -> dict[str, Any]:
    """First and last day, visits, specialists, and the longest time without a visit."""
    days = days_of(lines)
    therapists = sorted({line.therapist for line in lines if line.therapist})
    holes = [(later.date - earlier.date).days for earlier, later in pairwise(days)]
    usual: dict[str, int] = defaultdict(int)
    for day in days:
        usual[local(day.lines[0].starts_at).strftime("%H:%M")] += 1
    return {
        "first": days[0].date if days else None,
        "last": days[-1].date if days else None,
        "visits": len(days),
        "therapists": therapists,
        "longest_hole": max(holes, default=0),
        "usual_time": max(usual, key=lambda clock: usual[clock]) if usual else "",
    }
