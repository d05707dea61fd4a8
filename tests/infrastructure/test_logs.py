"""What log lines hold, and what they must not."""

import io
import json
import logging
from typing import Any

import pytest
import structlog
from django.conf import settings

from clinic.logs import scrub

TOKEN = "q3X_9-aZ7Lk2mN8pR4tVwY"


@pytest.fixture
def written() -> Any:
    """A stream that gets what the console would, as JSON lines."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    config = dict(settings.LOGGING["formatters"]["structured"])
    handler.setFormatter(config.pop("()")(**config))
    root = logging.getLogger()
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.INFO)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        (f"GET /p/{TOKEN}/visits/", "GET /p/[token]/visits/"),
        (f"https://booking.example.org/feeds/{TOKEN}.ics", "https://booking.example.org/feeds/[token].ics"),
        ("GET /patients/12345678/", "GET /patients/12345678/"),
        ("GET /api/v1/plans/", "GET /api/v1/plans/"),
    ],
)
def test_the_token_of_a_private_link_is_left_out(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


def test_a_token_reaches_no_line_however_it_is_logged(written: io.StringIO) -> None:
    structlog.get_logger("tests").warning(
        "request_started", request=f"GET /p/{TOKEN}/", nested={"paths": [f"/p/{TOKEN}/"]}
    )
    logging.getLogger("django.request").warning("Not Found: %s", f"/feeds/{TOKEN}.ics")
    try:
        raise RuntimeError(f"cannot resolve /p/{TOKEN}/")
    except RuntimeError:
        logging.getLogger("tests").exception("failed")
        structlog.get_logger("tests").exception("failed")
    assert "request_started" in written.getvalue()
    assert written.getvalue().count("cannot resolve /p/[token]/") == 2
    assert TOKEN not in written.getvalue()


def test_a_line_is_json_with_when_how_bad_and_from_where(written: io.StringIO) -> None:
    logging.getLogger("courses.booking").warning("%d sessions of Zoë", 3)
    line = json.loads(written.getvalue().splitlines()[-1])
    assert (line["event"], line["level"], line["logger"]) == ("3 sessions of Zoë", "warning", "courses.booking")
    assert line["timestamp"].endswith("Z")
