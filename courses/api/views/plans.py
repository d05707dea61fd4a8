"""Plans: proposed, held, booked."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clinic.errors import Invalid
from clinic.permissions import Permission
from courses.api.serializers.courses import EmptyBody
from courses.api.serializers.plans import PlanBody, PlanSerializer, wishes_as_json
from courses.api.viewsets import Verbs
from courses.booking import access, bookings, holds, proposals
from courses.models import Course, Plan


class PlanViews(mixins.RetrieveModelMixin, Verbs):
    queryset = Plan.objects.all()
    serializer_class = PlanSerializer
    required_permission = {
        "retrieve": Permission.VIEW_CALENDAR,
        "create": Permission.BOOK,
        "hold": Permission.BOOK,
        "renew": Permission.BOOK,
        "release": Permission.BOOK,
        "book": Permission.BOOK,
    }

    @extend_schema(request=PlanBody, responses={201: PlanSerializer})
    def create(self, request: Request) -> Response:
        """Propose times for all sessions of some courses of one patient. Where there is no plan its status is
        `impossible`, and it says why and which concessions would open one."""
        body = self.read(PlanBody, request)
        plan = proposals.propose_plan(
            courses=self._courses(body),
            profile=body["profile"],
            wishes=wishes_as_json(body.get("wishes")),
            not_before=body["not_before"],
            by=self.by,
            now=self.now,
        )
        return Response(PlanSerializer(plan).data, status=201)

    @extend_schema(request=EmptyBody, responses=PlanSerializer)
    @action(detail=True, methods=["post"])
    def hold(self, request: Request, pk: str) -> Response:
        """Keep the times for a while: others see them taken."""
        return Response(PlanSerializer(holds.hold_plan(plan=self._plan(pk), by=self.by, now=self.now)).data)

    @extend_schema(request=EmptyBody, responses=PlanSerializer)
    @action(detail=True, methods=["post"])
    def renew(self, request: Request, pk: str) -> Response:
        """Keep them longer."""
        return Response(PlanSerializer(holds.renew_hold(plan=self._plan(pk), by=self.by, now=self.now)).data)

    @extend_schema(request=EmptyBody, responses=PlanSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        """Give them back."""
        return Response(PlanSerializer(holds.release_hold(plan=self._plan(pk), by=self.by, now=self.now)).data)

    @extend_schema(request=EmptyBody, responses=PlanSerializer)
    @action(detail=True, methods=["post"])
    def book(self, request: Request, pk: str) -> Response:
        """Book all sessions of the plan, or none. A lost race answers 409 `place_taken` with `details.taken`, and
        `details.fresh_plan`, another plan to look at and book."""
        return Response(PlanSerializer(bookings.book_plan(plan=self._plan(pk), by=self.by, now=self.now)).data)

    def _plan(self, pk: str) -> Plan:
        return access.plan_for(self.by, Permission.BOOK, int(pk))

    def _courses(self, body: dict[str, Any]) -> list[Course]:
        if "programme" in body:
            clinic_ids = self.clinic_ids
            courses = list(
                Course.objects.filter(programme=body["programme"], clinic__in=clinic_ids)
                .select_related("clinic", "patient", "procedure")
                .order_by("line_number", "pk")
            )
            if not courses:
                raise Invalid(details={"programme": ["There is no such programme, or it has no courses."]})
            return courses
        return [access.course_for(self.by, Permission.BOOK, key) for key in dict.fromkeys(body["courses"])]
