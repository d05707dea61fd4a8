"""Clinics and what stands and works in them."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from clinic.models import Absence, Clinic, Equipment, Room, Therapist
from courses.api.fields import Body, KeyField, MomentField


class ClinicSerializer(serializers.ModelSerializer[Clinic]):
    class Meta:
        model = Clinic
        fields = [
            "id",
            "name",
            "zone",
            "country",
            "language",
            "address",
            "phone",
            "email",
            "opening_weekdays",
            "grid_minutes",
            "book_until",
            "published_until",
            "quiet_from",
            "quiet_until",
            "settle_minutes",
            "reminder_offsets",
            "hold_minutes",
            "late_cancel_hours",
        ]


class TherapistSerializer(serializers.ModelSerializer[Therapist]):
    id = serializers.IntegerField(source="pk")
    capacity = serializers.IntegerField(source="resource.capacity", help_text="Patients attended at once.")
    procedures = serializers.SerializerMethodField()

    class Meta:
        model = Therapist
        fields = [
            "id",
            "full_name",
            "short_name",
            "title",
            "staff_group",
            "gender",
            "languages",
            "is_prescriber",
            "email",
            "capacity",
            "is_active",
            "procedures",
        ]

    @extend_schema_field({"type": "array", "items": {"type": "integer"}})
    def get_procedures(self, therapist: Therapist) -> list[int]:
        """Procedures the therapist is or was qualified for."""
        return sorted({qualification.procedure_id for qualification in therapist.qualifications.all()})


class RoomSerializer(serializers.ModelSerializer[Room]):
    id = serializers.IntegerField(source="pk")
    capacity = serializers.IntegerField(source="resource.capacity", help_text="Couches or places.")

    class Meta:
        model = Room
        fields = ["id", "clinic", "name", "room_type", "floor", "capacity", "is_active"]


class EquipmentSerializer(serializers.ModelSerializer[Equipment]):
    id = serializers.IntegerField(source="pk")

    class Meta:
        model = Equipment
        fields = ["id", "clinic", "room", "name", "equipment_type", "inventory_number", "is_active"]


class AbsenceSerializer(serializers.ModelSerializer[Absence]):
    starts_at = MomentField()
    ends_at = MomentField(allow_null=True)

    class Meta:
        model = Absence
        fields = ["id", "therapist", "kind", "starts_at", "ends_at", "note"]


class AbsenceBody(Body):
    therapist = KeyField()
    kind = serializers.ChoiceField(Absence.Kind.choices)
    starts_at = MomentField()
    ends_at = MomentField(required=False, allow_null=True, default=None, help_text="Empty: until further notice.")
    note = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")
