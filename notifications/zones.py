"""VTIMEZONE components that every calendar program reads the same way.

One STANDARD and one DAYLIGHT with an RRULE and an explicit BYDAY (MS-OXCICAL 2.1.3.1.1.19), made from the
POSIX rule in the footer of the zone's TZif file (RFC 8536 section 3.3). Lists of RDATE are read an hour wrong
by some programs, and a zone built event by event costs more than the rest of the invitation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from zoneinfo import TZPATH

WEEKDAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")  # POSIX counts from Sunday
FIRST_YEAR = 1970

_NAME = r"(?:<[A-Za-z0-9+-]+>|[A-Za-z]{3,})"
_TIME = r"[+-]?\d{1,3}(?::\d{2}){0,2}"
_RULE = re.compile(
    rf"(?P<std>{_NAME})(?P<std_offset>{_TIME})"
    rf"(?:(?P<dst>{_NAME})(?P<dst_offset>{_TIME})?"
    rf",M(?P<m1>\d+)\.(?P<w1>\d)\.(?P<d1>\d)(?:/(?P<t1>{_TIME}))?"
    rf",M(?P<m2>\d+)\.(?P<w2>\d)\.(?P<d2>\d)(?:/(?P<t2>{_TIME}))?)?"
)


class UnknownZoneError(ValueError):
    """The name is not an IANA zone, or its rule is of a kind no zone of today uses."""


@dataclass(frozen=True)
class Change:
    """A yearly change of clocks: `after` the midnight of `weekday` (0 = Sunday) in `week` (5 = last) of `month`."""

    month: int
    week: int
    weekday: int
    after: timedelta

    def onset(self, year: int) -> datetime:
        """Local time, by the clock still in force, at which the change happens in `year`."""
        return self._day(year) + self.after

    def _day(self, year: int) -> datetime:
        first = date(year, self.month, 1)
        day = first + timedelta(days=(self.weekday - first.isoweekday()) % 7)
        day += timedelta(weeks=self.week - 1)
        while day.month != self.month:
            day -= timedelta(weeks=1)
        return datetime.combine(day, time.min)

    def rrule(self) -> str:
        """The change as an RRULE. Times outside 0–24 h (Nuuk, Gaza) move the day, so they need BYMONTHDAY as well."""
        shift = self.after // timedelta(days=1)
        if shift == 0:
            position = -1 if self.week == 5 else self.week
            return f"FREQ=YEARLY;BYMONTH={self.month};BYDAY={position}{WEEKDAYS[self.weekday]}"
        last = 28 if self.month == 2 else (date(2001, self.month % 12 + 1, 1) - timedelta(days=1)).day
        start = last - 6 if self.week == 5 else 7 * (self.week - 1) + 1
        days = [day + shift for day in range(start, start + 7)]
        if days[0] < 1 or days[-1] > last:
            raise UnknownZoneError(f"a change of clocks that leaves its month cannot be written: {self}")
        weekday = WEEKDAYS[(self.weekday + shift) % 7]
        return f"FREQ=YEARLY;BYMONTH={self.month};BYMONTHDAY={','.join(map(str, days))};BYDAY={weekday}"

    def written(self) -> Change:
        """The change as it can be written: midnight at the end of a month becomes a second before (Cairo)."""
        if self.after == timedelta(days=1) and self.week == 5:
            return Change(self.month, self.week, self.weekday, self.after - timedelta(seconds=1))
        return self


@dataclass(frozen=True)
class Period:
    """One half of the year: its name, its offset from UTC, and the change that begins it (None: all the year)."""

    name: str
    offset: timedelta
    begins: Change | None


@dataclass(frozen=True)
class Rule:
    """A zone from now on: standard time, and summer time where there is one."""

    standard: Period
    summer: Period | None

    @property
    def is_utc(self) -> bool:
        return self.summer is None and not self.standard.offset

    def offset_at(self, instant: datetime) -> timedelta:
        """Offset from UTC at an aware instant, by this rule alone."""
        if self.summer is None or self.summer.begins is None or self.standard.begins is None:
            return self.standard.offset
        moment = instant.astimezone(UTC).replace(tzinfo=None)
        year = (moment + self.standard.offset).year
        begins = self.summer.begins.onset(year) - self.standard.offset
        ends = self.standard.begins.onset(year) - self.summer.offset
        in_summer = begins <= moment < ends if begins < ends else not ends <= moment < begins
        return self.summer.offset if in_summer else self.standard.offset


@cache
def read_rule(zone: str) -> Rule:
    """The rule in force from now on in an IANA zone. Raises UnknownZoneError."""
    footer = _read_tzif(zone).rsplit(b"\n", 2)[-2].decode("ascii")
    found = _RULE.fullmatch(footer)
    if found is None:
        raise UnknownZoneError(f"{zone}: the rule {footer!r} is not understood")
    offset = -_duration(found["std_offset"])
    if found["dst"] is None:
        return Rule(Period(found["std"].strip("<>"), offset, None), None)
    summer_offset = -_duration(found["dst_offset"]) if found["dst_offset"] else offset + timedelta(hours=1)
    start = Change(int(found["m1"]), int(found["w1"]), int(found["d1"]), _duration(found["t1"] or "2"))
    end = Change(int(found["m2"]), int(found["w2"]), int(found["d2"]), _duration(found["t2"] or "2"))
    halves = (
        Period(found["std"].strip("<>"), offset, end),
        Period(found["dst"].strip("<>"), summer_offset, start),
    )
    # Dublin's law calls winter the exception; calendars expect STANDARD to be the smaller offset.
    standard, summer = sorted(halves, key=lambda period: period.offset)
    return Rule(standard, summer)


@cache
def render_zone(zone: str) -> bytes:
    """The zone's VTIMEZONE as iCalendar lines ending in CRLF. Raises UnknownZoneError."""
    rule = read_rule(zone)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{zone}"]
    if rule.summer is None:
        lines += _observance("STANDARD", rule.standard, rule.standard.offset)
    else:
        lines += _observance("DAYLIGHT", rule.summer, rule.standard.offset)
        lines += _observance("STANDARD", rule.standard, rule.summer.offset)
    lines.append("END:VTIMEZONE")
    return "".join(f"{line}\r\n" for line in lines).encode()


def _observance(kind: str, period: Period, previous: timedelta) -> list[str]:
    begins = period.begins.written() if period.begins else None
    onset = begins.onset(FIRST_YEAR) if begins else datetime.combine(date(FIRST_YEAR, 1, 1), time.min)
    lines = [f"BEGIN:{kind}", f"DTSTART:{onset:%Y%m%dT%H%M%S}"]
    if begins:
        lines.append(f"RRULE:{begins.rrule()}")
    lines += [
        f"TZOFFSETFROM:{_offset(previous)}",
        f"TZOFFSETTO:{_offset(period.offset)}",
        f"TZNAME:{period.name}",
        f"END:{kind}",
    ]
    return lines


def _offset(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    hours, rest = divmod(abs(seconds), 3600)
    return f"{'-' if seconds < 0 else '+'}{hours:02}{rest // 60:02}" + (f"{rest % 60:02}" if rest % 60 else "")


def _duration(text: str) -> timedelta:
    sign = -1 if text.startswith("-") else 1
    hours, minutes, seconds = (*map(int, text.lstrip("+-").split(":")), 0, 0)[:3]
    return sign * timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _read_tzif(zone: str) -> bytes:
    # The name comes from a file or a form: it must stay inside the folders of zones.
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*", zone):
        raise UnknownZoneError(f"{zone!r} is not the name of a time zone")
    for folder in TZPATH:
        path = Path(folder, zone)
        if path.is_file():
            content = path.read_bytes()
            if content.startswith(b"TZif") and content.endswith(b"\n"):
                return content
    try:
        content = resources.files("tzdata.zoneinfo").joinpath(*zone.split("/")).read_bytes()
    except (ModuleNotFoundError, OSError):
        raise UnknownZoneError(f"{zone!r} is not the name of a time zone") from None
    return content
