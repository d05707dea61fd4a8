"""A month's load: for each therapist or room and day, how much of the working time is booked. Eight statements."""

import calendar
import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import Count, DurationField, ExpressionWrapper, F, Q, Sum
from django.db.models.functions import TruncDate

from clinic.models import Absence, Clinic, Outage, Reservation, ResourceKind, Room, Therapist
from courses import dates
from courses.booking.calendars import period_masks, read_days, read_working_hours
from courses.pages.days import BY_ROOM
from courses.planning.types import SLOT_MINUTES

# Bounds, in percent, between the five tints.
TINTS = (1, 40, 65, 85)


@dataclass(frozen=True, slots=True)
class Cell:
    """One day of one resource. `percent` is None where it does not work."""

    date: dt.date
    percent: int | None
    sessions: int

    @property
    def tint(self) -> int:
        return 0 if self.percent is None else sum(self.percent >= bound for bound in TINTS)


@dataclass(frozen=True, slots=True)
class Row:
    pk: int
    name: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Month:
    days: list[dt.date]
    rows: list[Row]

    @property
    def headings(self) -> list[tuple[dt.date, str]]:
        return [(day, dates.weekday(day)) for day in self.days]


def read_month(clinic: Clinic, date: dt.date, *, by: str, now: dt.datetime, ids: Collection[int] = ()) -> Month:
    """The month that `date` lies in; all that work in it, or those of `ids`."""
    last = date.replace(day=calendar.monthrange(date.year, date.month)[1])
    days = read_days(clinic, date.replace(day=1), last)
    start, end = days.bounds()
    meets = Q(starts_at__lt=end) & (Q(ends_at=None) | Q(ends_at__gt=start))
    away: Iterable[tuple[int, dt.datetime, dt.datetime | None]]
    if by == BY_ROOM:
        rooms = Room.objects.filter(clinic=clinic, is_active=True).select_related("resource")
        names = {room.pk: str(room) for room in rooms}
        places = {room.pk: room.resource.capacity for room in rooms}
        works = dict.fromkeys(names, days.open_masks)
        away = Outage.objects.filter(meets, resource__in=names).values_list("resource_id", "starts_at", "ends_at")
        kind = ResourceKind.ROOM
    else:
        works = dict(read_working_hours(days))
        staff = Therapist.objects.filter(pk__in=works).select_related("resource")
        names = {therapist.pk: str(therapist) for therapist in staff}
        places = {therapist.pk: therapist.resource.capacity for therapist in staff}
        away = Absence.objects.filter(meets, therapist__in=names).values_list("therapist_id", "starts_at", "ends_at")
        kind = ResourceKind.THERAPIST
    gone: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for pk, starts_at, ends_at in away:
        for day, mask in period_masks(days, starts_at, ends_at).items():
            gone[pk][day] |= mask
    taken = _read_taken(clinic, kind, start, end, now)
    rows = []
    for pk, name in names.items():
        if ids and pk not in ids:
            continue
        cells = []
        for day in range(days.count):
            minutes, sessions = taken.get((pk, days.date(day)), (0, 0))
            open_slots = (works[pk][day] & ~gone[pk][day]).bit_count()
            whole = open_slots * SLOT_MINUTES * places[pk]
            percent = round(100 * minutes / whole) if whole else 100 if minutes else None
            cells.append(Cell(days.date(day), percent, sessions))
        rows.append(Row(pk, name, cells))
    return Month([days.date(day) for day in range(days.count)], rows)


def _read_taken(
    clinic: Clinic, kind: ResourceKind, start: dt.datetime, end: dt.datetime, now: dt.datetime
) -> dict[tuple[int, dt.date], tuple[float, int]]:
    """(resource, local date) → minutes taken and appointments."""
    rows = (
        Reservation.objects.filter(
            live=True, appointment__clinic=clinic, resource__kind=kind, starts_at__gte=start, starts_at__lt=end
        )
        .filter(Q(held_until=None) | Q(held_until__gt=now))
        .annotate(date=TruncDate("starts_at", tzinfo=clinic.tz))
        .values_list("resource_id", "date")
        .annotate(
            taken=Sum(ExpressionWrapper(F("ends_at") - F("starts_at"), output_field=DurationField())),
            count=Count("pk"),
        )
        .order_by()
    )
    return {(pk, date): (taken.total_seconds() / 60, count) for pk, date, taken, count in rows}
