"""Which days a shift falls on, in plain choices; recurrence rules are made from these and read back, never typed."""

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass

from dateutil.rrule import rrulestr
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PARITY = {0: ",".join(map(str, range(2, 32, 2))), 1: ",".join(map(str, range(1, 32, 2)))}
_SEARCH = dt.timedelta(days=366)


class Rhythm(TextChoices):
    WEEKLY = "weekly", _("every week")
    FORTNIGHTLY = "fortnightly", _("every other week")
    EVEN = "even", _("even dates")
    ODD = "odd", _("odd dates")
    OTHER = "other", _("as imported")


@dataclass(frozen=True, slots=True)
class Pattern:
    """`weekdays` 1 Monday … 7 Sunday. OTHER stands for a rule that these choices cannot say."""

    rhythm: Rhythm
    weekdays: tuple[int, ...]

    @property
    def rrule(self) -> str:
        """RFC 5545. Raises ValueError for OTHER and for no weekday at all."""
        days = ",".join(CODES[number - 1] for number in sorted(self.weekdays))
        if not days or self.rhythm == Rhythm.OTHER:
            raise ValueError("no rule can be made of this")
        if self.rhythm in {Rhythm.EVEN, Rhythm.ODD}:
            return f"FREQ=MONTHLY;BYDAY={days};BYMONTHDAY={_PARITY[self.rhythm == Rhythm.ODD]}"
        every = ";INTERVAL=2" if self.rhythm == Rhythm.FORTNIGHTLY else ""
        return f"FREQ=WEEKLY{every};BYDAY={days}"


def pattern_of(rrule: str) -> Pattern:
    """The choices that a rule says, whatever the order of its parts; its UNTIL is left out of account."""
    parts = dict(part.split("=", 1) for part in rrule.removeprefix("RRULE:").upper().split(";") if "=" in part)
    parts = {name: value for name, value in parts.items() if name not in {"UNTIL", "WKST"}}
    by_day = parts.pop("BYDAY", "")
    codes = by_day.split(",") if by_day else []
    other = Pattern(Rhythm.OTHER, ())
    if not all(code in CODES for code in codes):
        return other
    weekdays = tuple(sorted(CODES.index(code) + 1 for code in codes))
    every = parts.pop("INTERVAL", "1")
    frequency = parts.pop("FREQ", "")
    if frequency == "DAILY" and every == "1" and not parts and not weekdays:
        return Pattern(Rhythm.WEEKLY, (1, 2, 3, 4, 5, 6, 7))
    if frequency == "WEEKLY" and not parts and weekdays and every in {"1", "2"}:
        return Pattern(Rhythm.WEEKLY if every == "1" else Rhythm.FORTNIGHTLY, weekdays)
    dates = parts.pop("BYMONTHDAY", "")
    if frequency == "MONTHLY" and every == "1" and not parts and weekdays:
        numbers = {*dates.split(",")}
        for odd, rhythm in enumerate((Rhythm.EVEN, Rhythm.ODD)):
            if numbers == {*_PARITY[odd].split(",")}:
                return Pattern(rhythm, weekdays)
    return other


def is_single(rrule: str) -> bool:
    """Whether a rule is one that the roster made for a single day."""
    return re.search(r"(^|;)COUNT=1($|;)", rrule) is not None


def first_date(rrule: str, earliest: dt.date) -> dt.date | None:
    """The first date of the rule from a day on, within a year: RFC 5545 wants DTSTART to be one of its own."""
    start = dt.datetime.combine(earliest, dt.time())
    found = rrulestr(rrule, dtstart=start, ignoretz=True).after(start, inc=True)
    return found.date() if found is not None and found - start <= _SEARCH else None


def single_rule(weekday: int) -> str:
    return f"FREQ=WEEKLY;BYDAY={CODES[weekday - 1]};COUNT=1"


def weekdays_of(numbers: Collection[int]) -> tuple[int, ...]:
    return tuple(sorted({number for number in numbers if 1 <= number <= 7}))
