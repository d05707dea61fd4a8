"""The parts of the demonstration by themselves."""

import http.server
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from courses.demo import messages
from courses.demo.client import Client, ProblemError
from courses.demo.clinics import DemoClinicExistsError, open_demo_clinic
from courses.demo.messages import DeliveryStoppedError, wait_for_mails
from courses.demo.outcomes import BookedSession, Outcome, totals
from courses.demo.progress import Bar
from courses.demo.tables import outcome_table, total_lines
from notifications.models import Message
from tests.factories import NOW, ClinicFactory, PatientFactory

SESSION = BookedSession("L001", "2026-12-01T09:00", "2026-12-01T09:30", "T01", "R01", None, None, visit=7)
BOOKED = Outcome("RX001", True, plan_ms=12.0, proven=True, gap=0.0, sessions=(SESSION,))
REFUSED = Outcome("RX002", False, "class_full", "Every class is full.", "Any time of day", plan_ms=3.0)


def test_an_outcome_is_written_as_promised() -> None:
    assert BOOKED.as_json() == {
        "prescription": "RX001",
        "booked": True,
        "reason_code": None,
        "concession": None,
        "plan_ms": 12.0,
        "proven": True,
        "gap": 0.0,
        "sessions": [
            {
                "line": "L001",
                "start": "2026-12-01T09:00",
                "end": "2026-12-01T09:30",
                "therapist": "T01",
                "room": "R01",
                "device": None,
                "class": None,
            }
        ],
    }


def test_the_table_says_what_was_booked_and_what_would_open_the_rest() -> None:
    lines = list(outcome_table([REFUSED, BOOKED]))
    assert lines[2].split() == ["RX001", "1", "2026-12-01", "2026-12-01", "1", "T01", "12", "proven"]
    assert "class_full. Every class is full." in lines[3]
    assert "would open it: Any time of day" in lines[4]


def test_totals_count_a_shared_visit_once() -> None:
    sums = totals([BOOKED, BOOKED, REFUSED], mails=3, to_call=1)
    assert (sums["prescriptions"], sums["booked"], sums["sessions"], sums["visits"]) == (3, 2, 2, 1)
    assert any("2 of 3 prescriptions" in line for line in total_lines(sums))


def test_a_bar_that_nobody_watches_says_one_line() -> None:
    out = io.StringIO()
    with Bar("Booking", 2, out) as bar:
        bar.to(1)
        bar.to(2)
    assert out.getvalue().startswith("Booking: 2 of 2, ")
    assert out.getvalue().count("\n") == 1


@pytest.mark.django_db
def test_a_database_with_a_clinic_is_left_alone() -> None:
    ClinicFactory()
    with pytest.raises(DemoClinicExistsError):
        open_demo_clinic()


@pytest.mark.django_db
def test_mails_that_nobody_delivers_end_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    clinic = ClinicFactory()
    monkeypatch.setattr(messages, "PATIENCE", 0.3)
    patient = PatientFactory()
    fields = {
        "clinic": clinic,
        "patient": patient,
        "recipient": "patient",
        "channel": Message.Channel.EMAIL,
        "language": "en",
        "snapshot": {"visits": []},
        "created_at": NOW,
    }
    # A reminder, and what is due only in 2031, are not waited for.
    Message.objects.create(subject="a", kind=Message.Kind.INVITATION, due_at=NOW, next_attempt_at=NOW, **fields)
    past = NOW.replace(year=2020)
    Message.objects.create(subject="c", kind=Message.Kind.REMINDER, due_at=past, next_attempt_at=past, **fields)
    assert wait_for_mails(clinic).waiting == 0
    Message.objects.create(subject="b", kind=Message.Kind.INVITATION, due_at=past, next_attempt_at=past, **fields)
    with pytest.raises(DeliveryStoppedError, match="1 mails wait"):
        wait_for_mails(clinic)


@pytest.fixture
def flaky() -> Iterator[tuple[str, list[str]]]:
    """A server that is busy at first, and the keys of the requests it got."""
    keys: list[str] = []

    class Flaky(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            keys.append(self.headers["Idempotency-Key"])
            status, body = (503, {"code": "busy"}) if len(keys) < 2 else (409, {"code": "place_taken", "details": {}})
            answer = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Flaky)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", keys
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_client_repeats_what_was_not_done_with_the_same_key(flaky: tuple[str, list[str]]) -> None:
    url, keys = flaky
    with Client(url, "token") as client, pytest.raises(ProblemError) as refused:
        client.post("/api/v1/plans/1/book/")
    assert refused.value.code == "place_taken"
    assert len(keys) == 2
    assert len(set(keys)) == 1
