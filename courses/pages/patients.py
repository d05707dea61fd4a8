"""Finding a patient, adding one, and the patient's page."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.errors import Conflict, Invalid
from clinic.models import Patient, Task
from clinic.models.resources import Sex
from clinic.permissions import Permission
from clinic.registering import cards_with_phone, create_patient, record_consent
from clinic.searching import search_patients
from courses.booking.access import patient_for
from courses.booking.models import Course, Session, Visit
from courses.booking.transitions import DONE, PLACED, Status
from courses.pages.forms import DateField
from courses.pages.permissions import PageRequest, page
from courses.prescribing.models import Referral
from notifications.models import Message

LANGUAGES = [("en", "English"), ("ru", "Русский"), ("pl", "Polski"), ("uk", "Українська")]
MOST_FOUND = 20
MOST_VISITS = 30
MOST_FORMER = 200
MOST_MESSAGES = 100


@page(Permission.VIEW_PATIENTS, methods=("GET", "HEAD", "POST"))
def patients(request: PageRequest) -> HttpResponse:
    """What is looked for comes by POST, so that no name stands in an address or in its log."""
    text = request.POST.get("q", "").strip()
    context = {
        "q": text,
        "asked": request.method == "POST",
        "found": _with_phones(search_patients(text, limit=MOST_FOUND)) if text else [],
        "recent": [] if text else _recent(request),
        "may_edit": request.user.may(Permission.EDIT_PATIENTS, request.clinic),
        "may_book": request.user.may(Permission.BOOK, request.clinic),
    }
    template = "pages/patients_found.html" if request.htmx else "pages/patients.html"  # type: ignore[attr-defined]
    return render(request, template, context)


def _with_phones(found: list[Patient]) -> list[Patient]:
    prefetch_related_objects(found, "phones")
    return found


def _recent(request: PageRequest) -> list[Patient]:
    """Patients of the courses opened last in this clinic."""
    courses = Course.objects.filter(clinic=request.clinic).order_by("-created_at", "-pk").select_related("patient")[:40]
    unique = {course.patient_id: course.patient for course in courses}
    return _with_phones(list(unique.values())[:8])


@page(Permission.VIEW_PATIENTS)
def patient(request: PageRequest, pk: int) -> HttpResponse:
    one = patient_for(request.user, Permission.VIEW_PATIENTS, pk)
    if one.merged_into_id is not None:
        messages.info(request, _("The card of %(name)s is now part of this one.") % {"name": one.full_name})
        return redirect("patient", pk=one.merged_into_id)
    clinics = request.user.clinic_ids(Permission.VIEW_PATIENTS)
    today = request.clinic.local_date(request.now)
    live = Session.objects.filter(status__in=sorted(PLACED)).select_related("course__procedure", "appointment")
    attended = Session.objects.filter(status__in=sorted(PLACED | {Status.NO_SHOW, Status.NOT_TREATED})).select_related(
        "course__procedure", "appointment"
    )
    visits = (
        Visit.objects.filter(patient=one, clinic__in=clinics, live=True, date__gte=today)
        .select_related("clinic")
        .prefetch_related(Prefetch("sessions", queryset=live.order_by("appointment__starts_at")))
        .order_by("starts_at")[:MOST_VISITS]
    )
    context: dict[str, Any] = {
        "patient": one,
        "phones": one.phones.all(),
        "contacts": one.contacts.all(),
        "courses": counted_courses(Course.objects.filter(patient=one, clinic__in=clinics)),
        "referrals": Referral.objects.filter(patient=one, clinic__in=clinics)
        .select_related("prescriber")
        .prefetch_related("programmes__courses__procedure"),
        "visits": visits,
        "today": today,
        "may_book": request.user.may(Permission.BOOK, request.clinic),
        "may_edit": request.user.may(Permission.EDIT_PATIENTS),
        "may_prescribe": request.user.may(Permission.BOOK, request.clinic)
        or request.user.may(Permission.PRESCRIBE, request.clinic),
        "former": Visit.objects.filter(patient=one, clinic__in=clinics, live=True, date__lt=today)
        .select_related("clinic")
        .prefetch_related(Prefetch("sessions", queryset=attended.order_by("appointment__starts_at")))
        .order_by("-starts_at")[:MOST_FORMER],
        "merged": one.merged.all(),
    }
    if request.user.may(Permission.SEE_MESSAGES):
        told = Message.objects.filter(patient=one, clinic__in=request.user.clinic_ids(Permission.SEE_MESSAGES))
        context["told"] = told.order_by("-due_at", "-pk")[:MOST_MESSAGES]
    if request.user.may(Permission.SEE_TASKS):
        tasks = Task.objects.filter(patient=one, clinic__in=request.user.clinic_ids(Permission.SEE_TASKS))
        context["tasks"] = tasks.filter(done_at=None)
    return render(request, "pages/patient.html", context)


def counted_courses(courses: QuerySet[Course]) -> list[Course]:
    """Courses with `done`, `booked` and `unplaced`: how many sessions are done, have a time, or have none."""
    found = list(
        courses.select_related("procedure", "clinic").prefetch_related("sessions").order_by("-created_at", "-pk")
    )
    for course in found:
        statuses = [session.status for session in course.sessions.all()]
        course.done = course.done_before + sum(s in DONE for s in statuses)  # type: ignore[attr-defined]
        course.booked = sum(s in PLACED - DONE for s in statuses)  # type: ignore[attr-defined]
        course.unplaced = sum(s == Status.UNPLACED for s in statuses)  # type: ignore[attr-defined]
    return found


class PatientForm(forms.Form):
    """A new card."""

    family_name = forms.CharField(label=gettext_lazy("Family name"), max_length=100)
    given_name = forms.CharField(label=gettext_lazy("Given name"), max_length=100, required=False)
    patronymic = forms.CharField(label=gettext_lazy("Patronymic"), max_length=100, required=False)
    phone = forms.CharField(
        label=gettext_lazy("Phone"),
        max_length=32,
        required=False,
        help_text=gettext_lazy("Without a country code it is read as a number of the clinic's country."),
        widget=forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "off"}),
    )
    phone_owner = forms.CharField(
        label=gettext_lazy("Whose phone, if not the patient's"), max_length=100, required=False
    )
    birth_date = DateField(label=gettext_lazy("Date of birth"), required=False)
    sex = forms.ChoiceField(label=gettext_lazy("Sex"), choices=[("", "—"), *Sex.choices], required=False)
    language = forms.ChoiceField(label=gettext_lazy("Language of messages"), choices=LANGUAGES)
    email = forms.EmailField(label=gettext_lazy("E-mail"), required=False)
    consent_data = forms.BooleanField(label=gettext_lazy("Agrees to the processing of their data"), required=False)
    consent_email = forms.BooleanField(label=gettext_lazy("Agrees to messages by e-mail"), required=False)
    consent_sms = forms.BooleanField(label=gettext_lazy("Agrees to messages by SMS"), required=False)


@page(Permission.EDIT_PATIENTS, methods=("GET", "HEAD", "POST"))
def patient_new(request: PageRequest) -> HttpResponse:
    """A new card; cards that may be the same person are shown first, and the second press says that they are not."""
    form = PatientForm(request.POST or None, initial={"language": request.clinic.language})
    duplicates: list[dict[str, Any]] = []
    sharing: list[Patient] = []
    checked = request.POST.get("not_duplicate") == "yes"
    if request.method == "POST" and form.is_valid():
        data = dict(form.cleaned_data)
        phone, owner = data.pop("phone"), data.pop("phone_owner")
        sharing = [] if checked else cards_with_phone(phone, clinic=request.clinic)
        try:
            created = create_patient(
                by=request.user,
                now=request.now,
                clinic=request.clinic,
                phones=[{"number": phone, "owner": owner}] if phone else [],
                duplicates_checked=checked,
                ask_about_phones=True,
                **data,
            )
        except Invalid as wrong:
            _show_errors(form, wrong)
        except Conflict as conflict:
            if conflict.code != "possible_duplicate":
                raise
            duplicates = conflict.details["patients"]
        else:
            messages.success(request, _("Card saved."))
            return redirect("patient", pk=created.pk)
    status = 409 if duplicates else 422 if form.errors else 200
    context = {"form": form, "duplicates": duplicates, "sharing": {card.pk for card in sharing}}
    return render(request, "pages/patient_new.html", context, status=status)


def _show_errors(form: forms.Form, wrong: Invalid) -> None:
    """The service's sentences at the fields that they are about."""
    for name, sentences in wrong.details.items():
        field = "phone" if name == "phones" else name
        form.add_error(field if field in form.fields else None, [str(sentence) for sentence in sentences])


@page(Permission.EDIT_PATIENTS, methods=("POST",))
def patient_consents(request: PageRequest, pk: int) -> HttpResponse:
    one = patient_for(request.user, Permission.EDIT_PATIENTS, pk)
    given = {name: request.POST.get(name) == "yes" for name in ("data", "email", "sms")}
    record_consent(patient=one, by=request.user, now=request.now, **given)
    messages.success(request, _("Consents saved."))
    return redirect("patient", pk=one.pk)
