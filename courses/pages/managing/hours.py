"""Regular hours, chosen and never typed as a rule."""

import datetime as dt
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from courses import dates
from courses.managing import shifts
from courses.managing.patterns import Pattern, Rhythm, pattern_of, weekdays_of
from courses.managing.rights import MANAGE, shift_for, staff_for
from courses.pages.forms import DateField, TimeField
from courses.pages.managing.edits import act, edit_page
from courses.pages.permissions import PageRequest, page


def _weekdays() -> list[tuple[int, str]]:
    return [(number, dates.weekday_name(number)) for number in range(1, 8)]


class ShiftForm(forms.Form):
    """`keeps_rule` is for a shift whose rule the choices cannot say: it may keep it."""

    rhythm = forms.ChoiceField(
        label=gettext_lazy("Works"), choices=[(one.value, one.label) for one in Rhythm if one != Rhythm.OTHER]
    )
    weekdays = forms.MultipleChoiceField(
        label=gettext_lazy("On"), choices=_weekdays, widget=forms.CheckboxSelectMultiple, required=False
    )
    start_time = TimeField(label=pgettext_lazy("hours", "From"))
    end_time = TimeField(label=pgettext_lazy("hours", "Until"))
    break_from = TimeField(label=gettext_lazy("Break from"), required=False)
    break_until = TimeField(label=gettext_lazy("Break until"), required=False)
    from_date = DateField(
        label=gettext_lazy("Counts from"), help_text=gettext_lazy("What was before this day stays as it was.")
    )
    ends_on = DateField(label=gettext_lazy("Last day"), required=False, help_text=gettext_lazy("Empty: until changed."))
    name = forms.CharField(label=gettext_lazy("Name of the shift"), max_length=100, required=False)

    def __init__(self, data: Any, *, initial: dict[str, Any], keeps_rule: bool = False) -> None:
        super().__init__(data, initial=initial)
        if keeps_rule:
            field = self.fields["rhythm"]
            field.choices = [(Rhythm.OTHER.value, Rhythm.OTHER.label), *field.choices]  # type: ignore[attr-defined]

    def service_fields(self) -> dict[str, Any]:
        data = dict(self.cleaned_data)
        pattern = Pattern(Rhythm(data.pop("rhythm")), weekdays_of([int(n) for n in data.pop("weekdays")]))
        return data | {"pattern": pattern}


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def shift_new(request: PageRequest, pk: int) -> HttpResponse:
    one = staff_for(request.user, pk)
    today = request.clinic.local_date(request.now)
    usual = {
        "rhythm": Rhythm.WEEKLY,
        "weekdays": [1, 2, 3, 4, 5],
        "start_time": dt.time(9),
        "end_time": dt.time(17),
        "from_date": today,
    }
    form = ShiftForm(request.POST or None, initial=usual)

    def save(_data: dict[str, Any], _given: object) -> object:
        fields = form.service_fields()
        return shifts.create_shift(
            therapist=one,
            clinic=request.clinic,
            starts_on=fields.pop("from_date"),
            by=request.user,
            now=request.now,
            **fields,
        )

    return edit_page(
        request,
        title=_("New hours: %(name)s") % {"name": one},
        lead=_("At %(clinic)s.") % {"clinic": request.clinic},
        form=form,
        save=save,
        done=_("Hours saved."),
        back=reverse("manage-therapist", args=[pk]),
        template="managing/shift.html",
    )


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def shift(request: PageRequest, pk: int) -> HttpResponse:
    row = shift_for(request.user, pk)
    pattern = pattern_of(row.rrule)
    today = request.clinic.local_date(request.now)
    names = ("start_time", "end_time", "break_from", "break_until", "ends_on", "name")
    initial = {name: getattr(row, name) for name in names} | {
        "rhythm": pattern.rhythm,
        "weekdays": list(pattern.weekdays),
        "from_date": max(today, row.starts_on),
    }
    form = ShiftForm(request.POST or None, initial=initial, keeps_rule=pattern.rhythm == Rhythm.OTHER)

    def save(_data: dict[str, Any], given: Any) -> object:
        fields = form.service_fields()
        same = fields["pattern"] == pattern
        return shifts.change_shift(
            shift=row,
            by=request.user,
            now=request.now,
            accepted=given.accepted,
            seen=given.seen,
            **fields | ({"pattern": None} if same else {}),
        )

    return edit_page(
        request,
        title=_("Hours: %(name)s") % {"name": row.therapist},
        lead=_("At %(clinic)s.") % {"clinic": row.clinic},
        form=form,
        save=save,
        done=_("Hours saved."),
        back=reverse("manage-therapist", args=[row.therapist_id]),
        rows=[row],
        template="managing/shift.html",
        end_action=reverse("manage-shift-end", args=[pk]),
        end_day=max(today, row.starts_on),
    )


@page(MANAGE, methods=("POST",))
def shift_end(request: PageRequest, pk: int) -> HttpResponse:
    """`last_day` in ISO 8601; without one the hours end yesterday."""
    row = shift_for(request.user, pk)
    today = request.clinic.local_date(request.now)
    last = dates.read_day(request.POST.get("last_day", ""), today - dt.timedelta(days=1))
    return act(
        request,
        lambda given: shifts.end_shift(
            shift=row, last_day=last, by=request.user, now=request.now, accepted=given.accepted
        ),
        title=_("End these hours: %(name)s") % {"name": row.therapist},
        done=_("Hours ended."),
        back=reverse("manage-therapist", args=[row.therapist_id]),
    )
