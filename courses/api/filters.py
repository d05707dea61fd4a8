"""Filters of the lists. Every value is checked here, so that nothing but keys, dates and known words reaches SQL."""

from typing import Any

import django_filters as filters
from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from clinic.models import Absence, Appointment, Closure, Equipment, Outage, Patient, Room, Task, Therapist
from clinic.searching import search_patients
from courses.api.fields import FIRST_DAY, LARGEST_KEY, LAST_DAY
from courses.booking.transitions import Status
from courses.models import Course, GroupClass, Procedure, Programme, Qualification, Referral, Repair, Session, Visit
from notifications.models import Message

_DAY_BOUNDS = [
    MinValueValidator(FIRST_DAY, _("Give a date between 1900 and 2199.")),
    MaxValueValidator(LAST_DAY, _("Give a date between 1900 and 2199.")),
]


class KeyFilter(filters.Filter):
    field_class = forms.IntegerField

    def __init__(self, field_name: str, **options: Any) -> None:
        super().__init__(field_name, min_value=1, max_value=LARGEST_KEY, **options)


class DayFilter(filters.DateFilter):
    def __init__(self, field_name: str, lookup_expr: str) -> None:
        super().__init__(field_name, lookup_expr, validators=_DAY_BOUNDS)


class WordFilter(filters.CharFilter):
    def __init__(self, field_name: str, **options: Any) -> None:
        super().__init__(field_name, max_length=100, **options)


class SwitchFilter(filters.BooleanFilter):
    """`true` or `false`."""


class RoomFilters(filters.FilterSet):
    clinic = KeyFilter("clinic")
    room_type = WordFilter("room_type")

    class Meta:
        model = Room
        fields: list[str] = []


class EquipmentFilters(filters.FilterSet):
    clinic = KeyFilter("clinic")
    room = KeyFilter("room")
    equipment_type = WordFilter("equipment_type")

    class Meta:
        model = Equipment
        fields: list[str] = []


class TherapistFilters(filters.FilterSet):
    clinic = KeyFilter("shifts__clinic", distinct=True)
    procedure = KeyFilter("qualifications__procedure", distinct=True)
    is_prescriber = SwitchFilter("is_prescriber")

    class Meta:
        model = Therapist
        fields: list[str] = []


class PatientFilters(filters.FilterSet):
    q = WordFilter("search_text", method="search", label=_("name in any script, phone, card number"))
    card_number = WordFilter("card_number")

    class Meta:
        model = Patient
        fields: list[str] = []

    def search(self, rows: QuerySet[Patient], name: str, value: str) -> QuerySet[Patient]:
        return rows.filter(pk__in=[patient.pk for patient in search_patients(value, limit=200)])


class ProcedureFilters(filters.FilterSet):
    clinic = KeyFilter("clinic")
    code = WordFilter("code")
    is_active = SwitchFilter("is_active")

    class Meta:
        model = Procedure
        fields: list[str] = []


class ReferralFilters(filters.FilterSet):
    clinic = KeyFilter("clinic")
    patient = KeyFilter("patient")
    number = WordFilter("number")

    class Meta:
        model = Referral
        fields: list[str] = []


class ProgrammeFilters(filters.FilterSet):
    clinic = KeyFilter("clinic")
    patient = KeyFilter("patient")
    referral = KeyFilter("referral")

    class Meta:
        model = Programme
        fields: list[str] = []


class CourseFilters(filters.FilterSet):
    clinic = KeyFilter("clinic")
    patient = KeyFilter("patient")
    programme = KeyFilter("programme")
    procedure = KeyFilter("procedure")
    status = filters.ChoiceFilter(choices=Course.Status.choices)

    class Meta:
        model = Course
        fields: list[str] = []


class SessionFilters(filters.FilterSet):
    clinic = KeyFilter("course__clinic")
    patient = KeyFilter("course__patient")
    programme = KeyFilter("course__programme")
    course = KeyFilter("course")
    visit = KeyFilter("visit")
    plan = KeyFilter("plan")
    status = filters.ChoiceFilter(choices=[(str(status), str(status)) for status in Status])
    to_replace = SwitchFilter("to_replace")
    date_from = DayFilter("visit__date", "gte")
    date_until = DayFilter("visit__date", "lte")

    class Meta:
        model = Session
        fields: list[str] = []


class VisitFilters(filters.FilterSet):
    clinic = KeyFilter("clinic")
    patient = KeyFilter("patient")
    live = SwitchFilter("live")
    date_from = DayFilter("date", "gte")
    date_until = DayFilter("date", "lte")

    class Meta:
        model = Visit
        fields: list[str] = []


class AppointmentFilters(filters.FilterSet):
    clinic = KeyFilter("clinic")
    resource = KeyFilter("reservations__resource", distinct=True)
    kind = filters.ChoiceFilter(choices=Appointment.Kind.choices)
    live = SwitchFilter("live")
    date_from = DayFilter("starts_at", "date__gte")
    date_until = DayFilter("starts_at", "date__lte")

    class Meta:
        model = Appointment
        fields: list[str] = []


class ClassFilters(filters.FilterSet):
    clinic = KeyFilter("clinic")
    procedure = KeyFilter("procedure")
    instructor = KeyFilter("instructor")

    class Meta:
        model = GroupClass
        fields: list[str] = []


class AbsenceFilters(filters.FilterSet):
    therapist = KeyFilter("therapist")
    date_from = DayFilter("ends_at", "date__gte")
    date_until = DayFilter("starts_at", "date__lte")

    class Meta:
        model = Absence
        fields: list[str] = []


class OutageFilters(filters.FilterSet):
    resource = KeyFilter("resource")
    date_from = DayFilter("ends_at", "date__gte")
    date_until = DayFilter("starts_at", "date__lte")

    class Meta:
        model = Outage
        fields: list[str] = []


class ClosureFilters(filters.FilterSet):
    clinic = KeyFilter("clinic")
    date_from = DayFilter("ends_at", "date__gte")
    date_until = DayFilter("starts_at", "date__lte")

    class Meta:
        model = Closure
        fields: list[str] = []


class QualificationFilters(filters.FilterSet):
    therapist = KeyFilter("therapist")
    procedure = KeyFilter("procedure")

    class Meta:
        model = Qualification
        fields: list[str] = []


class RepairFilters(filters.FilterSet):
    clinic = KeyFilter("clinic")
    absence = KeyFilter("absence")
    status = filters.ChoiceFilter(choices=Repair.Status.choices)

    class Meta:
        model = Repair
        fields: list[str] = []


class TaskFilters(filters.FilterSet):
    clinic = KeyFilter("clinic")
    patient = KeyFilter("patient")
    kind = filters.ChoiceFilter(choices=Task.Kind.choices)
    open = filters.BooleanFilter("done_at", lookup_expr="isnull")

    class Meta:
        model = Task
        fields: list[str] = []


class MessageFilters(filters.FilterSet):
    clinic = KeyFilter("clinic")
    patient = KeyFilter("patient")
    kind = filters.ChoiceFilter(choices=Message.Kind.choices)
    channel = filters.ChoiceFilter(choices=Message.Channel.choices)
    status = filters.ChoiceFilter(choices=Message.Status.choices)

    class Meta:
        model = Message
        fields: list[str] = []
