"""What every request carries into the history of changes: who, through which page, in which request."""

from typing import Any

import pghistory.middleware
import structlog
from django.http import HttpRequest

from clinic.logs import scrub


class HistoryMiddleware(pghistory.middleware.HistoryMiddleware):
    """Adds the request's id, the same that its log lines bear, and leaves out the token of a private link."""

    def get_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(request)
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        return context | {"url": scrub(request.path), "request": request_id}
