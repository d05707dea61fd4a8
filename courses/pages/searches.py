"""One box for everything: patients, prescriptions by number, sessions of the patients found."""

from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import render

from clinic.permissions import Permission
from clinic.searching import search_patients
from courses.booking.models import Session
from courses.booking.transitions import PLANNED
from courses.pages.permissions import PageRequest, page
from courses.prescribing.models import Referral

MOST_PATIENTS = 12
# With more patients than this nobody looks for the session among them.
MOST_WITH_SESSIONS = 4
MOST_SESSIONS = 5


@page(Permission.VIEW_PATIENTS, methods=("GET", "HEAD", "POST"))
def search(request: PageRequest) -> HttpResponse:
    """What is looked for comes by POST, so that no name stands in an address or in its log."""
    text = request.POST.get("q", "").strip()
    clinics = request.user.clinic_ids(Permission.VIEW_PATIENTS)
    patients = search_patients(text, limit=MOST_PATIENTS) if text else []
    sessions: list[Session] = []
    if patients and len(patients) <= MOST_WITH_SESSIONS:
        ahead = (
            Session.objects.filter(
                course__patient__in=patients,
                course__clinic__in=clinics,
                status__in=PLANNED,
                appointment__ends_at__gt=request.now,
            )
            .select_related("course__procedure", "course__patient", "appointment")
            .order_by("appointment__starts_at")
        )
        sessions = list(ahead[: MOST_SESSIONS * len(patients)])
    referrals = []
    if text:
        referrals = list(
            Referral.objects.filter(clinic__in=clinics, number__icontains=text)
            .select_related("patient")
            .prefetch_related(Prefetch("programmes__courses__procedure"))[:MOST_PATIENTS]
        )
    context = {
        "q": text,
        "found": patients,
        "sessions": sessions,
        "referrals": referrals,
        "may_book": request.user.may(Permission.BOOK, request.clinic),
        "may_edit": request.user.may(Permission.EDIT_PATIENTS, request.clinic),
    }
    return render(request, "pages/search.html", context)
