"""Free-text wishes ("after 17:00; not Fridays") read with the phrases of a mapping."""

import re
from collections.abc import Mapping as Words
from dataclasses import dataclass
from datetime import time

from courses.importing.mapping import Mapping
from courses.importing.timetable import WEEKDAYS, parse_days
from courses.importing.values import UnreadableError, fold, parse_time

_HOUR = r"\d{1,2}(?:[:.]\d{2})?"
_PLACES = {"time": _HOUR, "from": _HOUR, "to": _HOUR, "days": ".+"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What was understood; ``rest`` is the text that no phrase explains, to be kept as a comment."""

    days: tuple[str, ...] = ()
    earliest: time | None = None
    latest: time | None = None
    rest: str = ""


def read_wish(text: str, mapping: Mapping) -> Wish:
    """Understand the whole text at once, or part by part (``;``, then ``,``); never guess at what is left.

    A part that contradicts an earlier one (no day or no hour left) goes to the rest.
    """
    wish = Wish()
    parts = [text] if _match(text, mapping) else [part for part in re.split(r"[;,]", text) if part.strip()]
    rest = []
    for part in parts:
        joined = _join(wish, _match(part, mapping), mapping.words["weekday"])
        if joined is None:
            rest.append(part.strip())
        else:
            wish = joined
    return Wish(wish.days, wish.earliest, wish.latest, "; ".join(rest))


def _match(text: str, mapping: Mapping) -> dict[str, str] | None:
    for pattern in mapping.wishes:
        expression = re.escape(fold(pattern.phrase))
        for place, form in _PLACES.items():
            expression = expression.replace(rf"\{{{place}\}}", f"(?P<{place}>{form})", 1)
        if found := re.fullmatch(expression, fold(text)):
            sets = {key: _fill(value, found.groupdict()) for key, value in pattern.sets.items()}
            if _is_readable(sets, mapping.words["weekday"]):
                return sets
    return None


def _fill(value: str, found: Words[str, str]) -> str:
    for place, text in found.items():
        value = value.replace(f"{{{place}}}", text)
    return value


def _is_readable(sets: dict[str, str], weekdays: Words[str, str]) -> bool:
    try:
        for key, value in sets.items():
            parse_days(value, weekdays) if key in ("days", "except") else _parse_hour(value)
    except UnreadableError:
        return False
    return True


def _join(wish: Wish, sets: dict[str, str] | None, weekdays: Words[str, str]) -> Wish | None:
    if sets is None:
        return None
    days = set(wish.days or WEEKDAYS)
    if "days" in sets:
        days &= set(parse_days(sets["days"], weekdays))
    if "except" in sets:
        days -= set(parse_days(sets["except"], weekdays))
    earliest, latest = wish.earliest, wish.latest
    if "from" in sets:
        earliest = max(earliest or time.min, _parse_hour(sets["from"]))
    if "to" in sets:
        latest = min(latest or time.max, _parse_hour(sets["to"]))
    if not days or (earliest and latest and earliest >= latest):
        return None
    named = tuple(day for day in WEEKDAYS if day in days)
    return Wish(() if len(named) == 7 else named, earliest, latest)


def _parse_hour(text: str) -> time:
    return parse_time(text if re.search("[:.]", text) else f"{text}:00")[0]
