"""Patients: one card for the whole organisation."""

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import registering
from clinic.models import Patient
from clinic.permissions import Permission
from courses.api import filters
from courses.api.serializers import patients as serializers
from courses.api.viewsets import Shelf
from courses.booking.access import patient_for
from courses.booking.merging import merge_patients


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
        "merge": Permission.EDIT_PATIENTS,
        "consents": Permission.EDIT_PATIENTS,
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

    @extend_schema(request=serializers.MergeBody, responses=serializers.PatientSerializer)
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str) -> Response:
        """Make another card of the same person part of this one.

        409 `cards_overlap` names pairs of sessions of which one must move or go first, 409 `plan_held` says that
        times are held for one of the cards.
        """
        other = patient_for(self.by, Permission.EDIT_PATIENTS, self.read(serializers.MergeBody, request)["other"])
        merge_patients(kept=self.get_object(), other=other, by=self.by, now=self.now)
        return Response(serializers.PatientSerializer(self.get_object()).data)

    @extend_schema(request=serializers.ConsentsBody, responses=serializers.PatientSerializer)
    @action(detail=True, methods=["post"])
    def consents(self, request: Request, pk: str) -> Response:
        """Record what the patient agrees to, or no longer does."""
        body = self.read(serializers.ConsentsBody, request)
        given = {name.removeprefix("consent_"): value for name, value in body.items()}
        registering.record_consent(patient=self.get_object(), **given, by=self.by, now=self.now)
        return Response(serializers.PatientSerializer(self.get_object()).data)
