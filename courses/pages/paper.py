"""What goes on paper: pages with a style sheet of their own, printed by the browser.

What a patient takes home is in the patient's language where these pages have it, else the clinic's, else English; what
stays in the house is in the reader's. Lists that others can see name people by initials.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext as _

from clinic.errors import NotFound
from clinic.models import Clinic, Patient, Reservation, ResourceKind
from clinic.permissions import Permission
from courses.booking.access import course_for, patient_for, visit_for
from courses.booking.models import Session, Visit
from courses.booking.transitions import DONE, LIVE, PLACED, Status
from courses.dates import read_day
from courses.groups.models import ClassMeeting
from courses.pages.calls import CallLine
from courses.pages.cards import read_day_bounds
from courses.pages.names import initials_of, short_name
from courses.pages.permissions import PageRequest, page
from notifications.calls import open_calls

_ATTENDED = DONE | {Status.ARRIVED, Status.IN_TREATMENT}
_HELD_BY = (ResourceKind.THERAPIST, ResourceKind.ROOM, ResourceKind.EQUIPMENT)


def language_for(patient: Patient, clinic: Clinic) -> str:
    """In which language a patient reads: their own, the clinic's, or English, the first that pages are written in."""
    known = {code for code, _name in settings.LANGUAGES}
    wanted = (code[:2] for code in (patient.language, clinic.language))
    return next((code for code in wanted if code in known), "en")


@dataclass(slots=True)
class Line:
    """A session as a sheet lists it."""

    session: Session
    therapist: str = ""
    room: str = ""
    device: str = ""
    who: str = ""


def _lines(sessions: QuerySet[Session]) -> list[Line]:
    """With who and what each takes, in two statements more."""
    found = [Line(session) for session in sessions]
    held: dict[int, dict[str, str]] = defaultdict(dict)
    rows = Reservation.objects.filter(
        appointment__in={line.session.appointment_id for line in found} - {None}, resource__kind__in=_HELD_BY
    ).select_related("resource__therapist", "resource__room", "resource__equipment")
    for row in rows:
        held[row.appointment_id][row.resource.kind] = str(getattr(row.resource, row.resource.kind))
    for line in found:
        names = held[line.session.appointment_id or 0]
        line.therapist, line.room, line.device = (names.get(str(kind), "") for kind in _HELD_BY)
    return found


def _is_large(request: PageRequest) -> bool:
    return request.GET.get("large") == "yes"


def _at_home(
    request: PageRequest, template: str, patient: Patient, clinic: Clinic, context: dict[str, Any]
) -> HttpResponse:
    """A sheet the patient takes along."""
    context |= {"patient": patient, "site": clinic, "large": _is_large(request), "may_enlarge": True}
    with translation.override(language_for(patient, clinic)):
        return render(request, template, context)


@page(Permission.VIEW_PATIENTS)
def course_sheet(request: PageRequest, pk: int) -> HttpResponse:
    """All dates of one course. `?large=yes` prints it large."""
    one = course_for(request.user, Permission.VIEW_PATIENTS, pk)
    sessions = one.sessions.filter(status__in=sorted(LIVE - {Status.HELD})).select_related("appointment")
    context = {"course": one, "lines": _lines(sessions.order_by("number", "pk"))}
    return _at_home(request, "paper/course_sheet.html", one.patient, one.clinic, context)


@page(Permission.VIEW_PATIENTS)
def patient_sheet(request: PageRequest, pk: int) -> HttpResponse:
    """All that a patient has ahead in this clinic, day by day."""
    one = patient_for(request.user, Permission.VIEW_PATIENTS, pk)
    today = request.clinic.local_date(request.now)
    sessions = (
        Session.objects.filter(
            course__patient=one,
            course__clinic=request.clinic,
            status__in=sorted(PLACED - {Status.HELD}),
            appointment__starts_at__gte=read_day_bounds(request.clinic, today)[0],
        )
        .select_related("appointment", "course__procedure")
        .order_by("appointment__starts_at", "pk")
    )
    return _at_home(request, "paper/patient_sheet.html", one, request.clinic, {"lines": _lines(sessions)})


@page(Permission.VIEW_PATIENTS)
def course_card(request: PageRequest, pk: int) -> HttpResponse:
    """What is to be done in each session, with room for marks and signatures: stays with whoever treats."""
    one = course_for(request.user, Permission.VIEW_PATIENTS, pk)
    sessions = one.sessions.filter(status__in=sorted(LIVE - {Status.HELD})).select_related("appointment")
    context = {
        "course": one,
        "patient": one.patient,
        "site": one.clinic,
        "lines": _lines(sessions.order_by("number", "pk")),
        "referral": one.programme.referral if one.programme else None,
        "today": request.clinic.local_date(request.now),
    }
    return render(request, "paper/course_card.html", context)


@page(Permission.VIEW_PATIENTS)
def visit_certificate(request: PageRequest, pk: int) -> HttpResponse:
    """That the patient was here on one day; names no treatment."""
    one = visit_for(request.user, Permission.VIEW_PATIENTS, pk)
    return _certificate(request, one.patient, one.clinic, Visit.objects.filter(pk=one.pk))


@page(Permission.VIEW_PATIENTS)
def patient_certificate(request: PageRequest, pk: int) -> HttpResponse:
    """All days on which the patient was here, `?from=…&until=…` among them."""
    one = patient_for(request.user, Permission.VIEW_PATIENTS, pk)
    today = request.clinic.local_date(request.now)
    first = read_day(request.GET.get("from", ""), today - dt.timedelta(days=365))
    last = read_day(request.GET.get("until", ""), today)
    visits = Visit.objects.filter(patient=one, clinic=request.clinic, date__range=(first, last))
    return _certificate(request, one, request.clinic, visits, first=first, last=last)


def _certificate(
    request: PageRequest, patient: Patient, clinic: Clinic, visits: QuerySet[Visit], **period: dt.date
) -> HttpResponse:
    attended = Session.objects.filter(status__in=sorted(_ATTENDED)).select_related("appointment")
    stays = []
    for visit in (
        visits.filter(live=True).order_by("starts_at").prefetch_related(Prefetch("sessions", queryset=attended))
    ):
        times = [session.time for session in visit.sessions.all()]
        if times:
            stays.append((visit.date, min(time.starts_at for time in times), max(time.ends_at for time in times)))
    context = {"stays": stays, "issued": clinic.local_date(request.now), "period": period}
    return _at_home(request, "paper/certificate.html", patient, clinic, context)


@dataclass(slots=True)
class Cabinet:
    """A room's day."""

    name: str
    lines: list[Line] = field(default_factory=list)


@page(Permission.VIEW_CALENDAR)
def cabinets(request: PageRequest) -> HttpResponse:
    """The day's list of each cabinet, a page each, to tick and sign; `?names=initials` for where others can read."""
    date = read_day(request.GET.get("d", ""), request.clinic.local_date(request.now))
    start, end = read_day_bounds(request.clinic, date)
    sessions = (
        Session.objects.filter(
            Q(held_until=None),
            course__clinic=request.clinic,
            status__in=sorted(PLACED),
            appointment__live=True,
            appointment__starts_at__gte=start,
            appointment__starts_at__lt=end,
        )
        .select_related("appointment", "course__procedure", "course__patient")
        .order_by("appointment__starts_at", "pk")
    )
    hidden = request.GET.get("names") == "initials"
    by_room: dict[str, Cabinet] = {}
    for line in _lines(sessions):
        line.who = _named(line.session.course.patient, hidden=hidden)
        by_room.setdefault(line.room, Cabinet(line.room or _("No room"))).lines.append(line)
    context = {
        "date": date,
        "site": request.clinic,
        "cabinets": [by_room[name] for name in sorted(by_room)],
        "hidden": hidden,
    }
    return render(request, "paper/cabinets.html", context)


def _named(patient: Patient, *, hidden: bool) -> str:
    if hidden:
        return initials_of(patient.family_name, patient.given_name, patient.full_name)
    return short_name(patient)


@page(Permission.VIEW_CALENDAR)
def roster(request: PageRequest, pk: int) -> HttpResponse:
    """Who comes to one meeting of a class, with free lines for those who are added at the door."""
    clinics = request.user.clinic_ids(Permission.VIEW_CALENDAR)
    one = (
        ClassMeeting.objects.select_related(
            "appointment",
            "group_class__procedure",
            "group_class__instructor",
            "group_class__room",
            "group_class__clinic",
        )
        .filter(pk=pk, group_class__clinic__in=clinics)
        .first()
    )
    if one is None:
        raise NotFound
    hidden = request.GET.get("names") == "initials"
    sessions = (
        Session.objects.filter(appointment=one.appointment, status__in=sorted(PLACED - {Status.HELD}))
        .select_related("course__patient")
        .order_by("seat", "pk")
    )
    seated = [(session, _named(session.course.patient, hidden=hidden)) for session in sessions]
    context = {
        "meeting": one,
        "site": one.group_class.clinic,
        "seated": seated,
        "free": range(_free(one.appointment.seats, seated)),
        "hidden": hidden,
    }
    return render(request, "paper/roster.html", context)


def _free(seats: int | None, seated: Iterable[object]) -> int:
    return max(0, (seats or 0) - len(list(seated)))


@page(Permission.SEE_MESSAGES)
def call_sheet(request: PageRequest) -> HttpResponse:
    """Whom to telephone, with room for what came of it. Full names and numbers: it stays on the desk."""
    today = request.clinic.local_date(request.now)
    date = max(read_day(request.GET.get("d", ""), today), today)
    lines = [CallLine.of(call) for call in open_calls(clinic=request.clinic, day=date, now=request.now)]
    return render(request, "paper/calls.html", {"date": date, "site": request.clinic, "lines": lines})
