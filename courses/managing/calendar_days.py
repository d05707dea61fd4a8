"""The clinic's calendar of closed, shortened and moved working days; public holidays are proposed, never imposed."""

import datetime as dt
import re
from collections.abc import Collection, Iterable

import holidays
from django.utils.translation import gettext_lazy as _

from clinic.changes import require_unchanged
from clinic.errors import Invalid
from clinic.locking import writing
from clinic.models import CalendarDay, Clinic, Room, User
from courses.booking.texts import require_valid_fields
from courses.managing.rights import require_manager
from courses.managing.stranding import at_clinic, watching

Kind = CalendarDay.Kind


def proposed_days(clinic: Clinic, years: Iterable[int]) -> list[CalendarDay]:
    """Unsaved: the public holidays of the clinic's country, and weekends that are worked instead, by date."""
    wanted = list(years)
    languages = holidays.country_holidays(clinic.country).supported_languages or ()
    language = clinic.language if clinic.language in languages else None
    public = holidays.country_holidays(clinic.country, years=wanted, language=language)
    closed = [(day, name) for day, name in sorted(public.items()) if day.year in wanted]
    rows = [CalendarDay(clinic=clinic, date=day, kind=Kind.CLOSED, name=name[:200]) for day, name in closed]
    rows += [
        CalendarDay(clinic=clinic, date=day, kind=Kind.WORKED_AS, works_as=_works_as(day, closed))
        for day in public.weekend_workdays
        if day.year in wanted
    ]
    return sorted(rows, key=lambda row: row.date)


def open_proposals(clinic: Clinic, year: int) -> list[CalendarDay]:
    """What is proposed for the year and not in the clinic's calendar; empty for a country nobody knows."""
    present = {*CalendarDay.objects.filter(clinic=clinic, date__year=year).values_list("date", flat=True)}
    try:
        proposed = proposed_days(clinic, [year])
    except NotImplementedError:
        return []
    return [row for row in proposed if row.date not in present]


def set_day(
    *,
    clinic: Clinic,
    date: dt.date,
    kind: str,
    by: User | None,
    now: dt.datetime,
    name: str = "",
    closes_at: dt.time | None = None,
    works_as: int | None = None,
    accepted: bool = False,
    seen: str | None = None,
) -> CalendarDay:
    """Let the day be closed, shortened (`closes_at`) or worked as another weekday (`works_as`, 1 Monday … 7 Sunday).

    Raises SessionsOutside, unless `accepted`, RowChanged, Invalid naming the wrong fields, NotAllowed, NotFound.
    """
    require_manager(clinic, by)
    values = _values(kind, closes_at, works_as)
    with writing(), watching(at_clinic(clinic, date, date, now), resources=_rooms(clinic), accepted=accepted, now=now):
        row = CalendarDay.objects.select_for_update(of=("self",)).filter(clinic=clinic, date=date).first()
        if row is None:
            row = CalendarDay(clinic=clinic, date=date)
        else:
            require_unchanged(seen, row)
        row.kind, row.name = kind, name.strip()
        row.closes_at, row.works_as = values
        require_valid_fields(row)
        row.save()
    return row


def clear_day(*, day: CalendarDay, by: User | None, now: dt.datetime, accepted: bool = False) -> None:
    """A plain day of its weekday again. Raises SessionsOutside where a day worked specially has bookings."""
    require_manager(day.clinic_id, by)
    clinic = Clinic.objects.get(pk=day.clinic_id)
    scope = at_clinic(clinic, day.date, day.date, now)
    with writing(), watching(scope, resources=_rooms(clinic), accepted=accepted, now=now):
        CalendarDay.objects.filter(pk=day.pk).delete()


def accept_proposals(
    *, clinic: Clinic, dates: Collection[dt.date], by: User | None, now: dt.datetime, accepted: bool = False
) -> int:
    """Take over what is proposed for these dates; returns how many. Raises SessionsOutside unless `accepted`."""
    require_manager(clinic, by)
    rows = [
        row for year in sorted({d.year for d in dates}) for row in open_proposals(clinic, year) if row.date in dates
    ]
    if not rows:
        return 0
    days = {row.date for row in rows}
    scope = at_clinic(clinic, min(days), max(days), now)
    with writing(), watching(scope, resources=_rooms(clinic), accepted=accepted, now=now):
        CalendarDay.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _rooms(clinic: Clinic) -> list[int]:
    return list(Room.objects.filter(clinic=clinic).values_list("pk", flat=True))


def _values(kind: str, closes_at: dt.time | None, works_as: int | None) -> tuple[dt.time | None, int | None]:
    wrong: dict[str, list[object]] = {}
    if kind not in Kind.values:
        wrong["kind"] = [_("Choose what the day is.")]
    if kind == Kind.SHORTENED and closes_at is None:
        wrong["closes_at"] = [_("Give the time at which the day ends.")]
    if closes_at is not None and (closes_at.minute % 5 or closes_at.second):
        wrong["closes_at"] = [_("Times are multiples of five minutes.")]
    if kind == Kind.WORKED_AS and (works_as is None or not 1 <= works_as <= 7):
        wrong["works_as"] = [_("Choose the weekday whose hours apply.")]
    if wrong:
        raise Invalid(details=wrong)
    return (closes_at if kind == Kind.SHORTENED else None), (works_as if kind == Kind.WORKED_AS else None)


def _works_as(day: dt.date, closed: Iterable[tuple[dt.date, str]]) -> int:
    """The weekday whose hours a working Saturday takes: that of the day off it was swapped for, else Friday."""
    for holiday, name in closed:
        numbers = {int(number) for number in re.findall(r"\d+", name)}
        if {day.year, day.month, day.day} <= numbers:
            return holiday.isoweekday()
    return 5
