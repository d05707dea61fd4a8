"""How errors look on pages: one place that turns a DomainError into a page with a way on."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from clinic.errors import Busy, Conflict, DomainError, NotAllowed, NotFound

_API = "/api/"


class DomainErrorMiddleware:
    """Renders what services raise. The API has its own renderer and is left alone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, DomainError) and not request.path.startswith(_API):
            return error_page(request, exception)
        return None


def error_page(request: HttpRequest, error: DomainError, **context: Any) -> HttpResponse:
    """The page that says what is wrong and what can be done, with the error's own status."""
    if isinstance(error, NotFound):
        return render(request, "404.html", {"sentence": error.sentence}, status=404)
    if isinstance(error, NotAllowed):
        return render(request, "403.html", {"sentence": error.sentence}, status=403)
    context = {"error": error, "title": _title(error), "back": _way_back(request), **context}
    return render(request, "pages/error.html", context, status=error.status)


def _title(error: DomainError) -> str:
    if isinstance(error, Busy):
        return _("Someone else is working on the same times")
    if isinstance(error, Conflict):
        return _("This could not be done")
    return _("Some entries need a correction")


def _way_back(request: HttpRequest) -> str:
    referer = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(referer, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return referer
    return "/"
