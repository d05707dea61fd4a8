"""When resources work and when they are free, as masks for the planner.

Shifts are local wall time, reservations are UTC; here they meet on a grid of 288 five-minute slots per local day.
No calendar is cached across requests: one aggregated, packed column reads tens of thousands of reservations in
milliseconds. Only the dates of recurrence rules are cached, keyed by their own text.
"""

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from dateutil.rrule import rrulestr
from django.db import connection

from clinic.models import CalendarDay, Clinic
from courses.planning.types import FULL_DAY, SLOT_MINUTES, SLOTS_PER_DAY, Masks, ResourceDays

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()


def slot_of(time: dt.time, *, up: bool = False) -> int:
    """Slot in which a local time lies; with `up`, the first slot that starts at or after it."""
    seconds = (time.hour * 60 + time.minute) * 60 + time.second
    return -(-seconds // (SLOT_MINUTES * 60)) if up else seconds // (SLOT_MINUTES * 60)


def time_of(slot: int) -> dt.time:
    """Local time at which a slot starts, 0 ≤ slot < 288."""
    return dt.time(slot * SLOT_MINUTES // 60, slot * SLOT_MINUTES % 60)


def span_mask(start: int, end: int) -> int:
    """Bits start … end−1, cut to the day."""
    start, end = max(start, 0), min(end, SLOTS_PER_DAY)
    return ((1 << (end - start)) - 1) << start if end > start else 0


def local_moment(clinic: Clinic, day: dt.date, slot: int) -> dt.datetime:
    """UTC moment of a local slot. A time that a change of clocks repeats is its first; one it skips is rejected.

    Raises ValueError for a wall time that does not exist on that day.
    """
    wall = dt.datetime.combine(day, dt.time()) + dt.timedelta(minutes=slot * SLOT_MINUTES)
    moment = wall.replace(tzinfo=clinic.tz).astimezone(dt.UTC)
    if moment.astimezone(clinic.tz).replace(tzinfo=None) != wall:
        raise ValueError(f"{wall} does not exist in {clinic.zone}")
    return moment


@lru_cache(maxsize=1024)
def skipped_slots(zone: str, date: dt.date) -> int:
    """Mask of the slots of a day that its clocks skip: times that do not exist."""
    tz = zoneinfo.ZoneInfo(zone)
    begins = dt.datetime.combine(date, dt.time(), tzinfo=tz)
    if _offset(tz, begins) >= _offset(tz, begins + dt.timedelta(days=1)):
        return 0
    walls = [dt.datetime.combine(date, time_of(slot)) for slot in range(SLOTS_PER_DAY)]
    exist = [w.replace(tzinfo=tz).astimezone(dt.UTC).astimezone(tz).replace(tzinfo=None) == w for w in walls]
    return sum(1 << slot for slot, exists in enumerate(exist) if not exists)


@dataclass(frozen=True, slots=True)
class Days:
    """The local days a problem speaks of, with what the clinic's calendar says of each."""

    clinic: Clinic
    first: dt.date
    weekdays: tuple[int, ...]  # ISO weekday whose hours apply; 0 = closed
    open_masks: Masks  # whole days but for what is shortened or skipped by clocks; 0 when closed

    @property
    def count(self) -> int:
        return len(self.weekdays)

    @property
    def last(self) -> dt.date:
        return self.first + dt.timedelta(days=self.count - 1)

    def date(self, day: int) -> dt.date:
        return self.first + dt.timedelta(days=day)

    def index(self, date: dt.date) -> int:
        return (date - self.first).days

    @property
    def opening(self) -> tuple[bool, ...]:
        return tuple(weekday != 0 for weekday in self.weekdays)

    def bounds(self) -> tuple[dt.datetime, dt.datetime]:
        """UTC moments at which the first day begins and the day after the last begins."""
        zone = self.clinic.tz
        start = dt.datetime.combine(self.first, dt.time(), tzinfo=zone)
        end = dt.datetime.combine(self.last + dt.timedelta(days=1), dt.time(), tzinfo=zone)
        return start.astimezone(dt.UTC), end.astimezone(dt.UTC)


_SPECIAL = (
    "SELECT date, kind, works_as, closes_at FROM clinic_calendarday WHERE clinic_id = %s AND date BETWEEN %s AND %s"
)


def read_days(clinic: Clinic, first: dt.date, last: dt.date) -> Days:
    """The clinic's calendar from `first` to `last`, both included. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_SPECIAL, [clinic.pk, first, last])
        special = {date: (kind, works_as, closes_at) for date, kind, works_as, closes_at in cursor.fetchall()}
    weekdays, masks = [], []
    for offset in range((last - first).days + 1):
        date = first + dt.timedelta(days=offset)
        weekday = date.isoweekday() if date.isoweekday() in clinic.opening_weekdays else 0
        mask = FULL_DAY if weekday else 0
        kind, works_as, closes_at = special.get(date, ("", None, None))
        if kind == CalendarDay.Kind.CLOSED:
            weekday, mask = 0, 0
        elif kind == CalendarDay.Kind.WORKED_AS:
            weekday, mask = works_as, FULL_DAY
        elif closes_at is not None and weekday:
            mask = span_mask(0, slot_of(closes_at))
        weekdays.append(weekday)
        masks.append(mask & ~skipped_slots(clinic.zone, date))
    return Days(clinic=clinic, first=first, weekdays=tuple(weekdays), open_masks=tuple(masks))


@lru_cache(maxsize=4096)
def rule_dates(rrule: str, starts_on: dt.date, first: dt.date, last: dt.date) -> frozenset[dt.date]:
    """Dates on which a recurrence rule of floating local time falls, first and last included."""
    start = dt.datetime.combine(starts_on, dt.time())
    rule = rrulestr(rrule.removeprefix("RRULE:"), dtstart=start, ignoretz=True)
    begin, end = dt.datetime.combine(first, dt.time()), dt.datetime.combine(last, dt.time(23, 59, 59))
    return frozenset(moment.date() for moment in rule.between(begin, end, inc=True))


_SHIFTS = """
    SELECT therapist_id, start_time, end_time, break_from, break_until, rrule, exdates, starts_on, ends_on
    FROM clinic_shift
    WHERE clinic_id = %(clinic)s AND starts_on <= %(last)s AND (ends_on IS NULL OR ends_on >= %(first)s)
      AND (%(therapists)s::bigint[] IS NULL OR therapist_id = ANY (%(therapists)s::bigint[]))
"""


def read_working_hours(days: Days, therapists: Collection[int] | None = None) -> dict[int, Masks]:
    """Hours of each of these therapists, or of all who have shifts here, absences ignored, within the clinic's open
    days. One statement.
    """
    parameters: dict[str, Any] = {"clinic": days.clinic.pk, "first": days.first, "last": days.last}
    with connection.cursor() as cursor:
        cursor.execute(_SHIFTS, parameters | {"therapists": None if therapists is None else list(therapists)})
        shifts = cursor.fetchall()
    week = dt.timedelta(days=7)
    # Whole years: horizons differ from request to request, and a rule is expanded from its first date on.
    begin = dt.date((days.first - week).year, 1, 1)
    end = dt.date((days.last + week).year, 12, 31)
    open_days = []
    for day, weekday in enumerate(days.weekdays):
        if weekday:
            date = days.date(day)
            # A day worked as another weekday takes the hours of that weekday in the same week.
            nominal = date + dt.timedelta(days=weekday - date.isoweekday())
            open_days.append((day, date, nominal, days.open_masks[day]))
    masks: dict[int, list[int]] = defaultdict(lambda: [0] * days.count)
    for therapist, start_time, end_time, break_from, break_until, rrule, exdates, starts_on, ends_on in shifts:
        hours = span_mask(slot_of(start_time, up=True), slot_of(end_time))
        if break_from is not None and break_until is not None:
            hours &= ~span_mask(slot_of(break_from), slot_of(break_until, up=True))
        dates = rule_dates(rrule, starts_on, begin, end)
        last, exceptions, row = ends_on or days.last, frozenset(exdates), masks[therapist]
        for day, date, nominal, open_mask in open_days:
            if nominal in dates and starts_on <= date <= last and date not in exceptions:
                row[day] |= hours & open_mask
    return {therapist: tuple(row) for therapist, row in masks.items()}


def period_masks(days: Days, starts_at: dt.datetime, ends_at: dt.datetime | None) -> dict[int, int]:
    """Day index → mask of the slots that a UTC period touches; an open end lasts to the horizon's."""
    start, end = days.bounds()
    starts_at, ends_at = max(starts_at, start), min(ends_at or end, end)
    if starts_at >= ends_at:
        return {}
    zone = days.clinic.tz
    from_wall = starts_at.astimezone(zone).replace(tzinfo=None)
    until_wall = ends_at.astimezone(zone).replace(tzinfo=None)
    masks = {}
    for day in range(days.index(from_wall.date()), days.index(until_wall.date()) + 1):
        if not 0 <= day < days.count:
            continue
        date = days.date(day)
        first = slot_of(from_wall.time()) if from_wall.date() == date else 0
        last = slot_of(until_wall.time(), up=True) if until_wall.date() == date else SLOTS_PER_DAY
        if mask := span_mask(first, last):
            masks[day] = mask
    return masks


# One statement for all that keeps resources away; a clinic's closures have no resource.
_AWAY = """
    SELECT therapist_id, starts_at, ends_at FROM clinic_absence
        WHERE therapist_id = ANY (%(resources)s) AND starts_at < %(end)s AND (ends_at IS NULL OR ends_at > %(start)s)
    UNION ALL SELECT resource_id, starts_at, ends_at FROM clinic_outage
        WHERE resource_id = ANY (%(resources)s) AND starts_at < %(end)s AND (ends_at IS NULL OR ends_at > %(start)s)
    UNION ALL SELECT NULL, starts_at, ends_at FROM clinic_closure
        WHERE clinic_id = %(clinic)s AND starts_at < %(end)s AND ends_at > %(start)s
"""


def read_away(days: Days, resources: Collection[int]) -> dict[int | None, dict[int, int]]:
    """Resource → day index → slots of its absences and outages; under None those of the clinic's closures."""
    start, end = days.bounds()
    parameters: dict[str, Any] = {"resources": list(resources), "clinic": days.clinic.pk, "start": start, "end": end}
    with connection.cursor() as cursor:
        cursor.execute(_AWAY, parameters)
        periods = cursor.fetchall()
    away: dict[int | None, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for resource, starts_at, ends_at in periods:
        for day, mask in period_masks(days, starts_at, ends_at).items():
            away[resource][day] |= mask
    return away


def _utc_offsets(zone: zoneinfo.ZoneInfo, start: dt.datetime, end: dt.datetime) -> tuple[np.ndarray, np.ndarray]:
    """Minutes since the epoch at which the zone's offset changes, and the offsets in minutes from there on."""
    moments, offsets = [_minutes(start)], [_offset(zone, start)]
    day = dt.timedelta(days=1)
    while start < end:
        after = start + day
        if _offset(zone, after) != offsets[-1]:
            low, high = start, after
            while high - low > dt.timedelta(minutes=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if _offset(zone, middle) == offsets[-1] else (low, middle)
            moments.append(_minutes(high))
            offsets.append(_offset(zone, after))
        start = after
    return np.array(moments), np.array(offsets)


def _minutes(moment: dt.datetime) -> int:
    return round((moment - _EPOCH).total_seconds() / 60)


def _offset(zone: zoneinfo.ZoneInfo, moment: dt.datetime) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds() / 60)


# int4send keeps a reservation at 12 bytes in one value per resource: the driver has nothing to parse. date_part gives
# a double where extract gives a numeric, which takes PostgreSQL four times as long.
_PACKED = """
    SELECT resource_id, string_agg(
        int4send((date_part('epoch', starts_at) / 60)::int) || int4send(ceil(date_part('epoch', ends_at) / 60)::int)
        || int4send(CASE WHEN upper_inf(places) THEN 32767 ELSE upper(places) - lower(places) END), ''::bytea)
    FROM clinic_reservation
    WHERE live AND resource_id = ANY (%s) AND starts_at >= %s - interval '1 day' AND starts_at < %s AND ends_at > %s
      AND (held_until IS NULL OR held_until > %s)
      AND NOT (appointment_id = ANY (%s) AND (resource_id = ANY (%s) OR EXISTS (
          SELECT 1 FROM clinic_appointment a WHERE a.id = appointment_id AND a.kind = 'treatment')))
    GROUP BY resource_id
"""


def read_taken(
    days: Days,
    resources: Collection[int],
    *,
    now: dt.datetime,
    patients: Collection[int] = (),
    ignoring: Collection[int] = (),
) -> dict[int, np.ndarray]:
    """Resource → int array (days, 288) of places taken in each local slot. One statement; expired holds do not count.

    `ignoring` names appointments that `patients` are to leave: treatments are read as if they were not there, of a
    class only the patients' own part.
    """
    start, end = days.bounds()
    with connection.cursor() as cursor:
        cursor.execute(_PACKED, [list(resources), start, end, start, now, list(ignoring), list(patients)])
        rows = cursor.fetchall()
    moments, offsets = _utc_offsets(days.clinic.tz, start, end)
    first_wall = (days.first.toordinal() - _EPOCH_ORDINAL) * 24 * 60
    size = days.count * SLOTS_PER_DAY
    taken = {}
    for resource, packed in rows:
        triples = np.frombuffer(packed, dtype=">i4").reshape(-1, 3).astype(np.int64)
        walls = [
            column + offsets[np.clip(np.searchsorted(moments, column, side="right") - 1, 0, None)] - first_wall
            for column in (triples[:, 0], triples[:, 1])
        ]
        first = np.clip(walls[0] // SLOT_MINUTES, 0, size)
        after = np.clip(-(-walls[1] // SLOT_MINUTES), 0, size)
        steps = np.zeros(size + 1, dtype=np.int64)
        np.add.at(steps, first, triples[:, 2])
        np.subtract.at(steps, after, triples[:, 2])
        taken[resource] = np.cumsum(steps)[:size].reshape(days.count, SLOTS_PER_DAY)
    return taken


def masks_of(flags: np.ndarray) -> Masks:
    """Boolean array (days, 288) → one int per day."""
    packed = np.packbits(flags, axis=1, bitorder="little")
    return tuple(int.from_bytes(row.tobytes(), "little") for row in packed)


@dataclass(frozen=True, slots=True)
class Calendars:
    """Calendars of resources over `days`, ready for the planner, and the time that the patient has no booking."""

    days: Days
    resources: Mapping[int, ResourceDays]
    patient: Masks


def read_presence(
    days: Days,
    *,
    therapists: Collection[int],
    places: Collection[int],
    hands: Mapping[int, int],
) -> dict[int, tuple[Masks, Masks]]:
    """Resource → when it works, and when it is there: see `ResourceDays`. Two statements."""
    works = read_working_hours(days, therapists)
    away = read_away(days, [*therapists, *places])
    shut = away.get(None, {})
    nothing = (0,) * days.count

    def present(hours: Masks, gone: Mapping[int, int]) -> Masks:
        return tuple(mask & ~gone.get(day, 0) & ~shut.get(day, 0) if mask else 0 for day, mask in enumerate(hours))

    own = {t: (works.get(t, nothing), present(works.get(t, nothing), away.get(t, {}))) for t in therapists}
    standing = {p: (days.open_masks, present(days.open_masks, away.get(p, {}))) for p in places}
    return own | standing | {h: own[t] for h, t in hands.items()}


def free_layer(present: Masks, counts: np.ndarray, most: int) -> Masks:
    """Where a resource is there and fewer than `most` of its places are taken."""
    return tuple(p & m for p, m in zip(present, masks_of(counts < most), strict=True))


def read_calendars(
    days: Days,
    *,
    therapists: Collection[int],
    places: Collection[int],
    hands: Mapping[int, int] | None = None,
    capacities: Mapping[int, int],
    now: dt.datetime,
    patient: int | None = None,
    ignoring: Collection[int] = (),
) -> Calendars:
    """Masks of therapists, of rooms and devices (`places`), of `hands` (hands' resource → therapist) and the patient.

    Three statements, whatever their number. A therapist works where shifts at this clinic say so; rooms and
    devices work whenever the clinic is open.
    """
    hands = hands or {}
    presence = read_presence(days, therapists=therapists, places=places, hands=hands)
    own_key = [patient] if patient is not None else []
    taken = read_taken(days, [*presence, *own_key], now=now, patients=own_key, ignoring=ignoring)

    def calendar(resource: int, works: Masks, present: Masks) -> ResourceDays:
        counts, capacity = taken.get(resource), capacities.get(resource, 1)
        if counts is None:
            return ResourceDays(works, present, present, present if capacity > 1 else None)
        free = free_layer(present, counts, capacity)
        return ResourceDays(works, present, free, free_layer(present, counts, capacity - 1) if capacity > 1 else None)

    calendars = {pk: calendar(pk, *masks) for pk, masks in presence.items()}
    own = taken.get(patient) if patient is not None else None
    at_leisure = (FULL_DAY,) * days.count if own is None else masks_of(own == 0)
    return Calendars(days=days, resources=calendars, patient=at_leisure)
