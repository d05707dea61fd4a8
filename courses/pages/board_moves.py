"""Moving sessions on the board: a card's own words, where it could go, the move, what a refusal offers, the way back.

A script asks with `HX-Request` and gets a piece of a page; without one the same forms lead to whole pages.
"""

import datetime as dt
from collections import defaultdict
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from clinic.errors import Conflict, DomainError, Invalid
from clinic.permissions import Permission
from courses import dates
from courses.booking.access import session_for
from courses.booking.models import Session
from courses.booking.moves import free_places, free_places_by_room, move_session
from courses.booking.transitions import PLANNED
from courses.booking.undoing import UNDONE_WITHIN, Standing, undo_move
from courses.pages.board_back import back_to_board
from courses.pages.board_query import WEEK, BoardQuery
from courses.pages.board_tray import take_from_tray
from courses.pages.days import BY_ROOM
from courses.pages.forms import DateField, TimeField
from courses.pages.names import short_name
from courses.pages.permissions import PageRequest, page
from courses.pages.refusals import refusal_context
from courses.pages.sessions import session_context
from courses.planning.types import SLOT_MINUTES

_LAST = "board_last_move"


class DropForm(forms.Form):
    """Where a card was dropped. What is left out stays as it is if it is free."""

    date = DateField()
    time = TimeField()
    therapist = forms.IntegerField(required=False)
    room = forms.IntegerField(required=False)
    version = forms.IntegerField(required=False)


@page(Permission.VIEW_CALENDAR)
def session_card(request: PageRequest, pk: int) -> HttpResponse:
    """What the board's dialog shows of a session; without a script there is its page."""
    one = session_for(request.user, Permission.VIEW_CALENDAR, pk)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("session", pk=pk)
    return render(request, "pages/board_card.html", session_context(request, one) | {"back": request.GET.get("back")})


@page(Permission.BOOK)
def session_places(request: PageRequest, pk: int) -> HttpResponse:
    """Where a session could go on the board whose parameters are given: column → slots of the local day, and how many
    slots it lasts.
    """
    one = session_for(request.user, Permission.BOOK, pk)
    if one.status not in PLANNED:
        raise Conflict(_("Only a planned session can be moved."))
    asked = BoardQuery.read(request.GET, request.clinic.local_date(request.now))
    find = free_places_by_room if asked.by == BY_ROOM else free_places
    first, days = (asked.monday, 7) if asked.view == WEEK else (asked.date, 1)
    columns: dict[str, set[int]] = defaultdict(set)
    try:
        found = find(session=one, first_day=first, days=days, now=request.now)
    except Invalid:
        found = []  # a day beyond those that can be booked has no place
    for place in found:
        owner = place.room_id if asked.by == BY_ROOM else place.therapist_id
        here = dates.local(place.starts_at)
        if asked.view == WEEK:
            if asked.ids and owner not in asked.ids:
                continue
            key = f"d{here.date().isoformat()}"
        else:
            key = f"{asked.by[0]}{owner}"
        columns[key].add((here.hour * 60 + here.minute) // SLOT_MINUTES)
    answer = {key: sorted(slots) for key, slots in columns.items()}
    return JsonResponse({"columns": answer, "slots": one.course.minutes // SLOT_MINUTES, "version": one.version})


@page(Permission.BOOK, methods=("POST",))
def session_drop(request: PageRequest, pk: int) -> HttpResponse:
    one = session_for(request.user, Permission.BOOK, pk)
    form = DropForm(request.POST)
    if not form.is_valid():
        raise Invalid(details={name: list(errors) for name, errors in form.errors.items()})
    data = form.cleaned_data
    wanted = dt.datetime.combine(data["date"], data["time"], tzinfo=one.course.clinic.tz)
    if one.appointment is None:
        raise Conflict(_("Only a planned session can be moved."))
    before = Standing.of(one)
    target = {"therapist": data["therapist"], "room": data["room"]}
    try:
        moved = move_session(
            session=one,
            starts_at=wanted.astimezone(dt.UTC),
            version=data["version"],
            by=request.user,
            now=request.now,
            **target,
        )
    except DomainError as refused:
        return _refusal(request, one, refused, wanted, **target)
    take_from_tray(request, pk)
    request.session[_LAST] = {
        "pk": moved.pk,
        "version": moved.version,
        "at": request.now.isoformat(),
        "before": before.as_json(),
    }
    text = _("Moved to %(time)s.") % {"time": dates.moment_text(wanted, year=False)}
    return _done(request, f"{short_name(one.course.patient)}: {text}")


def _done(request: PageRequest, text: str) -> HttpResponse:
    back = back_to_board(request)
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "pages/board_toast.html", {"text": text, "last_move": last_move(request), "back": back})
    messages.success(request, text)
    return HttpResponseRedirect(back)


def last_move(request: PageRequest) -> dict[str, Any] | None:
    """What can still be undone: who was moved, from when, and until when that holds."""
    kept = request.session.get(_LAST)
    if kept is None:
        return None
    until = dt.datetime.fromisoformat(kept["at"]) + UNDONE_WITHIN
    if until <= request.now:
        return None
    before = Standing.from_json(kept["before"])
    return {
        "pk": kept["pk"],
        "from": before.starts_at,
        "until": until,
        "left": int((until - request.now).total_seconds()),
    }


@page(Permission.BOOK, methods=("POST",))
def board_undo(request: PageRequest) -> HttpResponse:
    """Take back this user's last move."""
    kept = request.session.get(_LAST)
    if kept is None:
        raise Conflict(_("There is nothing to undo."), code="nothing_to_undo")
    one = session_for(request.user, Permission.BOOK, kept["pk"])
    before = Standing.from_json(kept["before"])
    try:
        undo_move(
            session=one,
            before=before,
            moved_at=dt.datetime.fromisoformat(kept["at"]),
            version=kept["version"],
            by=request.user,
            now=request.now,
        )
    except DomainError as refused:
        return _refusal(request, one, refused, dates.local(before.starts_at), therapist=before.therapist, room=None)
    del request.session[_LAST]
    text = _("Back at %(time)s.") % {"time": dates.moment_text(before.starts_at, year=False)}
    return _done(request, f"{short_name(one.course.patient)}: {text}")


def _refusal(
    request: PageRequest,
    one: Session,
    refused: DomainError,
    wanted: dt.datetime,
    *,
    therapist: int | None,
    room: int | None,
) -> HttpResponse:
    """What, with whom, and the three nearest times; as a piece of the board or as a page of its own."""
    context = refusal_context(one, refused, wanted, therapist=therapist, room=room, now=request.now)
    context |= {"back": back_to_board(request), "board_url": back_to_board(request)}
    template = "pages/board_refusal.html" if request.htmx else "pages/board_refused.html"  # type: ignore[attr-defined]
    return render(request, template, context, status=refused.status)
