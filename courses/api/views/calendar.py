"""Appointments, group classes and free times."""

import datetime as dt

from django.db.models import Count, Q
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clinic.models import Appointment
from clinic.permissions import Permission
from courses.api import filters
from courses.api.lookups import procedure_of, therapist_of
from courses.api.serializers import calendar as serializers
from courses.api.viewsets import Shelf, Verbs
from courses.booking import access, availability
from courses.booking.transitions import PLACED
from courses.models import ClassMeeting, GroupClass

_LOOK = {"list": Permission.VIEW_CALENDAR, "retrieve": Permission.VIEW_CALENDAR}


class AppointmentViews(Shelf):
    queryset = Appointment.objects.prefetch_related("reservations__resource")
    serializer_class = serializers.AppointmentSerializer
    filterset_class = filters.AppointmentFilters
    required_permission = _LOOK


class ClassViews(Shelf):
    queryset = GroupClass.objects.all()
    serializer_class = serializers.ClassSerializer
    filterset_class = filters.ClassFilters
    required_permission = _LOOK | {"meetings": Permission.VIEW_CALENDAR}

    @extend_schema(responses=serializers.MeetingSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], filterset_class=None)
    def meetings(self, request: Request, pk: str) -> Response:
        """The meetings of a class and how many of their seats are taken."""
        taken = Count("appointment__sessions", filter=Q(appointment__sessions__status__in=[str(s) for s in PLACED]))
        rows = (
            ClassMeeting.objects.filter(group_class=self.get_object())
            .select_related("appointment")
            .annotate(taken=taken)
            .order_by("pk")
        )
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(serializers.MeetingSerializer(page, many=True).data)


class AvailabilityViews(Verbs):
    required_permission = {"list": Permission.VIEW_CALENDAR}
    queryset = Appointment.objects.none()  # what is free is no row
    serializer_class = serializers.AvailabilitySerializer
    pagination_class = None

    @extend_schema(
        parameters=[
            OpenApiParameter("clinic", OpenApiTypes.INT64, required=True),
            OpenApiParameter("procedure", OpenApiTypes.INT64, required=True),
            OpenApiParameter("first_day", OpenApiTypes.DATE, description="Local day; today when left out."),
            OpenApiParameter("days", {"type": "integer", "minimum": 1, "maximum": 62, "default": 1}),
            OpenApiParameter("therapist", OpenApiTypes.INT64),
        ],
        responses=serializers.AvailabilitySerializer,
    )
    def list(self, request: Request) -> Response:
        """Times at which a session of a procedure could start, by therapist and day."""
        query = serializers.AvailabilityQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        clinic = access.clinic_for(self.by, Permission.VIEW_CALENDAR, asked["clinic"])
        procedure = procedure_of(asked["procedure"], clinic)
        therapists = [therapist_of(asked["therapist"], clinic).pk] if "therapist" in asked else None
        free = availability.free_times(
            clinic=clinic,
            procedure=procedure,
            first_day=asked["first_day"] or clinic.local_date(self.now),
            days=asked["days"],
            now=self.now,
            therapist_ids=therapists,
        )
        return Response(
            {
                "clinic": clinic.pk,
                "procedure": procedure.pk,
                "zone": clinic.zone,
                "grid_minutes": clinic.grid_minutes,
                "results": [
                    {"date": _iso(day), "therapist": therapist, "starts": [{"first": a, "last": b} for a, b in ranges]}
                    for therapist, days in free.items()
                    for day, ranges in days.items()
                ],
            }
        )


def _iso(day: dt.date | str) -> str:
    return day if isinstance(day, str) else day.isoformat()
