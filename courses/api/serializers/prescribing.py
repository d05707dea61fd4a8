"""Procedures, referrals and programmes."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from clinic.models.resources import Sex
from courses.api.fields import Body, DayField, KeyField, MinuteField, MomentField, WeekdayField
from courses.booking.models import Strength
from courses.catalogue.models import GapUnit
from courses.models import Procedure, Programme, Referral, Requirement


class RequirementSerializer(serializers.ModelSerializer[Requirement]):
    class Meta:
        model = Requirement
        fields = ["role", "type_code", "count", "minutes_before", "minutes_after", "hands_on_start", "hands_on_end"]


class ProcedureSerializer(serializers.ModelSerializer[Procedure]):
    requirements = RequirementSerializer(many=True)
    not_same_day_with = serializers.SerializerMethodField()

    class Meta:
        model = Procedure
        fields = [
            "id",
            "clinic",
            "code",
            "short_code",
            "name_en",
            "name_ru",
            "name_pl",
            "category",
            "tags",
            "minutes",
            "sessions_default",
            "sessions_min",
            "sessions_max",
            "gap_min",
            "gap_max",
            "gap_unit",
            "per_week",
            "is_group",
            "requires_referral",
            "is_active",
            "sources",
            "requirements",
            "not_same_day_with",
        ]
        extra_kwargs = {"sources": {"help_text": "Source and confidence of each figure, by the field's name."}}

    @extend_schema_field({"type": "array", "items": {"type": "integer"}})
    def get_not_same_day_with(self, procedure: Procedure) -> list[int]:
        return sorted(other.pk for other in procedure.not_same_day_with.all())


class ReferralSerializer(serializers.ModelSerializer[Referral]):
    signed_at = MomentField(allow_null=True)
    programmes = serializers.SerializerMethodField()

    class Meta:
        model = Referral
        fields = [
            "id",
            "clinic",
            "patient",
            "number",
            "origin",
            "prescriber",
            "prescribed_on",
            "icd10",
            "diagnosis",
            "start_from",
            "finish_by",
            "combine_visits",
            "expires_on",
            "comment",
            "signed_at",
            "programmes",
        ]

    @extend_schema_field({"type": "array", "items": {"type": "integer"}})
    def get_programmes(self, referral: Referral) -> list[int]:
        return [programme.pk for programme in referral.programmes.all()]


class LineBody(Body):
    """One line of a referral: so many sessions of a procedure, and what they have to keep to."""

    procedure = KeyField()
    sessions_total = serializers.IntegerField(min_value=1, max_value=100)
    area = serializers.CharField(max_length=100, required=False, allow_blank=True)
    side = serializers.CharField(max_length=16, required=False, allow_blank=True)
    frequency = serializers.CharField(max_length=32, required=False, allow_blank=True)
    gap_min = serializers.IntegerField(min_value=1, max_value=60, required=False)
    gap_max = serializers.IntegerField(min_value=1, max_value=60, required=False)
    gap_unit = serializers.ChoiceField(GapUnit.choices, required=False)
    per_week = serializers.IntegerField(min_value=1, max_value=7, required=False)
    weekdays = serializers.ListField(child=WeekdayField(), max_length=7, required=False)
    weekdays_strength = serializers.ChoiceField(Strength.choices, required=False)
    window_from = MinuteField(required=False)
    window_until = MinuteField(required=False)
    window_strength = serializers.ChoiceField(Strength.choices, required=False)
    preferred_therapist = KeyField(required=False)
    therapist_strength = serializers.ChoiceField(Strength.choices, required=False)
    therapist_gender = serializers.ChoiceField(Sex.choices, required=False)
    note = serializers.CharField(max_length=500, required=False, allow_blank=True)


class ReferralBody(Body):
    clinic = KeyField()
    patient = KeyField()
    prescriber = KeyField(required=False)
    origin = serializers.ChoiceField([Referral.Origin.OWN, Referral.Origin.OUTSIDE], required=False)
    number = serializers.CharField(max_length=50, required=False, allow_blank=True)
    prescribed_on = DayField(required=False)
    icd10 = serializers.RegexField(r"^[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?$", max_length=8, required=False)
    diagnosis = serializers.CharField(max_length=300, required=False, allow_blank=True)
    start_from = DayField(required=False)
    finish_by = DayField(required=False)
    combine_visits = serializers.BooleanField(required=False)
    expires_on = DayField(required=False)
    comment = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    lines = LineBody(many=True, allow_empty=False, max_length=20)  # type: ignore[call-arg]


class ProgrammeSerializer(serializers.ModelSerializer[Programme]):
    courses = serializers.SerializerMethodField()

    class Meta:
        model = Programme
        fields = ["id", "clinic", "patient", "referral", "combine_visits", "courses"]

    @extend_schema_field({"type": "array", "items": {"type": "integer"}})
    def get_courses(self, programme: Programme) -> list[int]:
        return [course.pk for course in programme.courses.all()]
