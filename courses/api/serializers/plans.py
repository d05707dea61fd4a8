"""Plans: what is asked, and what is proposed."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from courses.api.fields import LARGEST_KEY, Body, DayField, KeyField, MomentField
from courses.api.serializers.courses import PROFILES, WishesBody
from courses.booking import sentences
from courses.models import Plan

_KEY_OR_NULL = {"type": ["integer", "null"]}
_ITEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "session": {"type": "integer"},
        "course": {"type": "integer"},
        "start": {"type": "string", "format": "date-time"},
        "end": {"type": "string", "format": "date-time"},
        "therapist": _KEY_OR_NULL,
        "room": _KEY_OR_NULL,
        "device": _KEY_OR_NULL,
        "meeting": _KEY_OR_NULL,
    },
}
_CONCESSION = {
    "type": "object",
    "properties": {
        "sentence": {"type": "string"},
        "changes": {"type": "array", "items": {"type": "object"}},
        "first_day": {"type": "string", "format": "date"},
        "last_day": {"type": "string", "format": "date"},
        "wishes": {"type": "object", "description": "Send it as `wishes` of another plan to take the concession."},
    },
}


class PlanSerializer(serializers.ModelSerializer[Plan]):
    """`gap` is how far at most the plan is from the best one, as a share of its cost. `explanation`, `sentence` and
    `concessions` are there when there is no plan."""

    courses = serializers.SerializerMethodField()
    items = serializers.SerializerMethodField()
    explanation = serializers.SerializerMethodField()
    sentence = serializers.SerializerMethodField()
    concessions = serializers.SerializerMethodField()
    gap = serializers.FloatField(allow_null=True)
    held_until = MomentField(allow_null=True)
    created_at = MomentField()
    booked_at = MomentField(allow_null=True)

    class Meta:
        model = Plan
        fields = [
            "id",
            "clinic",
            "patient",
            "courses",
            "status",
            "profile",
            "items",
            "explanation",
            "sentence",
            "concessions",
            "cost",
            "bound",
            "proven",
            "gap",
            "plan_ms",
            "held_until",
            "created_at",
            "booked_at",
        ]

    @extend_schema_field({"type": "array", "items": {"type": "integer"}})
    def get_courses(self, plan: Plan) -> list[int]:
        # What is planned names its courses; only where there is no plan are they looked up.
        named = {item["course"] for item in plan.items}
        return sorted(named or {course.pk for course in plan.courses.all()})

    @extend_schema_field({"type": "array", "items": _ITEM})
    def get_items(self, plan: Plan) -> list[dict[str, Any]]:
        return [{name: item.get(name) for name in _ITEM["properties"]} for item in plan.items]

    @extend_schema_field({"type": ["object", "null"]})
    def get_explanation(self, plan: Plan) -> dict[str, Any] | None:
        if plan.explanation is None:
            return None
        return {name: value for name, value in plan.explanation.items() if name != "concessions"}

    def get_sentence(self, plan: Plan) -> str:
        """The plan to read aloud, or why there is none."""
        return str(sentences.reason_sentence(plan) if plan.status == Plan.Status.IMPOSSIBLE else "")

    @extend_schema_field({"type": "array", "items": _CONCESSION})
    def get_concessions(self, plan: Plan) -> list[dict[str, Any]]:
        offered = (plan.explanation or {}).get("concessions", [])
        return [{**one, "sentence": str(sentences.concession_sentence(plan, one))} for one in offered]


class WishesOfPlanBody(WishesBody):
    """For all courses of the plan; `courses` maps a course's id to wishes of its own."""

    courses = serializers.DictField(child=WishesBody(), required=False)

    def validate_courses(self, value: dict[str, Any]) -> dict[str, Any]:
        if any(not (key.isascii() and key.isdigit() and 0 < int(key) <= LARGEST_KEY) for key in value):
            raise serializers.ValidationError(_("Name each course by its id."))
        return value


class PlanBody(Body):
    """`courses` or `programme`: all of them are of one patient in one clinic."""

    courses = serializers.ListField(child=KeyField(), allow_empty=False, max_length=10, required=False)
    programme = KeyField(required=False)
    profile = serializers.ChoiceField(PROFILES, required=False, default="balanced")
    wishes = WishesOfPlanBody(required=False)
    not_before = DayField(required=False, allow_null=True, default=None, help_text="No session before this local day.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("courses" in attrs) == ("programme" in attrs):
            raise serializers.ValidationError({"courses": [_("Name either courses or a programme.")]})
        return attrs


class ReplanBody(Body):
    keep = serializers.ListField(
        child=KeyField(), max_length=100, required=False, default=list, help_text="Sessions that stay where they are."
    )
    profile = serializers.ChoiceField(PROFILES, required=False, default="balanced")
    wishes = WishesBody(required=False)


def wishes_as_json(wishes: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Validated wishes in the shape services take: dates and times as text."""
    if wishes is None:
        return None
    return dict(WishesOfPlanBody().to_representation(wishes))  # type: ignore[arg-type]
