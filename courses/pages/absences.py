"""A specialist is away: recorded in one press, then what it leaves to be placed elsewhere, the nearest first."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from clinic.errors import Invalid
from clinic.models import Absence
from clinic.permissions import Permission
from courses.booking.access import absence_for, therapist_for
from courses.booking.disruption import URGENT, record_absence, sessions_to_replace
from courses.dates import local, moment_text, read_day
from courses.pages.forms import DateField, TimeField
from courses.pages.permissions import PageRequest, page

# Where the form shows what the service calls a field.
_FIELDS = {"starts_at": "from_date", "ends_at": "until_date", "kind": "kind", "note": "note"}
_YEARS = (dt.date(2000, 1, 1), dt.date(2199, 12, 31))


class AbsenceForm(forms.Form):
    """A day without a time is the whole day."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=Absence.Kind.choices)
    from_date = DateField(label=pgettext_lazy("absence", "From"))
    from_time = TimeField(
        label=pgettext_lazy("absence", "At"),
        required=False,
        help_text=gettext_lazy("Empty: from the beginning of the day."),
    )
    until_date = DateField(
        label=pgettext_lazy("absence", "Until"), required=False, help_text=gettext_lazy("Empty: until further notice.")
    )
    until_time = TimeField(
        label=gettext_lazy("Until what time"),
        required=False,
        help_text=gettext_lazy("Empty: to the end of the day."),
    )
    note = forms.CharField(label=gettext_lazy("Note"), max_length=300, required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for name in ("from_date", "until_date"):
            day = data.get(name)
            if day is not None and not _YEARS[0] <= day <= _YEARS[1]:
                self.add_error(name, _("Give a date between 2000 and 2199."))
        if data.get("until_time") is not None and data.get("until_date") is None:
            self.add_error("until_date", _("Give the day as well."))
        return data

    def period(self, zone: dt.tzinfo) -> tuple[dt.datetime, dt.datetime | None]:
        """UTC moments between which the specialist is away; no end until further notice."""
        data = self.cleaned_data
        start = dt.datetime.combine(data["from_date"], data["from_time"] or dt.time(), tzinfo=zone)
        if data["until_date"] is None:
            return start.astimezone(dt.UTC), None
        whole_day = data["until_time"] is None
        last = data["until_date"] + dt.timedelta(days=1) if whole_day else data["until_date"]
        end = dt.datetime.combine(last, dt.time() if whole_day else data["until_time"], tzinfo=zone)
        return start.astimezone(dt.UTC), end.astimezone(dt.UTC)


@page(Permission.RECORD_ABSENCE, methods=("GET", "HEAD", "POST"))
def absence_new(request: PageRequest, pk: int) -> HttpResponse:
    """`?d=2026-11-24` is the day that the form begins with."""
    therapist = therapist_for(request.user, Permission.RECORD_ABSENCE, pk)
    first = read_day(request.GET.get("d", ""), request.clinic.local_date(request.now))
    form = AbsenceForm(request.POST or None, initial={"kind": Absence.Kind.SICK, "from_date": first})
    if request.method == "POST" and form.is_valid():
        starts_at, ends_at = form.period(request.clinic.tz)
        try:
            absence = record_absence(
                therapist=therapist,
                kind=form.cleaned_data["kind"],
                starts_at=starts_at,
                ends_at=ends_at,
                note=form.cleaned_data["note"],
                by=request.user,
                now=request.now,
            )
        except Invalid as wrong:
            for name, sentences in wrong.details.items():
                form.add_error(_FIELDS.get(name), [str(sentence) for sentence in sentences])
        else:
            messages.success(request, _("Absence recorded."))
            return redirect("absence", pk=absence.pk)
    context = {"form": form, "therapist": therapist, "date": first}
    return render(request, "pages/absence_new.html", context, status=422 if form.errors else 200)


@page(Permission.RECORD_ABSENCE)
def absence(request: PageRequest, pk: int) -> HttpResponse:
    """What is left to be placed elsewhere; a session that was moved or cancelled is not here any more."""
    one = absence_for(request.user, Permission.RECORD_ABSENCE, pk)
    clinics = request.user.clinic_ids(Permission.RECORD_ABSENCE)
    sessions = list(sessions_to_replace(absence=one, clinic_ids=clinics, now=request.now))
    soon = [session for session in sessions if session.time.starts_at - request.now < URGENT]
    context = {
        "absence": one,
        "date": local(max(one.starts_at, request.now)).date(),
        "until": moment_text(one.ends_at) if one.ends_at else "",
        "total": len(sessions),
        "groups": [group for group in ((_("Within 4 hours"), soon), (_("Later"), sessions[len(soon) :])) if group[1]],
        "may_book": request.user.may(Permission.BOOK),
    }
    return render(request, "pages/absence.html", context)
