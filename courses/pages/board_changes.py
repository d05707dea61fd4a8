"""What a refresh of the board answers: nothing, the cards that changed, or, where more than cards changed, all of it.

A board once shown leaves the checksums of its parts in the cache, by the digest of them all, so that a refresh need say
no more than the digest it shows. Where the cache has forgotten them the whole board is sent.
"""

from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from courses.pages.days import Board

# A board that nobody refreshed for so long is drawn anew.
KEPT_SECONDS = 15 * 60


def remember(board: Board) -> None:
    cache.set(_key(board.digest), board.signatures, KEPT_SECONDS)


def answer_refresh(request: HttpRequest, board: Board, context: dict[str, Any]) -> HttpResponse:
    """204 where `seen` is what there is; a cached 304 would reach the page as a 200 and be swapped in."""
    seen = request.GET.get("seen", "")
    if seen == board.digest:
        return HttpResponse(status=204)
    known = cache.get(_key(seen)) if seen.isalnum() and len(seen) == len(board.digest) else None
    remember(board)
    if known is None or known[""] != board.signatures[""]:
        return render(request, "pages/board_columns.html", context)
    return render(request, "pages/board_changes.html", context | _changes(board, known))


def _changes(board: Board, known: dict[str, int]) -> dict[str, Any]:
    """Columns whose heading, hours or lanes changed are sent whole; of the others the cards that changed, each with the
    card that it follows, and the keys of those that are gone.
    """
    now = board.signatures
    whole = [column for column in board.columns if known.get(column.key) != now[column.key]]
    single = []
    for column in board.columns:
        before = ""
        for key, place, html in column.items:
            if column not in whole and known.get(key) != now[key]:
                single.append((column.key, before, key, place, html))
            before = key
    return {"whole": whole, "single": single, "gone": sorted(set(known) - set(now))}


def _key(digest: str) -> str:
    return f"board:{digest}"
