"""Courses, their sessions and the visits these make up."""

from typing import Any

from rest_framework import serializers

from clinic.models import ResourceKind
from clinic.models.resources import Sex
from courses.api.fields import Body, DayField, KeyField, MinuteField, MomentField, WeekdayField
from courses.booking.models import Strength
from courses.catalogue.models import GapUnit
from courses.models import Course, Session, Visit

PROFILES = ["balanced", "earliest_finish", "fewest_visits", "same_therapist"]


class CourseSerializer(serializers.ModelSerializer[Course]):
    class Meta:
        model = Course
        fields = [
            "id",
            "clinic",
            "patient",
            "procedure",
            "programme",
            "line_number",
            "origin",
            "status",
            "sessions_total",
            "done_before",
            "minutes",
            "area",
            "side",
            "frequency",
            "gap_min",
            "gap_max",
            "gap_unit",
            "per_week",
            "start_from",
            "finish_by",
            "weekdays",
            "weekdays_strength",
            "window_from",
            "window_until",
            "window_strength",
            "preferred_therapist",
            "therapist_strength",
            "therapist_gender",
            "therapist_language",
            "language_strength",
            "preference_text",
            "note",
            "paused_until",
            "version",
        ]


class CourseBody(Body):
    clinic = KeyField()
    patient = KeyField()
    procedure = KeyField()
    programme = KeyField(required=False)
    sessions_total = serializers.IntegerField(min_value=1, max_value=100)
    area = serializers.CharField(max_length=100, required=False, allow_blank=True)
    side = serializers.CharField(max_length=16, required=False, allow_blank=True)
    gap_min = serializers.IntegerField(min_value=1, max_value=60, required=False)
    gap_max = serializers.IntegerField(min_value=1, max_value=60, required=False)
    gap_unit = serializers.ChoiceField(GapUnit.choices, required=False)
    per_week = serializers.IntegerField(min_value=1, max_value=7, required=False)
    start_from = DayField(required=False)
    finish_by = DayField(required=False)
    note = serializers.CharField(max_length=500, required=False, allow_blank=True)


class SessionSerializer(serializers.ModelSerializer[Session]):
    """`class` is the group class whose meeting the session joins; therapist, room and device are ids, or null."""

    patient = serializers.IntegerField(source="course.patient_id")
    starts_at = MomentField(source="appointment.starts_at", default=None, allow_null=True)
    ends_at = MomentField(source="appointment.ends_at", default=None, allow_null=True)
    therapist = serializers.IntegerField(allow_null=True)
    room = serializers.IntegerField(allow_null=True)
    device = serializers.IntegerField(allow_null=True)
    group_class = serializers.IntegerField(allow_null=True)
    held_until = MomentField(allow_null=True)
    arrived_at = MomentField(allow_null=True)
    started_at = MomentField(allow_null=True)
    ended_at = MomentField(allow_null=True)

    class Meta:
        model = Session
        fields = [
            "id",
            "course",
            "patient",
            "number",
            "status",
            "starts_at",
            "ends_at",
            "therapist",
            "room",
            "device",
            "group_class",
            "seat",
            "appointment",
            "visit",
            "plan",
            "held_until",
            "replaces",
            "to_replace",
            "pinned",
            "reason",
            "arrived_at",
            "started_at",
            "ended_at",
            "version",
        ]

    def to_representation(self, session: Session) -> dict[str, Any]:
        taken = resources_of(session)
        session.therapist = taken.get(ResourceKind.THERAPIST)  # type: ignore[attr-defined]
        session.room = taken.get(ResourceKind.ROOM)  # type: ignore[attr-defined]
        session.device = taken.get(ResourceKind.EQUIPMENT)  # type: ignore[attr-defined]
        meeting = getattr(session.appointment, "class_meeting", None) if session.appointment else None
        session.group_class = meeting.group_class_id if meeting else None  # type: ignore[attr-defined]
        shown: dict[str, Any] = super().to_representation(session)
        return shown


def resources_of(session: Session) -> dict[str, int]:
    """Who and what a session has, by kind: of an appointment that is off, what it had last."""
    appointment = session.appointment
    if appointment is None:
        return {}
    return {
        reservation.resource.kind: reservation.resource_id
        for reservation in appointment.reservations.all()
        if reservation.live == appointment.live
    }


class MoveBody(Body):
    starts_at = MomentField()
    therapist = KeyField(required=False, allow_null=True)
    room = KeyField(required=False, allow_null=True)
    device = KeyField(required=False, allow_null=True)
    meeting = KeyField(required=False, allow_null=True, help_text="Appointment of the class meeting to join.")
    override_reason = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")
    version = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, help_text="As last seen; another one in force gives 409."
    )


class CancelBody(Body):
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")
    by_clinic = serializers.BooleanField(required=False, default=False)


class ReasonBody(Body):
    reason = serializers.CharField(max_length=300)


class EmptyBody(Body):
    """Nothing needs to be said."""


class FreeStartsQuery(Body):
    first_day = DayField(required=False)
    days = serializers.IntegerField(min_value=1, max_value=62, required=False, default=14)


class FreeStartSerializer(serializers.Serializer[Any]):
    starts_at = MomentField()
    therapist = serializers.IntegerField(source="therapist_id", allow_null=True)
    room = serializers.IntegerField(source="room_id", allow_null=True)
    device = serializers.IntegerField(source="device_id", allow_null=True)


class VisitSerializer(serializers.ModelSerializer[Visit]):
    revised_at = MomentField()
    starts_at = MomentField()
    ends_at = MomentField()
    arrived_at = MomentField(allow_null=True)
    sessions = serializers.SerializerMethodField()

    class Meta:
        model = Visit
        fields = [
            "id",
            "clinic",
            "patient",
            "date",
            "uid",
            "sequence",
            "revised_at",
            "starts_at",
            "ends_at",
            "live",
            "arrived_at",
            "sessions",
        ]

    def get_sessions(self, visit: Visit) -> list[int]:
        return [session.pk for session in visit.sessions.all()]


class WishesBody(Body):
    """Wishes and musts of this plan alone, in place of the course's own."""

    gap_min = serializers.IntegerField(min_value=1, max_value=60, required=False)
    gap_max = serializers.IntegerField(min_value=1, max_value=60, required=False)
    per_week = serializers.IntegerField(min_value=1, max_value=7, required=False)
    start_from = DayField(required=False)
    finish_by = DayField(required=False)
    weekdays = serializers.ListField(child=WeekdayField(), max_length=7, required=False)
    weekdays_strength = serializers.ChoiceField(Strength.choices, required=False)
    window_from = MinuteField(required=False, allow_null=True)
    window_until = MinuteField(required=False, allow_null=True)
    window_strength = serializers.ChoiceField(Strength.choices, required=False)
    preferred_therapist = KeyField(required=False, allow_null=True)
    therapist_strength = serializers.ChoiceField(Strength.choices, required=False)
    therapist_gender = serializers.ChoiceField(Sex.choices, required=False, allow_blank=True)
    therapist_language = serializers.RegexField("^[a-z]{2}$", required=False, allow_blank=True)
    language_strength = serializers.ChoiceField(Strength.choices, required=False)
    excluded_days = serializers.ListField(child=DayField(), max_length=366, required=False)


class PauseBody(Body):
    until = DayField(required=False, allow_null=True, default=None, help_text="Empty: not known yet.")
