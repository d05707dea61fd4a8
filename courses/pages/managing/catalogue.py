"""The catalogue: what the clinic offers, each figure with where it comes from, and what is still to be confirmed."""

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clinic.changes import token_of
from clinic.errors import Conflict, Invalid
from clinic.models import Equipment, ResourceKind, Room
from courses.catalogue import editing, needs
from courses.catalogue.entries import FIGURES
from courses.catalogue.loading import load_catalogue
from courses.catalogue.models import GapUnit, Procedure
from courses.managing.rights import MANAGE, procedure_for
from courses.pages.managing.edits import act, conflict_page, edit_page
from courses.pages.permissions import PageRequest, page

_CATEGORIES = [
    ("", "—"),
    ("MS", gettext_lazy("massage")),
    ("PT", gettext_lazy("physiotherapy with devices")),
    ("EX", gettext_lazy("exercise")),
    ("MT", gettext_lazy("manual therapy")),
    ("AC", gettext_lazy("acupuncture")),
    ("TR", gettext_lazy("traction and other")),
]
_HINTS = {
    "minutes": gettext_lazy("The patient's time; turn-over belongs to what it needs."),
    "gap_min": gettext_lazy("Days from one session to the next, at least."),
    "gap_max": gettext_lazy("Days from one session to the next, at most."),
}


class NamesForm(forms.Form):
    name_en = forms.CharField(label=gettext_lazy("Name, English"), max_length=200, required=False)
    name_ru = forms.CharField(label=gettext_lazy("Name, Russian"), max_length=200, required=False)
    name_pl = forms.CharField(label=gettext_lazy("Name, Polish"), max_length=200, required=False)
    short_code = forms.CharField(label=gettext_lazy("Letters on the board"), max_length=8, required=False)
    short_code_ru = forms.CharField(label=gettext_lazy("Letters on the board, Russian"), max_length=8, required=False)
    category = forms.ChoiceField(label=gettext_lazy("Colour on the board"), choices=_CATEGORIES, required=False)


class NewProcedureForm(NamesForm):
    field_order = ["code"]

    code = forms.SlugField(
        label=gettext_lazy("Code"), max_length=50, help_text=gettext_lazy("Stays the same for ever, as: MASSAGE.")
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not any(data.get(name) for name in ("name_en", "name_ru", "name_pl")):
            self.add_error("name_en", _("Give a name in at least one language."))
        return data


class ProcedureForm(NamesForm):
    """Figures show beneath them where they come from."""

    tags = forms.CharField(
        label=gettext_lazy("Tags"),
        required=False,
        help_text=gettext_lazy("Words that rules go by, with commas between."),
    )
    gap_unit = forms.ChoiceField(label=gettext_lazy("Gaps are counted in"), choices=GapUnit.choices)
    therapist_change_cost = forms.IntegerField(
        label=gettext_lazy("Cost of another specialist within a course"), min_value=0, max_value=100
    )
    is_group = forms.BooleanField(label=gettext_lazy("Given in a group"), required=False)
    requires_referral = forms.BooleanField(label=gettext_lazy("Needs a prescription"), required=False)
    note = forms.CharField(label=gettext_lazy("Note"), widget=forms.Textarea(attrs={"rows": 3}), required=False)

    def __init__(self, data: Any, *, procedure: Procedure) -> None:
        names = [*self.base_fields, *FIGURES]
        initial = {name: getattr(procedure, name) for name in names} | {"tags": ", ".join(procedure.tags)}
        super().__init__(data, initial=initial)
        for figure in editing.figures_of(procedure):
            origin = _origin(figure)
            hint = _HINTS.get(figure.name, "")
            self.fields[figure.name] = forms.IntegerField(
                label=figure.label,
                required=False,
                min_value=5 if figure.name == "minutes" else 0,
                max_value=480 if figure.name == "minutes" else 365,
                help_text=f"{hint} {origin}".strip(),
            )

    def clean_tags(self) -> list[str]:
        tags = [tag.strip() for tag in re.split(r"[,;]", self.cleaned_data["tags"]) if tag.strip()]
        if any(len(tag) > 32 for tag in tags):
            raise forms.ValidationError(_("At most 32 letters each."))
        return list(dict.fromkeys(tags))

    @property
    def figures(self) -> list[forms.BoundField]:
        return [self[name] for name in FIGURES]

    @property
    def changed(self) -> dict[str, Any]:
        """Only what differs: a figure confirmed as it stands keeps its source."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name in self.cleaned_data}


def _origin(figure: editing.ShownFigure) -> str:
    if figure.value is None:
        return str(editing.TO_BE_CONFIRMED).capitalize() + "."
    if figure.confidence == "CLINIC":
        return _("The clinic's own figure.")
    words = {"source": figure.source, "confidence": figure.confidence}
    return _("Source: %(source)s (%(confidence)s).") % words


@page(MANAGE)
def catalogue(request: PageRequest) -> HttpResponse:
    rows = list(Procedure.objects.filter(clinic=request.clinic).prefetch_related("requirements"))
    for row in rows:
        row.open_figures = [str(f.label) for f in editing.figures_of(row) if f.value is None]  # type: ignore[attr-defined]
    rows.sort(key=lambda row: (not row.is_active, row.name.casefold()))
    waiting = sum(not row.is_active for row in rows)
    return render(request, "managing/catalogue.html", {"procedures": rows, "waiting": waiting})


@page(MANAGE, methods=("POST",))
def catalogue_load(request: PageRequest) -> HttpResponse:
    return act(
        request,
        lambda _given: load_catalogue(clinic=request.clinic, by=request.user, now=request.now),
        title=_("Catalogue"),
        done=_("The shipped catalogue is loaded; new procedures wait for you to confirm them."),
        back=reverse("manage-catalogue"),
    )


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def procedure_new(request: PageRequest) -> HttpResponse:
    return edit_page(
        request,
        title=_("New procedure"),
        form=NewProcedureForm(request.POST or None),
        save=lambda data, _given: editing.create_procedure(
            clinic=request.clinic, by=request.user, now=request.now, **data
        ),
        done=_("Added. Confirm its figures and say what it needs, then activate it."),
        back=reverse("manage-catalogue"),
        to=lambda made: reverse("manage-procedure", args=[made.pk]),
    )


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def procedure(request: PageRequest, pk: int) -> HttpResponse:
    one = procedure_for(request.user, pk)
    form = ProcedureForm(request.POST or None, procedure=one)
    return edit_page(
        request,
        title=str(one),
        form=form,
        save=lambda _data, given: editing.edit_procedure(
            procedure=one, by=request.user, now=request.now, seen=given.seen, **form.changed
        ),
        done=_("Saved."),
        back=reverse("manage-catalogue"),
        to=reverse("manage-procedure", args=[pk]),
        rows=[one],
        template="managing/procedure.html",
        one=one,
        requirements=one.requirements.order_by("pk"),
        variants=one.variants.order_by("area"),
        apart=one.not_same_day_with.order_by("code"),
        unmet=_unmet(one),
    )


def _unmet(one: Procedure) -> list[str]:
    """What it needs and the clinic does not have."""
    rooms = {*Room.objects.filter(clinic=one.clinic_id, is_active=True).values_list("room_type", flat=True)}
    kinds = {*Equipment.objects.filter(clinic=one.clinic_id, is_active=True).values_list("equipment_type", flat=True)}
    needed = list(one.requirements.all())
    found = [
        _("No room of the kind “%(kind)s” is in use.") % {"kind": need.type_code}
        for need in needed
        if need.role == ResourceKind.ROOM and need.type_code not in rooms
    ]
    found += [
        _("No device of the kind “%(kind)s” is in use.") % {"kind": need.type_code}
        for need in needed
        if need.role == ResourceKind.EQUIPMENT and need.type_code not in kinds
    ]
    if any(need.role == ResourceKind.THERAPIST for need in needed) and not one.qualifications.exists():
        found.append(_("Nobody is qualified for it."))
    if not needed:
        found.append(_("It is not said what it needs."))
    return found


@page(MANAGE, methods=("POST",))
def procedure_activate(request: PageRequest, pk: int) -> HttpResponse:
    one = procedure_for(request.user, pk)
    return act(
        request,
        lambda _given: editing.activate_procedure(procedure=one, by=request.user, now=request.now),
        title=str(one),
        done=_("Can be prescribed and booked."),
        back=reverse("manage-procedure", args=[pk]),
    )


@page(MANAGE, methods=("POST",))
def procedure_deactivate(request: PageRequest, pk: int) -> HttpResponse:
    one = procedure_for(request.user, pk)
    return act(
        request,
        lambda _given: editing.deactivate_procedure(procedure=one, by=request.user, now=request.now),
        title=str(one),
        done=_("Not offered any more. Courses of it go on."),
        back=reverse("manage-procedure", args=[pk]),
    )


# --- Lists of lines --------------------------------------------------------------------------------------------------


class NeedForm(forms.Form):
    role = forms.ChoiceField(
        label=gettext_lazy("Needs"), choices=[("", "—"), *((r.value, r.label) for r in needs.ROLES)]
    )
    type_code = forms.CharField(label=gettext_lazy("Kind of room or device"), max_length=50, required=False)
    minutes_before = forms.IntegerField(label=gettext_lazy("Minutes before"), min_value=0, max_value=240, initial=0)
    minutes_after = forms.IntegerField(label=gettext_lazy("Minutes after"), min_value=0, max_value=240, initial=0)
    hands_on_start = forms.IntegerField(label=gettext_lazy("Hands at the start"), min_value=0, max_value=240, initial=0)
    hands_on_end = forms.IntegerField(label=gettext_lazy("Hands at the end"), min_value=0, max_value=240, initial=0)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for name in ("minutes_before", "minutes_after", "hands_on_start", "hands_on_end"):
            data.setdefault(name, 0)
        return data


class VariantForm(forms.Form):
    area = forms.CharField(label=gettext_lazy("Body area"), max_length=64)
    minutes = forms.IntegerField(label=gettext_lazy("Minutes"), min_value=5, max_value=480, required=False)
    units = forms.DecimalField(label=gettext_lazy("Units"), max_digits=4, decimal_places=1, min_value=0, required=False)


_SPARE = 2


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def procedure_needs(request: PageRequest, pk: int) -> HttpResponse:
    one = procedure_for(request.user, pk)
    rows = list(one.requirements.order_by("pk"))
    names = [*NeedForm.base_fields]
    initial = [{name: getattr(row, name) for name in names} for row in rows]
    return _lines(
        request,
        one,
        kind=NeedForm,
        initial=initial,
        rows=rows,
        title=_("What it needs: %(name)s") % {"name": one},
        lead=_("Minutes after on the patient are rest. With hands at start or end, a nurse is taken only then."),
        save=lambda lines, seen: needs.set_requirements(
            procedure=one, requirements=lines, by=request.user, now=request.now, seen=seen
        ),
    )


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def procedure_variants(request: PageRequest, pk: int) -> HttpResponse:
    one = procedure_for(request.user, pk)
    rows = list(one.variants.order_by("pk"))
    initial = [{"area": row.area, "minutes": row.minutes, "units": row.units} for row in rows]
    return _lines(
        request,
        one,
        kind=VariantForm,
        initial=initial,
        rows=rows,
        title=_("Body areas: %(name)s") % {"name": one},
        lead=_("Figures of an area count instead of the procedure's own; empty ones do not."),
        save=lambda lines, seen: needs.set_variants(
            procedure=one, variants=lines, by=request.user, now=request.now, seen=seen
        ),
    )


def _lines(
    request: PageRequest,
    one: Procedure,
    *,
    kind: type[forms.Form],
    initial: list[dict[str, Any]],
    rows: list[Any],
    title: str,
    lead: str,
    save: Any,
) -> HttpResponse:
    """A list of lines as a whole: a line ticked for removal or left empty goes."""
    make = forms.formset_factory(kind, extra=_SPARE, can_delete=True, max_num=needs.MOST_LINES, absolute_max=60)
    # What was sent stands for itself: rows may have come and gone since the form was made.
    formset = make(request.POST) if request.method == "POST" else make(initial=initial)
    back = reverse("manage-procedure", args=[one.pk])
    if request.method == "POST" and formset.is_valid():
        lines = [
            {name: value for name, value in form.cleaned_data.items() if name != "DELETE"}
            for form in formset.forms
            if form.cleaned_data and not form.cleaned_data.get("DELETE")
        ]
        try:
            save(lines, request.POST.get("seen") or None)
        except Invalid as wrong:
            kept = [f for f in formset.forms if f.cleaned_data and not f.cleaned_data.get("DELETE")]
            for name, sentences in wrong.details.items():
                number, _dot, field = name.partition(".")
                form = kept[int(number) - 1] if number.isdecimal() and int(number) <= len(kept) else formset.forms[0]
                form.add_error(field if field in form.fields else None, [str(s) for s in sentences])
        except Conflict as conflict:
            return conflict_page(request, conflict, title=title, form=None, back=back)
        else:
            messages.success(request, _("Saved."))
            return redirect(back)
    failed = any(form.errors for form in formset.forms) if formset.is_bound else False
    context = {
        "title": title,
        "lead": lead,
        "formset": formset,
        "back": back,
        "seen": request.POST.get("seen") or token_of(*rows),
        "known": ngettext("%(n)s line", "%(n)s lines", len(rows)) % {"n": len(rows)},
    }
    return render(request, "managing/lines.html", context, status=422 if failed else 200)


class ApartForm(forms.Form):
    others = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Not on the same day as"),
        queryset=Procedure.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    def __init__(self, data: Any, *, procedure: Procedure) -> None:
        super().__init__(data, initial={"others": [*procedure.not_same_day_with.values_list("pk", flat=True)]})
        others = Procedure.objects.filter(clinic=procedure.clinic_id).exclude(pk=procedure.pk)
        self.fields["others"].queryset = others  # type: ignore[attr-defined]


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def procedure_apart(request: PageRequest, pk: int) -> HttpResponse:
    one = procedure_for(request.user, pk)
    return edit_page(
        request,
        title=_("Kept apart: %(name)s") % {"name": one},
        lead=_("A patient does not get both on one day."),
        form=ApartForm(request.POST if request.method == "POST" else None, procedure=one),
        save=lambda data, _given: needs.set_separations(
            procedure=one, others=data["others"], by=request.user, now=request.now
        ),
        done=_("Saved."),
        back=reverse("manage-procedure", args=[pk]),
    )
