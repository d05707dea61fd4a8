"""Courses and what may be done with the rest of one."""

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clinic.errors import Invalid
from clinic.permissions import Permission
from courses.api import examples, filters
from courses.api.lookups import procedure_of
from courses.api.serializers import courses as serializers
from courses.api.serializers.plan_bodies import ReplanBody, demands_as_json, naming_wishes, wishes_as_json
from courses.api.serializers.plans import PlanSerializer
from courses.api.viewsets import Shelf
from courses.booking import access, lifecycle
from courses.models import Course, Programme


class CourseViews(Shelf):
    queryset = Course.objects.all()
    serializer_class = serializers.CourseSerializer
    filterset_class = filters.CourseFilters
    required_permission = {
        "list": Permission.VIEW_PATIENTS,
        "retrieve": Permission.VIEW_PATIENTS,
        "create": Permission.BOOK,
        "activate": Permission.BOOK,
        "replan": Permission.BOOK,
        "pause": Permission.BOOK,
        "resume": Permission.BOOK,
    }

    @extend_schema(request=serializers.CourseBody, responses={201: serializers.CourseSerializer})
    def create(self, request: Request) -> Response:
        """A course with its sessions, none of which has a time yet."""
        body = self.read(serializers.CourseBody, request)
        clinic = access.clinic_for(self.by, Permission.BOOK, body.pop("clinic"))
        patient = access.patient_for(self.by, Permission.BOOK, body.pop("patient"))
        procedure = procedure_of(body.pop("procedure"), clinic)
        if "programme" in body:
            programme = Programme.objects.filter(pk=body["programme"], clinic=clinic, patient=patient).first()
            if programme is None:
                raise Invalid(details={"programme": ["This patient has no such programme in this clinic."]})
            body["programme"] = programme
        course = lifecycle.open_course(
            patient=patient, clinic=clinic, procedure=procedure, **body, by=self.by, now=self.now
        )
        return Response(serializers.CourseSerializer(course).data, status=201)

    @extend_schema(request=serializers.EmptyBody, responses=serializers.CourseSerializer)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """Make a draft active. A procedure that asks for a referral needs a signed one."""
        course = lifecycle.activate_course(course=self._course(pk), by=self.by, now=self.now)
        return Response(serializers.CourseSerializer(course).data)

    @extend_schema(
        request=ReplanBody, responses={201: PlanSerializer}, examples=[*examples.REPLAN_REQUESTS, examples.REPLANNED]
    )
    @action(detail=True, methods=["post"])
    def replan(self, request: Request, pk: str) -> Response:
        """A plan that places the rest anew, apart from what is done, pinned or kept: with as little movement as the
        wishes and demands allow. `changes` lists what becomes of each session; booking the plan moves them."""
        body = self.read(ReplanBody, request)
        with naming_wishes():
            plan = lifecycle.replan_course(
                course=self._course(pk),
                keep=body["keep"],
                profile=body["profile"],
                wishes=wishes_as_json(body.get("wishes")),
                demands=demands_as_json(body.get("demands")),
                least_movement=body["least_movement"],
                by=self.by,
                now=self.now,
            )
        return Response(PlanSerializer(plan).data, status=201)

    @extend_schema(request=serializers.PauseBody, responses=serializers.CourseSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Free the future places, until a date or until it is resumed."""
        until = self.read(serializers.PauseBody, request)["until"]
        course = lifecycle.pause_course(course=self._course(pk), until=until, by=self.by, now=self.now)
        return Response(serializers.CourseSerializer(course).data)

    @extend_schema(request=serializers.EmptyBody, responses=serializers.CourseSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Go on. The rest is without times until a plan is proposed and booked."""
        course = lifecycle.resume_course(course=self._course(pk), by=self.by, now=self.now)
        return Response(serializers.CourseSerializer(course).data)

    def _course(self, pk: str) -> Course:
        return access.course_for(self.by, Permission.BOOK, int(pk))
