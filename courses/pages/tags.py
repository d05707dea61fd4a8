"""Template tags of the pages; loaded into every template as builtins (see TEMPLATES in the settings)."""

import datetime as dt
from typing import Any

from django import template
from django.forms import BoundField
from django.utils.translation import get_language_info

from clinic.models import Patient
from courses import dates
from courses.catalogue.areas import area_text
from courses.pages import names, statuses

register = template.Library()


@register.filter
def day(value: dt.date) -> str:
    return dates.day_text(dates.local(value).date() if isinstance(value, dt.datetime) else value)


@register.filter
def short_day(value: dt.date) -> str:
    return dates.day_text(dates.local(value).date() if isinstance(value, dt.datetime) else value, year=False)


@register.filter
def clock(value: dt.datetime) -> str:
    return dates.clock(value)


@register.filter
def moment(value: dt.datetime) -> str:
    return dates.moment_text(value)


@register.simple_tag
def span(starts_at: dt.datetime, ends_at: dt.datetime) -> str:
    return dates.span_text(starts_at, ends_at)


@register.filter
def weekdays(numbers: list[int]) -> str:
    return dates.weekdays_text(numbers)


@register.filter
def minutes(value: int) -> str:
    return dates.minutes_text(value)


@register.filter
def area(value: str, side: str = "") -> str:
    return area_text(value, side)


@register.filter
def language(code: str) -> str:
    """The name of a language in itself, as in the form where it is chosen."""
    try:
        return str(get_language_info(code)["name_local"]).capitalize()
    except KeyError:
        return code


@register.filter
def short_name(patient: Patient) -> str:
    return names.short_name(patient)


@register.inclusion_tag("pages/status.html")
def status(value: str, to_replace: bool = False) -> dict[str, Any]:
    return {"look": statuses.look_of(value), "replace": statuses.TO_REPLACE if to_replace else None}


@register.filter
def tint(category: str) -> str:
    return statuses.tint_of(category)


@register.filter
def control(field: BoundField) -> str:
    """Which kind of control a field is drawn as: check, choices, text."""
    widget = field.field.widget
    kind = type(widget).__name__
    if kind == "CheckboxInput":
        return "check"
    if kind in {"RadioSelect", "CheckboxSelectMultiple"}:
        return "choices"
    return "text"


@register.filter
def age(born: dt.date, today: dt.date) -> str:
    return dates.years_text(born, today)


@register.filter
def weekday(value: dt.date) -> str:
    return dates.weekday(value)
