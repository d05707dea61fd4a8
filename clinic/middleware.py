"""What every request carries into the history of changes (who, through which page, in which request), and how long a
page took.
"""

import time
from collections.abc import Callable
from typing import Any

import pghistory.middleware
import structlog
from django.http import HttpRequest, HttpResponse

from clinic.logs import scrub


class HistoryMiddleware(pghistory.middleware.HistoryMiddleware):
    """Adds the request's id, the same that its log lines bear, and leaves out the token of a private link."""

    def get_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(request)
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        return context | {"url": scrub(request.path), "request": request_id}


class ServerTimingMiddleware:
    """Tells in `Server-Timing` how long a page of the staff took; of signing in it tells nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        if getattr(request, "clinic", None) is not None:
            response["Server-Timing"] = f"app;dur={(time.perf_counter() - started) * 1000:.1f}"
        return response
