"""Cursor pagination: a page stays the same while rows are added before it, and deep pages cost what the first does."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from clinic.errors import NotFound

_LARGEST_KEY = 2**63 - 1


class KeyPagination(CursorPagination):
    """Pages of 50, by primary key; `?page_size=` up to 200."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    ordering = "pk"
    cursor_query_description = "Where the page starts: take it from `next` or `previous`."
    page_size_query_description = "Rows a page, at most 200."
    invalid_cursor_message = _("This cursor is not one of ours. Start again from the first page.")  # type: ignore[assignment]

    def decode_cursor(self, request: Request) -> Cursor | None:
        cursor = super().decode_cursor(request)
        if cursor is None or cursor.position is None:
            return cursor
        # The position is a primary key; anything else did not come from us and must not reach the database.
        position = str(cursor.position)
        if not (position.isascii() and position.isdigit() and int(position) <= _LARGEST_KEY):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        address = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": address, "previous": address, "results": schema},
        }
