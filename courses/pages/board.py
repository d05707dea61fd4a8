"""The board: a clinic's day by therapist or by room, a week of one of them, a month's load, or a list."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from clinic.models import Resource, Room, Therapist
from clinic.permissions import Permission
from courses import dates
from courses.pages import board_query as query
from courses.pages.board_changes import answer_refresh, remember
from courses.pages.board_moves import last_move
from courses.pages.board_query import BoardQuery
from courses.pages.board_tray import read_tray
from courses.pages.cards import Card, read_cards
from courses.pages.days import BY_ROOM, BY_THERAPIST, Board, read_board, read_week, with_status
from courses.pages.grid import STEP_MINUTES
from courses.pages.months import Cell, read_month
from courses.pages.permissions import PageRequest, page
from courses.pages.statuses import LOOKS

# Pixels for five minutes. A card lower than 24 pixels would be too small a target, so such steps are not offered.
ZOOMS = (8, 12, 18)
LEAST_PIXELS = 24
_SIGNS = {8: "S", 12: "M", 18: "L"}


@dataclass(frozen=True)
class Choice:
    """Something that a filter can show alone."""

    value: str
    name: str
    is_chosen: bool


@page(Permission.VIEW_CALENDAR, methods=("GET", "HEAD", "POST"))
def board(request: PageRequest) -> HttpResponse:
    """`BoardQuery` says what the address may hold; `seen` is the digest that a refresh already shows. A POST looks for
    a name among the day's cards, which no address should carry.
    """
    today = request.clinic.local_date(request.now)
    asked = BoardQuery.read(request.GET, today)
    if request.method == "POST":
        return _list(request, BoardQuery(asked.date, view=query.LIST, by=asked.by), request.POST.get("q", ""))
    if asked.view == query.MONTH:
        month = read_month(request.clinic, asked.date, by=asked.by, now=request.now, ids=asked.ids)
        rows = [
            (
                row.name,
                asked.but(view=query.WEEK, ids=(row.pk,)),
                [(cell, _day_of(asked, row.pk, cell)) for cell in row.cells],
            )
            for row in month.rows
        ]
        return render(request, "pages/board_month.html", _frame(request, asked) | {"month": month, "rows": rows})
    if asked.view == query.LIST:
        return _list(request, asked, "")
    shown = _week(request, asked) if asked.view == query.WEEK else _day(request, asked)
    return _columns(request, asked, shown)


def _day_of(asked: BoardQuery, pk: int, cell: Cell) -> str:
    return asked.but(view=query.DAY, ids=(pk,), date=cell.date)


def _day(request: PageRequest, asked: BoardQuery) -> Board:
    return read_board(request.clinic, asked.date, by=asked.by, now=request.now, ids=asked.ids, statuses=asked.statuses)


def _week(request: PageRequest, asked: BoardQuery) -> Board | None:
    """None where there is nobody, and no room, whose week it could be."""
    owners = _owners(request, asked.by)
    pk = asked.ids[0] if asked.ids and asked.ids[0] in owners else next(iter(owners), None)
    if pk is None:
        return None
    owner = Resource.objects.get(pk=pk)
    return read_week(request.clinic, asked.monday, by=asked.by, owner=owner, now=request.now, statuses=asked.statuses)


def _owners(request: PageRequest, by: str) -> dict[int, str]:
    """Those whose columns a board can show, by name."""
    if by == BY_ROOM:
        return {room.pk: str(room) for room in Room.objects.filter(clinic=request.clinic, is_active=True)}
    return {t.pk: str(t) for t in Therapist.objects.filter(is_active=True, shifts__clinic=request.clinic).distinct()}


def _columns(request: PageRequest, asked: BoardQuery, shown: Board | None) -> HttpResponse:
    may_book = request.user.may(Permission.BOOK, request.clinic)
    rights = {
        "may_book": may_book,
        "may_record_absence": request.user.may(Permission.RECORD_ABSENCE, request.clinic),
        "is_week": asked.view == query.WEEK,
    }
    if request.htmx and shown is not None:  # type: ignore[attr-defined]
        return answer_refresh(request, shown, rights | {"board": shown})
    if shown is not None:
        remember(shown)
    steps = [s for s in ZOOMS if shown and shown.shortest // STEP_MINUTES * s >= LEAST_PIXELS] or [ZOOMS[-1]]
    zoom = asked.zoom if asked.zoom in steps else steps[0]
    context = _frame(request, asked) | rights
    context |= {
        "board": shown,
        "zoom": zoom,
        "zooms": [{"step": step, "sign": _SIGNS[step], "url": asked.but(zoom=step)} for step in steps],
        "compact": asked.density == query.COMPACT,
        "densities": {
            query.ROOMY: asked.but(density=query.ROOMY),
            query.COMPACT: asked.but(density=query.COMPACT),
        },
        "looks": LOOKS.values(),
        "last_move": last_move(request) if may_book else None,
        "tray": read_tray(request) if may_book else [],
    }
    return render(request, "pages/board.html", context)


def _list(request: PageRequest, asked: BoardQuery, text: str) -> HttpResponse:
    cards = with_status(read_cards(request.clinic, asked.date, now=request.now), asked.statuses)
    if asked.ids:
        cards = [card for card in cards if (card.room_id if asked.by == BY_ROOM else card.therapist_id) in asked.ids]
    if text.strip():
        cards = [card for card in cards if _says(card, text)]
    may_book = request.user.may(Permission.BOOK, request.clinic)
    rows = mark_safe("".join(card.row(may_move=may_book) for card in cards))  # noqa: S308 - each row escapes what it shows
    return render(
        request,
        "pages/board_list.html",
        _frame(request, asked) | {"cards": cards, "rows": rows, "may_book": may_book, "looked_for": text.strip()[:80]},
    )


def _says(card: Card, text: str) -> bool:
    """Whether a card's own words hold each word looked for."""
    said = card.label.casefold()
    return all(word in said for word in text.casefold().split())


def _frame(request: PageRequest, asked: BoardQuery) -> dict[str, Any]:
    """What stands above every board: where one is, where one can go, and what is shown."""
    today = request.clinic.local_date(request.now)
    owners = _owners(request, asked.by)
    alone = asked.ids[0] if asked.ids and asked.ids[0] in owners else next(iter(owners), None)
    return {
        "asked": asked,
        "date": asked.date,
        "today": today,
        "title": _title(asked, owners.get(alone or 0, "")),
        "owners": [Choice(str(pk), name, pk in asked.ids) for pk, name in owners.items()],
        "alone": str(alone),
        "keep_date": asked.other_fields("d"),
        "keep_ids": asked.other_fields("ids"),
        "keep_filters": asked.other_fields("ids", "status"),
        "states": [
            Choice(code, name, code in asked.statuses)
            for code, name in {
                **{look.code: str(look.word) for look in reversed(LOOKS.values()) if look.code != "unplaced"},
                "ended": pgettext("session", "not treated"),
                "class": _("class"),
            }.items()
        ][::-1],
        "links": {
            "here": asked.url,
            "previous": asked.but(date=asked.neighbour(-1)),
            "next": asked.but(date=asked.neighbour(1)),
            "today": asked.but(date=today),
            "therapist": asked.but(by=BY_THERAPIST, ids=()),
            "room": asked.but(by=BY_ROOM, ids=()),
            "day": asked.but(view=query.DAY),
            "week": asked.but(view=query.WEEK),
            "month": asked.but(view=query.MONTH),
            "list": asked.but(view=query.LIST),
            "all": asked.but(ids=(), statuses=()),
        },
    }


def _title(asked: BoardQuery, owner: str) -> str:
    if asked.view == query.WEEK:
        span = f"{dates.plain_day(asked.monday)} – {dates.plain_day(asked.monday + dt.timedelta(days=6), year=True)}"
        return f"{owner}, {span}" if owner else span
    if asked.view == query.MONTH:
        return dates.month_text(asked.date)
    return dates.day_text(asked.date)
