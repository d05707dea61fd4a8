"""Qualifications: granted, dated, withdrawn."""

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from clinic.models import Clinic
from courses.catalogue.models import Procedure
from courses.managing import qualifications
from courses.managing.rights import MANAGE, qualification_for, staff_for
from courses.pages.forms import DateField
from courses.pages.managing.edits import act, edit_page
from courses.pages.permissions import PageRequest, page


class DatesForm(forms.Form):
    valid_from = DateField(
        label=pgettext_lazy("qualification", "Valid from"), required=False, help_text=gettext_lazy("Empty: always.")
    )
    valid_until = DateField(
        label=pgettext_lazy("qualification", "Valid until"),
        required=False,
        help_text=gettext_lazy("The last day. Empty: without end."),
    )


class SkillForm(DatesForm):
    field_order = ["procedure"]

    procedure = forms.ModelChoiceField(label=gettext_lazy("Procedure"), queryset=Procedure.objects.none())

    def __init__(self, data: object, *, clinic: Clinic) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.fields["procedure"].queryset = Procedure.objects.filter(clinic=clinic)  # type: ignore[attr-defined]


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def skill_new(request: PageRequest, pk: int) -> HttpResponse:
    one = staff_for(request.user, pk)
    return edit_page(
        request,
        title=_("May give: %(name)s") % {"name": one},
        form=SkillForm(request.POST or None, clinic=request.clinic),
        save=lambda data, _given: qualifications.grant_qualification(
            therapist=one, by=request.user, now=request.now, **data
        ),
        done=_("Saved."),
        back=reverse("manage-therapist", args=[pk]),
    )


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def skill(request: PageRequest, pk: int) -> HttpResponse:
    row = qualification_for(request.user, pk)
    return edit_page(
        request,
        title=f"{row.procedure}: {row.therapist}",
        form=DatesForm(request.POST or None, initial={"valid_from": row.valid_from, "valid_until": row.valid_until}),
        save=lambda data, given: qualifications.change_qualification(
            qualification=row,
            by=request.user,
            now=request.now,
            accepted=given.accepted,
            seen=given.seen,
            **data,
        ),
        done=_("Saved."),
        back=reverse("manage-therapist", args=[row.therapist_id]),
        rows=[row],
        other_action=reverse("manage-skill-withdraw", args=[pk]),
        other_button=_("Withdraw altogether"),
    )


@page(MANAGE, methods=("POST",))
def skill_withdraw(request: PageRequest, pk: int) -> HttpResponse:
    row = qualification_for(request.user, pk)
    return act(
        request,
        lambda given: qualifications.withdraw_qualification(
            qualification=row, by=request.user, now=request.now, accepted=given.accepted
        ),
        title=f"{row.procedure}: {row.therapist}",
        done=_("Withdrawn."),
        back=reverse("manage-therapist", args=[row.therapist_id]),
    )
