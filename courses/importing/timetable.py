"""Days and hours in words ("Mon-Fri", "even dates") made recurrence rules, and the dates that rules give."""

import re
from collections.abc import Container, Mapping
from datetime import date, datetime, time, timedelta

from dateutil.rrule import rrule, rruleset, rrulestr

from courses.importing.values import UnreadableError, fold

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
# A rule that gives no date within a year of its start gives none at all for a shift.
_SEARCH = timedelta(days=366)


def parse_days(text: str, words: Mapping[str, str]) -> tuple[str, ...]:
    """Weekdays from lists and ranges ("mon, wed-fri") as BYDAY codes in the order of the week.

    ``words`` give the code of each folded weekday name. Raises ``unknown_days``.
    """
    days: set[str] = set()
    for part in filter(None, re.split(r"[\s,;|/]+", fold(text))):
        first, _, last = part.partition("-")
        try:
            start, stop = WEEKDAYS.index(words[first]), WEEKDAYS.index(words[last or first])
        except KeyError:
            raise UnreadableError("unknown_days") from None
        days.update(WEEKDAYS[(start + step) % 7] for step in range((stop - start) % 7 + 1))
    if not days:
        raise UnreadableError("unknown_days")
    return tuple(day for day in WEEKDAYS if day in days)


def build_rule(text: str, *, weekdays: Mapping[str, str], dates: Mapping[str, str], until: date | None = None) -> str:
    """The RRULE of a timetable cell; even and odd dates mean Monday to Friday of those dates."""
    if parity := dates.get(fold(text)):
        numbers = range(2 if parity == "even" else 1, 32, 2)
        rule = f"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYMONTHDAY={','.join(map(str, numbers))}"
    else:
        rule = f"FREQ=WEEKLY;BYDAY={','.join(parse_days(text, weekdays))}"
    return f"{rule};UNTIL={until:%Y%m%d}T235959" if until else rule


def find_first(rule: str, *, earliest: date, at: time) -> datetime:
    """The first start that the rule gives from a date on: RFC 5545 wants DTSTART to be an occurrence itself.

    Raises ``bad_rule`` when the rule gives none within a year.
    """
    start = datetime.combine(earliest, at)
    found = parse_rule(rule, dtstart=start).after(start, inc=True)
    if found is None or found - start > _SEARCH:
        raise UnreadableError("bad_rule")
    return found


def parse_rule(rule: str, *, dtstart: datetime) -> rrule:
    """A recurrence rule on local time. Raises ``bad_rule``, also for rules within the day, which no shift has."""
    # An interval of nothing never ends in dateutil.
    if re.search(r"INTERVAL=0*(\D|$)", rule):
        raise UnreadableError("bad_rule")
    try:
        parsed = rrulestr(rule, dtstart=dtstart)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableError("bad_rule") from error
    if isinstance(parsed, rruleset) or not re.search(r"FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)", rule):
        raise UnreadableError("bad_rule")
    return parsed


def list_dates(rule: str, *, dtstart: datetime, first: date, last: date, exdates: Container[date] = ()) -> list[date]:
    """Dates of the rule between two dates, both inclusive, without the dates left out."""
    occurrences = parse_rule(rule, dtstart=dtstart).between(
        datetime.combine(first, time.min), datetime.combine(last, time.max), inc=True
    )
    return [moment.date() for moment in occurrences if moment.date() not in exdates]
