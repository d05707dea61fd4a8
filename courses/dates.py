"""Dates and times as people read them: "Tue 24 Nov 2026, 17:30" and «вт, 24 ноября 2026, 17:30».

Django's own short Russian weekdays («втр») and its nominative month–day are not what is printed in Russia.
"""

import datetime as dt
from collections.abc import Iterable

from django.utils import dateformat, timezone
from django.utils.translation import get_language, npgettext, pgettext

_THIN = "\u2013"


def _is_russian() -> bool:
    return (get_language() or "en").startswith("ru")


def weekday(day: dt.date) -> str:
    """Short weekday: Tue, вт."""
    return weekday_name(day.isoweekday())


def weekday_name(number: int) -> str:
    """Short name of weekday 1 (Monday) … 7."""
    return (
        pgettext("weekday", "Mon"),
        pgettext("weekday", "Tue"),
        pgettext("weekday", "Wed"),
        pgettext("weekday", "Thu"),
        pgettext("weekday", "Fri"),
        pgettext("weekday", "Sat"),
        pgettext("weekday", "Sun"),
    )[number - 1]


def day_text(day: dt.date, *, year: bool = True) -> str:
    """Tue 24 Nov 2026; вт, 24 ноября 2026."""
    if _is_russian():
        return f"{weekday(day)}, {dateformat.format(day, 'j E Y' if year else 'j E')}"
    return f"{weekday(day)} {dateformat.format(day, 'j M Y' if year else 'j M')}"


def spoken_day(day: dt.date, *, year: bool = False) -> str:
    """As it is read aloud: Tuesday 24 November; вторник, 24 ноября."""
    name = dateformat.format(day, "l")
    if _is_russian():
        return f"{name.lower()}, {plain_day(day, year=year)}"
    return f"{name} {plain_day(day, year=year)}"


def plain_day(day: dt.date, *, year: bool = False) -> str:
    """24 November, 24 ноября: `E` is the month as it stands beside a day."""
    return dateformat.format(day, "j E Y" if year else "j E")


def month_text(day: dt.date) -> str:
    """November 2026; ноябрь 2026."""
    text = dateformat.format(day, "F Y")
    return text.lower() if _is_russian() else text


def every_weekday(number: int) -> str:
    """Of weekday 1 (Monday) … 7, what one does every week: Mondays; (по) понедельникам."""
    return (
        pgettext("every weekday", "Mondays"),
        pgettext("every weekday", "Tuesdays"),
        pgettext("every weekday", "Wednesdays"),
        pgettext("every weekday", "Thursdays"),
        pgettext("every weekday", "Fridays"),
        pgettext("every weekday", "Saturdays"),
        pgettext("every weekday", "Sundays"),
    )[number - 1]


def from_weekday(number: int) -> str:
    """The beginning of a row of weekdays: Mondays (to …); (с) понедельника."""
    return (
        pgettext("from weekday", "Mondays"),
        pgettext("from weekday", "Tuesdays"),
        pgettext("from weekday", "Wednesdays"),
        pgettext("from weekday", "Thursdays"),
        pgettext("from weekday", "Fridays"),
        pgettext("from weekday", "Saturdays"),
        pgettext("from weekday", "Sundays"),
    )[number - 1]


def to_weekday(number: int) -> str:
    """Its end: (Mondays to) Fridays; (по) пятницу."""
    return (
        pgettext("to weekday", "Mondays"),
        pgettext("to weekday", "Tuesdays"),
        pgettext("to weekday", "Wednesdays"),
        pgettext("to weekday", "Thursdays"),
        pgettext("to weekday", "Fridays"),
        pgettext("to weekday", "Saturdays"),
        pgettext("to weekday", "Sundays"),
    )[number - 1]


def local(moment: dt.datetime) -> dt.datetime:
    return timezone.localtime(moment)


def clock(moment: dt.datetime) -> str:
    """17:30 in the clinic's zone, which the page has activated."""
    here = local(moment)
    return f"{here.hour:02}:{here.minute:02}"


def span_text(starts_at: dt.datetime, ends_at: dt.datetime) -> str:
    """17:30–18:00"""
    return f"{clock(starts_at)}{_THIN}{clock(ends_at)}"


def moment_text(moment: dt.datetime, *, year: bool = True) -> str:
    """Tue 24 Nov 2026, 17:30"""
    return f"{day_text(local(moment).date(), year=year)}, {clock(moment)}"


def read_day(text: str, default: dt.date) -> dt.date:
    """A day of an address, in ISO 8601; `default` where it is none, or lies where no clinic has a calendar."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return default
    return day if 2000 <= day.year < 2200 else default


def weekdays_text(numbers: Iterable[int]) -> str:
    """Mon, Wed, Fri"""
    return ", ".join(weekday_name(number) for number in sorted(numbers))


def minutes_text(minutes: int) -> str:
    return npgettext("duration", "%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}


def years_text(born: dt.date, today: dt.date) -> str:
    """Age in whole years: 45 years, 45 лет."""
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return npgettext("age", "%(n)d year", "%(n)d years", years) % {"n": years}
