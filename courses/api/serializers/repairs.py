"""Repairs: what is asked, how far it is, what is proposed; and what disruptions are recorded with."""

import datetime as dt
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from clinic.models import Closure, Outage
from courses.api.fields import Body, DayField, KeyField, MomentField
from courses.booking.repair_models import CAUSES, Repair
from courses.booking.repairs import count_changes, count_patients, sessions_to_call
from courses.models import Qualification

_KEY_OR_NULL = {"type": ["integer", "null"]}
_PLACE = {
    "start": {"type": "string", "format": "date-time"},
    "end": {"type": "string", "format": "date-time"},
    "therapist": _KEY_OR_NULL,
    "room": _KEY_OR_NULL,
    "device": _KEY_OR_NULL,
    "meeting": _KEY_OR_NULL,
}
_ITEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "session": {"type": "integer"},
        "course": {"type": "integer"},
        "patient": {"type": "integer"},
        "change": {"type": "string", "enum": ["kept", "other_therapist", "moved", "unplaced"]},
        "lost": {"type": "boolean", "description": "False: a later session of the course that makes way."},
        "from": {"type": "object", "properties": _PLACE},
        "to": {"type": ["object", "null"], "properties": _PLACE},
        "reason": {"type": "string", "description": "Why there is no place for it; else empty."},
        "params": {"type": "object"},
        "applied": {"type": "boolean"},
    },
}
_COUNT = {"type": "integer", "minimum": 0}
_COUNTS = {
    "type": "object",
    "properties": {"kept": _COUNT, "other_therapist": _COUNT, "moved": _COUNT, "unplaced": _COUNT},
}
_PATIENTS = {
    "type": "object",
    "properties": {
        "by_mail": _COUNT,
        "by_call": _COUNT,
        "without_mail": {"type": "array", "items": {"type": "integer"}, "description": "Patients to be called."},
    },
}
_CALL = {
    "type": "object",
    "properties": {
        "session": {"type": "integer"},
        "starts_at": {"type": "string", "format": "date-time"},
        "patient": {"type": "integer"},
        "full_name": {"type": "string"},
        "phones": {"type": "array", "items": {"type": "string"}},
    },
}
_HEAD = [
    "id",
    "clinic",
    "kind",
    "status",
    "step",
    "progress",
    "absence",
    "outage",
    "closure",
    "qualification",
    "therapist",
    "substitute",
    "starts_at",
    "ends_at",
    "their_starts_at",
    "their_ends_at",
    "moves_rest",
    "counts",
    "created_at",
    "created_by",
    "finished_at",
    "applied_at",
    "applied_by",
]


class RepairHeadSerializer(serializers.ModelSerializer[Repair]):
    """How far a repair is; `counts` is of sessions by what becomes of them."""

    counts = serializers.SerializerMethodField()
    starts_at = MomentField(allow_null=True)
    ends_at = MomentField(allow_null=True)
    their_starts_at = MomentField(allow_null=True)
    their_ends_at = MomentField(allow_null=True)
    created_at = MomentField()
    finished_at = MomentField(allow_null=True)
    applied_at = MomentField(allow_null=True)

    class Meta:
        model = Repair
        fields = _HEAD

    @extend_schema_field(_COUNTS)
    def get_counts(self, repair: Repair) -> dict[str, int]:
        return count_changes(repair)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "proposed",
            response_only=True,
            status_codes=["200", "202"],
            value={
                "id": 7,
                "clinic": 1,
                "kind": "replace",
                "status": "proposed",
                "step": "done",
                "progress": 1.0,
                "absence": 12,
                "outage": None,
                "closure": None,
                "qualification": None,
                "therapist": None,
                "substitute": None,
                "starts_at": None,
                "ends_at": None,
                "their_starts_at": None,
                "their_ends_at": None,
                "moves_rest": True,
                "counts": {"kept": 0, "other_therapist": 0, "moved": 1, "unplaced": 1},
                "created_at": "2026-11-30T06:40:00Z",
                "created_by": 3,
                "finished_at": "2026-11-30T06:40:01Z",
                "applied_at": None,
                "applied_by": None,
                "items": [
                    {
                        "session": 401,
                        "course": 88,
                        "patient": 51,
                        "change": "moved",
                        "lost": True,
                        "from": {
                            "start": "2026-11-30T08:00:00+00:00",
                            "end": "2026-11-30T08:30:00+00:00",
                            "therapist": 5,
                            "room": 21,
                            "device": None,
                            "meeting": None,
                        },
                        "to": {
                            "start": "2026-11-30T13:00:00+00:00",
                            "end": "2026-11-30T13:30:00+00:00",
                            "therapist": 6,
                            "room": 21,
                            "device": None,
                            "meeting": None,
                        },
                        "reason": "",
                        "params": {},
                        "applied": False,
                    },
                    {
                        "session": 402,
                        "course": 90,
                        "patient": 52,
                        "change": "unplaced",
                        "lost": True,
                        "from": {
                            "start": "2026-11-30T09:00:00+00:00",
                            "end": "2026-11-30T09:30:00+00:00",
                            "therapist": 5,
                            "room": 21,
                            "device": None,
                            "meeting": None,
                        },
                        "to": None,
                        "reason": "not_qualified",
                        "params": {"therapists": [5], "days": 0},
                        "applied": False,
                    },
                ],
                "patients": {"by_mail": 1, "by_call": 0, "without_mail": []},
                "call_now": [
                    {
                        "session": 401,
                        "starts_at": "2026-11-30T08:00:00Z",
                        "patient": 51,
                        "full_name": "Jan Nowak",
                        "phones": ["+48501234567"],
                    }
                ],
                "cost": 12,
                "bound": 12,
                "gap": 0.0,
                "unplaced_bound": 1,
                "proven": True,
                "solve_ms": 184.2,
            },
        )
    ]
)
class RepairSerializer(RepairHeadSerializer):
    """`call_now` lists those that start within four hours, the nearest first. `gap` is how far the change is at most
    from the least, as a share; `unplaced_bound` how many stay without a place at least."""

    items = serializers.SerializerMethodField()
    patients = serializers.SerializerMethodField()
    call_now = serializers.SerializerMethodField()
    gap = serializers.FloatField(allow_null=True)

    class Meta:
        model = Repair
        fields = [
            *_HEAD,
            "items",
            "patients",
            "call_now",
            "cost",
            "bound",
            "gap",
            "unplaced_bound",
            "proven",
            "solve_ms",
        ]

    @extend_schema_field({"type": "array", "items": _ITEM})
    def get_items(self, repair: Repair) -> list[dict[str, Any]]:
        def shown(item: dict[str, Any]) -> dict[str, Any]:
            places = {side: item[side] and {name: item[side].get(name) for name in _PLACE} for side in ("from", "to")}
            return {name: item[name] for name in _ITEM["properties"]} | places

        return [shown(item) for item in repair.items]

    @extend_schema_field(_PATIENTS)
    def get_patients(self, repair: Repair) -> dict[str, Any]:
        """How many patients hear of it when all that is open is applied."""
        return count_patients(repair)

    @extend_schema_field({"type": "array", "items": _CALL})
    def get_call_now(self, repair: Repair) -> list[dict[str, Any]]:
        now: dt.datetime = self.context.get("now") or timezone.now()
        return [
            {
                "session": session.pk,
                "starts_at": MomentField().to_representation(session.time.starts_at),
                "patient": session.course.patient_id,
                "full_name": session.course.patient.full_name,
                "phones": [str(phone.number) for phone in session.course.patient.phones.all()],
            }
            for session in sessions_to_call(repair, now=now)
        ]


@extend_schema_serializer(
    examples=[
        OpenApiExample("an absence", request_only=True, value={"clinic": 1, "absence": 12}),
        OpenApiExample(
            "a day of a specialist",
            request_only=True,
            value={
                "clinic": 1,
                "therapist": 5,
                "starts_at": "2026-11-30T07:00:00Z",
                "ends_at": "2026-11-30T19:00:00Z",
            },
        ),
        OpenApiExample(
            "hand over the whole shift",
            request_only=True,
            value={
                "clinic": 1,
                "kind": "handover",
                "therapist": 5,
                "substitute": 6,
                "starts_at": "2026-11-30T07:00:00Z",
                "ends_at": "2026-11-30T19:00:00Z",
            },
        ),
        OpenApiExample(
            "swap shifts",
            request_only=True,
            value={
                "clinic": 1,
                "kind": "swap",
                "therapist": 5,
                "starts_at": "2026-11-30T00:00:00Z",
                "ends_at": "2026-12-01T00:00:00Z",
                "substitute": 6,
                "their_starts_at": "2026-12-02T00:00:00Z",
                "their_ends_at": "2026-12-03T00:00:00Z",
            },
        ),
    ]
)
class RepairBody(Body):
    """What fell out — one of `absence`, `outage`, `closure`, `qualification` — or a specialist with a period. A
    handover and a swap name the specialist, the substitute and their periods."""

    clinic = KeyField()
    kind = serializers.ChoiceField(Repair.Kind.choices, required=False, default=Repair.Kind.REPLACE)
    absence = KeyField(required=False)
    outage = KeyField(required=False)
    closure = KeyField(required=False)
    qualification = KeyField(required=False)
    therapist = KeyField(required=False)
    substitute = KeyField(required=False)
    starts_at = MomentField(required=False)
    ends_at = MomentField(required=False, allow_null=True, default=None)
    their_starts_at = MomentField(required=False)
    their_ends_at = MomentField(required=False)
    moves_rest = serializers.BooleanField(
        required=False, default=True, help_text="Later sessions may move where that saves one."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        needed = {
            Repair.Kind.HANDOVER: ["therapist", "substitute", "starts_at", "ends_at"],
            Repair.Kind.SWAP: ["therapist", "substitute", "starts_at", "ends_at", "their_starts_at", "their_ends_at"],
        }.get(attrs["kind"], [])
        missing = {name: [_("This field is required.")] for name in needed if attrs.get(name) is None}
        if missing:
            raise serializers.ValidationError(missing)
        named = [name for name in (*CAUSES, "therapist") if name in attrs]
        if len(named) != 1:
            raise serializers.ValidationError({"absence": [_("Name either what fell out or a specialist.")]})
        return attrs


@extend_schema_serializer(
    examples=[
        OpenApiExample("all", request_only=True, value={}),
        OpenApiExample("two patients", request_only=True, value={"patients": [51, 52]}),
        OpenApiExample("one session", request_only=True, value={"sessions": [401]}),
    ]
)
class AcceptBody(Body):
    """Neither: all that is open. With a session goes what makes way for it in its course."""

    sessions = serializers.ListField(child=KeyField(), max_length=1000, required=False, allow_empty=False)
    patients = serializers.ListField(child=KeyField(), max_length=1000, required=False, allow_empty=False)


class OutageSerializer(serializers.ModelSerializer[Outage]):
    starts_at = MomentField()
    ends_at = MomentField(allow_null=True)

    class Meta:
        model = Outage
        fields = ["id", "resource", "starts_at", "ends_at", "reason"]


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "until further notice",
            request_only=True,
            value={"resource": 21, "starts_at": "2026-11-30T07:00:00Z", "reason": "being repaired"},
        )
    ]
)
class OutageBody(Body):
    resource = KeyField(help_text="A room or a device.")
    starts_at = MomentField()
    ends_at = MomentField(required=False, allow_null=True, default=None, help_text="Empty: until further notice.")
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class ClosureSerializer(serializers.ModelSerializer[Closure]):
    starts_at = MomentField()
    ends_at = MomentField()

    class Meta:
        model = Closure
        fields = ["id", "clinic", "starts_at", "ends_at", "reason"]


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "an afternoon",
            request_only=True,
            value={
                "clinic": 1,
                "starts_at": "2026-11-30T11:00:00Z",
                "ends_at": "2026-11-30T19:00:00Z",
                "reason": "water works",
            },
        )
    ]
)
class ClosureBody(Body):
    clinic = KeyField()
    starts_at = MomentField()
    ends_at = MomentField()
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class QualificationSerializer(serializers.ModelSerializer[Qualification]):
    class Meta:
        model = Qualification
        fields = ["id", "therapist", "procedure", "valid_from", "valid_until"]


@extend_schema_serializer(
    examples=[OpenApiExample("not after November", request_only=True, value={"valid_until": "2026-11-30"})]
)
class RestrictBody(Body):
    valid_until = DayField(help_text="The last local day on which the specialist may give the procedure.")


@extend_schema_serializer(
    examples=[OpenApiExample("until Friday", request_only=True, value={"ends_at": "2026-12-04T19:00:00Z"})]
)
class ExtendBody(Body):
    ends_at = MomentField(allow_null=True, help_text="Empty: until further notice.")


@extend_schema_serializer(
    examples=[OpenApiExample("back on Wednesday", request_only=True, value={"ends_at": "2026-12-02T07:00:00Z"})]
)
class EndBody(Body):
    ends_at = MomentField()
