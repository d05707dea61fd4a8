"""What a manager keeps in order, each verb with one call of a service."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clinic.errors import Invalid
from clinic.models import CalendarDay, Membership, Room, Shift, Therapist, User
from clinic.permissions import Permission
from courses.api.lookups import procedure_of
from courses.api.serializers import clinics as shown
from courses.api.serializers import managing as serializers
from courses.api.serializers.courses import EmptyBody
from courses.api.serializers.prescribing import ProcedureSerializer
from courses.api.serializers.repairs import QualificationSerializer
from courses.api.views import clinics, disruptions, prescribing
from courses.api.viewsets import Shelf
from courses.booking import disruption
from courses.booking.access import clinic_for
from courses.catalogue import editing, needs
from courses.catalogue.models import Procedure
from courses.importing import runs
from courses.importing.models import ImportRun
from courses.managing import (
    accounts,
    calendar_days,
    places,
    policies,
    qualifications,
    roster,
    shifts,
    therapists,
)
from courses.managing.patterns import Pattern, Rhythm
from courses.managing.rights import staff_of

_MANAGE = Permission.MANAGE_CLINIC
_LOOK = {"list": Permission.VIEW_CALENDAR, "retrieve": Permission.VIEW_CALENDAR}
_PATCH = [*Shelf.http_method_names, "patch"]


def _there_is_none(field: str) -> Invalid:
    return Invalid(details={field: [_("This clinic has none of this id.")]})


class ClinicViews(clinics.ClinicViews):
    required_permission = _LOOK | dict.fromkeys(
        ("partial_update", "set_hours", "copy_hours", "publish_roster"), _MANAGE
    )
    http_method_names = _PATCH

    @extend_schema(request=serializers.ClinicChangeBody, responses=shown.ClinicSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change settings. 409 `sessions_outside` lists what is booked on weekdays no longer open."""
        body = self.read(serializers.ClinicChangeBody, request)
        row = policies.edit_clinic(clinic=self.get_object(), **body, by=self.by, now=self.now)
        return Response(shown.ClinicSerializer(row).data)

    @extend_schema(request=serializers.RosterBody, responses=serializers.ChangedDays)
    @action(detail=True, methods=["post"], url_path="roster")
    def set_hours(self, request: Request, pk: str) -> Response:
        """Hours of single days; regular hours stay. 409 `sessions_outside` lists what would be left outside."""
        body = self.read(serializers.RosterBody, request)
        clinic = self.get_object()
        cells = {
            (day["therapist"], day["date"]): [roster.Hours(h["start"], h["end"]) for h in day["hours"]]
            for day in body["days"]
        }
        known = {*staff_of([clinic.pk]).filter(pk__in={key for key, _d in cells}).values_list("pk", flat=True)}
        if {key for key, _d in cells} - known:
            raise _there_is_none("days")
        changed = roster.set_hours(clinic=clinic, cells=cells, accepted=body["accepted"], by=self.by, now=self.now)
        return Response({"changed": changed})

    @extend_schema(request=serializers.RosterCopyBody, responses=serializers.ChangedDays)
    @action(detail=True, methods=["post"], url_path="roster/copy")
    def copy_hours(self, request: Request, pk: str) -> Response:
        """Copy a week or a month of the roster onto another; closed days are left alone."""
        body = self.read(serializers.RosterCopyBody, request)
        pairs = roster.week_pairs if body["what"] == "week" else roster.month_pairs
        changed = roster.copy_days(
            clinic=self.get_object(),
            pairs=pairs(body["from_day"], body["onto_day"]),
            accepted=body["accepted"],
            by=self.by,
            now=self.now,
        )
        return Response({"changed": changed})

    @extend_schema(request=serializers.PublishBody, responses=shown.ClinicSerializer)
    @action(detail=True, methods=["post"], url_path="roster/publish")
    def publish_roster(self, request: Request, pk: str) -> Response:
        """Days after `until` are provisional."""
        body = self.read(serializers.PublishBody, request)
        row = roster.publish_roster(clinic=self.get_object(), until=body["until"], by=self.by, now=self.now)
        return Response(shown.ClinicSerializer(row).data)


class TherapistViews(clinics.TherapistViews):
    required_permission = _LOOK | dict.fromkeys(("create", "partial_update", "deactivate", "activate"), _MANAGE)
    http_method_names = _PATCH

    def visible(self, rows: QuerySet[Any], clinic_ids: list[int]) -> QuerySet[Any]:
        if self.action in {"partial_update", "deactivate", "activate"}:
            return rows.filter(pk__in=staff_of(clinic_ids))
        return super().visible(rows, clinic_ids)

    def _answer(self, therapist: Therapist, status: int = 200) -> Response:
        row = Therapist.objects.select_related("resource").prefetch_related("qualifications").get(pk=therapist.pk)
        return Response(shown.TherapistSerializer(row).data, status=status)

    @extend_schema(request=serializers.TherapistBody, responses={201: shown.TherapistSerializer})
    def create(self, request: Request) -> Response:
        """Someone new, without hours and skills as yet."""
        body = self.read(serializers.TherapistBody, request)
        clinic = clinic_for(self.by, _MANAGE, body.pop("clinic"))
        return self._answer(therapists.create_therapist(clinic=clinic, **body, by=self.by, now=self.now), 201)

    @extend_schema(request=serializers.TherapistChangeBody, responses=shown.TherapistSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Correct what is known. 409 `capacity_too_small` lists sessions that need more places."""
        body = self.read(serializers.TherapistChangeBody, request)
        return self._answer(therapists.edit_therapist(therapist=self.get_object(), **body, by=self.by, now=self.now))

    @extend_schema(request=serializers.AcceptedBody, responses=shown.TherapistSerializer)
    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, pk: str) -> Response:
        """Plan them no more. 409 `sessions_outside` lists what is booked with them."""
        body = self.read(serializers.AcceptedBody, request)
        return self._answer(
            therapists.deactivate_therapist(therapist=self.get_object(), **body, by=self.by, now=self.now)
        )

    @extend_schema(request=EmptyBody, responses=shown.TherapistSerializer)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """Plan them again."""
        self.read(EmptyBody, request)
        return self._answer(therapists.activate_therapist(therapist=self.get_object(), by=self.by, now=self.now))


class QualificationViews(disruptions.QualificationViews):
    required_permission = disruptions.QualificationViews.required_permission | dict.fromkeys(
        ("create", "change", "withdraw"), _MANAGE
    )

    @extend_schema(request=serializers.QualificationBody, responses={201: QualificationSerializer})
    def create(self, request: Request) -> Response:
        """A therapist may give a procedure, between two dates if need be."""
        body = self.read(serializers.QualificationBody, request)
        procedure = Procedure.objects.filter(pk=body.pop("procedure"), clinic__in=self.clinic_ids).first()
        therapist = staff_of(self.clinic_ids).filter(pk=body.pop("therapist")).first()
        if procedure is None or therapist is None:
            raise _there_is_none("procedure" if procedure is None else "therapist")
        row = qualifications.grant_qualification(
            therapist=therapist, procedure=procedure, **body, by=self.by, now=self.now
        )
        return Response(self.get_serializer(row).data, status=201)

    @extend_schema(request=serializers.QualificationDatesBody, responses=QualificationSerializer)
    @action(detail=True, methods=["post"])
    def change(self, request: Request, pk: str) -> Response:
        """Set its dates. 409 `sessions_outside` lists what is booked beyond them."""
        body = self.read(serializers.QualificationDatesBody, request)
        row = qualifications.change_qualification(qualification=self.get_object(), **body, by=self.by, now=self.now)
        return Response(self.get_serializer(row).data)

    @extend_schema(request=serializers.AcceptedBody, responses={204: None})
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """Take it back altogether. 409 `sessions_outside` lists what is booked on its strength."""
        body = self.read(serializers.AcceptedBody, request)
        qualifications.withdraw_qualification(qualification=self.get_object(), **body, by=self.by, now=self.now)
        return Response(status=204)


class ShiftViews(Shelf):
    queryset = Shift.objects.all()
    serializer_class = serializers.ShiftSerializer
    required_permission = _LOOK | dict.fromkeys(("create", "change", "end"), _MANAGE)

    @extend_schema(request=serializers.ShiftBody, responses={201: serializers.ShiftSerializer})
    def create(self, request: Request) -> Response:
        """Regular hours from a day on."""
        body = self.read(serializers.ShiftBody, request)
        clinic = clinic_for(self.by, _MANAGE, body.pop("clinic"))
        therapist = staff_of(self.clinic_ids).filter(pk=body.pop("therapist")).first()
        if therapist is None:
            raise _there_is_none("therapist")
        row = shifts.create_shift(
            therapist=therapist, clinic=clinic, pattern=_pattern(body), **body, by=self.by, now=self.now
        )
        return Response(self.get_serializer(row).data, status=201)

    @extend_schema(request=serializers.ShiftChangeBody, responses=serializers.ShiftSerializer)
    @action(detail=True, methods=["post"])
    def change(self, request: Request, pk: str) -> Response:
        """Other hours from a day on. 409 `sessions_outside` lists what would be left outside."""
        body = self.read(serializers.ShiftChangeBody, request)
        row = shifts.change_shift(shift=self.get_object(), pattern=_pattern(body), **body, by=self.by, now=self.now)
        return Response(self.get_serializer(row).data)

    @extend_schema(request=serializers.ShiftEndBody, responses={204: None})
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """Let the hours end. 409 `sessions_outside` lists what is booked later."""
        body = self.read(serializers.ShiftEndBody, request)
        shifts.end_shift(shift=self.get_object(), **body, by=self.by, now=self.now)
        return Response(status=204)


def _pattern(body: dict[str, Any]) -> Pattern:
    return Pattern(Rhythm(body.pop("rhythm")), tuple(sorted(set(body.pop("weekdays")))))


class RoomViews(clinics.RoomViews):
    required_permission = _LOOK | {"create": _MANAGE, "partial_update": _MANAGE}
    http_method_names = _PATCH

    @extend_schema(request=serializers.RoomBody, responses={201: shown.RoomSerializer})
    def create(self, request: Request) -> Response:
        """A new room."""
        body = self.read(serializers.RoomBody, request)
        clinic = clinic_for(self.by, _MANAGE, body.pop("clinic"))
        row = places.create_room(clinic=clinic, **body, by=self.by, now=self.now)
        return Response(self.get_serializer(row).data, status=201)

    @extend_schema(request=serializers.RoomChangeBody, responses=shown.RoomSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Correct it, or take it out of use. 409 lists the sessions concerned."""
        body = self.read(serializers.RoomChangeBody, request)
        row = places.edit_room(room=self.get_object(), **body, by=self.by, now=self.now)
        return Response(self.get_serializer(Room.objects.select_related("resource").get(pk=row.pk)).data)


class EquipmentViews(clinics.EquipmentViews):
    required_permission = _LOOK | {"create": _MANAGE, "partial_update": _MANAGE}
    http_method_names = _PATCH

    @extend_schema(request=serializers.DeviceBody, responses={201: shown.EquipmentSerializer})
    def create(self, request: Request) -> Response:
        """A new device, standing in a room."""
        body = self.read(serializers.DeviceBody, request)
        room = self._room(body.pop("room"))
        row = places.create_device(room=room, **body, by=self.by, now=self.now)
        return Response(self.get_serializer(row).data, status=201)

    @extend_schema(request=serializers.DeviceChangeBody, responses=shown.EquipmentSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Correct it, move it, or take it out of use. 409 `sessions_outside` lists the sessions concerned."""
        body = self.read(serializers.DeviceChangeBody, request)
        room = self._room(body.pop("room")) if "room" in body else None
        row = places.edit_device(device=self.get_object(), room=room, **body, by=self.by, now=self.now)
        return Response(self.get_serializer(row).data)

    def _room(self, key: int) -> Room:
        room = Room.objects.filter(pk=key, clinic__in=self.clinic_ids).first()
        if room is None:
            raise _there_is_none("room")
        return room


class ClosureViews(disruptions.ClosureViews):
    required_permission = disruptions.ClosureViews.required_permission | {"take_back": Permission.RECORD_ABSENCE}

    @extend_schema(request=EmptyBody, responses={204: None})
    @action(detail=True, methods=["post"])
    def take_back(self, request: Request, pk: str) -> Response:
        """Open after all; sessions that nothing else stands in the way of stay where they are."""
        self.read(EmptyBody, request)
        disruption.take_back(cause=self.get_object(), by=self.by, now=self.now)
        return Response(status=204)


class CalendarDayViews(Shelf):
    queryset = CalendarDay.objects.all()
    serializer_class = serializers.CalendarDaySerializer
    required_permission = _LOOK | {"create": _MANAGE, "clear": _MANAGE, "accept": _MANAGE}

    @extend_schema(request=serializers.CalendarDayBody, responses={201: serializers.CalendarDaySerializer})
    def create(self, request: Request) -> Response:
        """Let a day be closed, shortened or worked as another weekday, whatever it was before."""
        body = self.read(serializers.CalendarDayBody, request)
        clinic = clinic_for(self.by, _MANAGE, body.pop("clinic"))
        row = calendar_days.set_day(clinic=clinic, **body, by=self.by, now=self.now)
        return Response(self.get_serializer(row).data, status=201)

    @extend_schema(request=serializers.AcceptedBody, responses={204: None})
    @action(detail=True, methods=["post"])
    def clear(self, request: Request, pk: str) -> Response:
        """A plain day again."""
        body = self.read(serializers.AcceptedBody, request)
        calendar_days.clear_day(day=self.get_object(), **body, by=self.by, now=self.now)
        return Response(status=204)

    @extend_schema(request=serializers.AcceptDaysBody, responses=serializers.ChangedDays)
    @action(detail=False, methods=["post"])
    def accept(self, request: Request) -> Response:
        """Take over what is proposed for these dates by the country's public holidays."""
        body = self.read(serializers.AcceptDaysBody, request)
        clinic = clinic_for(self.by, _MANAGE, body.pop("clinic"))
        changed = calendar_days.accept_proposals(clinic=clinic, **body, by=self.by, now=self.now)
        return Response({"changed": changed})


class ProcedureViews(prescribing.ProcedureViews):
    required_permission = _LOOK | dict.fromkeys(
        ("create", "partial_update", "activate", "deactivate", "set_needs", "set_areas", "set_apart"), _MANAGE
    )
    http_method_names = _PATCH

    def _answer(self, procedure: Procedure, status: int = 200) -> Response:
        rows = Procedure.objects.prefetch_related("requirements", "not_same_day_with")
        return Response(ProcedureSerializer(rows.get(pk=procedure.pk)).data, status=status)

    @extend_schema(request=serializers.ProcedureBody, responses={201: ProcedureSerializer})
    def create(self, request: Request) -> Response:
        """A procedure of the clinic's own, which waits to be activated."""
        body = self.read(serializers.ProcedureBody, request)
        clinic = clinic_for(self.by, _MANAGE, body.pop("clinic"))
        return self._answer(editing.create_procedure(clinic=clinic, **body, by=self.by, now=self.now), 201)

    @extend_schema(request=serializers.ProcedureChangeBody, responses=ProcedureSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change figures and descriptions; a figure given is the clinic's own from then on."""
        body = self.read(serializers.ProcedureChangeBody, request)
        return self._answer(editing.edit_procedure(procedure=self.get_object(), **body, by=self.by, now=self.now))

    @extend_schema(request=EmptyBody, responses=ProcedureSerializer)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """Let it be prescribed and booked. 409 `minutes_to_be_confirmed` without minutes."""
        self.read(EmptyBody, request)
        return self._answer(editing.activate_procedure(procedure=self.get_object(), by=self.by, now=self.now))

    @extend_schema(request=EmptyBody, responses=ProcedureSerializer)
    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, pk: str) -> Response:
        """Offer it no longer; courses of it go on."""
        self.read(EmptyBody, request)
        return self._answer(editing.deactivate_procedure(procedure=self.get_object(), by=self.by, now=self.now))

    @extend_schema(request=serializers.NeedsBody, responses=ProcedureSerializer)
    @action(detail=True, methods=["post"], url_path="requirements")
    def set_needs(self, request: Request, pk: str) -> Response:
        """Let these be what it needs."""
        body = self.read(serializers.NeedsBody, request)
        one = self.get_object()
        needs.set_requirements(procedure=one, **body, by=self.by, now=self.now)
        return self._answer(one)

    @extend_schema(request=serializers.VariantsBody, responses=ProcedureSerializer)
    @action(detail=True, methods=["post"], url_path="variants")
    def set_areas(self, request: Request, pk: str) -> Response:
        """Let these be the body areas with figures of their own."""
        body = self.read(serializers.VariantsBody, request)
        one = self.get_object()
        needs.set_variants(procedure=one, **body, by=self.by, now=self.now)
        return self._answer(one)

    @extend_schema(request=serializers.SeparationsBody, responses=ProcedureSerializer)
    @action(detail=True, methods=["post"], url_path="not-same-day-with")
    def set_apart(self, request: Request, pk: str) -> Response:
        """Let these be the procedures that a patient does not get on the same day."""
        body = self.read(serializers.SeparationsBody, request)
        one = self.get_object()
        others = [procedure_of(key, one.clinic, field="procedures") for key in body["procedures"]]
        return self._answer(needs.set_separations(procedure=one, others=others, by=self.by, now=self.now))


class UserViews(Shelf):
    queryset = User.objects.prefetch_related(Prefetch("memberships", Membership.objects.order_by("pk")))
    serializer_class = serializers.UserSerializer
    required_permission = dict.fromkeys(("list", "retrieve", "create", "set_roles", "switch", "invite"), _MANAGE)

    def visible(self, rows: QuerySet[Any], clinic_ids: list[int]) -> QuerySet[Any]:
        return rows.filter(pk__in=Membership.objects.filter(clinic__in=clinic_ids).values("user"))

    def get_serializer_context(self) -> dict[str, Any]:
        context = dict(super().get_serializer_context())
        hidden = getattr(self, "swagger_fake_view", False)
        return context | {"clinic_ids": [] if hidden else self.clinic_ids}

    def _answer(self, user: User, status: int = 200) -> Response:
        row = User.objects.prefetch_related("memberships").get(pk=user.pk)
        return Response(self.get_serializer(row).data, status=status)

    @extend_schema(request=serializers.UserBody, responses={201: serializers.UserSerializer})
    def create(self, request: Request) -> Response:
        """An account without a password; `invite` gives the link behind which the person chooses one."""
        body = self.read(serializers.UserBody, request)
        clinic = clinic_for(self.by, _MANAGE, body.pop("clinic"))
        therapist = None
        if "therapist" in body:
            therapist = staff_of(self.clinic_ids).filter(pk=body.pop("therapist")).first()
            if therapist is None:
                raise _there_is_none("therapist")
        user = accounts.create_account(clinic=clinic, therapist=therapist, **body, by=self.by, now=self.now)
        return self._answer(user, 201)

    @extend_schema(request=serializers.UserRolesBody, responses=serializers.UserSerializer)
    @action(detail=True, methods=["post"], url_path="roles")
    def set_roles(self, request: Request, pk: str) -> Response:
        """Let these be the roles in a clinic. 409 `last_manager` where it would be left without one."""
        body = self.read(serializers.UserRolesBody, request)
        clinic = clinic_for(self.by, _MANAGE, body.pop("clinic"))
        user = accounts.edit_account(account=self.get_object(), clinic=clinic, **body, by=self.by, now=self.now)
        return self._answer(user)

    @extend_schema(request=serializers.SwitchBody, responses=serializers.UserSerializer)
    @action(detail=True, methods=["post"])
    def switch(self, request: Request, pk: str) -> Response:
        """Let a person sign in, or no more."""
        body = self.read(serializers.SwitchBody, request)
        user = accounts.switch_account(account=self.get_object(), on=body["is_active"], by=self.by, now=self.now)
        return self._answer(user)

    @extend_schema(request=EmptyBody, responses=serializers.InvitationSerializer)
    @action(detail=True, methods=["post"])
    def invite(self, request: Request, pk: str) -> Response:
        """A link that works once. Whoever has it can sign in as this person."""
        self.read(EmptyBody, request)
        path = accounts.invite(account=self.get_object(), by=self.by, now=self.now)
        return Response({"link": request.build_absolute_uri(reverse("invitation", args=path.split("/")))})


class ImportViews(Shelf):
    queryset = ImportRun.objects.defer("issues")
    serializer_class = serializers.ImportSerializer
    required_permission = dict.fromkeys(("list", "retrieve", "create", "confirm", "discard"), _MANAGE)

    @extend_schema(request=serializers.ImportBody, responses={201: serializers.ImportSerializer})
    def create(self, request: Request) -> Response:
        """Have files checked; nothing is written before `confirm`."""
        body = self.read(serializers.ImportBody, request)
        clinic = clinic_for(self.by, _MANAGE, body["clinic"])
        files = [(file["name"], file["content"].encode()) for file in body["files"]]
        run = runs.start_run(clinic=clinic, files=files, mapping=body["mapping"], by=self.by, now=self.now)
        return Response(self.get_serializer(run).data, status=201)

    @extend_schema(request=EmptyBody, responses=serializers.ImportSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Have what was accepted imported."""
        self.read(EmptyBody, request)
        run = runs.confirm_run(run=self.get_object(), by=self.by, now=self.now)
        return Response(self.get_serializer(run).data)

    @extend_schema(request=EmptyBody, responses={204: None})
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Forget it and its files."""
        self.read(EmptyBody, request)
        runs.discard_run(run=self.get_object(), by=self.by, now=self.now)
        return Response(status=204)
