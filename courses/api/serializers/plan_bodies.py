"""What is asked of plans: for which courses, by which profiles, with which wishes, pins and demands."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from clinic.errors import Invalid
from courses.api.fields import LARGEST_KEY, Body, DayField, KeyField, MinuteField, MomentField, WeekdayField
from courses.api.serializers.courses import PROFILES, WishesBody
from courses.booking.nudging import EARLIER, LATER
from courses.booking.rules import KINDS
from courses.booking.wishes import Wishes
from courses.planning.alternatives import THREE


class WishesOfPlanBody(WishesBody):
    """For all courses of the plan; `courses` maps a course's id to wishes of its own."""

    courses = serializers.DictField(child=WishesBody(), required=False)

    def validate_courses(self, value: dict[str, Any]) -> dict[str, Any]:
        if any(not (key.isascii() and key.isdigit() and 0 < int(key) <= LARGEST_KEY) for key in value):
            raise serializers.ValidationError(_("Name each course by its id."))
        return value


class DemandBody(Body):
    """What is asked of some sessions that have a time; those that do not keep it move. Without `sessions`: of all."""

    sessions = serializers.ListField(child=KeyField(), max_length=100, required=False)
    not_before = MinuteField(required=False, allow_null=True, help_text="Local time before which none begins.")
    not_after = MinuteField(required=False, allow_null=True, help_text="Local time after which none ends.")
    weekdays = serializers.ListField(child=WeekdayField(), max_length=7, required=False)
    therapist = KeyField(required=False, allow_null=True, help_text="With this one.")
    excluded_therapists = serializers.ListField(
        child=KeyField(), max_length=50, required=False, help_text="With none of these."
    )
    excluded_days = serializers.ListField(child=DayField(), max_length=366, required=False, help_text="Not these days.")


class RuleBody(Body):
    """What holds between the sessions of different courses. `same_day`: where both are on one day, `first` before
    `then` (unless `ordered` is false), `rest_minutes` to `lag_minutes` apart. `apart`: never within `days` calendar
    days, 0 = not on one day. `day_limit`: at most `most` of a `selector` a day. `not_together`: not in one programme.
    `opens_after`: a course begins after so many `sessions` of another. `review`: each visit of a course follows the
    session of the course `of` that `after_sessions` names, within so many days. A selector is a procedure's code or a
    tag."""

    kind = serializers.ChoiceField(KINDS)
    first = serializers.CharField(max_length=64, required=False)
    then = serializers.CharField(max_length=64, required=False)
    rest_minutes = serializers.IntegerField(min_value=0, max_value=1440, required=False)
    lag_minutes = serializers.IntegerField(min_value=0, max_value=1440, required=False, allow_null=True)
    ordered = serializers.BooleanField(required=False)
    one = serializers.CharField(max_length=64, required=False)
    other = serializers.CharField(max_length=64, required=False)
    days = serializers.IntegerField(min_value=0, max_value=60, required=False)
    selector = serializers.CharField(max_length=64, required=False)
    most = serializers.IntegerField(min_value=1, max_value=20, required=False)
    course = KeyField(required=False)
    after = KeyField(required=False, help_text="The other course.")
    sessions = serializers.IntegerField(min_value=1, max_value=100, required=False)
    of = KeyField(required=False, help_text="The course reviewed.")
    after_sessions = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=100),
        max_length=100,
        required=False,
        help_text="Numbers of its sessions, ascending: one for each visit.",
    )
    within_days = serializers.IntegerField(min_value=0, max_value=60, required=False)


class CoursesBody(Body):
    """`courses` or `programme`: all of them are of one patient in one clinic."""

    courses = serializers.ListField(child=KeyField(), allow_empty=False, max_length=10, required=False)
    programme = KeyField(required=False)
    wishes = WishesOfPlanBody(required=False)
    not_before = DayField(required=False, allow_null=True, default=None, help_text="No session before this local day.")
    rules = RuleBody(many=True, required=False, help_text="Rules between the procedures; never broken.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("courses" in attrs) == ("programme" in attrs):
            raise serializers.ValidationError({"courses": [_("Name either courses or a programme.")]})
        return attrs


class PlanBody(CoursesBody):
    profile = serializers.ChoiceField(PROFILES, required=False, default="balanced")
    replan = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Sessions that have a time are planned anew too, and move as little as can be.",
    )
    keep = serializers.ListField(
        child=KeyField(),
        max_length=600,
        required=False,
        default=list,
        help_text="Sessions that stay where they are; the others with a time are planned anew.",
    )
    demands = DemandBody(many=True, required=False, help_text="The sessions concerned are planned anew.")


class AlternativesBody(CoursesBody):
    profiles = serializers.ListField(
        child=serializers.ChoiceField(PROFILES), allow_empty=False, max_length=4, required=False, default=list(THREE)
    )


class ReplanBody(Body):
    keep = serializers.ListField(
        child=KeyField(), max_length=100, required=False, default=list, help_text="Sessions that stay where they are."
    )
    profile = serializers.ChoiceField(PROFILES, required=False, default="balanced")
    wishes = WishesBody(required=False)
    demands = DemandBody(many=True, required=False)
    least_movement = serializers.BooleanField(
        required=False, default=True, help_text="If not, the rest is planned as if it had no times."
    )


class NudgeBody(Body):
    """`to` or `starts_at`."""

    session = KeyField()
    to = serializers.ChoiceField([EARLIER, LATER], required=False)
    starts_at = MomentField(required=False)
    therapist = KeyField(required=False, allow_null=True, help_text="With `starts_at`; else the same one if possible.")
    keep_others = serializers.BooleanField(
        required=False, default=False, help_text="Refuse (409) rather than move another session."
    )


class SlotsQuery(Body):
    session = KeyField()


def wishes_as_json(wishes: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Validated wishes in the shape services take: dates and times as text."""
    if wishes is None:
        return None
    return dict(WishesOfPlanBody().to_representation(wishes))  # type: ignore[arg-type]


def demands_as_json(demands: list[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    return [dict(DemandBody().to_representation(demand)) for demand in demands or []]  # type: ignore[arg-type]


_WISHES = {field.name for field in fields(Wishes)}


@contextmanager
def naming_wishes() -> Iterator[None]:
    """What services find wrong with wishes is named as it was sent: `wishes.gap_max`."""
    try:
        yield
    except Invalid as error:
        error.details = {
            f"wishes.{name}" if name in _WISHES or name.startswith("courses.") else name: sentences
            for name, sentences in error.details.items()
        }
        raise
