"""Clinics, therapists, rooms, equipment and absences."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clinic.errors import Invalid
from clinic.models import Absence, Clinic, Equipment, Room, Therapist
from clinic.permissions import Permission
from courses.api import filters
from courses.api.serializers import clinics as serializers
from courses.api.serializers.repairs import EndBody, ExtendBody
from courses.api.viewsets import Shelf
from courses.booking import disruption
from courses.booking.access import works_in

_LOOK = {"list": Permission.VIEW_CALENDAR, "retrieve": Permission.VIEW_CALENDAR}


class ClinicViews(Shelf):
    queryset = Clinic.objects.all()
    serializer_class = serializers.ClinicSerializer
    required_permission = _LOOK
    clinic_field = "pk"


class TherapistViews(Shelf):
    queryset = Therapist.objects.select_related("resource").prefetch_related("qualifications")
    serializer_class = serializers.TherapistSerializer
    filterset_class = filters.TherapistFilters
    required_permission = _LOOK

    def visible(self, rows: QuerySet[Any], clinic_ids: list[int]) -> QuerySet[Any]:
        return rows.filter(works_in(clinic_ids))


class RoomViews(Shelf):
    queryset = Room.objects.select_related("resource")
    serializer_class = serializers.RoomSerializer
    filterset_class = filters.RoomFilters
    required_permission = _LOOK


class EquipmentViews(Shelf):
    queryset = Equipment.objects.all()
    serializer_class = serializers.EquipmentSerializer
    filterset_class = filters.EquipmentFilters
    required_permission = _LOOK


class AbsenceViews(Shelf):
    queryset = Absence.objects.all()
    serializer_class = serializers.AbsenceSerializer
    filterset_class = filters.AbsenceFilters
    required_permission = _LOOK | dict.fromkeys(["create", "extend", "end"], Permission.RECORD_ABSENCE)

    def visible(self, rows: QuerySet[Any], clinic_ids: list[int]) -> QuerySet[Any]:
        return rows.filter(works_in(clinic_ids, "therapist"))

    @extend_schema(request=serializers.AbsenceBody, responses={201: serializers.AbsenceSerializer})
    def create(self, request: Request) -> Response:
        """Record that a therapist is away; the sessions it covers are marked to be re-placed."""
        body = self.read(serializers.AbsenceBody, request)
        therapist = Therapist.objects.filter(works_in(self.clinic_ids), pk=body.pop("therapist")).first()
        if therapist is None:
            raise Invalid(details={"therapist": ["There is no such therapist."]})
        absence = disruption.record_absence(therapist=therapist, **body, by=self.by, now=self.now)
        return Response(serializers.AbsenceSerializer(absence).data, status=201)

    @extend_schema(request=ExtendBody, responses=serializers.AbsenceSerializer)
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: str) -> Response:
        """The specialist comes back later than was said; the sessions in the time added are marked."""
        body = self.read(ExtendBody, request)
        absence = disruption.extend_absence(absence=self.get_object(), **body, by=self.by, now=self.now)
        return Response(serializers.AbsenceSerializer(absence).data)

    @extend_schema(request=EndBody, responses=serializers.AbsenceSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """The specialist comes back earlier than was said, or at last; sessions after it stay where they are."""
        body = self.read(EndBody, request)
        absence = disruption.end_absence(absence=self.get_object(), **body, by=self.by, now=self.now)
        return Response(serializers.AbsenceSerializer(absence).data)
