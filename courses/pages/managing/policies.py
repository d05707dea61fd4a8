"""Settings of the clinic in plain words."""

import re
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language_info, gettext_lazy
from django.utils.translation import gettext as _

from courses import dates
from courses.managing import policies
from courses.managing.rights import MANAGE
from courses.pages.forms import DateField, TimeField
from courses.pages.managing.edits import edit_page
from courses.pages.permissions import PageRequest, page
from notifications.texts import languages


def _weekdays() -> list[tuple[int, str]]:
    return [(number, dates.weekday_name(number)) for number in range(1, 8)]


def _own_name(code: str) -> str:
    """What a language calls itself; its code where nobody knows."""
    try:
        return str(get_language_info(code)["name_local"])
    except KeyError:
        return code


class ClinicForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name of the clinic"), max_length=200)
    address = forms.CharField(label=gettext_lazy("Address"), max_length=300, required=False)
    phone = forms.CharField(label=gettext_lazy("Phone"), max_length=32, required=False)
    email = forms.EmailField(label=gettext_lazy("E-mail, sender of messages"), required=False)
    language = forms.ChoiceField(label=gettext_lazy("Language of texts to patients"))
    opening_weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Open on"), choices=_weekdays, coerce=int, widget=forms.CheckboxSelectMultiple
    )
    book_until = DateField(
        label=gettext_lazy("Last day open for booking"), required=False, help_text=gettext_lazy("Empty: no limit.")
    )
    quiet_from = TimeField(
        label=gettext_lazy("No messages from"), help_text=gettext_lazy("What falls due at night waits until morning.")
    )
    quiet_until = TimeField(label=gettext_lazy("No messages until"))
    settle_minutes = forms.IntegerField(
        label=gettext_lazy("Minutes that messages wait"),
        min_value=0,
        max_value=120,
        help_text=gettext_lazy("So that a correction never reaches the patient."),
    )
    reminder_offsets = forms.CharField(
        label=gettext_lazy("Reminders, hours before the visit"),
        required=False,
        help_text=gettext_lazy("As 72, 24. Empty: none."),
    )
    hold_minutes = forms.IntegerField(label=gettext_lazy("Minutes that a hold lasts"), min_value=1, max_value=120)
    late_cancel_hours = forms.IntegerField(
        label=gettext_lazy("Hours before a visit from which a cancellation is late"), min_value=0, max_value=336
    )
    room_change_minutes = forms.IntegerField(
        label=gettext_lazy("Minutes to change rooms between two sessions"), min_value=0, max_value=60
    )

    def __init__(self, data: Any, *, initial: dict[str, Any]) -> None:
        super().__init__(data, initial=initial)
        codes = dict.fromkeys([*sorted(languages()), initial["language"]])
        self.fields["language"].choices = [(code, _own_name(code)) for code in codes]  # type: ignore[attr-defined]

    def clean_reminder_offsets(self) -> list[int]:
        parts = [part for part in re.split(r"[\s,;]+", self.cleaned_data["reminder_offsets"]) if part]
        if not all(part.isdecimal() and len(part) <= 4 for part in parts):
            raise forms.ValidationError(_("Write whole hours with commas between: 72, 24."))
        return [int(part) for part in parts]


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def clinic(request: PageRequest) -> HttpResponse:
    row = request.clinic
    row.refresh_from_db()
    initial = {name: getattr(row, name) for name in policies.FIELDS}
    initial["reminder_offsets"] = ", ".join(map(str, row.reminder_offsets))
    return edit_page(
        request,
        title=_("Settings of the clinic"),
        form=ClinicForm(request.POST or None, initial=initial),
        save=lambda data, given: policies.edit_clinic(
            clinic=row, by=request.user, now=request.now, accepted=given.accepted, seen=given.seen, **data
        ),
        done=_("Saved."),
        back=reverse("manage-clinic"),
        rows=[row],
        template="managing/clinic.html",
    )
