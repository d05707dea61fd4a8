"""The tray of the board: up to eight sessions laid aside while their new times are looked for.

It lives in the user's session and holds keys only. A session in the tray keeps its time until it gets another one.
"""

from django.http import HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from clinic.errors import Conflict
from clinic.permissions import Permission
from courses.booking.access import session_for
from courses.booking.models import Session
from courses.booking.transitions import PLANNED
from courses.pages.board_back import back_to_board
from courses.pages.permissions import PageRequest, page

MOST_PARKED = 8
_KEY = "board_tray"


def read_tray(request: PageRequest) -> list[Session]:
    """Its sessions, in the order in which they were parked; those that cannot be moved any more have left it."""
    keys: list[int] = request.session.get(_KEY, [])
    if not keys:
        return []
    found = (
        Session.objects.filter(pk__in=keys, status__in=sorted(PLANNED), course__clinic=request.clinic)
        .select_related("course__patient", "course__procedure", "appointment")
        .in_bulk()
    )
    return [found[key] for key in keys if key in found]


@page(Permission.BOOK, methods=("POST",))
def session_park(request: PageRequest, pk: int) -> HttpResponse:
    one = session_for(request.user, Permission.BOOK, pk)
    if one.status not in PLANNED:
        raise Conflict(_("Only a planned session can be moved."))
    keys = [session.pk for session in read_tray(request) if session.pk != pk]
    if len(keys) >= MOST_PARKED:
        raise Conflict(_("The tray holds eight sessions. Find a time for one of them first."), code="tray_full")
    request.session[_KEY] = [*keys, pk]
    return HttpResponseRedirect(back_to_board(request))


@page(Permission.BOOK, methods=("POST",))
def session_unpark(request: PageRequest, pk: int) -> HttpResponse:
    take_from_tray(request, pk)
    return HttpResponseRedirect(back_to_board(request))


def take_from_tray(request: PageRequest, pk: int) -> None:
    keys: list[int] = request.session.get(_KEY, [])
    if pk in keys:
        request.session[_KEY] = [key for key in keys if key != pk]
