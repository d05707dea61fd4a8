"""Staff: who they are, what they may give, when they work, and the account they sign in with."""

import re
from typing import Any

from django import forms
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.models import Absence, Shift, Therapist
from clinic.models.resources import Sex
from courses.catalogue.models import Qualification
from courses.managing import qualifications, therapists
from courses.managing.patterns import is_single
from courses.managing.places import MOST_PLACES
from courses.managing.rights import MANAGE, staff_for, staff_of
from courses.pages.managing.edits import act, edit_page
from courses.pages.managing.wording import shift_text
from courses.pages.permissions import PageRequest, page

_LANGUAGE = re.compile(r"[a-z]{2,3}")


class TherapistForm(forms.Form):
    full_name = forms.CharField(label=gettext_lazy("Full name"), max_length=200)
    short_name = forms.CharField(
        label=gettext_lazy("Name on the board"), max_length=100, required=False, help_text=gettext_lazy("As Olga N.")
    )
    title = forms.CharField(label=gettext_lazy("Position"), max_length=100, required=False)
    staff_group = forms.CharField(label=gettext_lazy("Staff group"), max_length=50, required=False)
    gender = forms.ChoiceField(
        label=gettext_lazy("Sex"), required=False, choices=[("", gettext_lazy("not said")), *Sex.choices]
    )
    languages = forms.CharField(
        label=gettext_lazy("Languages"),
        required=False,
        help_text=gettext_lazy("Two letters each, as: en, ru, pl"),
    )
    capacity = forms.IntegerField(
        label=gettext_lazy("Patients at once"),
        min_value=1,
        max_value=MOST_PLACES,
        initial=1,
        help_text=gettext_lazy(
            "More than one for those who attend device rooms. Their hands are always counted singly."
        ),
    )
    is_prescriber = forms.BooleanField(label=gettext_lazy("Prescribes"), required=False)
    email = forms.EmailField(label=gettext_lazy("E-mail"), required=False)

    def clean_languages(self) -> list[str]:
        codes = [code for code in re.split(r"[\s,;]+", self.cleaned_data["languages"].lower()) if code]
        if not all(_LANGUAGE.fullmatch(code) for code in codes):
            raise forms.ValidationError(_("Write languages as two letters with commas between: en, ru."))
        return list(dict.fromkeys(codes))


@page(MANAGE)
def staff(request: PageRequest) -> HttpResponse:
    """`?all=1` shows those who have left as well."""
    with_gone = "all" in request.GET
    rows = staff_of([request.clinic.pk]).select_related("resource", "user")
    skills = Qualification.objects.filter(procedure__clinic=request.clinic).select_related("procedure")
    shifts = Shift.objects.filter(clinic=request.clinic).order_by("starts_on", "pk")
    if not with_gone:
        rows = rows.filter(is_active=True)
    today = request.clinic.local_date(request.now)
    people = list(rows.prefetch_related(Prefetch("qualifications", skills), Prefetch("shifts", shifts)))
    for one in people:
        one.skills = [q for q in one.qualifications.all() if q.valid_until is None or q.valid_until >= today]  # type: ignore[attr-defined]
        one.hours = [  # type: ignore[attr-defined]
            shift_text(shift)
            for shift in one.shifts.all()
            if not is_single(shift.rrule) and (shift.ends_on is None or shift.ends_on >= today)
        ]
    expiring = list(qualifications.expiring(request.clinic, now=request.now))
    context = {"people": people, "expiring": expiring, "with_gone": with_gone, "today": today}
    return render(request, "managing/staff.html", context)


@page(MANAGE)
def therapist(request: PageRequest, pk: int) -> HttpResponse:
    one = staff_for(request.user, pk)
    today = request.clinic.local_date(request.now)
    skills = Qualification.objects.filter(therapist=one, procedure__clinic__in=request.user.clinic_ids(MANAGE))
    shifts = Shift.objects.filter(therapist=one, clinic__in=request.user.clinic_ids(MANAGE)).select_related("clinic")
    regular = [shift for shift in shifts if not is_single(shift.rrule)]
    context = {
        "one": one,
        "today": today,
        "skills": skills.select_related("procedure__clinic").order_by("procedure__code", "valid_from"),
        "shifts": [(shift, shift_text(shift)) for shift in regular if not shift.ends_on or shift.ends_on >= today],
        "past": [(shift, shift_text(shift)) for shift in regular if shift.ends_on and shift.ends_on < today],
        "absences": Absence.objects.filter(therapist=one).exclude(ends_at__lte=request.now),
    }
    return render(request, "managing/therapist.html", context)


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def therapist_new(request: PageRequest) -> HttpResponse:
    return edit_page(
        request,
        title=_("New member of staff"),
        form=TherapistForm(request.POST or None),
        save=lambda data, _given: therapists.create_therapist(
            clinic=request.clinic, by=request.user, now=request.now, **data
        ),
        done=_("Added. Give them skills and hours next."),
        back=reverse("manage-staff"),
        to=lambda made: reverse("manage-therapist", args=[made.pk]),
    )


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def therapist_edit(request: PageRequest, pk: int) -> HttpResponse:
    one = staff_for(request.user, pk)
    return edit_page(
        request,
        title=_("Change: %(name)s") % {"name": one},
        form=TherapistForm(request.POST or None, initial=_initial(one)),
        save=lambda data, given: therapists.edit_therapist(
            therapist=one, by=request.user, now=request.now, seen=given.seen, **data
        ),
        done=_("Saved."),
        back=reverse("manage-therapist", args=[pk]),
        rows=[one, one.resource],
    )


def _initial(one: Therapist) -> dict[str, Any]:
    names = ("full_name", "short_name", "title", "staff_group", "gender", "is_prescriber", "email")
    return {name: getattr(one, name) for name in names} | {
        "languages": ", ".join(one.languages),
        "capacity": one.resource.capacity,
    }


@page(MANAGE, methods=("POST",))
def therapist_deactivate(request: PageRequest, pk: int) -> HttpResponse:
    one = staff_for(request.user, pk)
    return act(
        request,
        lambda given: therapists.deactivate_therapist(
            therapist=one, by=request.user, now=request.now, accepted=given.accepted
        ),
        title=_("Plan no more: %(name)s") % {"name": one},
        done=_("Not planned any more."),
        back=reverse("manage-therapist", args=[pk]),
    )


@page(MANAGE, methods=("POST",))
def therapist_activate(request: PageRequest, pk: int) -> HttpResponse:
    one = staff_for(request.user, pk)
    return act(
        request,
        lambda _given: therapists.activate_therapist(therapist=one, by=request.user, now=request.now),
        title=str(one),
        done=_("Planned again."),
        back=reverse("manage-therapist", args=[pk]),
    )
