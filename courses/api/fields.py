"""Fields of requests, with bounds that hold before anything reaches the database."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

LARGEST_KEY = 2**63 - 1
# Nothing is planned outside these years; they also keep conversions between zones within what Python can hold.
FIRST_DAY, LAST_DAY = dt.date(1900, 1, 1), dt.date(2199, 12, 31)


class Body(serializers.Serializer[None]):
    """The body of a request. A field that is not known is an error: it may be a known one misspelt."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, Mapping):
            unknown = sorted(str(name)[:100] for name in data if name not in self.fields)
            if unknown:
                raise serializers.ValidationError({name: [_("There is no such field.")] for name in unknown})
        known: dict[str, Any] = super().to_internal_value(data)
        return known


KEY = {"type": "integer", "minimum": 1, "maximum": LARGEST_KEY}


@extend_schema_field(KEY)
class KeyField(serializers.IntegerField):
    """A primary key."""

    default_error_messages = {"invalid": _("Give the id as a whole number.")}

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=LARGEST_KEY, **options)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool | float):
            self.fail("invalid")
        return super().to_internal_value(data)


class DayField(serializers.DateField):
    default_error_messages = {"year": _("Give a date between 1900 and 2199.")}

    def to_internal_value(self, value: Any) -> dt.date:
        day = super().to_internal_value(value)
        if not FIRST_DAY <= day <= LAST_DAY:
            self.fail("year")
        return day


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentField(serializers.DateTimeField):
    """A moment with its offset from UTC: a local time alone would be another moment in another clinic."""

    default_error_messages = {
        "offset": _("Write the offset from UTC as well, like 2026-12-01T09:00+01:00."),
        "year": _("Give a moment between 1900 and 2199."),
    }

    def enforce_timezone(self, value: dt.datetime) -> dt.datetime:
        if value.tzinfo is None:
            self.fail("offset")
        if not FIRST_DAY < value.date() < LAST_DAY:
            self.fail("year")
        return value.astimezone(dt.UTC)

    def to_representation(self, value: Any) -> Any:
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z") if isinstance(value, dt.datetime) else value


class WeekdayField(serializers.IntegerField):
    """1 Monday … 7 Sunday."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=7, **options)


class MinuteField(serializers.TimeField):
    """A local wall time as HH:MM."""

    def __init__(self, **options: Any) -> None:
        super().__init__(format="%H:%M", input_formats=["%H:%M"], **options)
