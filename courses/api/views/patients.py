"""Patients: one card for the whole organisation."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import registering
from clinic.models import Patient
from clinic.permissions import Permission
from courses.api import filters
from courses.api.serializers import patients as serializers
from courses.api.viewsets import Shelf


class PatientViews(Shelf):
    queryset = Patient.objects.prefetch_related("phones", "contacts")
    serializer_class = serializers.PatientSerializer
    filterset_class = filters.PatientFilters
    clinic_field = ""
    required_permission = {
        "list": Permission.VIEW_PATIENTS,
        "retrieve": Permission.VIEW_PATIENTS,
        "create": Permission.EDIT_PATIENTS,
        "partial_update": Permission.EDIT_PATIENTS,
    }
    http_method_names = [*Shelf.http_method_names, "patch"]

    @extend_schema(request=serializers.PatientBody, responses={201: serializers.PatientSerializer})
    def create(self, request: Request) -> Response:
        """A new card. Where one of the same person may be there already, 409 `possible_duplicate` names it."""
        patient = registering.create_patient(**self.read(serializers.PatientBody, request), by=self.by, now=self.now)
        return Response(serializers.PatientSerializer(Patient.objects.get(pk=patient.pk)).data, status=201)

    @extend_schema(request=serializers.PatientChangeBody, responses=serializers.PatientSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Correct a card."""
        body = self.read(serializers.PatientChangeBody, request)
        patient = registering.update_patient(patient=self.get_object(), **body, by=self.by, now=self.now)
        return Response(serializers.PatientSerializer(Patient.objects.get(pk=patient.pk)).data)
