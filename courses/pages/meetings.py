"""One meeting of a class: who comes, and how many places are free."""

from django.http import HttpResponse
from django.shortcuts import render

from clinic.errors import NotFound
from clinic.permissions import Permission
from courses.booking.models import Session
from courses.booking.transitions import PLACED, Status
from courses.groups.models import ClassMeeting
from courses.pages.permissions import PageRequest, page


@page(Permission.VIEW_CALENDAR)
def meeting(request: PageRequest, pk: int) -> HttpResponse:
    clinics = request.user.clinic_ids(Permission.VIEW_CALENDAR)
    one = (
        ClassMeeting.objects.select_related(
            "appointment", "group_class__procedure", "group_class__instructor", "group_class__room"
        )
        .filter(pk=pk, group_class__clinic__in=clinics)
        .first()
    )
    if one is None:
        raise NotFound
    sessions = list(
        Session.objects.filter(
            appointment=one.appointment, status__in=sorted(PLACED | {Status.NO_SHOW, Status.NOT_TREATED})
        )
        .select_related("course__patient", "course__procedure")
        .order_by("seat", "pk")
    )
    taken = sum(session.status in PLACED for session in sessions)
    free = (one.appointment.seats or 0) - taken
    return render(request, "pages/meeting.html", {"meeting": one, "sessions": sessions, "taken": taken, "free": free})
