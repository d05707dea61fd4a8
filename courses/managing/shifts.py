"""Regular hours of a therapist at a clinic. Changed from a day on, so that what has been stays as it was."""

import datetime as dt
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.changes import require_unchanged
from clinic.errors import Invalid
from clinic.locking import writing
from clinic.models import Clinic, Shift, Therapist, User
from courses.booking.texts import require_valid_fields
from courses.managing.patterns import Pattern, Rhythm, first_date
from courses.managing.rights import require_manager, require_manager_of_staff
from courses.managing.stranding import planned_with, watching

_DAY = dt.timedelta(days=1)
TIMES = ("start_time", "end_time", "break_from", "break_until")


def create_shift(
    *,
    therapist: Therapist,
    clinic: Clinic,
    pattern: Pattern,
    starts_on: dt.date,
    by: User | None,
    now: dt.datetime,
    ends_on: dt.date | None = None,
    name: str = "",
    **times: Any,
) -> Shift:
    """Hours from `starts_on` to `ends_on`, both included. `times` are start_time, end_time and, together or not at all,
    break_from and break_until, local wall times. Raises Invalid naming the wrong fields, NotAllowed, NotFound.
    """
    require_manager(clinic, by)
    require_manager_of_staff(therapist, by)
    rrule, first = _rule(pattern, starts_on, ends_on)
    shift = _valid(
        Shift(therapist=therapist, clinic=clinic, name=name, starts_on=first, ends_on=ends_on, rrule=rrule, **times)
    )
    with writing(), watching(planned_with([], now), resources=[therapist.pk], accepted=False, now=now):
        shift.save()
    return shift


def change_shift(
    *,
    shift: Shift,
    from_date: dt.date,
    by: User | None,
    now: dt.datetime,
    pattern: Pattern | None = None,
    accepted: bool = False,
    seen: str | None = None,
    **fields: Any,
) -> Shift:
    """From `from_date` on these are the hours; before it they stay. `fields` are name, ends_on and the TIMES.

    A shift that has begun ends the day before and a new one follows it. Without a pattern the rule stays. Raises
    SessionsOutside unless `accepted`, RowChanged, Invalid.
    """
    require_manager(shift.clinic_id, by)
    scope = planned_with([shift.therapist_id], now)
    with writing(), watching(scope, resources=[shift.therapist_id], accepted=accepted, now=now):
        row = Shift.objects.select_for_update(of=("self",)).get(pk=shift.pk)
        require_unchanged(seen, row)
        begun = from_date > row.starts_on
        changed = Shift.objects.get(pk=row.pk)
        for name, value in fields.items():
            setattr(changed, name, value)
        if pattern is not None and pattern.rhythm != Rhythm.OTHER:
            earliest = from_date if begun else min(row.starts_on, from_date)
            changed.rrule, changed.starts_on = _rule(pattern, earliest, changed.ends_on)
        elif begun and (follows := first_date_of(row, from_date)):
            changed.starts_on = follows
        if changed.ends_on is not None and changed.ends_on < changed.starts_on:
            raise Invalid(details={"ends_on": [_("The end must not be before the start.")]})
        _valid(changed)
        if begun:
            _end(row, from_date - _DAY)
            changed.pk = None
            changed._state.adding = True
        changed.save()
    return changed


def end_shift(*, shift: Shift, last_day: dt.date, by: User | None, now: dt.datetime, accepted: bool = False) -> None:
    """`last_day` is the last with these hours; one before the first takes the shift away altogether.

    Raises SessionsOutside, unless `accepted`, for what is booked later.
    """
    require_manager(shift.clinic_id, by)
    scope = planned_with([shift.therapist_id], now)
    with writing(), watching(scope, resources=[shift.therapist_id], accepted=accepted, now=now):
        row = Shift.objects.select_for_update(of=("self",)).get(pk=shift.pk)
        _end(row, last_day)


def first_date_of(shift: Shift, earliest: dt.date) -> dt.date | None:
    """The shift's first date from a day on, counted from its own beginning: every other week stays every other."""
    from courses.booking.calendars import rule_dates

    last = min(shift.ends_on or dt.date.max, earliest + dt.timedelta(days=366))
    dates = rule_dates(shift.rrule, shift.starts_on, earliest, last)
    return min((date for date in dates if date not in shift.exdates), default=None)


def _end(row: Shift, last_day: dt.date) -> None:
    if last_day < row.starts_on:
        row.delete()
        return
    row.ends_on = min(row.ends_on or last_day, last_day)
    row.save(update_fields=["ends_on"])


def _rule(pattern: Pattern, earliest: dt.date, ends_on: dt.date | None) -> tuple[str, dt.date]:
    try:
        rrule = pattern.rrule
    except ValueError as error:
        raise Invalid(details={"weekdays": [_("Choose at least one day.")]}) from error
    first = first_date(rrule, earliest)
    if first is None or (ends_on is not None and ends_on < first):
        raise Invalid(details={"ends_on": [_("No day of these choices lies between the first and the last day.")]})
    return rrule, first


def _valid(shift: Shift) -> Shift:
    """Raises Invalid for times in the wrong order, half a break, or a break outside."""
    wrong: dict[str, list[Any]] = {}
    start, end = shift.start_time, shift.end_time
    if not start < end:
        wrong["end_time"] = [_("The end must be after the start.")]
    pause = (shift.break_from, shift.break_until)
    if (pause[0] is None) != (pause[1] is None):
        wrong["break_until" if pause[1] is None else "break_from"] = [_("Give both ends of the break, or neither.")]
    elif pause[0] is not None and pause[1] is not None and not start <= pause[0] < pause[1] <= end:
        wrong["break_from"] = [_("The break must lie inside the hours and end after it starts.")]
    if any(time is not None and (time.minute % 5 or time.second) for time in (start, end, *pause)):
        wrong.setdefault("start_time", []).append(_("Times are multiples of five minutes."))
    if wrong:
        raise Invalid(details=wrong)
    require_valid_fields(shift)
    return shift
