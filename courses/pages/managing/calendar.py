"""The clinic's calendar: closed, shortened and moved working days, proposals of the country, closures."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clinic.errors import NotFound
from clinic.models import CalendarDay, Closure
from courses import dates
from courses.booking import disruption
from courses.managing import calendar_days
from courses.managing.rights import MANAGE
from courses.pages.forms import DateField, TimeField
from courses.pages.managing.edits import act, edit_page
from courses.pages.managing.places import PeriodForm
from courses.pages.permissions import PageRequest, page


def _weekdays() -> list[tuple[str, str]]:
    return [("", "—"), *((str(number), dates.weekday_name(number)) for number in range(1, 8))]


class CalendarDayForm(forms.Form):
    date = DateField(label=gettext_lazy("Day"))
    kind = forms.ChoiceField(
        label=gettext_lazy("Is"), choices=CalendarDay.Kind.choices, widget=forms.RadioSelect, initial="closed"
    )
    closes_at = TimeField(
        label=gettext_lazy("Closes at"), required=False, help_text=gettext_lazy("For a shortened day.")
    )
    works_as = forms.TypedChoiceField(
        label=gettext_lazy("Worked as"),
        choices=_weekdays,
        coerce=int,
        empty_value=None,
        required=False,
        help_text=gettext_lazy("For a moved working day: whose hours apply."),
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, required=False)


class KnownDayForm(CalendarDayForm):
    date = None  # type: ignore[assignment]


@page(MANAGE)
def calendar(request: PageRequest) -> HttpResponse:
    """`?y=2027`"""
    today = request.clinic.local_date(request.now)
    asked = request.GET.get("y", "")
    year = int(asked) if asked.isdecimal() and 2000 <= int(asked) < 2200 else today.year
    days = list(CalendarDay.objects.filter(clinic=request.clinic, date__year=year))
    context = {
        "year": year,
        "today": today,
        "days": days,
        "proposals": calendar_days.open_proposals(request.clinic, year),
        "closures": Closure.objects.filter(clinic=request.clinic).exclude(ends_at__lte=request.now),
    }
    return render(request, "managing/calendar.html", context)


def _address(year: int) -> str:
    return f"{reverse('manage-calendar')}?y={year}"


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def calendar_day_new(request: PageRequest) -> HttpResponse:
    """`?d=2026-12-31` is the day that the form begins with."""
    first = dates.read_day(request.GET.get("d", ""), request.clinic.local_date(request.now))
    return edit_page(
        request,
        title=_("A day that differs"),
        form=CalendarDayForm(request.POST or None, initial={"date": first, "kind": "closed"}),
        save=lambda data, given: calendar_days.set_day(
            clinic=request.clinic, by=request.user, now=request.now, accepted=given.accepted, **data
        ),
        done=_("Saved."),
        back=_address(first.year),
        to=lambda row: _address(row.date.year),
    )


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def calendar_day(request: PageRequest, pk: int) -> HttpResponse:
    row = _day(request, pk)
    initial = {name: getattr(row, name) for name in ("kind", "closes_at", "works_as", "name")}
    return edit_page(
        request,
        title=dates.day_text(row.date),
        form=KnownDayForm(request.POST or None, initial=initial),
        save=lambda data, given: calendar_days.set_day(
            clinic=request.clinic,
            date=row.date,
            by=request.user,
            now=request.now,
            accepted=given.accepted,
            seen=given.seen,
            **data,
        ),
        done=_("Saved."),
        back=_address(row.date.year),
        rows=[row],
        other_action=reverse("manage-day-clear", args=[pk]),
        other_button=_("Make it a plain day again"),
    )


@page(MANAGE, methods=("POST",))
def calendar_day_clear(request: PageRequest, pk: int) -> HttpResponse:
    row = _day(request, pk)
    return act(
        request,
        lambda given: calendar_days.clear_day(day=row, by=request.user, now=request.now, accepted=given.accepted),
        title=dates.day_text(row.date),
        done=_("A plain day again."),
        back=_address(row.date.year),
    )


@page(MANAGE, methods=("POST",))
def proposals_accept(request: PageRequest) -> HttpResponse:
    """`day`, as often as there are days to take over, in ISO 8601."""
    today = request.clinic.local_date(request.now)
    chosen = {dates.read_day(text, today) for text in request.POST.getlist("day")}
    year = min(chosen, default=today).year
    return act(
        request,
        lambda given: calendar_days.accept_proposals(
            clinic=request.clinic, dates=chosen, by=request.user, now=request.now, accepted=given.accepted
        ),
        title=_("Take over what is proposed"),
        done=ngettext("%(n)s day taken over.", "%(n)s days taken over.", len(chosen)) % {"n": len(chosen)},
        back=_address(year),
    )


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def closure_new(request: PageRequest) -> HttpResponse:
    today = request.clinic.local_date(request.now)
    form = PeriodForm(request.POST or None, initial={"from_date": today, "until_date": today}, open_ended=False)

    def save(data: dict[str, Any], _given: object) -> object:
        starts_at, ends_at = form.period(request.clinic.tz)
        return disruption.record_closure(
            clinic=request.clinic,
            starts_at=starts_at,
            ends_at=ends_at,
            reason=data["reason"],
            by=request.user,
            now=request.now,
        )

    return edit_page(
        request,
        title=_("The clinic is shut"),
        lead=_("It counts at once. Sessions inside it stay booked and are marked to be re-placed; the desk sees them."),
        form=form,
        save=save,
        done=_("Recorded. Sessions inside it are marked to be re-placed."),
        back=_address(today.year),
        button=_("Record"),
        named={"starts_at": "from_date", "ends_at": "until_date"},
        template="managing/period.html",
    )


@page(MANAGE, methods=("POST",))
def closure_clear(request: PageRequest, pk: int) -> HttpResponse:
    row = Closure.objects.filter(pk=pk, clinic__in=request.user.clinic_ids(MANAGE)).first()
    if row is None:
        raise NotFound
    return act(
        request,
        lambda _given: disruption.take_back(cause=row, by=request.user, now=request.now),
        title=_("Open after all"),
        done=_("Open after all."),
        back=_address(request.clinic.local_date(request.now).year),
    )


def _day(request: PageRequest, pk: int) -> CalendarDay:
    row = CalendarDay.objects.filter(pk=pk, clinic=request.clinic).first()
    if row is None:
        raise NotFound
    return row
