"""The board's views, filters, refresh and moves as the server answers them, without a script."""

import re

import pytest
from django.test import Client

from clinic.permissions import Role
from courses.models import Session
from courses.pages.board_tray import MOST_PARKED
from tests import factories as f
from tests.pages.conftest import Scene

DAY = f"/board/?d={f.MONDAY}"
REFRESH = {"HX-Request": "true"}


@pytest.fixture
def client(scene: Scene) -> Client:
    return scene.client("reception")


def _text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def _digest(text: str) -> str:
    found = re.search(r'data-digest="(\w+)"', text)
    assert found
    return found[1]


def test_a_week_has_a_column_for_each_day_of_one_resource(client: Client, scene: Scene) -> None:
    therapist = scene.session.appointment.reservations.get(resource__kind="therapist").resource_id  # type: ignore[union-attr]
    later = f.booked_session(clinic=scene.clinic, starts_at=f.at("10:00", day=2), therapist=_therapist(therapist))
    elsewhere = f.booked_session(clinic=scene.clinic, starts_at=f.at("10:00", day=2))
    text = _text(client, f"{DAY}&view=week&ids={therapist}")
    assert re.findall(r'id="c-d([\d-]+)"', text) == [f"2031-03-{n:02}" for n in range(3, 10)]
    assert f'id="s{scene.session.pk}"' in text
    assert f'id="s{later.pk}"' in text
    assert f'id="s{elsewhere.pk}"' not in text


def _therapist(pk: int) -> object:
    from clinic.models import Therapist

    return Therapist.objects.get(pk=pk)


def test_a_month_shows_the_booked_share_of_the_working_time(client: Client, scene: Scene) -> None:
    text = _text(client, f"{DAY}&view=month")
    # Half an hour of the shift's eight hours less the break's half: 7 %.
    assert re.search(r"Anna P\., Mon 3 Mar: \d+ %", text)
    assert re.search(r"Anna P\., Tue 4 Mar: 0 %", text)


def test_filters_choose_columns_and_cards_and_stay_in_links(client: Client, scene: Scene) -> None:
    therapist = scene.session.appointment.reservations.get(resource__kind="therapist").resource_id  # type: ignore[union-attr]
    text = _text(client, f"{DAY}&ids={therapist}&status=confirmed")
    assert re.findall(r'id="c-(\w+)"', text) == [f"t{therapist}"]
    assert f'id="s{scene.session.pk}"' not in text
    assert f"ids={therapist}&amp;status=confirmed" in text
    assert f'id="s{scene.session.pk}"' in _text(client, f"{DAY}&ids={therapist}&status=booked,confirmed")
    assert 'class="board z8 compact"' in _text(client, f"{DAY}&density=compact&zoom=8")


@pytest.mark.parametrize("query", ["ids=x,-1,99999999999&status=zzz&zoom=abc&density=1&view=9&by=me", "ids=999999"])
def test_what_an_address_says_wrong_is_ignored(client: Client, scene: Scene, query: str) -> None:
    assert client.get(f"{DAY}&{query}").status_code == 200
    assert client.get(f"{DAY}&view=week&{query}").status_code == 200


def test_a_name_is_looked_for_by_post(client: Client, scene: Scene) -> None:
    found = client.post(DAY, {"q": "ivan massage"}).content.decode()
    assert f'id="s{scene.session.pk}"' in found
    assert "Back school" not in found
    assert "No sessions on this day" in client.post(DAY, {"q": "nobody"}).content.decode()


def test_a_hold_says_whose_it_is(client: Client, scene: Scene) -> None:
    olga = f.user_with_role(Role.RECEPTION, scene.clinic)
    olga.first_name, olga.last_name = "Olga", "Wozniak"
    olga.save()
    held = f.booked_session(status="held", held_until=f.at("09:20"), starts_at=f.at("15:00"), clinic=scene.clinic)
    held.plan = f.PlanFactory(clinic=scene.clinic, patient=held.course.patient, created_by=olga)
    held.save()
    assert "Held by Olga Wozniak" in _text(client, DAY)


def test_the_places_of_a_room_are_numbered_lanes(client: Client, scene: Scene) -> None:
    text = _text(client, f"{DAY}&by=room")
    assert '<span class="lanes w4" aria-hidden="true"><i>1</i><i>2</i><i>3</i><i>4</i></span>' in text


def test_a_refresh_brings_only_what_changed(client: Client, scene: Scene) -> None:
    other = f.booked_session(clinic=scene.clinic, starts_at=f.at("14:00"))
    digest = _digest(_text(client, DAY))
    Session.objects.filter(pk=other.pk).update(status="confirmed")
    answer = client.get(f"{DAY}&seen={digest}", headers=REFRESH)
    text = answer.content.decode()
    assert re.findall(r'<li id="p-s(\d+)"', text) == [str(other.pk)]
    assert "<section" not in text
    assert _digest(text) != digest
    assert client.get(f"{DAY}&seen={_digest(text)}", headers=REFRESH).status_code == 204
    Session.objects.filter(pk=other.pk).update(status="entered_in_error")
    gone = client.get(f"{DAY}&seen={_digest(text)}", headers=REFRESH).content.decode()
    assert f'data-gone="s{other.pk}"' in gone or 'id="board-columns"' in gone


def test_a_digest_that_is_not_known_any_more_brings_the_whole_board(client: Client, scene: Scene) -> None:
    text = client.get(f"{DAY}&seen=0123456789abcdef", headers=REFRESH).content.decode()
    assert 'id="board-columns"' in text
    assert f'id="s{scene.session.pk}"' in text


def test_a_move_and_its_way_back_work_without_a_script(client: Client, scene: Scene) -> None:
    url = f"/sessions/{scene.session.pk}/drop/"
    version = Session.objects.get(pk=scene.session.pk).version
    sent = {"date": f.MONDAY.isoformat(), "time": "13:00", "version": version, "back": f"{DAY}&by=room"}
    answer = client.post(url, sent)
    assert (answer.status_code, answer["Location"]) == (302, f"{DAY}&by=room")
    assert "Moved to Mon 3 Mar, 13:00" in _text(client, DAY)
    assert _time(scene.session) == "13:00"
    assert client.post("/board/undo/", {"back": DAY}).status_code == 302
    assert _time(scene.session) == "11:00"
    assert client.post("/board/undo/").status_code == 409


def _time(session: Session) -> str:
    fresh = Session.objects.select_related("appointment").get(pk=session.pk)
    assert fresh.appointment is not None
    return f"{fresh.appointment.starts_at.astimezone(fresh.course.clinic.tz):%H:%M}"


def test_a_stale_drop_changes_nothing_and_says_so(client: Client, scene: Scene) -> None:
    sent = {"date": f.MONDAY.isoformat(), "time": "13:00", "version": 999}
    answer = client.post(f"/sessions/{scene.session.pk}/drop/", sent)
    assert answer.status_code == 409
    assert "See what changed" in answer.content.decode()
    assert _time(scene.session) == "11:00"


@pytest.mark.parametrize("back", ["https://evil.example/board/", "//evil.example/board/", "/mails/", ""])
def test_nobody_is_sent_elsewhere_after_a_move(client: Client, scene: Scene, back: str) -> None:
    sent = {"date": f.MONDAY.isoformat(), "time": "13:00", "back": back}
    assert client.post(f"/sessions/{scene.session.pk}/drop/", sent)["Location"] == "/board/"


def test_the_tray_holds_eight_and_lets_go(client: Client, scene: Scene) -> None:
    sessions = [f.booked_session(clinic=scene.clinic, starts_at=f.at(f"{10 + n}:00", day=1)) for n in range(9)]
    for session in sessions[:MOST_PARKED]:
        assert client.post(f"/sessions/{session.pk}/park/", {"back": DAY}).status_code == 302
    assert client.post(f"/sessions/{sessions[8].pk}/park/").status_code == 409
    assert len(re.findall("data-parked", _text(client, DAY))) == MOST_PARKED
    client.post(f"/sessions/{sessions[0].pk}/unpark/")
    Session.objects.filter(pk=sessions[1].pk).update(status="arrived")
    assert len(re.findall("data-parked", _text(client, DAY))) == MOST_PARKED - 2


def test_who_may_not_book_moves_nothing(scene: Scene) -> None:
    client = scene.client("therapist")
    for url in (f"/sessions/{scene.session.pk}/drop/", f"/sessions/{scene.session.pk}/park/", "/board/undo/"):
        assert client.post(url).status_code == 403, url
    assert client.get(f"/sessions/{scene.session.pk}/places/").status_code == 403
    assert "undo-form" not in _text(client, DAY)


def test_the_free_places_are_those_of_the_board_that_asks(client: Client, scene: Scene) -> None:
    therapist = scene.session.appointment.reservations.get(resource__kind="therapist").resource_id  # type: ignore[union-attr]
    url = f"/sessions/{scene.session.pk}/places/?d={f.MONDAY}"
    day = client.get(url).json()
    assert list(day["columns"]) == [f"t{therapist}"]
    assert 13 * 12 in day["columns"][f"t{therapist}"]
    assert 12 * 12 not in day["columns"][f"t{therapist}"]  # the break
    rooms = client.get(f"{url}&by=room").json()["columns"]
    assert all(key.startswith("r") for key in rooms)
    week = client.get(f"{url}&view=week&ids={therapist}").json()["columns"]
    assert {"d2031-03-03", "d2031-03-04"} <= set(week)
    assert client.get(f"/sessions/{scene.session.pk}/places/?d=2199-01-01").json()["columns"] == {}


def test_a_page_says_how_long_it_took_and_signing_in_does_not(client: Client, scene: Scene) -> None:
    assert re.fullmatch(r"app;dur=\d+\.\d", client.get(DAY)["Server-Timing"])
    assert "Server-Timing" not in Client().get("/sign-in/")
