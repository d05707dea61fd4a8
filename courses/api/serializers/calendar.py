"""Appointments, group classes and free times."""

from typing import Any

from rest_framework import serializers

from clinic.models import Appointment, Reservation
from courses.api.fields import Body, DayField, KeyField, MomentField
from courses.models import ClassMeeting, GroupClass


class ReservationSerializer(serializers.ModelSerializer[Reservation]):
    kind = serializers.CharField(source="resource.kind")
    held_until = MomentField(allow_null=True)

    class Meta:
        model = Reservation
        fields = ["resource", "kind", "live", "held_until"]


class AppointmentSerializer(serializers.ModelSerializer[Appointment]):
    starts_at = MomentField()
    ends_at = MomentField()
    reservations = ReservationSerializer(many=True)

    class Meta:
        model = Appointment
        fields = [
            "id",
            "clinic",
            "kind",
            "starts_at",
            "ends_at",
            "live",
            "seats",
            "override_reason",
            "version",
            "reservations",
        ]


class ClassSerializer(serializers.ModelSerializer[GroupClass]):
    class Meta:
        model = GroupClass
        fields = [
            "id",
            "clinic",
            "procedure",
            "name",
            "instructor",
            "room",
            "capacity",
            "starts_on",
            "start_time",
            "minutes",
            "rrule",
            "is_active",
        ]


class MeetingSerializer(serializers.ModelSerializer[ClassMeeting]):
    appointment = serializers.IntegerField(source="appointment_id")
    starts_at = MomentField(source="appointment.starts_at")
    ends_at = MomentField(source="appointment.ends_at")
    live = serializers.BooleanField(source="appointment.live")
    seats = serializers.IntegerField(source="appointment.seats")
    taken = serializers.IntegerField(help_text="Seats sold or held.")

    class Meta:
        model = ClassMeeting
        fields = ["appointment", "group_class", "date", "starts_at", "ends_at", "live", "seats", "taken"]


class AvailabilityQuery(Body):
    clinic = KeyField()
    procedure = KeyField()
    first_day = DayField(required=False, allow_null=True, default=None)
    days = serializers.IntegerField(min_value=1, max_value=62, required=False, default=1)
    therapist = KeyField(required=False)


class FreeRangeSerializer(serializers.Serializer[Any]):
    """A session may start at `first`, at `last`, and at every step of the grid between; local times."""

    first = serializers.RegexField(r"^\d\d:\d\d$")
    last = serializers.RegexField(r"^\d\d:\d\d$")


class FreeDaySerializer(serializers.Serializer[Any]):
    date = serializers.DateField()
    therapist = serializers.IntegerField()
    starts = FreeRangeSerializer(many=True)


class AvailabilitySerializer(serializers.Serializer[Any]):
    clinic = serializers.IntegerField()
    procedure = serializers.IntegerField()
    zone = serializers.CharField()
    grid_minutes = serializers.IntegerField()
    results = FreeDaySerializer(many=True)
