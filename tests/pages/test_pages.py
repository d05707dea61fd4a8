"""What the pages say, in both languages; that looking changes nothing; and that long lists cost no more statements."""

import datetime as dt
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clinic.searching import refresh_search_text
from courses.models import Session
from notifications.outbox import announce_visits
from tests import factories as f
from tests.pages.conftest import FOR_MANAGERS, NOW, Scene, visit_snapshot

_WRITES = re.compile(r"^\s*(INSERT|UPDATE|DELETE)", re.IGNORECASE)


def _text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return answer.content.decode()


def test_looking_at_any_page_twice_writes_nothing(scene: Scene) -> None:
    client = scene.client("reception")
    client.get("/")
    for name, url in scene.addresses().items():
        for _time in range(2):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                client.get(url)
            written = [q["sql"] for q in queries if _WRITES.match(q["sql"])]
            assert not written, (name, written)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_page_speaks_the_users_language_and_carries_no_inline_code(scene: Scene, language: str) -> None:
    clients = {who: scene.client(who) for who in ("doctor", "manager")}
    for client in clients.values():
        client.post("/language/", {"language": language, "next": "/"})
    for name, url in scene.addresses().items():
        client = clients["manager" if name in FOR_MANAGERS or name.startswith(("own ", "manage ")) else "doctor"]
        text = _text(client, url)
        assert f'<html lang="{language}">' in text or scene.is_on_paper(name), name
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)", text), name
        assert text.count("<h1") == 1, name


def test_the_choice_of_language_is_kept_with_the_user(scene: Scene) -> None:
    user = scene.users["reception"]
    scene.client("reception").post("/language/", {"language": "ru", "next": "/board/"})
    user.refresh_from_db()
    assert user.language == "ru"
    assert '<html lang="ru">' in _text(scene.client("reception"), "/")


def test_a_foreign_address_is_no_way_back_from_the_language_switch(scene: Scene) -> None:
    answer = scene.client("reception").post("/language/", {"language": "ru", "next": "https://evil.example/"})
    assert answer["Location"] == "/"


def test_the_desk_lists_what_waits_by_the_day_it_must_be_finished(scene: Scene) -> None:
    for number, family in ((20, "Later"), (10, "Sooner")):
        programme = f.ProgrammeFactory(clinic=scene.clinic, patient=f.PatientFactory(family_name=family))
        f.CourseFactory(
            clinic=scene.clinic,
            patient=programme.patient,
            procedure=scene.unplaced.procedure,
            programme=programme,
            sessions=True,
            finish_by=f.MONDAY + dt.timedelta(days=number),
        )
    text = _text(scene.client("reception"), "/")
    assert text.index("Jan Sooner") < text.index("Jan Later") < text.index("Jan Petrov")
    assert "not signed" in text
    assert "Ring the plumber" in text
    assert f"/visits/{scene.session.visit_id}/" in text


def test_a_card_of_the_board_says_all_it_shows(scene: Scene) -> None:
    text = _text(scene.client("reception"), f"/board/?d={f.MONDAY}")
    assert 'aria-label="Ivanova A., Massage 1 of 3, Mon 3 Mar 11:00–11:30, Anna P., Room 3, planned"' in text
    assert "Back school" in text
    assert "1/8" in text
    assert "illness" in text


def test_the_board_in_russian(scene: Scene) -> None:
    client = scene.client("reception")
    client.post("/language/", {"language": "ru"})
    text = _text(client, f"/board/?d={f.MONDAY}")
    assert "пн, 3 марта 2031" in text
    assert "Массаж 1 из 3, пн, 3 марта 11:00–11:30" in text


def test_an_unchanged_board_answers_a_refresh_with_nothing(scene: Scene) -> None:
    client = scene.client("reception")
    url = f"/board/?d={f.MONDAY}"
    digest = re.search(r'data-digest="(\w+)"', _text(client, url))
    assert digest
    refresh = f"{url}&seen={digest[1]}"
    assert client.get(refresh, headers={"HX-Request": "true"}).status_code == 204
    f.booked_session(clinic=scene.clinic, starts_at=f.at("14:00"))
    changed = client.get(refresh, headers={"HX-Request": "true"})
    assert changed.status_code == 200
    assert "14:00" in changed.content.decode()


def test_an_expired_hold_is_not_on_the_board(scene: Scene) -> None:
    kept = f.booked_session(status="held", held_until=f.at("09:20"), starts_at=f.at("15:00"), clinic=scene.clinic)
    gone = f.booked_session(status="held", held_until=f.at("09:00"), starts_at=f.at("16:00"), clinic=scene.clinic)
    text = _text(scene.client("reception"), f"/board/?d={f.MONDAY}")
    assert f'id="s{kept.pk}"' in text
    assert f'id="s{gone.pk}"' not in text


@pytest.mark.parametrize(
    "name",
    [
        "desk",
        "board",
        "board by room",
        "board as list",
        "board of a week",
        "board of a month",
        "patient",
        "patients",
        "calls",
    ],
)
def test_long_lists_take_no_more_statements(scene: Scene, name: str) -> None:
    client, url = scene.client("reception"), scene.addresses()[name]
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for number in range(12):
        session = f.booked_session(
            f.CourseFactory(patient=f.PatientFactory(), clinic=scene.clinic, procedure=scene.unplaced.procedure),
            starts_at=f.at(f"{8 + number:02}:00"),
            room=f.RoomFactory(clinic=scene.clinic),
        )
        f.booked_session(
            f.CourseFactory(patient=scene.patient, clinic=scene.clinic, procedure=scene.unplaced.procedure),
            starts_at=f.at("09:00", day=number + 1),
        )
        f.CourseFactory(patient=session.course.patient, clinic=scene.clinic, sessions=True)
        f.TaskFactory(clinic=scene.clinic)
        announce_visits(
            clinic=scene.clinic,
            patient=f.PatientFactory(email=""),
            visits=[visit_snapshot(scene.clinic, f.at("16:00"))],
            now=NOW - dt.timedelta(hours=1),
        )
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(many) == len(few), [q["sql"][:120] for q in many]


def test_the_board_reads_its_cards_in_a_handful_of_statements(scene: Scene) -> None:
    client, url = scene.client("reception"), scene.addresses()["board"]
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        client.get(url)
    about_sessions = [q for q in queries if "courses_session" in q["sql"] or "clinic_reservation" in q["sql"]]
    assert len(about_sessions) <= 2
    assert len(queries) <= 16


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "2031-02-30", "x", ""])
def test_a_day_that_is_none_shows_today(scene: Scene, day: str) -> None:
    client = scene.client("reception")
    assert "Mon 3 Mar 2031" in _text(client, f"/board/?d={day}")
    assert client.get(f"/sessions/{scene.session.pk}/move/?from={day}").status_code == 200


def test_names_of_patients_never_stand_in_an_address(scene: Scene) -> None:
    refresh_search_text(scene.patient)
    client = scene.client("reception")
    answer = client.post("/patients/", {"q": "ivanova"})
    assert answer.status_code == 200
    assert "Anna Ivanova" in answer.content.decode()
    assert 'method="post"' in _text(client, "/patients/")


def test_no_patient_found_says_what_to_do(scene: Scene) -> None:
    text = scene.client("reception").post("/patients/", {"q": "zzzzqqqq"}).content.decode()
    assert "No patient found. Check number or add new." in text
    assert "/patients/new/" in text


def test_a_session_offers_only_what_may_follow(scene: Scene) -> None:
    url = f"/sessions/{scene.session.pk}/"
    text = _text(scene.client("doctor"), url)
    assert "/arrive/" in text
    assert "/cancel/" in text
    Session.objects.filter(pk=scene.session.pk).update(status="completed")
    text = _text(scene.client("doctor"), url)
    assert "/arrive/" not in text
    assert "/cancel/" not in text


def test_the_diagnosis_is_for_those_who_treat(scene: Scene) -> None:
    url = f"/prescriptions/{scene.referral.pk}/"
    assert "M54.5" in _text(scene.client("doctor"), url)
    assert "M54.5" not in _text(scene.client("reception"), url)


def test_the_mails_page_is_only_where_there_is_a_sink(scene: Scene, settings: object, tmp_path: object) -> None:
    client = scene.client("reception")
    settings.MAIL_SINK_DIRECTORY = ""  # type: ignore[attr-defined]
    assert client.get("/mails/").status_code == 404
    settings.MAIL_SINK_DIRECTORY = str(tmp_path)  # type: ignore[attr-defined]
    assert "No mail yet" in _text(client, "/mails/")
