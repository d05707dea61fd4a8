"""The call list: whom to call about what, and that each press answers exactly what was shown."""

import datetime as dt
import re

import pytest
from django.test import Client

from clinic.models import Patient
from notifications.models import Message
from notifications.outbox import announce_visits
from notifications.snapshots import VisitSnapshot
from tests import factories as f
from tests.pages.conftest import NOW, Scene, visit_snapshot


@pytest.fixture
def client(scene: Scene) -> Client:
    return scene.client("reception")


def _announce(scene: Scene, patient: Patient, *visits: VisitSnapshot) -> None:
    announce_visits(clinic=scene.clinic, patient=patient, visits=visits, now=NOW - dt.timedelta(hours=1))


def _text(client: Client, day: int | None = None) -> str:
    answer = client.get("/calls/", {} if day is None else {"d": str(f.MONDAY + dt.timedelta(days=day))})
    assert answer.status_code == 200
    return answer.content.decode()


def _keys(text: str) -> str:
    found = re.search(r'name="calls" value="([\d,]+)"', text)
    assert found
    return found[1]


def test_who_has_no_mail_is_called_about_the_visit(client: Client, scene: Scene) -> None:
    text = _text(client)
    assert "1 call<" in text
    assert "Vera Zorin" in text
    assert "Mon 3 Mar, 15:00–15:30" in text
    assert '<a class="nums" href="tel:+48' in text
    assert "Massage" not in text


def test_a_call_that_reached_the_patient_leaves_the_list(client: Client, scene: Scene) -> None:
    answer = client.post("/calls/reached/", {"calls": _keys(_text(client))}, follow=True)
    assert "Nobody to call." in answer.content.decode()
    assert "the patient was told" in answer.content.decode()
    told = Message.objects.get(channel="call", outcome="reached")
    assert (told.status, told.handled_by) == ("sent", scene.users["reception"])


def test_a_confirmed_call_says_so(client: Client, scene: Scene) -> None:
    client.post("/calls/confirmed/", {"calls": _keys(_text(client))})
    assert Message.objects.filter(channel="call", outcome="confirmed").count() == 1


def test_nobody_answered_keeps_the_call_with_one_more_attempt(client: Client, scene: Scene) -> None:
    keys = _keys(_text(client))
    answer = client.post("/calls/not-reached/", {"calls": keys}, follow=True).content.decode()
    assert '<td class="nums" data-label="Attempts">1</td>' in answer
    assert _keys(answer) == keys


def test_a_press_on_what_was_answered_meanwhile_is_refused(client: Client, scene: Scene) -> None:
    keys = _keys(_text(client))
    client.post("/calls/reached/", {"calls": keys})
    again = client.post("/calls/reached/", {"calls": keys})
    assert again.status_code == 409
    assert "not open any more" in again.content.decode()


@pytest.mark.parametrize("keys", ["", "x", "999999", "99999999999999999999"])
def test_calls_that_are_none_are_not_found(client: Client, scene: Scene, keys: str) -> None:
    assert client.post("/calls/reached/", {"calls": keys}).status_code == 404


def test_calls_of_another_clinic_are_not_found(client: Client, scene: Scene) -> None:
    keys = _keys(_text(client))
    assert scene.client("stranger").post("/calls/reached/", {"calls": keys}).status_code == 404
    assert Message.objects.filter(channel="call", status="pending").exists()


def test_later_days_are_behind_a_link(client: Client, scene: Scene) -> None:
    patient = f.PatientFactory(full_name="Late Caller", email="")
    far = visit_snapshot(scene.clinic, f.at("10:00", day=9))
    _announce(scene, patient, far)
    first = Message.objects.get(patient=patient, kind="invitation")
    Message.objects.filter(pk=first.pk).update(status="sent", outcome="reached", sent_at=NOW)
    assert "Late Caller" not in _text(client)
    assert f'href="/calls/?d={f.MONDAY + dt.timedelta(days=1)}"' in _text(client)
    text = _text(client, day=9)
    assert "Late Caller" in text
    assert ">reminder<" in text


def test_a_visit_that_was_called_off_is_marked(client: Client, scene: Scene) -> None:
    client.post("/calls/reached/", {"calls": _keys(_text(client))})
    told = Message.objects.get(channel="call", outcome="reached")
    [visit] = told.visits()
    cancelled = VisitSnapshot.from_json(visit.to_json() | {"cancelled": True, "sequence": 1})
    _announce(scene, told.patient, cancelled)
    assert '<span class="badge bad">cancelled</span>' in _text(client)


def test_reception_finds_the_list_and_specialists_do_not(scene: Scene) -> None:
    assert scene.client("reception").get("/").content.decode().count('href="/calls/"') == 2
    assert 'href="/calls/"' not in scene.client("therapist").get("/").content.decode()
