"""A session: what it is, what may become of it now, moving and cancelling it."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from clinic.errors import Conflict, Invalid
from clinic.models import ResourceKind, Room, Therapist
from clinic.permissions import Permission
from courses.booking import attendance
from courses.booking.access import session_for
from courses.booking.availability import FreeStart
from courses.booking.cancelling import cancel_session
from courses.booking.models import Session
from courses.booking.moves import free_starts, move_session
from courses.booking.transitions import PLACED, PLANNED, Status, may_become
from courses.dates import clock, day_text, local, moment_text, read_day
from courses.pages.forms import DateField, TimeField, on_grid
from courses.pages.permissions import PageRequest, page
from courses.pages.refusals import refusal_context

DAYS_OFFERED = 14
# What the service calls a field, and where the form shows it.
_FIELDS_OF_MOVE = {"starts_at": "time", "therapist": "therapist", "room": "room"}
MOST_A_DAY = 24
# How far beyond its present day a session is looked for a place.
MOST_AHEAD = dt.timedelta(days=180)


@dataclass(frozen=True)
class Verb:
    """Something that may be done with a session: `status` is what it becomes."""

    name: str
    status: Status
    label: Promise
    permission: Permission
    act: Callable[..., Session]
    needs_reason: bool = False


VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            "confirm",
            Status.CONFIRMED,
            pgettext_lazy("button", "Confirmed by patient"),
            Permission.BOOK,
            attendance.confirm_session,
        ),
        Verb(
            "arrive", Status.ARRIVED, pgettext_lazy("button", "Arrived"), Permission.CHECK_IN, attendance.arrive_session
        ),
        Verb(
            "start",
            Status.IN_TREATMENT,
            pgettext_lazy("button", "Start treatment"),
            Permission.TREAT,
            attendance.start_session,
        ),
        Verb(
            "complete",
            Status.COMPLETED,
            pgettext_lazy("button", "Done as planned"),
            Permission.TREAT,
            attendance.complete_session,
        ),
        Verb(
            "stop-early",
            Status.STOPPED_EARLY,
            pgettext_lazy("button", "Stopped early"),
            Permission.TREAT,
            attendance.stop_session_early,
            needs_reason=True,
        ),
        Verb(
            "not-treated",
            Status.NOT_TREATED,
            pgettext_lazy("button", "Not treated"),
            Permission.TREAT,
            attendance.mark_not_treated,
            needs_reason=True,
        ),
        Verb(
            "no-show",
            Status.NO_SHOW,
            pgettext_lazy("button", "Did not come"),
            Permission.CHECK_IN,
            attendance.mark_no_show,
        ),
    )
}


class ReasonForm(forms.Form):
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=300)


class CancelForm(forms.Form):
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=300, required=False)
    by_clinic = forms.BooleanField(
        label=gettext_lazy("The clinic cancels"),
        required=False,
        help_text=gettext_lazy("Then it never counts as used."),
    )


class MoveForm(forms.Form):
    """A date and a time, and who: for those who know where they want it."""

    date = DateField(label=gettext_lazy("Date"))
    time = TimeField(label=gettext_lazy("Time"))
    therapist = forms.ChoiceField(label=gettext_lazy("Specialist"), required=False)
    room = forms.ChoiceField(label=gettext_lazy("Room"), required=False)
    override_reason = forms.CharField(
        label=gettext_lazy("Reason to override"),
        max_length=300,
        required=False,
        help_text=gettext_lazy("Only to move outside working hours or against a rule. It is kept."),
    )
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, therapists: list[Therapist], rooms: list[Room], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        same = [("", _("the same if free"))]
        self.fields["therapist"].choices = same + [(t.pk, str(t)) for t in therapists]  # type: ignore[attr-defined]
        self.fields["room"].choices = same + [(r.pk, str(r)) for r in rooms]  # type: ignore[attr-defined]

    def clean_time(self) -> dt.time:
        time: dt.time = self.cleaned_data["time"]
        if not on_grid(time):
            raise forms.ValidationError(_("Times go in steps of five minutes, like 09:05."))
        return time


@page(Permission.VIEW_CALENDAR)
def session(request: PageRequest, pk: int) -> HttpResponse:
    one = session_for(request.user, Permission.VIEW_CALENDAR, pk)
    return render(request, "pages/session.html", session_context(request, one))


def session_context(request: PageRequest, one: Session) -> dict[str, Any]:
    clinic = one.course.clinic
    may = request.user.may
    return {
        "session": one,
        "course": one.course,
        "patient": one.course.patient,
        "places": _places(one),
        "verbs": [v for v in VERBS.values() if may_become(one.status, v.status) and may(v.permission, clinic)],
        "may_move": one.status in PLANNED and may(Permission.BOOK, clinic),
        "may_cancel": one.status in PLANNED | {Status.ARRIVED} and may(Permission.BOOK, clinic),
        "may_plan": one.status == Status.UNPLACED and may(Permission.BOOK, clinic),
        "may_undo_arrival": False,
        "replaced_by": Session.objects.filter(replaces=one).first(),
        "reason_form": ReasonForm(),
    }


def _places(one: Session) -> dict[str, str]:
    """What the session's appointment takes, by kind of resource."""
    if one.appointment is None:
        return {}
    names = {}
    rows = one.appointment.reservations.select_related("resource__therapist", "resource__room", "resource__equipment")
    for row in rows:
        for kind in (ResourceKind.THERAPIST, ResourceKind.ROOM, ResourceKind.EQUIPMENT):
            if row.resource.kind == kind:
                names[str(kind)] = str(getattr(row.resource, str(kind)))
    return names


@page(Permission.VIEW_CALENDAR, methods=("POST",))
def session_verb(request: PageRequest, pk: int, verb: str) -> HttpResponse:
    chosen = VERBS[verb]
    one = session_for(request.user, chosen.permission, pk)
    extra = {}
    if chosen.needs_reason:
        form = ReasonForm(request.POST)
        if not form.is_valid():
            context = session_context(request, one) | {"reason_form": form, "asked": verb}
            return render(request, "pages/session.html", context, status=422)
        extra = {"reason": form.cleaned_data["reason"]}
    changed = chosen.act(session=one, by=request.user, now=request.now, **extra)
    messages.success(request, _("Saved: %(status)s.") % {"status": _word(changed)})
    return redirect("session", pk=changed.pk)


def _word(one: Session) -> str:
    from courses.pages.statuses import look_of

    return str(look_of(one.status).word)


@page(Permission.BOOK, methods=("GET", "HEAD", "POST"))
def session_move(request: PageRequest, pk: int) -> HttpResponse:
    """Free starts as buttons, and a form for any time. `?from=2026-11-24` shows later days."""
    one = session_for(request.user, Permission.BOOK, pk)
    if one.status not in PLANNED or one.appointment is None:
        raise Conflict(_("Only a planned session can be moved."))
    therapists = list(
        Therapist.objects.filter(qualifications__procedure=one.course.procedure, is_active=True).distinct()
    )
    rooms = list(Room.objects.filter(clinic=one.course.clinic, is_active=True))
    here = local(one.appointment.starts_at)
    initial = {"date": here.date(), "time": here.time(), "version": one.version}
    form = MoveForm(request.POST or None, initial=initial, therapists=therapists, rooms=rooms)
    error, refusal = None, {}
    if request.method == "POST" and form.is_valid():
        try:
            return _move(request, one, form.cleaned_data)
        except Invalid as wrong:
            for name, sentences in wrong.details.items():
                form.add_error(_FIELDS_OF_MOVE.get(name), [str(sentence) for sentence in sentences])
        except Conflict as refused:
            error, refusal = refused, _refusal(one, refused, form.cleaned_data, request.now)
    today = one.course.clinic.local_date(request.now)
    first = read_day(request.GET.get("from", ""), here.date())
    first = min(max(first, today), max(here.date(), today) + MOST_AHEAD)
    starts = [
        start
        for start in free_starts(session=one, first_day=first, days=DAYS_OFFERED, now=request.now)
        if start.starts_at != one.appointment.starts_at
    ]
    context = session_context(request, one) | {
        "form": form,
        "error": error,
        "refusal": refusal,
        "days": _by_day(starts, {t.pk: t for t in Therapist.objects.filter(pk__in={s.therapist_id for s in starts})}),
        "first": first,
        "earlier": first - dt.timedelta(days=DAYS_OFFERED),
        "later": first + dt.timedelta(days=DAYS_OFFERED),
    }
    status = error.status if error else 422 if form.errors else 200
    return render(request, "pages/session_move.html", context, status=status)


def _move(request: PageRequest, one: Session, data: dict[str, Any]) -> HttpResponse:
    wanted = dt.datetime.combine(data["date"], data["time"], tzinfo=one.course.clinic.tz)
    moved = move_session(
        session=one,
        starts_at=wanted.astimezone(dt.UTC),
        therapist=_key(data["therapist"]),
        room=_key(data["room"]),
        override_reason=data["override_reason"],
        version=data["version"],
        by=request.user,
        now=request.now,
    )
    messages.success(request, _("Moved to %(time)s.") % {"time": moment_text(wanted)})
    return redirect("session", pk=moved.pk)


def _refusal(one: Session, refused: Conflict, data: dict[str, Any], now: dt.datetime) -> dict[str, Any]:
    wanted = dt.datetime.combine(data["date"], data["time"], tzinfo=one.course.clinic.tz)
    therapist, room = _key(data["therapist"]), _key(data["room"])
    return refusal_context(one, refused, wanted, therapist=therapist, room=room, now=now)


def _key(text: Any) -> int | None:
    return int(text) if text else None


def _by_day(starts: list[FreeStart], therapists: dict[int, Therapist]) -> list[dict[str, Any]]:
    """Free starts grouped by local day, with the values that a button of each sends."""
    days: dict[dt.date, list[FreeStart]] = {}
    for start in starts:
        days.setdefault(local(start.starts_at).date(), []).append(start)
    return [
        {
            "date": date,
            "text": day_text(date),
            "slots": [
                {
                    "time": clock(start.starts_at),
                    "therapist": start.therapist_id or "",
                    "name": str(therapists.get(start.therapist_id or 0, "")),
                    "room": start.room_id or "",
                }
                for start in _thin(found)
            ],
        }
        for date, found in days.items()
    ]


def _thin(starts: list[FreeStart]) -> list[FreeStart]:
    """A day's starts, so few that a person can choose: on quarters, then on halves, of an hour where there are many."""
    for step in (5, 15, 30):
        kept = [start for start in starts if local(start.starts_at).minute % step == 0]
        if len(kept) <= MOST_A_DAY:
            return kept or starts[:MOST_A_DAY]
    return kept[:MOST_A_DAY]


@page(Permission.BOOK, methods=("GET", "HEAD", "POST"))
def session_cancel(request: PageRequest, pk: int) -> HttpResponse:
    one = session_for(request.user, Permission.BOOK, pk)
    if one.status not in PLACED:
        raise Conflict(_("This session has no time to cancel."))
    form = CancelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        ended = cancel_session(
            session=one,
            reason=form.cleaned_data["reason"],
            by_clinic=form.cleaned_data["by_clinic"],
            by=request.user,
            now=request.now,
        )
        messages.success(request, _("Saved: %(status)s.") % {"status": _word(ended)})
        return redirect("course", pk=one.course_id)
    context = session_context(request, one) | {"form": form}
    return render(request, "pages/session_cancel.html", context, status=422 if form.errors else 200)
