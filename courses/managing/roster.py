"""The roster: who works when on each day of a month, single days changed, days copied, months published.

Regular hours are shifts. A day that differs is an exception of those shifts and, unless it is free, a shift of that
one day; nothing else is stored. The clinic's calendar and absences lie over it and are not part of it.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict, Invalid
from clinic.locking import writing
from clinic.models import Clinic, Shift, Therapist, User
from courses.booking.calendars import Days, read_days, read_working_hours, rule_dates, slot_of, span_mask, time_of
from courses.managing.patterns import is_single, single_rule
from courses.managing.rights import require_manager
from courses.managing.stranding import at_clinic, watching
from courses.planning.types import FULL_DAY, SLOTS_PER_DAY

_DAY = dt.timedelta(days=1)
MOST_DAYS = 93


@dataclass(frozen=True, slots=True)
class Hours:
    """A stretch of work, local wall times; the last slot of a day ends at 23:55 at the latest."""

    start: dt.time
    end: dt.time

    @property
    def mask(self) -> int:
        return span_mask(slot_of(self.start), slot_of(self.end))

    def __str__(self) -> str:
        return f"{self.start:%H:%M}–{self.end:%H:%M}"


Cells = Mapping[tuple[int, dt.date], Sequence[Hours]]


def roster_days(clinic: Clinic, first: dt.date, last: dt.date) -> Days:
    """The days as the roster sees them: closed days have the hours of their weekday, shortened ones the whole."""
    days = read_days(clinic, first, last)
    weekdays = tuple(weekday or days.date(day).isoweekday() for day, weekday in enumerate(days.weekdays))
    return Days(clinic=clinic, first=first, weekdays=weekdays, open_masks=(FULL_DAY,) * days.count)


def hours_of(mask: int) -> tuple[Hours, ...]:
    """The stretches of a day's mask."""
    found, start = [], None
    for slot in range(SLOTS_PER_DAY + 1):
        on = slot < SLOTS_PER_DAY - 1 and mask >> slot & 1
        if on and start is None:
            start = slot
        elif not on and start is not None:
            found.append(Hours(time_of(start), time_of(min(slot, SLOTS_PER_DAY - 1))))
            start = None
    return tuple(found)


def read_roster(clinic: Clinic, first: dt.date, last: dt.date) -> dict[int, tuple[tuple[Hours, ...], ...]]:
    """Therapist → the hours of each day, whatever the calendar says of it. Three statements."""
    masks = read_working_hours(roster_days(clinic, first, last))
    return {therapist: tuple(map(hours_of, row)) for therapist, row in masks.items()}


def set_hours(
    *,
    clinic: Clinic,
    cells: Cells,
    by: User | None,
    now: dt.datetime,
    accepted: bool = False,
    seen: Cells | None = None,
) -> int:
    """Let these be the hours of (therapist, date), none for a free day; returns how many days changed.

    `seen` is what was shown of them. Raises SessionsOutside unless `accepted`, Conflict where the hours are not those
    seen, Invalid for hours out of order or beyond MOST_DAYS.
    """
    require_manager(clinic, by)
    if not cells:
        return 0
    for hours in cells.values():
        _check(hours)
    dates = [date for _therapist, date in cells]
    first, last = min(dates), max(dates)
    if (last - first).days >= MOST_DAYS:
        raise Invalid(details={"date": [_("At most %(most)s days at once.") % {"most": MOST_DAYS}]})
    therapists = {therapist for therapist, _date in cells}
    scope = at_clinic(clinic, first, last, now)
    with writing(), watching(scope, resources=therapists, accepted=accepted, now=now):
        days = roster_days(clinic, first, last)
        masks = read_working_hours(days, therapists)
        nothing = (0,) * days.count
        if seen is not None:
            _require_seen(seen, masks, days)
        changed = {
            (therapist, date): hours
            for (therapist, date), hours in cells.items()
            if _mask(hours) != masks.get(therapist, nothing)[days.index(date)]
        }
        _write(clinic, days, changed)
    return len(changed)


def copy_days(
    *,
    clinic: Clinic,
    pairs: Iterable[tuple[dt.date, dt.date]],
    by: User | None,
    now: dt.datetime,
    therapists: Collection[int] | None = None,
    accepted: bool = False,
) -> int:
    """Give each second date the hours that the first one has, of these therapists or of all with hours on any of them.

    Days on which the clinic is closed are left alone. Returns how many days of a therapist changed.
    """
    require_manager(clinic, by)
    wanted = list(pairs)
    if not wanted:
        return 0
    dates = [date for pair in wanted for date in pair]
    first, last = min(dates), max(dates)
    if (last - first).days >= MOST_DAYS:
        raise Invalid(details={"date": [_("At most %(most)s days at once.") % {"most": MOST_DAYS}]})
    roster = read_roster(clinic, first, last)
    opening = read_days(clinic, first, last).opening
    cells: dict[tuple[int, dt.date], Sequence[Hours]] = {}
    for therapist, row in roster.items():
        if therapists is None or therapist in therapists:
            for source, target in wanted:
                if opening[(target - first).days]:
                    cells[therapist, target] = row[(source - first).days]
    return set_hours(clinic=clinic, cells=cells, by=by, now=now, accepted=accepted)


def week_pairs(source: dt.date, target: dt.date) -> list[tuple[dt.date, dt.date]]:
    """The days of the week of `source` beside those of the week of `target`."""
    begins = [day - dt.timedelta(days=day.weekday()) for day in (source, target)]
    return [(begins[0] + n * _DAY, begins[1] + n * _DAY) for n in range(7)]


def month_pairs(source: dt.date, target: dt.date) -> list[tuple[dt.date, dt.date]]:
    """Each day of the month of `target` with the same weekday of the same rank: the third Monday with the third.

    A fifth one takes the fourth where there is no fifth.
    """
    ranks: dict[int, list[dt.date]] = defaultdict(list)
    for day in month_days(source):
        ranks[day.weekday()].append(day)
    return [
        (ranks[day.weekday()][min((day.day - 1) // 7, len(ranks[day.weekday()]) - 1)], day)
        for day in month_days(target)
    ]


def month_days(day: dt.date) -> list[dt.date]:
    first = day.replace(day=1)
    return [first + n * _DAY for n in range(31) if (first + n * _DAY).month == first.month]


def publish_roster(
    *, clinic: Clinic, until: dt.date | None, by: User | None, now: dt.datetime, seen: dt.date | None = None
) -> Clinic:
    """Days up to `until` are final, later ones provisional; None: all are final. It may go back as well."""
    require_manager(clinic, by)
    with writing():
        row = Clinic.objects.select_for_update(no_key=True, of=("self",)).get(pk=clinic.pk)
        row.published_until = until
        row.save(update_fields=["published_until"])
    return row


def is_provisional(clinic: Clinic, date: dt.date) -> bool:
    """Whether the hours of a day may still change before they are published."""
    return clinic.published_until is not None and date > clinic.published_until


def _check(hours: Sequence[Hours]) -> None:
    ends = dt.time(0)
    for one in hours:
        if not ends <= one.start < one.end:
            raise Invalid(details={"end_time": [_("The end must be after the start.")]})
        if one.start.minute % 5 or one.end.minute % 5 or one.start.second or one.end.second:
            raise Invalid(details={"start_time": [_("Times are multiples of five minutes.")]})
        ends = one.end


def _mask(hours: Iterable[Hours]) -> int:
    mask = 0
    for one in hours:
        mask |= one.mask
    return mask


def _require_seen(seen: Cells, masks: Mapping[int, Sequence[int]], days: Days) -> None:
    for (therapist, date), hours in seen.items():
        row = masks.get(therapist)
        if _mask(hours) != (row[days.index(date)] if row else 0):
            raise Conflict(_("These hours were changed meanwhile. Check, then repeat."), code="row_changed")


def _write(clinic: Clinic, days: Days, cells: Cells) -> None:
    """Exceptions of the shifts that fall on these dates, single shifts removed, and new single ones."""
    if not cells:
        return
    touched: dict[int, set[dt.date]] = defaultdict(set)
    for therapist, date in cells:
        touched[therapist].add(date)
    shifts = Shift.objects.filter(therapist__in=touched, clinic=clinic, starts_on__lte=days.last)
    for shift in shifts.select_for_update(of=("self",)):
        _except(shift, touched[shift.therapist_id], days)
    fresh = []
    for (therapist, date), hours in cells.items():
        nominal = _nominal(days, date)
        for one, pause in _with_breaks(hours):
            fresh.append(
                Shift(
                    therapist_id=therapist,
                    clinic=clinic,
                    starts_on=min(date, nominal),
                    ends_on=max(date, nominal),
                    start_time=one.start,
                    end_time=one.end,
                    break_from=pause.start if pause else None,
                    break_until=pause.end if pause else None,
                    rrule=single_rule(nominal.isoweekday()),
                    # On a day worked as another weekday the rule names that weekday's own date, which is not meant.
                    exdates=[] if nominal == date else [nominal],
                )
            )
    Shift.objects.bulk_create(fresh)


def _except(shift: Shift, dates: set[dt.date], days: Days) -> None:
    first, last = days.first - 7 * _DAY, days.last + 7 * _DAY
    on = rule_dates(shift.rrule, shift.starts_on, first, last)
    hit = {
        date
        for date in dates
        if _nominal(days, date) in on
        and shift.starts_on <= date <= (shift.ends_on or dt.date.max)
        and date not in shift.exdates
    }
    if not hit:
        return
    if is_single(shift.rrule):
        shift.delete()
        return
    shift.exdates = sorted({*shift.exdates, *hit})
    shift.save(update_fields=["exdates"])


def _nominal(days: Days, date: dt.date) -> dt.date:
    """The date whose hours a day takes: its own, or that of the weekday it is worked as, in the same week."""
    return date + dt.timedelta(days=days.weekdays[days.index(date)] - date.isoweekday())


def _with_breaks(hours: Sequence[Hours]) -> list[tuple[Hours, Hours | None]]:
    """Two stretches are one shift with a break."""
    found: list[tuple[Hours, Hours | None]] = []
    rest = list(hours)
    while rest:
        one = rest.pop(0)
        if rest:
            other = rest.pop(0)
            pause = Hours(one.end, other.start) if one.end < other.start else None
            found.append((Hours(one.start, other.end), pause))
        else:
            found.append((one, None))
    return found


def therapists_of(clinic: Clinic) -> list[Therapist]:
    """Active ones who have hours or skills here."""
    from courses.booking.access import works_in

    return list(Therapist.objects.filter(works_in([clinic.pk]), is_active=True))
