"""Recording an absence, and what it leaves to be placed elsewhere."""

import datetime as dt

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clinic.models import Absence, Therapist
from tests import factories as f
from tests.pages.conftest import Scene


@pytest.fixture
def client(scene: Scene) -> Client:
    return scene.client("reception")


@pytest.fixture
def anna(scene: Scene) -> Therapist:
    return Therapist.objects.get(short_name="Anna P.")


def _record(client: Client, therapist: Therapist, **fields: str) -> Absence:
    data = {"kind": "sick", "from_date": "2031-03-03", **fields}
    answer = client.post(f"/therapists/{therapist.pk}/absences/new/", data)
    assert answer.status_code == 302, answer.content.decode()
    absence = Absence.objects.latest("pk")
    assert answer["Location"] == f"/absences/{absence.pk}/"
    return absence


def _text(client: Client, absence: Absence) -> str:
    return client.get(f"/absences/{absence.pk}/").content.decode()


def test_the_board_leads_there_and_the_day_comes_along(client: Client, scene: Scene, anna: Therapist) -> None:
    address = f"/therapists/{anna.pk}/absences/new/?d={f.MONDAY}"
    assert f'href="{address}"' in client.get(f"/board/?d={f.MONDAY}").content.decode()
    assert f'value="{f.MONDAY}"' in client.get(address).content.decode()
    assert "absences/new" not in scene.client("therapist").get(f"/board/?d={f.MONDAY}").content.decode()


@pytest.mark.parametrize(
    ("fields", "start", "end"),
    [
        ({}, f.at("00:00"), None),
        ({"from_time": "10:00"}, f.at("10:00"), None),
        ({"until_date": "2031-03-04"}, f.at("00:00"), f.at("00:00", day=2)),
        ({"from_time": "10:00", "until_date": "2031-03-03", "until_time": "14:00"}, f.at("10:00"), f.at("14:00")),
    ],
)
def test_the_period_is_of_the_clinics_clock(
    client: Client, anna: Therapist, fields: dict[str, str], start: dt.datetime, end: dt.datetime | None
) -> None:
    absence = _record(client, anna, **fields)
    assert (absence.starts_at, absence.ends_at) == (start, end)


def test_what_it_covers_is_listed_the_nearest_first(client: Client, scene: Scene, anna: Therapist) -> None:
    far = f.booked_session(scene.session.course, starts_at=f.at("11:00", day=3), therapist=anna)
    absence = _record(client, anna)
    text = _text(client, absence)
    assert text.index("Within 4 hours") < text.index(f"/sessions/{scene.session.pk}/move/")
    assert text.index(">Later") < text.index(f"/sessions/{far.pk}/move/")
    assert "2 sessions to re-place." in text
    assert "1/3" in text
    assert str(scene.patient.phones.get().number.as_international) in text
    assert "until further notice" in text


def test_what_was_moved_is_not_listed_any_more(client: Client, scene: Scene, anna: Therapist) -> None:
    absence = _record(client, anna, until_date="2031-03-03")
    data = {"date": "2031-03-04", "time": "12:30", "version": str(scene.session.version)}
    assert client.post(f"/sessions/{scene.session.pk}/move/", data).status_code == 302
    assert "Nothing affected." in _text(client, absence)


def test_a_free_specialist_leaves_nothing(client: Client, scene: Scene) -> None:
    absence = _record(client, Therapist.objects.get(short_name="Boris K."))
    assert "Nothing affected." in _text(client, absence)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"until_date": "2031-03-02"}, "The end must be after the start."),
        ({"from_date": ""}, "This field is required"),
        ({"until_time": "10:00"}, "Give the day as well."),
        ({"until_date": "9999-12-31"}, "Give a date between 2000 and 2199."),
        ({"kind": "holiday"}, "Select a valid choice"),
        ({"note": "\0"}, "Null characters are not allowed."),
    ],
)
def test_wrong_entries_are_named(client: Client, anna: Therapist, fields: dict[str, str], sentence: str) -> None:
    data = {"kind": "sick", "from_date": "2031-03-03", **fields}
    before = Absence.objects.count()
    answer = client.post(f"/therapists/{anna.pk}/absences/new/", data)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert Absence.objects.count() == before


def test_absences_and_specialists_of_other_clinics_do_not_exist(scene: Scene, client: Client, anna: Therapist) -> None:
    absence = _record(client, anna)
    stranger = scene.client("stranger")
    assert stranger.get(f"/absences/{absence.pk}/").status_code == 404
    assert stranger.get(f"/therapists/{anna.pk}/absences/new/").status_code == 404
    assert scene.client("doctor").get(f"/absences/{absence.pk}/").status_code == 403


def test_a_long_list_takes_no_more_statements(client: Client, scene: Scene, anna: Therapist) -> None:
    few = _record(client, anna)
    busy = f.TherapistFactory()
    f.ShiftFactory(therapist=busy, clinic=scene.clinic)
    for day in range(9):
        f.booked_session(clinic=scene.clinic, starts_at=f.at("10:00", day=day), therapist=busy)
    many = _record(client, busy)
    counts = []
    for absence, words in ((few, "1 session to re-place."), (many, "9 sessions to re-place.")):
        _text(client, absence)
        with CaptureQueriesContext(connection) as queries:
            assert words in _text(client, absence)
        counts.append(len(queries))
    assert counts[0] == counts[1]
