"""The roster of a month: a row for each specialist, a column for each day; a day changed, a week or month copied."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from clinic.errors import Conflict, Invalid
from clinic.models import Absence, CalendarDay, Clinic
from courses import dates
from courses.booking.calendars import period_masks, read_days
from courses.managing import roster as service
from courses.managing.rights import MANAGE, staff_for
from courses.managing.roster import Hours
from courses.pages.forms import DateField, TimeField
from courses.pages.managing.edits import Given, conflict_page, edit_page
from courses.pages.permissions import PageRequest, page

_DAY = dt.timedelta(days=1)


@dataclass(slots=True)
class Cell:
    date: dt.date
    hours: tuple[Hours, ...]
    away: str
    closed: bool
    provisional: bool
    url: str
    label: str

    @property
    def short(self) -> list[str]:
        """9–17 where the hours are whole, else 9:30–17."""
        return [f"{_clock(one.start)}–{_clock(one.end)}" for one in self.hours]


@dataclass(slots=True)
class Row:
    pk: int
    name: str
    cells: list[Cell] = field(default_factory=list)
    minutes: int = 0

    @property
    def total(self) -> str:
        return f"{self.minutes // 60}:{self.minutes % 60:02}"


@dataclass(frozen=True, slots=True)
class Head:
    date: dt.date
    number: int
    weekday: str
    closed: bool
    provisional: bool
    note: str
    today: bool


def _clock(time: dt.time) -> str:
    return f"{time.hour}:{time.minute:02}" if time.minute else f"{time.hour}"


@page(MANAGE)
def roster(request: PageRequest) -> HttpResponse:
    """`?d=2026-12-01`: the month of that day."""
    today = request.clinic.local_date(request.now)
    days = service.month_days(dates.read_day(request.GET.get("d", ""), today))
    heads = _heads(request.clinic, days, today)
    context = {
        "rows": _rows(request.clinic, days, heads),
        "heads": heads,
        "month": days[0],
        "today": today,
        "previous": (days[0] - _DAY).replace(day=1),
        "next": days[-1] + _DAY,
        "published": request.clinic.published_until,
        "publish": PublishForm(initial={"until": days[-1]}, prefix="publish"),
        "copy": CopyForm(initial=_copy_defaults(today, days), prefix="copy"),
        "wholly": all(not head.provisional for head in heads),
    }
    return render(request, "managing/roster.html", context)


def _copy_defaults(today: dt.date, days: list[dt.date]) -> dict[str, Any]:
    source = max(today, days[0])
    return {"what": "week", "source": source, "target": source + 7 * _DAY}


def _heads(clinic: Clinic, days: list[dt.date], today: dt.date) -> list[Head]:
    calendar = read_days(clinic, days[0], days[-1])
    special = {day.date: day for day in CalendarDay.objects.filter(clinic=clinic, date__range=(days[0], days[-1]))}
    return [
        Head(
            date=day,
            number=day.day,
            weekday=dates.weekday(day),
            closed=not calendar.opening[index],
            provisional=service.is_provisional(clinic, day),
            note=_day_note(special[day]) if day in special else "",
            today=day == today,
        )
        for index, day in enumerate(days)
    ]


def _day_note(day: CalendarDay) -> str:
    kind = str(day.get_kind_display())
    if day.works_as:
        kind = _("worked as %(weekday)s") % {"weekday": dates.weekday_name(day.works_as)}
    elif day.closes_at:
        kind = _("closes at %(time)s") % {"time": f"{day.closes_at:%H:%M}"}
    return f"{kind}: {day.name}" if day.name else kind


def _rows(clinic: Clinic, days: list[dt.date], heads: list[Head]) -> list[Row]:
    """Six statements, whatever the number of people."""
    people = service.therapists_of(clinic)
    hours = service.read_roster(clinic, days[0], days[-1])
    away = _away(clinic, days, [one.pk for one in people])
    address = reverse("manage-roster-day", args=[0, "day"])
    rows = []
    for one in people:
        row = Row(one.pk, str(one))
        own = hours.get(one.pk, ((),) * len(days))
        for index, head in enumerate(heads):
            reason, shown = away.get((one.pk, index), ""), own[index]
            said = ", ".join(map(str, shown)) or _("free")
            state = [reason, _("closed") if head.closed else "", _("provisional") if head.provisional else ""]
            row.cells.append(
                Cell(
                    date=head.date,
                    hours=shown,
                    away=reason,
                    closed=head.closed,
                    provisional=head.provisional,
                    url=address.replace("/0/day/", f"/{one.pk}/{head.date.isoformat()}/"),
                    label=", ".join(
                        part for part in (str(one), dates.day_text(head.date, year=False), said, *state) if part
                    ),
                )
            )
            if not head.closed and not reason:
                row.minutes += sum(h.mask.bit_count() * 5 for h in shown)
        rows.append(row)
    return rows


def _away(clinic: Clinic, days: list[dt.date], people: list[int]) -> dict[tuple[int, int], str]:
    horizon = read_days(clinic, days[0], days[-1])
    start, end = horizon.bounds()
    found: dict[tuple[int, int], str] = defaultdict(str)
    rows = Absence.objects.filter(therapist__in=people, starts_at__lt=end).exclude(ends_at__lte=start)
    for row in rows:
        for day in period_masks(horizon, row.starts_at, row.ends_at):
            found[row.therapist_id, day] = str(row.get_kind_display())
    return found


# --- One day ---------------------------------------------------------------------------------------------------------


class DayForm(forms.Form):
    """Hours of one day, with one break at most; a free day has none."""

    works = forms.BooleanField(label=gettext_lazy("Works this day"), required=False)
    start_time = TimeField(label=pgettext_lazy("hours", "From"), required=False)
    end_time = TimeField(label=pgettext_lazy("hours", "Until"), required=False)
    break_from = TimeField(label=gettext_lazy("Break from"), required=False)
    break_until = TimeField(label=gettext_lazy("Break until"), required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not data.get("works") or self.errors:
            return data
        start, end, pause, back = (data.get(n) for n in ("start_time", "end_time", "break_from", "break_until"))
        if start is None or end is None:
            self.add_error("start_time" if start is None else "end_time", _("Give the time."))
        elif (pause is None) != (back is None):
            self.add_error("break_from", _("Give both ends of the break, or neither."))
        elif pause is not None and back is not None and not start < pause < back < end:
            self.add_error("break_from", _("The break must lie inside the hours and end after it starts."))
        return data

    @property
    def hours(self) -> tuple[Hours, ...]:
        data = self.cleaned_data
        if not data["works"]:
            return ()
        if data["break_from"]:
            return (Hours(data["start_time"], data["break_from"]), Hours(data["break_until"], data["end_time"]))
        return (Hours(data["start_time"], data["end_time"]),)


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def roster_day(request: PageRequest, pk: int, date: str) -> HttpResponse:
    one = staff_for(request.user, pk)
    day = dates.read_day(date, request.clinic.local_date(request.now))
    shown = service.read_roster(request.clinic, day, day).get(pk, ((),))[0]
    initial: dict[str, Any] = {"works": bool(shown)}
    if shown:
        initial |= {"start_time": shown[0].start, "end_time": shown[-1].end}
    if len(shown) > 1:
        initial |= {"break_from": shown[0].end, "break_until": shown[1].start}
    form = DayForm(request.POST or None, initial=initial)
    seen = " ".join(f"{h.start:%H:%M}-{h.end:%H:%M}" for h in shown) or "free"

    def save(_data: dict[str, Any], given: Given) -> object:
        cells = {(pk, day): form.hours}
        before = None if given.seen is None else {(pk, day): _hours_from(given.seen)}
        return service.set_hours(
            clinic=request.clinic,
            cells=cells,
            seen=before,
            by=request.user,
            now=request.now,
            accepted=given.accepted,
        )

    back = f"{reverse('manage-roster')}?d={day.isoformat()}"
    return edit_page(
        request,
        title=f"{one}: {dates.day_text(day)}",
        lead=_("This day alone; regular hours stay as they are."),
        form=form,
        save=save,
        done=_("Saved."),
        back=back,
        to=f"{back}#t{pk}-{day.day}",
        template="managing/roster_day.html",
        shown=seen,
        one=one,
        day=day,
    )


def _hours_from(text: str) -> tuple[Hours, ...]:
    """What the form's `seen` says: "09:00-12:00 13:00-17:00" or "free"."""
    try:
        return tuple(
            Hours(*(dt.time.fromisoformat(end) for end in part.split("-", 1)))
            for part in text.split()
            if part != "free"
        )
    except (ValueError, TypeError) as error:
        raise Invalid() from error


# --- Many days -------------------------------------------------------------------------------------------------------


class CopyForm(forms.Form):
    what = forms.ChoiceField(
        label=gettext_lazy("Copy"), choices=[("week", gettext_lazy("a week")), ("month", gettext_lazy("a month"))]
    )
    source = DateField(label=gettext_lazy("The one with this day"))
    target = DateField(label=gettext_lazy("Onto the one with this day"))


class PublishForm(forms.Form):
    until = DateField(
        label=gettext_lazy("Last day that is final"),
        required=False,
        help_text=gettext_lazy("Later days are provisional. Empty: all days are final."),
    )


@page(MANAGE, methods=("POST",))
def roster_copy(request: PageRequest) -> HttpResponse:
    form = CopyForm(request.POST, prefix="copy")
    if not form.is_valid():
        return _refuse(request, form)
    data = form.cleaned_data
    pairs = service.week_pairs if data["what"] == "week" else service.month_pairs
    back = f"{reverse('manage-roster')}?d={data['target'].isoformat()}"
    try:
        changed = service.copy_days(
            clinic=request.clinic,
            pairs=pairs(data["source"], data["target"]),
            by=request.user,
            now=request.now,
            accepted="accepted" in request.POST,
        )
    except Invalid as wrong:
        form.add_error(None, [str(s) for sentences in wrong.details.values() for s in sentences])
        return _refuse(request, form)
    except Conflict as conflict:
        return conflict_page(request, conflict, title=_("Copy the roster"), form=None, back=back)
    told = ngettext("%(n)s day changed.", "%(n)s days changed.", changed) % {"n": changed}
    messages.success(request, told)
    return redirect(back)


@page(MANAGE, methods=("POST",))
def roster_publish(request: PageRequest) -> HttpResponse:
    form = PublishForm(request.POST, prefix="publish")
    if not form.is_valid():
        return _refuse(request, form)
    until = form.cleaned_data["until"]
    service.publish_roster(clinic=request.clinic, until=until, by=request.user, now=request.now)
    messages.success(request, _("Roster published."))
    return redirect(f"{reverse('manage-roster')}?d={until.isoformat() if until else ''}")


def _refuse(request: PageRequest, form: forms.Form) -> HttpResponse:
    context = {"title": _("Roster"), "form": form, "back": reverse("manage-roster"), "button": _("Save"), "seen": ""}
    return render(request, "managing/edit.html", context, status=422)
