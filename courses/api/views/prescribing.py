"""Procedures, referrals and programmes."""

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clinic.permissions import Permission
from courses.api import filters
from courses.api.lookups import prescriber_of, procedure_of, therapist_of
from courses.api.serializers import prescribing as serializers
from courses.api.serializers.courses import EmptyBody
from courses.api.viewsets import Shelf
from courses.booking import access
from courses.models import Procedure, Programme, Referral
from courses.prescribing import referrals


class ProcedureViews(Shelf):
    queryset = Procedure.objects.prefetch_related("requirements", "not_same_day_with")
    serializer_class = serializers.ProcedureSerializer
    filterset_class = filters.ProcedureFilters
    required_permission = {"list": Permission.VIEW_CALENDAR, "retrieve": Permission.VIEW_CALENDAR}


class ReferralViews(Shelf):
    queryset = Referral.objects.prefetch_related("programmes")
    serializer_class = serializers.ReferralSerializer
    filterset_class = filters.ReferralFilters
    required_permission = {
        "list": Permission.VIEW_PATIENTS,
        "retrieve": Permission.VIEW_PATIENTS,
        "create": Permission.BOOK,
        "sign": Permission.PRESCRIBE,
    }

    @extend_schema(request=serializers.ReferralBody, responses={201: serializers.ReferralSerializer})
    def create(self, request: Request) -> Response:
        """A referral with its lines: it makes a programme, and a course for every line."""
        body = self.read(serializers.ReferralBody, request)
        clinic = access.clinic_for(self.by, Permission.BOOK, body.pop("clinic"))
        patient = access.patient_for(self.by, Permission.BOOK, body.pop("patient"))
        if "prescriber" in body:
            body["prescriber"] = prescriber_of(body["prescriber"], clinic)
        for number, line in enumerate(body["lines"], 1):
            line["procedure"] = procedure_of(line["procedure"], clinic, field=f"lines.{number}.procedure")
            if "preferred_therapist" in line:
                field = f"lines.{number}.preferred_therapist"
                line["preferred_therapist"] = therapist_of(line["preferred_therapist"], clinic, field=field)
        referral = referrals.create_referral(clinic=clinic, patient=patient, **body, by=self.by, now=self.now)
        return Response(serializers.ReferralSerializer(referral).data, status=201)

    @extend_schema(request=EmptyBody, responses=serializers.ReferralSerializer)
    @action(detail=True, methods=["post"])
    def sign(self, request: Request, pk: str) -> Response:
        """Sign it. Courses that ask for a referral cannot become active before."""
        referral = referrals.sign_referral(referral=self.get_object(), by=self.by, now=self.now)
        return Response(serializers.ReferralSerializer(referral).data)


class ProgrammeViews(Shelf):
    queryset = Programme.objects.prefetch_related("courses")
    serializer_class = serializers.ProgrammeSerializer
    filterset_class = filters.ProgrammeFilters
    required_permission = {"list": Permission.VIEW_PATIENTS, "retrieve": Permission.VIEW_PATIENTS}
