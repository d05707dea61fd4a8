"""The board: a clinic's day by therapist or by room, as columns or as a list."""

import datetime as dt
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import mark_safe

from clinic.permissions import Permission
from courses.dates import read_day
from courses.pages.cards import read_cards
from courses.pages.days import BY_ROOM, BY_THERAPIST, read_board
from courses.pages.grid import STEP_MINUTES
from courses.pages.permissions import PageRequest, page
from courses.pages.statuses import LOOKS

COLUMNS, LIST = "columns", "list"
# Pixels for five minutes. A card lower than 24 pixels would be too small a target, so such steps are not offered.
ZOOMS = (8, 12, 18)
LEAST_PIXELS = 24
_SIGNS = {8: "S", 12: "M", 18: "L"}


@page(Permission.VIEW_CALENDAR)
def board(request: PageRequest) -> HttpResponse:
    """`?d=2026-11-24&by=therapist|room&view=columns|list`; `seen` is the digest that a refresh already shows."""
    today = request.clinic.local_date(request.now)
    date = read_day(request.GET.get("d", ""), today)
    by = BY_ROOM if request.GET.get("by") == BY_ROOM else BY_THERAPIST
    view = LIST if request.GET.get("view") == LIST else COLUMNS
    context: dict[str, Any] = {
        "date": date,
        "today": today,
        "by": by,
        "view": view,
        "links": _links(date, today, by=by, view=view),
    }
    if view == LIST:
        cards = read_cards(request.clinic, date, now=request.now)
        rows = mark_safe("".join(card.row() for card in cards))  # noqa: S308 - each row escapes what it shows
        return render(request, "pages/board_list.html", context | {"cards": cards, "rows": rows})
    context["board"] = read_board(request.clinic, date, by=by, now=request.now)
    steps = [step for step in ZOOMS if context["board"].shortest // STEP_MINUTES * step >= LEAST_PIXELS] or [ZOOMS[-1]]
    chosen = request.GET.get("zoom", "")
    zoom = int(chosen) if chosen.isdecimal() and int(chosen) in steps else steps[0]
    here = context["links"]["here"]
    context |= {
        "zoom": zoom,
        "zooms": [{"step": step, "sign": _SIGNS[step], "url": f"{here}&zoom={step}"} for step in steps],
        "may_record_absence": request.user.may(Permission.RECORD_ABSENCE, request.clinic),
        "looks": LOOKS.values(),
    }
    if not request.htmx:  # type: ignore[attr-defined]
        return render(request, "pages/board.html", context)
    if request.GET.get("seen") == context["board"].digest:
        # A cached 304 would reach the page as a 200 and be swapped in; 204 leaves everything in its place.
        return HttpResponse(status=204)
    return render(request, "pages/board_columns.html", context)


def _links(date: dt.date, today: dt.date, *, by: str, view: str) -> dict[str, str]:
    def link(d: dt.date, by: str = by, view: str = view) -> str:
        return f"{reverse('board')}?{urlencode({'d': d.isoformat(), 'by': by, 'view': view})}"

    day = dt.timedelta(days=1)
    return {
        "previous": link(date - day),
        "next": link(date + day),
        "week_back": link(date - 7 * day),
        "week_on": link(date + 7 * day),
        "today": link(today),
        "therapist": link(date, by=BY_THERAPIST, view=COLUMNS),
        "room": link(date, by=BY_ROOM, view=COLUMNS),
        "list": link(date, view=LIST),
        "here": link(date),
    }
