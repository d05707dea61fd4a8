"""A visit: a patient's whole day at the clinic, checked in or cancelled in one press."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.permissions import Permission
from courses.booking.access import visit_for
from courses.booking.attendance import arrive_visit, undo_arrival
from courses.booking.cancelling import cancel_visit
from courses.booking.models import Visit
from courses.booking.transitions import PLACED, Status, may_become
from courses.pages.permissions import PageRequest, page
from courses.pages.sessions import CancelForm

SHOWN = sorted(PLACED | {Status.NO_SHOW, Status.NOT_TREATED})


@page(Permission.VIEW_CALENDAR)
def visit(request: PageRequest, pk: int) -> HttpResponse:
    one = visit_for(request.user, Permission.VIEW_CALENDAR, pk)
    return render(request, "pages/visit.html", _context(request, one))


def _context(request: PageRequest, one: Visit) -> dict[str, object]:
    sessions = list(
        one.sessions.filter(status__in=SHOWN)
        .select_related("course__procedure", "appointment")
        .order_by("appointment__starts_at", "pk")
    )
    return {
        "visit": one,
        "patient": one.patient,
        "sessions": sessions,
        "may_check_in": request.user.may(Permission.CHECK_IN, one.clinic)
        and any(may_become(s.status, Status.ARRIVED) for s in sessions),
        "may_undo": request.user.may(Permission.CHECK_IN, one.clinic)
        and any(s.status == Status.ARRIVED for s in sessions),
        "may_cancel": request.user.may(Permission.BOOK, one.clinic)
        and any(s.status in {Status.BOOKED, Status.CONFIRMED} for s in sessions),
        "warnings": _warnings(one),
    }


def _warnings(one: Visit) -> list[str]:
    warnings = []
    if not one.patient.consent_data:
        warnings.append(_("Consent to data processing is missing. Ask the patient to sign it."))
    return warnings


@page(Permission.CHECK_IN, methods=("POST",))
def visit_arrive(request: PageRequest, pk: int) -> HttpResponse:
    one = visit_for(request.user, Permission.CHECK_IN, pk)
    arrived = arrive_visit(visit=one, by=request.user, now=request.now)
    messages.success(request, _arrived(len(arrived)))
    target = _next(request)
    return redirect(target) if target else redirect("visit", pk=one.pk)


@page(Permission.CHECK_IN, methods=("POST",))
def visit_undo(request: PageRequest, pk: int) -> HttpResponse:
    """The check-in was a mistake."""
    one = visit_for(request.user, Permission.CHECK_IN, pk)
    undo_arrival(visit=one, by=request.user, now=request.now)
    messages.success(request, _("Check-in taken back."))
    target = _next(request)
    return redirect(target) if target else redirect("visit", pk=one.pk)


@page(Permission.BOOK, methods=("GET", "HEAD", "POST"))
def visit_cancel(request: PageRequest, pk: int) -> HttpResponse:
    one = visit_for(request.user, Permission.BOOK, pk)
    form = CancelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        ended = cancel_visit(
            visit=one,
            reason=form.cleaned_data["reason"],
            by_clinic=form.cleaned_data["by_clinic"],
            by=request.user,
            now=request.now,
        )
        messages.success(request, _cancelled(len(ended)))
        return redirect("patient", pk=one.patient_id)
    context = _context(request, one) | {"form": form}
    return render(request, "pages/visit_cancel.html", context, status=422 if form.errors else 200)


def _arrived(n: int) -> str:
    return ngettext("%(n)d session checked in.", "%(n)d sessions checked in.", n) % {"n": n}


def _cancelled(n: int) -> str:
    return ngettext("%(n)d session cancelled.", "%(n)d sessions cancelled.", n) % {"n": n}


def _next(request: HttpRequest) -> str:
    target = request.POST.get("next", "")
    allowed = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if allowed else ""
