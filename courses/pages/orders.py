"""New courses: booked at the desk, or written as a prescription that a doctor signs."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.errors import Invalid, NotFound
from clinic.models import Clinic, Patient, Therapist
from clinic.permissions import Permission
from courses.booking.access import patient_for
from courses.booking.frequencies import CHOICES, FREQUENCIES
from courses.booking.lifecycle import MOST_SESSIONS, open_course
from courses.booking.models import Course
from courses.booking.proposals import propose_plan
from courses.catalogue.models import GapUnit, Procedure
from courses.pages.forms import DateField
from courses.pages.permissions import PageRequest, page
from courses.pages.wishes import WishesForm
from courses.prescribing.models import Referral
from courses.prescribing.referrals import create_referral, sign_referral

LINES = 4


class LineForm(forms.Form):
    """One procedure: how many sessions, how often."""

    procedure = forms.ChoiceField(label=gettext_lazy("Procedure"), required=False)
    sessions_total = forms.IntegerField(
        label=gettext_lazy("Sessions"), min_value=1, max_value=MOST_SESSIONS, required=False
    )
    frequency = forms.ChoiceField(
        label=gettext_lazy("How often"), choices=[("", gettext_lazy("as usual")), *CHOICES], required=False
    )
    gap_min = forms.IntegerField(label=gettext_lazy("Days apart, at least"), min_value=1, max_value=60, required=False)
    gap_max = forms.IntegerField(label=gettext_lazy("at most"), min_value=1, max_value=60, required=False)
    area = forms.CharField(label=gettext_lazy("Area"), max_length=100, required=False)

    def __init__(self, *args: Any, procedures: list[Procedure], first: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by_pk = {str(procedure.pk): procedure for procedure in procedures}
        names = [(key, _label(procedure)) for key, procedure in self.by_pk.items()]
        self.fields["procedure"].choices = [("", "—"), *names]  # type: ignore[attr-defined]
        self.fields["procedure"].required = first

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        procedure = self.by_pk.get(data.get("procedure", ""))
        if procedure and not data.get("sessions_total") and "sessions_total" not in self.errors:
            data["sessions_total"] = procedure.sessions_default
            if not procedure.sessions_default:
                self.add_error("sessions_total", _("Say how many sessions."))
        gaps = data.get("gap_min"), data.get("gap_max")
        if gaps[0] and gaps[1] and gaps[0] > gaps[1]:
            self.add_error("gap_max", _("The longest gap must not be shorter than the shortest."))
        if procedure and self._lacks_frequency(procedure, data):
            self.add_error("frequency", _("Say how often; this procedure has no usual frequency."))
        return data

    @staticmethod
    def _lacks_frequency(procedure: Procedure, data: dict[str, Any]) -> bool:
        known = procedure.gap_min or data.get("gap_min") or data.get("frequency")
        return not (known or procedure.is_group or (data.get("sessions_total") or 0) <= 1)

    @property
    def line(self) -> dict[str, Any] | None:
        """The course that this line asks for; None where it was left empty."""
        data = self.cleaned_data
        procedure = self.by_pk.get(data.get("procedure", ""))
        if procedure is None:
            return None
        line = {"procedure": procedure, "sessions_total": data["sessions_total"]}
        if frequency := FREQUENCIES.get(data["frequency"]):
            line |= {"frequency": data["frequency"], "gap_unit": GapUnit.OPENING}
            line |= {"per_week": frequency.per_week} if procedure.is_group else frequency.terms
        return line | {name: data[name] for name in ("gap_min", "gap_max", "area") if data.get(name)}


def _label(procedure: Procedure) -> str:
    usual = f" ×{procedure.sessions_default}" if procedure.sessions_default else ""
    return f"{procedure.letters} · {procedure.name}{usual}"


def line_forms(data: Mapping[str, Any] | None, clinic: Clinic) -> list[LineForm]:
    procedures = sorted(Procedure.objects.filter(clinic=clinic, is_active=True), key=lambda p: p.name)
    return [LineForm(data, prefix=f"line{n}", procedures=procedures, first=n == 0) for n in range(LINES)]


class ReferralForm(forms.Form):
    """What is prescribed, by whom, until when."""

    origin = forms.ChoiceField(
        label=gettext_lazy("Where it comes from"),
        choices=[c for c in Referral.Origin.choices if c[0] != Referral.Origin.IMPORTED],
    )
    prescriber = forms.ChoiceField(label=gettext_lazy("Doctor"), required=False)
    number = forms.CharField(label=gettext_lazy("Number of the paper"), max_length=50, required=False)
    prescribed_on = DateField(label=gettext_lazy("Prescribed on"))
    icd10 = forms.RegexField(
        label=gettext_lazy("Diagnosis, ICD-10"),
        regex=r"^[A-Z]\d{2}(\.\d{1,2})?$",
        required=False,
        error_messages={"invalid": gettext_lazy("Write the code like M54.5.")},
    )
    diagnosis = forms.CharField(label=gettext_lazy("Diagnosis in words"), max_length=300, required=False)
    finish_by = DateField(label=gettext_lazy("Finish by"), required=False)
    combine_visits = forms.BooleanField(label=gettext_lazy("Combine in as few visits as possible"), required=False)
    comment = forms.CharField(label=gettext_lazy("Note"), widget=forms.Textarea(attrs={"rows": 3}), required=False)

    def __init__(self, *args: Any, prescribers: list[Therapist], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["prescriber"].choices = [("", "—"), *((t.pk, str(t)) for t in prescribers)]  # type: ignore[attr-defined]


@page(Permission.BOOK, methods=("GET", "HEAD", "POST"))
def course_new(request: PageRequest, pk: int) -> HttpResponse:
    """One or more procedures with wishes, planned at once. What needs a prescription becomes one, to be signed."""
    patient = patient_for(request.user, Permission.VIEW_PATIENTS, pk)
    data = request.POST or None
    lines = line_forms(data, request.clinic)
    therapists = Therapist.objects.filter(is_active=True, qualifications__procedure__clinic=request.clinic).distinct()
    wishes = WishesForm(data, therapists=list(therapists), today=request.clinic.local_date(request.now))
    error = None
    if request.method == "POST" and all([*(form.is_valid() for form in lines), wishes.is_valid()]):
        wanted = [line for line in (form.line for form in lines) if line]
        try:
            opened = _open(request, patient, wanted)
        except Invalid as refused:
            error = refused
        else:
            return _plan(request, opened, wishes)
    context = {
        "patient": patient,
        "lines": lines,
        "form": wishes,
        "error": error,
        "to_plan": _waiting(request, patient),
    }
    return render(request, "pages/course_new.html", context, status=422 if request.method == "POST" else 200)


def _open(request: PageRequest, patient: Patient, lines: list[dict[str, Any]]) -> list[Course]:
    if not patient.consent_data:
        raise Invalid(_("The patient has not agreed to the processing of their data. Ask for consent first."))
    if any(line["procedure"].requires_referral for line in lines):
        referral = create_referral(
            clinic=request.clinic, patient=patient, by=request.user, now=request.now, lines=lines
        )
        if request.user.may(Permission.PRESCRIBE, request.clinic):
            sign_referral(referral=referral, by=request.user, now=request.now)
        keys = list(Course.objects.filter(programme__referral=referral).values_list("pk", flat=True))
    else:
        keys = [
            open_course(patient=patient, clinic=request.clinic, by=request.user, now=request.now, **line).pk
            for line in lines
        ]
    rows = Course.objects.filter(pk__in=keys).select_related("clinic", "patient", "procedure", "programme__referral")
    return list(rows.order_by("line_number", "pk"))


def _plan(request: PageRequest, courses: list[Course], form: WishesForm) -> HttpResponse:
    """To the proposal; or to the courses' own wishes, for sent once more this form would open them again."""
    try:
        plan = propose_plan(
            courses=courses,
            by=request.user,
            now=request.now,
            profile=form.cleaned_data["profile"],
            wishes=form.wishes(),
        )
    except Invalid as refused:
        said = [str(sentence) for sentences in refused.details.values() for sentence in sentences]
        messages.error(request, " ".join(said or [str(refused.sentence)]))
        return redirect("plan-courses", pk=courses[0].pk)
    return redirect("plan", pk=plan.pk)


def _waiting(request: PageRequest, patient: Patient) -> list[Course]:
    """Courses of this patient that wait for a time already: nothing should be asked for twice."""
    waiting = Course.objects.filter(
        patient=patient,
        clinic=request.clinic,
        status__in=[Course.Status.DRAFT, Course.Status.ACTIVE],
        sessions__status="unplaced",
    )
    return list(waiting.distinct().select_related("procedure"))


@page(Permission.BOOK, methods=("GET", "HEAD", "POST"))
def referral_new(request: PageRequest, pk: int) -> HttpResponse:
    patient = patient_for(request.user, Permission.VIEW_PATIENTS, pk)
    data = request.POST or None
    lines = line_forms(data, request.clinic)
    doctors = Therapist.objects.filter(is_active=True, is_prescriber=True)
    own = getattr(request.user, "therapist", None)
    initial = {"prescribed_on": request.clinic.local_date(request.now), "prescriber": own.pk if own else ""}
    form = ReferralForm(data, prescribers=list(doctors), initial=initial)
    error = None
    if request.method == "POST" and all([form.is_valid(), *(line.is_valid() for line in lines)]):
        fields = {name: value for name, value in form.cleaned_data.items() if value not in ("", None)}
        if "prescriber" in fields:
            fields["prescriber"] = Therapist.objects.get(pk=fields["prescriber"])
        try:
            referral = create_referral(
                clinic=request.clinic,
                patient=patient,
                by=request.user,
                now=request.now,
                lines=[line for line in (one.line for one in lines) if line],
                **fields,
            )
            messages.success(request, _("Prescription saved. It can be booked when a doctor has signed it."))
            return redirect("referral", pk=referral.pk)
        except Invalid as refused:
            error = refused
    context = {"patient": patient, "lines": lines, "form": form, "error": error}
    return render(request, "pages/referral_new.html", context, status=422 if request.method == "POST" else 200)


@page(Permission.VIEW_PATIENTS)
def referral(request: PageRequest, pk: int) -> HttpResponse:
    one = _referral_for(request, pk, Permission.VIEW_PATIENTS)
    courses = list(
        Course.objects.filter(programme__referral=one).select_related("procedure").prefetch_related("sessions")
    )
    waiting = [c for c in courses if any(session.status == "unplaced" for session in c.sessions.all())]
    context = {
        "referral": one,
        "patient": one.patient,
        "courses": courses,
        "first_waiting": waiting[0] if waiting else None,
        "may_sign": one.signed_at is None and request.user.may(Permission.PRESCRIBE, one.clinic),
        "may_book": bool(waiting) and request.user.may(Permission.BOOK, one.clinic),
        "may_read": request.user.may(Permission.READ_RECORDS, one.clinic),
    }
    return render(request, "pages/referral.html", context)


@page(Permission.PRESCRIBE, methods=("POST",))
def referral_sign(request: PageRequest, pk: int) -> HttpResponse:
    one = _referral_for(request, pk, Permission.PRESCRIBE)
    sign_referral(referral=one, by=request.user, now=request.now)
    messages.success(request, _("Signed. The courses can be booked now."))
    return redirect("referral", pk=one.pk)


def _referral_for(request: PageRequest, pk: int, permission: Permission) -> Referral:
    rows = Referral.objects.select_related("patient", "clinic", "prescriber", "signed_by")
    one = rows.filter(pk=pk, clinic__in=request.user.clinic_ids(permission)).first()
    if one is None:
        raise NotFound
    return one
