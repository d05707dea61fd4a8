"""The board that a form was sent from."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme


def back_to_board(request: HttpRequest) -> str:
    """`back` of the form where it is a board of this installation, else today's."""
    wanted = request.POST.get("back", "")
    home = reverse("board")
    own = url_has_allowed_host_and_scheme(wanted, allowed_hosts=set(), require_https=request.is_secure())
    return wanted if own and wanted.split("?")[0] == home else home
