"""The main job, end to end: the demo clinic's sixty prescriptions, planned and booked over HTTP, every must kept."""

import copy
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from courses.demo.bookings import book_prescriptions, waiting_prescriptions
from courses.demo.client import Client
from courses.demo.clinics import FILES, open_demo_clinic
from courses.demo.messages import count_mails, patients_to_call
from courses.demo.outcomes import totals
from courses.demo.tables import outcome_table
from courses.management.commands.demo import write_outcome
from notifications.models import Message
from tests.demo import musts

EXPECTED = Path(__file__).parent.parent / "importing" / "data" / "demo_expected.csv"


@pytest.mark.slow
def test_the_demo_books_what_can_be_booked_and_keeps_every_must(live_server: LiveServer, tmp_path: Path) -> None:
    clinic, staff, first_day = open_demo_clinic()
    assert first_day == dt.date(2026, 11, 30)
    waiting = waiting_prescriptions(clinic)
    with Client(live_server.url, staff.token) as client:
        outcomes = book_prescriptions(client=client, clinic=clinic, waiting=waiting, not_before=first_day)
        refused = {outcome.prescription for outcome in outcomes if not outcome.booked}
        unbooked = [one.programme for one in waiting if one.prescription in refused]
        _check_that_concessions_open(unbooked, client, first_day)

    sums = totals(outcomes)
    path = tmp_path / "outcome.json"
    write_outcome(path, outcomes, sums)
    document = json.loads(path.read_text())
    assert musts.unlike_expected(EXPECTED, document) == []
    assert musts.broken_musts(FILES, document) == []
    assert (sums["booked"], sums["not_booked"]) == (55, 5)

    impossible = [entry for entry in document["prescriptions"] if not entry["booked"]]
    assert all(entry["concession"] and not entry["sessions"] for entry in impossible)
    assert "RX043" in "\n".join(outcome_table(outcomes))
    _check_that_the_checker_can_fail(document)

    # Nobody is told twice or not at all: each booked patient has mails, or is on the list of those to call.
    mails, calls = count_mails(clinic), patients_to_call(clinic)
    assert mails.waiting > 0
    told = set(Message.objects.filter(clinic=clinic).values_list("patient_id", flat=True))
    assert {call.patient.pk for call in calls} <= told
    assert all(not (call.patient.email and call.patient.consent_email) for call in calls)


def _check_that_concessions_open(programmes: list[int], client: Client, first_day: dt.date) -> None:
    for programme in programmes:
        asked = {"programme": programme, "not_before": first_day.isoformat()}
        [concession, *_] = client.post("/api/v1/plans/", asked)["concessions"]
        assert client.post("/api/v1/plans/", asked | {"wishes": concession["wishes"]})["status"] == "proposed"


def _check_that_the_checker_can_fail(document: dict[str, Any]) -> None:
    """Each must, broken on purpose in an outcome that keeps all of them, is found."""

    def found_after(change: Any) -> str:
        broken = copy.deepcopy(document)
        change({entry["prescription"]: entry for entry in broken["prescriptions"]})
        return "\n".join(musts.broken_musts(FILES, broken))

    def shift(session: dict[str, Any], **by: int) -> None:
        for side in ("start", "end"):
            moved = dt.datetime.fromisoformat(session[side]) + dt.timedelta(**by)
            session[side] = moved.isoformat(timespec="minutes")

    some = next(e for e in document["prescriptions"] if e["booked"] and not e["sessions"][0]["class"])["prescription"]
    assert "sessions" in found_after(lambda all_: all_[some]["sessions"].pop())
    assert "opening days" in found_after(lambda all_: shift(all_[some]["sessions"][-1], weeks=6))
    assert "does not work then" in found_after(lambda all_: shift(all_[some]["sessions"][0], hours=12))
    assert "off the grid" in found_after(lambda all_: shift(all_[some]["sessions"][0], minutes=1))
    assert "not qualified" in found_after(lambda all_: all_[some]["sessions"][0].update(therapist="D01"))
    assert "room" in found_after(lambda all_: all_[some]["sessions"][0].update(room="R09"))
    classes = (e for e in document["prescriptions"] if e["booked"] and all(s["class"] for s in e["sessions"]))
    group = next(classes)["prescription"]
    assert "not consecutive" in found_after(lambda all_: all_[group]["sessions"].pop(1))
    twice = copy.deepcopy(document)
    twice["prescriptions"] += [e for e in twice["prescriptions"] if e["prescription"] == some]
    assert "two places" in "\n".join(musts.broken_musts(FILES, twice))
