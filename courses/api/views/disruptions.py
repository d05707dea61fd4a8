"""What falls out — rooms, devices, clinics, qualifications — and repairs."""

from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clinic.errors import Invalid
from clinic.models import Absence, Closure, Outage, Resource
from clinic.permissions import Permission
from courses.api import filters
from courses.api.lookups import therapist_of
from courses.api.serializers import repairs as serializers
from courses.api.serializers.courses import EmptyBody
from courses.api.viewsets import Shelf
from courses.booking import access, disruption, repair_applying, repairs
from courses.booking.access import works_in
from courses.booking.repair_models import Repair
from courses.models import Qualification

_LOOK = {"list": Permission.VIEW_CALENDAR, "retrieve": Permission.VIEW_CALENDAR}


class OutageViews(Shelf):
    queryset = Outage.objects.all()
    serializer_class = serializers.OutageSerializer
    filterset_class = filters.OutageFilters
    required_permission = _LOOK | {"create": Permission.RECORD_ABSENCE, "end": Permission.RECORD_ABSENCE}

    def visible(self, rows: QuerySet[Any], clinic_ids: list[int]) -> QuerySet[Any]:
        return rows.filter(Q(resource__room__clinic__in=clinic_ids) | Q(resource__equipment__clinic__in=clinic_ids))

    @extend_schema(request=serializers.OutageBody, responses={201: serializers.OutageSerializer})
    def create(self, request: Request) -> Response:
        """Record that a room or a device cannot be used; the sessions it covers are marked to be re-placed."""
        body = self.read(serializers.OutageBody, request)
        here = Q(room__clinic__in=self.clinic_ids) | Q(equipment__clinic__in=self.clinic_ids)
        resource = Resource.objects.filter(here, pk=body.pop("resource")).first()
        if resource is None:
            raise Invalid(details={"resource": [_("There is no such room or device.")]})
        outage = disruption.record_outage(resource=resource, **body, by=self.by, now=self.now)
        return Response(serializers.OutageSerializer(outage).data, status=201)

    @extend_schema(request=serializers.EndBody, responses=serializers.OutageSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """It can be used from this moment on. Sessions that nothing else stands in the way of stay where they are."""
        body = self.read(serializers.EndBody, request)
        outage = disruption.end_outage(outage=self.get_object(), **body, by=self.by, now=self.now)
        return Response(serializers.OutageSerializer(outage).data)


class ClosureViews(Shelf):
    queryset = Closure.objects.all()
    serializer_class = serializers.ClosureSerializer
    filterset_class = filters.ClosureFilters
    required_permission = _LOOK | {"create": Permission.RECORD_ABSENCE}

    @extend_schema(request=serializers.ClosureBody, responses={201: serializers.ClosureSerializer})
    def create(self, request: Request) -> Response:
        """Record that the clinic is shut; the sessions it covers are marked to be re-placed."""
        body = self.read(serializers.ClosureBody, request)
        clinic = access.clinic_for(self.by, Permission.RECORD_ABSENCE, body.pop("clinic"))
        closure = disruption.record_closure(clinic=clinic, **body, by=self.by, now=self.now)
        return Response(serializers.ClosureSerializer(closure).data, status=201)


class QualificationViews(Shelf):
    queryset = Qualification.objects.select_related("procedure__clinic").order_by("pk")
    serializer_class = serializers.QualificationSerializer
    filterset_class = filters.QualificationFilters
    required_permission = _LOOK | {"restrict": Permission.MANAGE_CLINIC}
    clinic_field = "procedure__clinic"

    @extend_schema(request=serializers.RestrictBody, responses=serializers.QualificationSerializer)
    @action(detail=True, methods=["post"])
    def restrict(self, request: Request, pk: str) -> Response:
        """Withdraw it from a day on; sessions booked after that day are marked to be re-placed."""
        body = self.read(serializers.RestrictBody, request)
        row = disruption.restrict_qualification(qualification=self.get_object(), **body, by=self.by, now=self.now)
        return Response(serializers.QualificationSerializer(row).data)


class RepairViews(Shelf):
    queryset = Repair.objects.select_related("clinic")
    serializer_class = serializers.RepairSerializer
    filterset_class = filters.RepairFilters
    required_permission = {
        "list": Permission.BOOK,
        "retrieve": Permission.BOOK,
        "create": Permission.BOOK,
        "apply": Permission.BOOK,
        "drop": Permission.BOOK,
        "retry": Permission.BOOK,
    }

    def get_serializer_class(self) -> Any:
        return serializers.RepairHeadSerializer if self.action == "list" else serializers.RepairSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        return super().get_serializer_context() | {"now": self.now}

    @extend_schema(request=serializers.RepairBody, responses={202: serializers.RepairSerializer})
    def create(self, request: Request) -> Response:
        """Have new places looked for. A worker does it: look at the repair until its `status` is `proposed`."""
        body = self.read(serializers.RepairBody, request)
        clinic = access.clinic_for(self.by, Permission.BOOK, body.pop("clinic"))
        kind, moves_rest = body.pop("kind"), body.pop("moves_rest")
        for name in ("therapist", "substitute"):
            if name in body:
                body[name] = therapist_of(body[name], clinic, field=name)
        asked = {"clinic": clinic, "by": self.by, "now": self.now}
        if kind == Repair.Kind.REPLACE:
            period = {name: body[name] for name in ("therapist", "starts_at", "ends_at") if name in body}
            row = repairs.propose_repair(**asked, **period, cause=self._cause(body), moves_rest=moves_rest)
        elif kind == Repair.Kind.HANDOVER:
            names = ("therapist", "substitute", "starts_at", "ends_at")
            row = repairs.propose_handover(**asked, **{name: body[name] for name in names})
        else:
            names = ("therapist", "substitute", "starts_at", "ends_at", "their_starts_at", "their_ends_at")
            row = repairs.propose_swap(**asked, **{name: body[name] for name in names})
        return self._shown(row, status=202)

    @extend_schema(request=serializers.AcceptBody, responses=serializers.RepairSerializer)
    @action(detail=True, methods=["post"])
    def apply(self, request: Request, pk: str) -> Response:
        """Move all that is accepted, or nothing; each patient hears of it once. Where a session changed or its new
        place has gone the answer is 409 with `details.taken`, the sessions concerned: `retry` works the rest out anew.
        """
        body = self.read(serializers.AcceptBody, request)
        return self._shown(repair_applying.apply_repair(repair=self.get_object(), **body, by=self.by, now=self.now))

    @extend_schema(request=EmptyBody, responses=serializers.RepairSerializer)
    @action(detail=True, methods=["post"])
    def drop(self, request: Request, pk: str) -> Response:
        """Give it up. What waits to be re-placed goes on waiting."""
        self.read(EmptyBody, request)
        return self._shown(repairs.drop_repair(repair=self.get_object(), by=self.by, now=self.now))

    @extend_schema(request=EmptyBody, responses={202: serializers.RepairSerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Work out anew what is still open: what failed, what a worker left, what has gone stale."""
        self.read(EmptyBody, request)
        row = repairs.retry_repair(repair=self.get_object(), by=self.by, now=self.now)
        return self._shown(row, status=202)

    def _shown(self, row: Repair, *, status: int = 200) -> Response:
        context = self.get_serializer_context()
        return Response(serializers.RepairSerializer(row, context=context).data, status=status)

    def _cause(self, body: dict[str, Any]) -> disruption.Cause | None:
        ids = self.clinic_ids
        stock: dict[str, QuerySet[Any]] = {
            "absence": Absence.objects.filter(works_in(ids, "therapist")),
            "outage": Outage.objects.filter(Q(resource__room__clinic__in=ids) | Q(resource__equipment__clinic__in=ids)),
            "closure": Closure.objects.filter(clinic__in=ids),
            "qualification": Qualification.objects.filter(procedure__clinic__in=ids).select_related(
                "procedure__clinic"
            ),
        }
        for name, rows in stock.items():
            if name in body:
                found = rows.filter(pk=body[name]).first()
                if found is None:
                    raise Invalid(details={name: [_("There is no such entry.")]})
                cause: disruption.Cause = found
                return cause
        return None
