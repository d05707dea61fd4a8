"""What one request asks beyond what the course itself says: concessions made, days excluded, hours changed."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from django.utils.dateparse import parse_date, parse_time
from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid
from courses.booking.calendars import slot_of
from courses.booking.models import Course, Strength
from courses.planning.types import SLOTS_PER_DAY

_STRENGTHS = set(Strength.values)


@dataclass(frozen=True, slots=True)
class Wishes:
    """Fields of a course that a request may override; `given` names those that it does."""

    gap_min: int | None = None
    gap_max: int | None = None
    per_week: int | None = None
    start_from: dt.date | None = None
    finish_by: dt.date | None = None
    weekdays: tuple[int, ...] = ()
    weekdays_strength: str = Strength.NONE
    window_from: dt.time | None = None
    window_until: dt.time | None = None
    window_strength: str = Strength.NONE
    preferred_therapist: int | None = None
    therapist_strength: str = Strength.NONE
    therapist_gender: str = ""
    therapist_language: str = ""
    language_strength: str = Strength.NONE
    excluded_days: tuple[dt.date, ...] = ()
    given: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Read wishes from JSON. Raises Invalid with one sentence per wrong field."""
        errors: dict[str, list[Any]] = {}
        values: dict[str, Any] = {}
        readers = _readers()
        for name, value in raw.items():
            if name not in readers:
                errors[name] = [_("Unknown wish.")]
                continue
            try:
                values[name] = readers[name](value)
            except (TypeError, ValueError, OverflowError):
                errors[name] = [_("This value cannot be read.")]
        first, last = values.get("window_from"), values.get("window_until")
        if first and last and first >= last:
            errors["window_until"] = [_("The end must be after the start.")]
        low, high = values.get("gap_min"), values.get("gap_max")
        if low and high and low > high:
            errors["gap_max"] = [_("The longest gap must not be shorter than the shortest.")]
        if errors:
            raise Invalid(details=errors)
        return cls(**values, given=frozenset(values))

    @classmethod
    def of(cls, raw: Mapping[str, Any], course: Course) -> Self:
        """Those of a plan's request that concern one course: what is wished for all, with its own on top."""
        own = raw.get("courses", {}).get(str(course.pk), {})
        return cls.parse({**{name: value for name, value in raw.items() if name != "courses"}, **own})

    def over(self, course: Course) -> "Wishes":
        """The course's own wishes with this request's on top."""
        own = Wishes(
            gap_min=course.gap_min,
            gap_max=course.gap_max,
            per_week=course.per_week,
            start_from=course.start_from,
            finish_by=course.finish_by,
            weekdays=tuple(course.weekdays),
            weekdays_strength=course.weekdays_strength,
            window_from=course.window_from,
            window_until=course.window_until,
            window_strength=course.window_strength,
            preferred_therapist=course.preferred_therapist_id,
            therapist_strength=course.therapist_strength,
            therapist_gender=course.therapist_gender,
            therapist_language=course.therapist_language,
            language_strength=course.language_strength,
        )
        return replace(own, **{name: getattr(self, name) for name in self.given}, given=self.given)

    @property
    def window(self) -> tuple[int, int] | None:
        """The wished part of the day in slots; an open side reaches the day's end."""
        if self.window_from is None and self.window_until is None:
            return None
        first = slot_of(self.window_from, up=True) if self.window_from else 0
        last = slot_of(self.window_until) if self.window_until else SLOTS_PER_DAY
        return first, last


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str) or not 1 <= int(value) <= 365:
        raise ValueError(value)
    return int(value)


def read_key(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str) or not 0 < int(value) < 2**63:
        raise ValueError(value)
    return int(value)


def _date(value: Any) -> dt.date | None:
    if value in (None, ""):
        return None
    date = parse_date(value)
    if date is None or not 1900 < date.year < 2200:
        raise ValueError(value)
    return date


def read_time(value: Any) -> dt.time | None:
    if value in (None, ""):
        return None
    time = parse_time(value)
    if time is None or time.tzinfo is not None:
        raise ValueError(value)
    return time


def _strength(value: Any) -> str:
    if value not in _STRENGTHS:
        raise ValueError(value)
    return str(value)


def read_weekdays(value: Any) -> tuple[int, ...]:
    days = tuple(sorted({int(day) for day in value}))
    if any(not 1 <= day <= 7 for day in days):
        raise ValueError(value)
    return days


def _word(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 8 or "\0" in value:
        raise ValueError(value)
    return value


def read_dates(value: Any) -> tuple[dt.date, ...]:
    dates = tuple(_date(one) for one in value)
    return tuple(sorted({date for date in dates if date is not None}))


def _readers() -> dict[str, Any]:
    by_type = {
        "gap_min": _count,
        "gap_max": _count,
        "per_week": _count,
        "start_from": _date,
        "finish_by": _date,
        "weekdays": read_weekdays,
        "window_from": read_time,
        "window_until": read_time,
        "preferred_therapist": read_key,
        "therapist_gender": _word,
        "therapist_language": _word,
        "excluded_days": read_dates,
    }
    names = {f.name for f in fields(Wishes)} - {"given"}
    return {name: by_type.get(name, _strength) for name in names}
