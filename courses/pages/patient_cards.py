"""A patient's card: corrected, with its phones and people; and merged with another card of the same person."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.errors import Conflict, Invalid
from clinic.models import Patient
from clinic.models.resources import Sex
from clinic.permissions import Permission
from clinic.registering import possible_duplicates, update_patient
from clinic.searching import search_patients
from courses.booking.access import patient_for
from courses.booking.merging import merge_patients, overlaps_of
from courses.booking.models import Course, Plan, Visit
from courses.pages.forms import DateField
from courses.pages.patients import LANGUAGES, MOST_FOUND
from courses.pages.permissions import PageRequest, page

_SPARE = 2
_NAMES = (
    "full_name",
    "family_name",
    "given_name",
    "patronymic",
    "card_number",
    "sex",
    "birth_date",
    "language",
    "email",
)


class CardForm(forms.Form):
    """A card as it stands. The full name is how the person writes it; the parts are for lists and letters."""

    full_name = forms.CharField(label=gettext_lazy("Name as the person writes it"), max_length=200)
    family_name = forms.CharField(label=gettext_lazy("Family name"), max_length=100, required=False)
    given_name = forms.CharField(label=gettext_lazy("Given name"), max_length=100, required=False)
    patronymic = forms.CharField(label=gettext_lazy("Patronymic"), max_length=100, required=False)
    card_number = forms.CharField(label=gettext_lazy("Card number"), max_length=50, required=False)
    birth_date = DateField(label=gettext_lazy("Date of birth"), required=False)
    sex = forms.ChoiceField(label=gettext_lazy("Sex"), choices=[("", "—"), *Sex.choices], required=False)
    language = forms.ChoiceField(label=gettext_lazy("Language of messages"), choices=LANGUAGES, required=False)
    email = forms.EmailField(label=gettext_lazy("E-mail"), required=False)
    note = forms.CharField(
        label=gettext_lazy("Note"), required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 3})
    )


class PhoneForm(forms.Form):
    number = forms.CharField(
        label=gettext_lazy("Phone"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "off"}),
    )
    owner = forms.CharField(label=gettext_lazy("Whose, if not the patient's"), max_length=100, required=False)
    is_main = forms.BooleanField(label=gettext_lazy("call this one first"), required=False)


class ContactForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, required=False)
    relation = forms.CharField(label=gettext_lazy("Relation"), max_length=100, required=False)
    phone = forms.CharField(
        label=gettext_lazy("Phone"), max_length=40, required=False, widget=forms.TextInput(attrs={"inputmode": "tel"})
    )
    is_guardian = forms.BooleanField(label=gettext_lazy("guardian"), required=False)


PhoneForms = forms.formset_factory(PhoneForm, extra=_SPARE, max_num=10, absolute_max=12)
ContactForms = forms.formset_factory(ContactForm, extra=1, max_num=10, absolute_max=12)


@page(Permission.EDIT_PATIENTS, methods=("GET", "HEAD", "POST"))
def patient_edit(request: PageRequest, pk: int) -> HttpResponse:
    """Lines left empty are left out; a number taken away goes."""
    one = patient_for(request.user, Permission.EDIT_PATIENTS, pk)
    if one.merged_into_id is not None:
        return redirect("patient-edit", pk=one.merged_into_id)
    form = CardForm(request.POST or None, initial={name: getattr(one, name) for name in (*_NAMES, "note")})
    phones = PhoneForms(
        request.POST or None,
        prefix="phones",
        initial=[
            {"number": phone.number.as_international, "owner": phone.owner, "is_main": phone.is_main}
            for phone in one.phones.all()
        ],
    )
    contacts = ContactForms(
        request.POST or None,
        prefix="contacts",
        initial=[
            {
                "name": person.name,
                "relation": person.relation,
                "phone": person.phone.as_international if person.phone else "",
                "is_guardian": person.is_guardian,
            }
            for person in one.contacts.all()
        ],
    )
    if request.method == "POST" and form.is_valid() and phones.is_valid() and contacts.is_valid():
        try:
            update_patient(
                patient=one,
                by=request.user,
                now=request.now,
                clinic=request.clinic,
                phones=[line.cleaned_data for line in phones if line.cleaned_data.get("number")],
                contacts=[line.cleaned_data for line in contacts if _is_filled(line.cleaned_data)],
                **form.cleaned_data,
            )
        except Invalid as wrong:
            for name, sentences in wrong.details.items():
                form.add_error(name if name in form.fields else None, [str(sentence) for sentence in sentences])
        else:
            messages.success(request, _("Card saved."))
            return redirect("patient", pk=one.pk)
    context = {"patient": one, "form": form, "phones": phones, "contacts": contacts}
    refused = form.errors or any(phones.errors) or any(contacts.errors)
    return render(request, "pages/patient_edit.html", context, status=422 if refused else 200)


def _is_filled(contact: dict[str, Any]) -> bool:
    return any(contact.get(name) for name in ("name", "relation", "phone"))


@page(Permission.EDIT_PATIENTS, methods=("GET", "HEAD", "POST"))
def patient_merge(request: PageRequest, pk: int) -> HttpResponse:
    """Which card is of the same person: those that look like it, and whoever is searched for, by POST."""
    one = patient_for(request.user, Permission.EDIT_PATIENTS, pk)
    if one.merged_into_id is not None:
        return redirect("patient", pk=one.merged_into_id)
    text = request.POST.get("q", "").strip()
    phones = [str(phone.number) for phone in one.phones.all()]
    alike = possible_duplicates(full_name=one.full_name, birth_date=one.birth_date, phones=phones, besides=one)
    found = [card for card in search_patients(text, limit=MOST_FOUND) if card.pk != one.pk] if text else []
    context = {"patient": one, "q": text, "alike": alike, "found": found}
    return render(request, "pages/patient_merge.html", context)


@page(Permission.EDIT_PATIENTS, methods=("GET", "HEAD", "POST"))
def patient_merge_review(request: PageRequest, pk: int, other: int) -> HttpResponse:
    """The two cards side by side, what would move, and what must be settled first."""
    kept = patient_for(request.user, Permission.EDIT_PATIENTS, pk)
    gone = patient_for(request.user, Permission.EDIT_PATIENTS, other)
    refused: Conflict | Invalid | None = None
    if request.method == "POST":
        try:
            merge_patients(kept=kept, other=gone, by=request.user, now=request.now)
        except (Conflict, Invalid) as error:
            refused = error
        else:
            messages.success(request, _("The cards are one now."))
            return redirect("patient", pk=kept.pk)
    elif gone.merged_into_id is not None or kept.merged_into_id is not None or kept.pk == gone.pk:
        return redirect("patient", pk=kept.pk)
    context = {
        "kept": kept,
        "gone": gone,
        "rows": _compared(kept, gone),
        "counts": [_counts(kept), _counts(gone)],
        "overlaps": overlaps_of(kept=kept, other=gone, now=request.now) if kept.pk != gone.pk else [],
        "refused": refused,
    }
    return render(request, "pages/patient_merge_review.html", context, status=refused.status if refused else 200)


def _compared(kept: Patient, gone: Patient) -> list[tuple[Any, Any, Any, bool]]:
    """Label, both values, and whether they differ, where at least one is known."""
    rows: list[tuple[Any, Any, Any, bool]] = []
    for name in _NAMES:
        field = CardForm.base_fields[name]
        one, two = getattr(kept, name) or "", getattr(gone, name) or ""
        if name == "birth_date":
            one, two = (f"{value:%d.%m.%Y}" if value else "" for value in (one, two))
        if name == "sex":
            one, two = kept.get_sex_display(), gone.get_sex_display()
        if one or two:
            rows.append((field.label, one, two, bool(one and two and one != two)))
    phones = [", ".join(p.number.as_international for p in card.phones.all()) for card in (kept, gone)]
    if any(phones):
        rows.append((_("Phone"), phones[0], phones[1], False))
    return rows


def _counts(card: Patient) -> dict[str, int]:
    return {
        "courses": Course.objects.filter(patient=card).count(),
        "visits": Visit.objects.filter(patient=card, live=True).count(),
        "held": Plan.objects.filter(patient=card, status=Plan.Status.HELD).count(),
    }
