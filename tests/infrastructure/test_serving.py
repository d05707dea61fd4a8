"""What every answer of the web carries, and how it tells that it is well."""

from unittest.mock import patch

import pytest
from django.db import DatabaseError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from structlog.contextvars import bound_contextvars

from clinic.middleware import HistoryMiddleware


@pytest.mark.django_db
def test_health_is_open_to_the_container_that_asks(client: Client) -> None:
    answer = client.get("/health/")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_health_says_when_the_database_is_gone(client: Client) -> None:
    with patch("clinic.health.connection.cursor", side_effect=DatabaseError):
        answer = client.get("/health/")
    assert (answer.status_code, answer.json()) == (503, {"status": "database unreachable"})


@pytest.mark.django_db
def test_answers_forbid_scripts_and_frames_from_elsewhere(client: Client) -> None:
    answer = client.get("/health/")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_the_trail_of_changes_names_the_request_and_no_private_token() -> None:
    middleware = HistoryMiddleware(lambda _request: HttpResponse())
    with bound_contextvars(request_id="7e57"):
        context = middleware.get_context(RequestFactory().post("/p/q3X_9-aZ7Lk2mN8pR4tVwY/cancel/"))
    assert (context["url"], context["request"]) == ("/p/[token]/cancel/", "7e57")
