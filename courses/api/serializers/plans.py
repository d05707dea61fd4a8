"""Plans as they are answered: times, reasons, comparison, changes."""

from collections.abc import Mapping
from typing import Any

from django.utils.text import capfirst
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from courses.api.fields import MomentField
from courses.booking import sentences
from courses.booking.comparing import differences
from courses.models import Plan

_KEY_OR_NULL = {"type": ["integer", "null"]}
_MOMENT = {"type": "string", "format": "date-time"}
_DAY = {"type": "string", "format": "date"}
_COUNT = {"type": "integer"}
_PLACE: dict[str, Any] = {
    "start": _MOMENT,
    "end": _MOMENT,
    "therapist": _KEY_OR_NULL,
    "room": _KEY_OR_NULL,
    "device": _KEY_OR_NULL,
}
_ITEM: dict[str, Any] = {
    "type": "object",
    "properties": {"session": _COUNT, "course": _COUNT, **_PLACE, "meeting": _KEY_OR_NULL},
}
_CONCESSION = {
    "type": "object",
    "properties": {
        "sentence": {"type": "string"},
        "changes": {"type": "array", "items": {"type": "object"}},
        "first_day": _DAY,
        "last_day": _DAY,
        "placed": {**_COUNT, "description": "Sessions that get a time with it, of `asked`."},
        "asked": _COUNT,
        "visits": _COUNT,
        "therapists": _COUNT,
        "wait_minutes": _COUNT,
        "wishes": {
            "type": ["object", "null"],
            "description": "Send it as `wishes` of another plan to take the concession; null: a doctor decides it.",
        },
        "drops_demands": {"type": "boolean", "description": "To take it, leave the demands out as well."},
    },
}
_EXPLANATION = {
    "type": ["object", "null"],
    "properties": {
        "reason": {"type": "string"},
        "course": _KEY_OR_NULL,
        "courses": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "course": _COUNT,
                    "alone": {"type": "boolean", "description": "It could be placed if it were the only one."},
                    "reason": {"type": ["string", "null"]},
                    "sentence": {"type": "string"},
                    "waterfall": {
                        "type": "array",
                        "description": "Days left after each filter and those before it.",
                        "items": {"type": "object", "properties": {"filter": {"type": "string"}, "days": _COUNT}},
                    },
                    "waterfall_sentence": {"type": "string"},
                    "longest_hole": _COUNT,
                    "gap_max": _KEY_OR_NULL,
                    "most_sessions": {**_COUNT, "description": "That fit, of `sessions`."},
                    "sessions": _COUNT,
                },
            },
        },
        "partial": {
            "type": ["object", "null"],
            "description": "The best plan of fewer sessions.",
            "properties": {"placed": _COUNT, "asked": _COUNT, "items": {"type": "array", "items": _ITEM}},
        },
    },
}
_FIGURES = {
    "first_day": _DAY,
    "last_day": _DAY,
    "visits": {**_COUNT, "description": "Days on which the patient has to come who otherwise would not."},
    "wait_minutes": _COUNT,
    "therapists": {**_COUNT, "description": "Different people."},
    "changes": {**_COUNT, "description": "Specialists of each course beyond its first."},
    "broken_wishes": _COUNT,
    "usual_time": {"type": ["string", "null"]},
}
_COMPARISON = {
    "type": ["object", "null"],
    "properties": {
        "profiles": {"type": "array", "items": {"type": "string"}, "description": "More than one: they coincide."},
        "best_in": {"type": "array", "items": {"type": "string"}},
        "best": {"type": "string"},
        "coincides": {"type": "string"},
        "figures": {"type": "object", "properties": _FIGURES},
        "against": {
            "type": "array",
            "description": "What it costs against each of the others; negative: what it saves.",
            "items": {
                "type": "object",
                "properties": {
                    "plan": _COUNT,
                    "days": _COUNT,
                    **dict.fromkeys(("visits", "wait_minutes", "therapists", "changes", "broken_wishes"), _COUNT),
                },
            },
        },
    },
}
_PLACE_OR_NULL = {"type": ["object", "null"], "properties": _PLACE}
_CHANGE = {
    "type": "object",
    "properties": {
        "session": _COUNT,
        "course": _COUNT,
        "change": {"type": "string", "enum": ["kept", "moved", "other_therapist", "other_room", "new"]},
        "old": _PLACE_OR_NULL,
        "new": _PLACE_OR_NULL,
    },
}


class PlanSerializer(serializers.ModelSerializer[Plan]):
    """`gap` is how far at most the plan is from the best one, as a share of its cost. `sentence` reads the plan aloud,
    or says why there is none; `explanation` and `concessions` are there when there is none, `comparison` when plans
    were proposed side by side, `changes` when it was made from where sessions were."""

    courses = serializers.SerializerMethodField()
    items = serializers.SerializerMethodField()
    explanation = serializers.SerializerMethodField()
    sentence = serializers.SerializerMethodField()
    concessions = serializers.SerializerMethodField()
    comparison = serializers.SerializerMethodField()
    changes = serializers.SerializerMethodField()
    changes_sentence = serializers.SerializerMethodField()
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
            "comparison",
            "changes",
            "changes_sentence",
            "group",
            "based_on",
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
        return [_shown(item) for item in plan.items]

    @extend_schema_field(_EXPLANATION)
    def get_explanation(self, plan: Plan) -> dict[str, Any] | None:
        if plan.explanation is None:
            return None
        told = {name: value for name, value in plan.explanation.items() if name != "concessions"}
        told["courses"] = [_course_told(course) for course in told["courses"]]
        if told.get("partial"):
            told["partial"] = told["partial"] | {"items": [_shown(item) for item in told["partial"]["items"]]}
        return told

    def get_sentence(self, plan: Plan) -> str:
        """The plan to read aloud, or why there is none."""
        if plan.status == Plan.Status.IMPOSSIBLE:
            return " ".join(filter(None, [sentences.reason_sentence(plan), sentences.partial_sentence(plan)]))
        return sentences.plan_sentence(plan)

    @extend_schema_field({"type": "array", "items": _CONCESSION})
    def get_concessions(self, plan: Plan) -> list[dict[str, Any]]:
        offered = (plan.explanation or {}).get("concessions", [])
        return [{**one, "sentence": str(sentences.concession_sentence(plan, one))} for one in offered]

    @extend_schema_field(_COMPARISON)
    def get_comparison(self, plan: Plan) -> dict[str, Any] | None:
        if plan.comparison is None:
            return None
        group = self.context.get("group")
        if group is None:
            group = Plan.objects.filter(group=plan.group).order_by("pk")
        return {
            **plan.comparison,
            "best": sentences.best_text(plan),
            "coincides": sentences.coinciding_sentence(plan),
            "against": [{"plan": other.pk, **differences(plan, other)} for other in group if other.pk != plan.pk],
        }

    @extend_schema_field({"type": ["array", "null"], "items": _CHANGE})
    def get_changes(self, plan: Plan) -> list[dict[str, Any]] | None:
        return plan.changes

    def get_changes_sentence(self, plan: Plan) -> str:
        return sentences.changes_sentence(plan)


def _course_told(course: Mapping[str, Any]) -> dict[str, Any]:
    """A course's reason and its waterfall, as facts and in words."""
    reason = course.get("reason")
    return {
        **course,
        "sentence": sentences.reason_text(reason) if reason else "",
        "waterfall_sentence": capfirst(sentences.waterfall_text(course["waterfall"])),
    }


def _shown(item: Mapping[str, Any]) -> dict[str, Any]:
    """Without what booking alone needs."""
    return {name: item.get(name) for name in _ITEM["properties"]}


class AlternativesSerializer(serializers.Serializer[Any]):
    """`plans` really differ; where there is no plan they are empty, and `impossible` says why."""

    plans = PlanSerializer(many=True)
    impossible = PlanSerializer(allow_null=True)


class FreeSlotSerializer(serializers.Serializer[Any]):
    starts_at = MomentField()
    ends_at = MomentField()
    therapist = serializers.IntegerField(source="therapist_id", allow_null=True)
    keeps_others = serializers.BooleanField(help_text="All other sessions of the plan can stay where they are.")
