"""Plans: proposed, held, booked."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clinic.errors import Invalid
from clinic.permissions import Permission
from courses.api import examples
from courses.api.fields import KEY
from courses.api.problems import CONTENT_TYPE
from courses.api.schema import PROBLEM
from courses.api.serializers.courses import EmptyBody
from courses.api.serializers.plan_bodies import (
    AlternativesBody,
    NudgeBody,
    PlanBody,
    SlotsQuery,
    demands_as_json,
    naming_wishes,
    wishes_as_json,
)
from courses.api.serializers.plans import AlternativesSerializer, FreeSlotSerializer, PlanSerializer
from courses.api.viewsets import Verbs
from courses.booking import access, bookings, comparing, holds, lifecycle, nudging, proposals
from courses.models import Course, Plan


class PlanViews(mixins.RetrieveModelMixin, Verbs):
    queryset = Plan.objects.all()
    serializer_class = PlanSerializer
    required_permission = {
        "retrieve": Permission.VIEW_CALENDAR,
        "create": Permission.BOOK,
        "alternatives": Permission.BOOK,
        "nudge": Permission.BOOK,
        "slots": Permission.BOOK,
        "hold": Permission.BOOK,
        "renew": Permission.BOOK,
        "release": Permission.BOOK,
        "book": Permission.BOOK,
    }

    @extend_schema(
        request=PlanBody, responses={201: PlanSerializer}, examples=[*examples.PLAN_REQUESTS, *examples.PLANS]
    )
    def create(self, request: Request) -> Response:
        """Propose times for all sessions of some courses of one patient. Where there is no plan its status is
        `impossible`, and it says why and which concessions would open one.

        With `replan`, `keep` or `demands` sessions that have a time are planned anew as well, and move as little as can
        be; `changes` lists what becomes of each, and booking the plan moves them."""
        body = self.read(PlanBody, request)
        courses = self._courses(body)
        demands = demands_as_json(body.get("demands"))
        moving = []
        if body["replan"] or body["keep"] or demands:
            moving = lifecycle.movable_sessions(courses, keep=body["keep"], now=self.now)
        with naming_wishes():
            plan = proposals.propose_plan(
                courses=courses,
                profile=body["profile"],
                wishes=wishes_as_json(body.get("wishes")),
                not_before=body["not_before"],
                moving=moving,
                least_movement=bool(moving),
                demands=demands,
                rules=body.get("rules", []),
                by=self.by,
                now=self.now,
            )
        return Response(PlanSerializer(plan).data, status=201)

    @extend_schema(
        request=AlternativesBody,
        responses={201: AlternativesSerializer},
        examples=[*examples.ALTERNATIVES_REQUESTS, *examples.ALTERNATIVES],
    )
    @action(detail=False, methods=["post"])
    def alternatives(self, request: Request) -> Response:
        """Propose one plan per profile, to be compared: the earliest finish, the fewest visits, the same therapist.
        None beats another at what that one promises; those that coincide are one plan that names its profiles."""
        body = self.read(AlternativesBody, request)
        with naming_wishes():
            plans = comparing.propose_alternatives(
                courses=self._courses(body),
                profiles=body["profiles"],
                wishes=wishes_as_json(body.get("wishes")),
                not_before=body["not_before"],
                rules=body.get("rules", []),
                by=self.by,
                now=self.now,
            )
        impossible = next((plan for plan in plans if plan.status == Plan.Status.IMPOSSIBLE), None)
        found = {"plans": [] if impossible else plans, "impossible": impossible}
        return Response(AlternativesSerializer(found, context={"group": plans}).data, status=201)

    @extend_schema(
        request=NudgeBody,
        responses={201: PlanSerializer},
        examples=[*examples.NUDGE_REQUESTS, examples.NUDGED],
    )
    @action(detail=True, methods=["post"])
    def nudge(self, request: Request, pk: str) -> Response:
        """Another plan, with one session earlier, later or at another time, where it then stays. The other sessions
        stay where they are if they can, else move as little as can be: see `changes`. A hold is let go; the plan that
        was nudged can still be booked."""
        body = self.read(NudgeBody, request)
        plan = nudging.nudge_plan(plan=self._plan(pk), **body, by=self.by, now=self.now)
        return Response(PlanSerializer(plan).data, status=201)

    @extend_schema(
        parameters=[OpenApiParameter("session", KEY, required=True, description="A session of the plan.")],
        responses={
            200: FreeSlotSerializer(many=True),
            (409, CONTENT_TYPE): OpenApiResponse(PROBLEM, description="The plan is not a proposal any more."),
        },
        filters=False,
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def slots(self, request: Request, pk: str) -> Response:
        """Up to six other times for one session of a proposal, near its own."""
        query = SlotsQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        found = nudging.slots_for(
            plan=self._plan(pk), session=query.validated_data["session"], by=self.by, now=self.now
        )
        return Response(FreeSlotSerializer(found, many=True).data)

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
