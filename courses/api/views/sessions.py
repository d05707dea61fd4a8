"""Sessions and visits, and what happens to them."""

from collections.abc import Callable

from django.db.models import Prefetch
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clinic.models import Reservation, ResourceKind
from clinic.permissions import Permission
from courses.api import filters
from courses.api.fields import Body
from courses.api.serializers import courses as serializers
from courses.api.viewsets import Shelf
from courses.booking import access, attendance, cancelling, moves
from courses.models import Session, Visit

_KINDS = [ResourceKind.THERAPIST, ResourceKind.ROOM, ResourceKind.EQUIPMENT]
RESERVATIONS = Prefetch(
    "appointment__reservations",
    Reservation.objects.filter(resource__kind__in=_KINDS).select_related("resource").order_by("pk"),
)
SHOWN = Session.objects.select_related("course", "appointment__class_meeting").prefetch_related(RESERVATIONS)


class SessionViews(Shelf):
    queryset = SHOWN
    serializer_class = serializers.SessionSerializer
    filterset_class = filters.SessionFilters
    clinic_field = "course__clinic"
    required_permission = {
        "list": Permission.VIEW_CALENDAR,
        "retrieve": Permission.VIEW_CALENDAR,
        "free_starts": Permission.BOOK,
        "move": Permission.BOOK,
        "cancel": Permission.BOOK,
        "confirm": Permission.BOOK,
        "arrive": Permission.CHECK_IN,
        "start": Permission.TREAT,
        "complete": Permission.TREAT,
        "stop_early": Permission.TREAT,
        "not_treated": Permission.TREAT,
        "no_show": Permission.CHECK_IN,
    }

    @extend_schema(
        parameters=[
            OpenApiParameter("first_day", OpenApiTypes.DATE, description="From this local day on; else from today."),
            OpenApiParameter("days", {"type": "integer", "minimum": 1, "maximum": 62, "default": 14}),
        ],
        responses=serializers.FreeStartSerializer(many=True),
        filters=False,
    )
    @action(detail=True, methods=["get"], url_path="free-starts", pagination_class=None, filterset_class=None)
    def free_starts(self, request: Request, pk: str) -> Response:
        """Where the session could be moved to."""
        session = self._session(pk)
        query = serializers.FreeStartsQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        first_day = query.validated_data.get("first_day") or session.course.clinic.local_date(self.now)
        found = moves.free_starts(session=session, first_day=first_day, days=query.validated_data["days"], now=self.now)
        return Response(serializers.FreeStartSerializer(found, many=True).data)

    @extend_schema(request=serializers.MoveBody, responses=serializers.SessionSerializer)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """To another time, person or room. What a reason may override says so in the refusal."""
        body = self.read(serializers.MoveBody, request)
        session = self._session(pk)
        moved = moves.move_session(session=session, **body, by=self.by, now=self.now)
        return self._answer(moved)

    @extend_schema(request=serializers.CancelBody, responses=serializers.SessionSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """The cancelled session is the answer; the course gets another without a time in its place."""
        body = self.read(serializers.CancelBody, request)
        return self._answer(cancelling.cancel_session(session=self._session(pk), **body, by=self.by, now=self.now))

    @extend_schema(request=serializers.EmptyBody, responses=serializers.SessionSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """The patient has said that they come."""
        return self._attend(attendance.confirm_session, request, pk)

    @extend_schema(request=serializers.EmptyBody, responses=serializers.SessionSerializer)
    @action(detail=True, methods=["post"])
    def arrive(self, request: Request, pk: str) -> Response:
        """The patient is here."""
        return self._attend(attendance.arrive_session, request, pk)

    @extend_schema(request=serializers.EmptyBody, responses=serializers.SessionSerializer)
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Treatment begins now."""
        return self._attend(attendance.start_session, request, pk)

    @extend_schema(request=serializers.EmptyBody, responses=serializers.SessionSerializer)
    @action(detail=True, methods=["post"])
    def complete(self, request: Request, pk: str) -> Response:
        """Treatment was given."""
        return self._attend(attendance.complete_session, request, pk)

    @extend_schema(request=serializers.ReasonBody, responses=serializers.SessionSerializer)
    @action(detail=True, methods=["post"], url_path="stop-early")
    def stop_early(self, request: Request, pk: str) -> Response:
        """Treatment was begun and broken off."""
        return self._attend(attendance.stop_session_early, request, pk, body=serializers.ReasonBody)

    @extend_schema(request=serializers.ReasonBody, responses=serializers.SessionSerializer)
    @action(detail=True, methods=["post"], url_path="not-treated")
    def not_treated(self, request: Request, pk: str) -> Response:
        """The patient came and was not treated; nothing of the course is used up."""
        return self._attend(attendance.mark_not_treated, request, pk, body=serializers.ReasonBody)

    @extend_schema(request=serializers.EmptyBody, responses=serializers.SessionSerializer)
    @action(detail=True, methods=["post"], url_path="no-show")
    def no_show(self, request: Request, pk: str) -> Response:
        """The patient did not come."""
        return self._attend(attendance.mark_no_show, request, pk)

    def _session(self, pk: str) -> Session:
        return access.session_for(self.by, self.required_permission[self.action], int(pk))

    def _attend(
        self, verb: Callable[..., Session], request: Request, pk: str, body: type[Body] = serializers.EmptyBody
    ) -> Response:
        said = self.read(body, request)
        return self._answer(verb(session=self._session(pk), **said, by=self.by, now=self.now))

    def _answer(self, session: Session) -> Response:
        return Response(serializers.SessionSerializer(SHOWN.get(pk=session.pk)).data)


class VisitViews(Shelf):
    queryset = Visit.objects.prefetch_related("sessions")
    serializer_class = serializers.VisitSerializer
    filterset_class = filters.VisitFilters
    required_permission = {
        "list": Permission.VIEW_CALENDAR,
        "retrieve": Permission.VIEW_CALENDAR,
        "arrive": Permission.CHECK_IN,
        "cancel": Permission.BOOK,
    }

    @extend_schema(request=serializers.EmptyBody, responses=serializers.VisitSerializer)
    @action(detail=True, methods=["post"])
    def arrive(self, request: Request, pk: str) -> Response:
        """The patient is here: every session of the visit has arrived."""
        self.read(serializers.EmptyBody, request)
        visit = self._visit(pk)
        attendance.arrive_visit(visit=visit, by=self.by, now=self.now)
        return self._answer(visit)

    @extend_schema(request=serializers.CancelBody, responses=serializers.VisitSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """The whole visit."""
        body = self.read(serializers.CancelBody, request)
        visit = self._visit(pk)
        cancelling.cancel_visit(visit=visit, **body, by=self.by, now=self.now)
        return self._answer(visit)

    def _visit(self, pk: str) -> Visit:
        return access.visit_for(self.by, self.required_permission[self.action], int(pk))

    def _answer(self, visit: Visit) -> Response:
        return Response(serializers.VisitSerializer(Visit.objects.prefetch_related("sessions").get(pk=visit.pk)).data)
