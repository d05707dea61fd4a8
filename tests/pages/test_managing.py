"""What the manager's forms do: save, name what is wrong, show what someone else changed, list what is left outside."""

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clinic.models import CalendarDay, Closure, Equipment, Outage, Resource, Room, Shift, Therapist, User
from clinic.permissions import Role
from courses.models import Procedure, Qualification, Session
from tests import factories as f
from tests.pages.conftest import Scene

STAFF = {"full_name": "Olga Nowak", "short_name": "Olga N.", "capacity": "2", "languages": "pl, en"}
HOURS = {
    "rhythm": "weekly",
    "weekdays": ["1", "3"],
    "start_time": "08:00",
    "end_time": "14:00",
    "from_date": "2031-03-03",
}


@pytest.fixture
def client(scene: Scene) -> Client:
    return scene.client("manager")


@pytest.fixture
def anna(scene: Scene) -> Therapist:
    return Therapist.objects.get(short_name="Anna P.")


def _text(answer: Any) -> str:
    return str(answer.content.decode())


def _kept(answer: Any) -> dict[str, Any]:
    """The hidden fields of a page that asks again."""
    form = _text(answer).split('<div class="actions">')[1]
    kept: dict[str, Any] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form):
        kept.setdefault(name, []).append(value)
    return kept


def _seen(client: Client, address: str) -> str:
    found = re.search(r'name="seen" value="([^"]*)"', _text(client.get(address)))
    assert found
    return found[1]


def _rows(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


# --- Staff -----------------------------------------------------------------------------------------------------------


def test_someone_new_is_added_and_found(client: Client) -> None:
    answer = client.post("/manage/staff/new/", STAFF)
    made = Therapist.objects.get(full_name="Olga Nowak")
    assert answer["Location"] == f"/manage/staff/{made.pk}/"
    assert (made.languages, made.resource.capacity) == (["pl", "en"], 2)
    assert "Olga Nowak" in _text(client.get("/manage/"))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"full_name": ""}, "This field is required"),
        ({"languages": "English"}, "Write languages as two letters"),
        ({"capacity": "0"}, "greater than or equal to 1"),
        ({"email": "nobody"}, "valid email"),
    ],
)
def test_wrong_entries_stay_and_are_named(client: Client, fields: dict[str, str], sentence: str) -> None:
    answer = client.post("/manage/staff/new/", STAFF | fields)
    assert answer.status_code == 422
    assert sentence in _text(answer)
    assert 'value="Olga N."' in _text(answer)


def test_two_managers_at_one_card(scene: Scene, client: Client, anna: Therapist) -> None:
    address = f"/manage/staff/{anna.pk}/edit/"
    seen = _seen(client, address)
    other = f.user_with_role(Role.MANAGER, scene.clinic, first_name="Marta", last_name="Zima")
    colleague = Client()
    colleague.force_login(other)
    fields = STAFF | {"full_name": anna.full_name, "short_name": "Anna P.", "capacity": "1"}
    assert colleague.post(address, fields | {"title": "Masseuse", "seen": seen}).status_code == 302
    answer = client.post(address, fields | {"title": "Nurse", "seen": seen})
    assert answer.status_code == 409
    assert re.search(r"Marta Zima changed this at \d\d:\d\d\. Check, then repeat\.", _text(answer))
    assert "Masseuse" in _text(answer)
    assert "Nurse" in _text(answer)
    assert "Keep what is there" in _text(answer)
    assert client.post(address, _kept(answer)).status_code == 302
    anna.refresh_from_db()
    assert anna.title == "Nurse"


def test_who_is_let_go_leaves_sessions_that_are_listed(scene: Scene, client: Client, anna: Therapist) -> None:
    address = f"/manage/staff/{anna.pk}/deactivate/"
    answer = client.post(address)
    assert answer.status_code == 409
    assert f"/sessions/{scene.session.pk}/" in _text(answer)
    assert "Save, and mark 1 session to re-place" in _text(answer)
    assert client.post(address, _kept(answer)).status_code == 302
    assert Session.objects.get(pk=scene.session.pk).to_replace
    assert Therapist.objects.get(pk=anna.pk).is_active is False
    assert "Anna P." not in _text(client.get("/manage/"))
    assert anna.full_name in _text(client.get("/manage/?all=1"))
    client.post(f"/manage/staff/{anna.pk}/activate/")
    assert Therapist.objects.get(pk=anna.pk).is_active


def test_skills_come_and_run_out(scene: Scene, client: Client, anna: Therapist) -> None:
    other = f.ProcedureFactory(clinic=scene.clinic, code="LASER", name_en="Laser")
    address = f"/manage/staff/{anna.pk}/skills/new/"
    assert client.post(address, {"procedure": other.pk, "valid_until": "2031-03-20"}).status_code == 302
    assert "Qualifications that run out" in _text(client.get("/manage/"))
    row = Qualification.objects.get(procedure=other)
    wrong = client.post(f"/manage/skills/{row.pk}/", {"valid_from": "2031-04-01", "valid_until": "2031-03-01"})
    assert wrong.status_code == 422
    massage = Qualification.objects.get(procedure=scene.session.course.procedure)
    withdrawn = client.post(f"/manage/skills/{massage.pk}/withdraw/")
    assert withdrawn.status_code == 409
    assert Qualification.objects.filter(pk=massage.pk).exists()
    assert client.post(f"/manage/skills/{row.pk}/withdraw/").status_code == 302
    assert not Qualification.objects.filter(pk=row.pk).exists()


# --- Hours -----------------------------------------------------------------------------------------------------------


def test_hours_are_chosen_and_told_in_words(client: Client, anna: Therapist) -> None:
    answer = client.post(f"/manage/staff/{anna.pk}/shifts/new/", HOURS | {"rhythm": "even"})
    assert answer.status_code == 302, _text(answer)
    shift = Shift.objects.filter(therapist=anna).latest("pk")
    assert shift.rrule == "FREQ=MONTHLY;BYDAY=MO,WE;BYMONTHDAY=2,4,6,8,10,12,14,16,18,20,22,24,26,28,30"
    page = _text(client.get(f"/manage/staff/{anna.pk}/"))
    assert "Mon, Wed (even dates) 08:00–14:00" in page
    assert "FREQ=" not in page


def test_shorter_hours_list_what_is_outside_and_keep_the_form(scene: Scene, client: Client, anna: Therapist) -> None:
    shift = Shift.objects.get(therapist=anna)
    address = f"/manage/shifts/{shift.pk}/"
    fields = HOURS | {
        "weekdays": ["1", "2", "3"],
        "end_time": "11:00",
        "start_time": "08:00",
        "ends_on": "",
        "name": "",
    }
    answer = client.post(address, fields | {"seen": _seen(client, address)})
    assert answer.status_code == 409
    assert f"/sessions/{scene.session.pk}/" in _text(answer)
    assert _kept(answer)["weekdays"] == ["1", "2", "3"]
    assert client.post(address, _kept(answer)).status_code == 302
    assert Session.objects.get(pk=scene.session.pk).to_replace


def test_a_rule_of_others_stays_unless_another_is_chosen(client: Client, anna: Therapist) -> None:
    shift = f.ShiftFactory(therapist=anna, clinic=f.ClinicFactory(), rrule="FREQ=MONTHLY;BYDAY=1SU")
    address = f"/manage/shifts/{shift.pk}/"
    assert "as imported" in _text(client.get(address))
    fields = HOURS | {"rhythm": "other", "weekdays": [], "from_date": shift.starts_on.isoformat()}
    assert client.post(address, fields).status_code == 302
    shift.refresh_from_db()
    assert (shift.rrule, shift.start_time) == ("FREQ=MONTHLY;BYDAY=1SU", dt.time(8))


def test_hours_end(client: Client, anna: Therapist) -> None:
    shift = Shift.objects.get(therapist=anna)
    assert client.post(f"/manage/shifts/{shift.pk}/end/", {"last_day": "2031-06-30"}).status_code == 302
    shift.refresh_from_db()
    assert shift.ends_on == dt.date(2031, 6, 30)


def test_the_roster_shows_a_month(client: Client, anna: Therapist) -> None:
    page = _text(client.get(f"/manage/roster/?d={f.MONDAY}"))
    assert page.count(f'id="t{anna.pk}-') == 31
    assert "Anna P., Mon 3 Mar, 08:00–12:00, 12:30–20:00" in page
    assert "Boris K., Tue 4 Mar, 08:00–20:00, illness" in page
    assert "Anna P., Sun 23 Mar, free, closed" in page


def test_a_day_of_the_roster_is_changed(scene: Scene, client: Client, anna: Therapist) -> None:
    address = f"/manage/roster/{anna.pk}/2031-03-04/"
    fields = {"works": "on", "start_time": "10:00", "end_time": "16:00", "break_from": "", "break_until": ""}
    answer = client.post(address, fields | {"seen": _seen(client, address)})
    assert answer["Location"] == f"/manage/roster/?d=2031-03-04#t{anna.pk}-4"
    assert "Anna P., Tue 4 Mar, 10:00–16:00" in _text(client.get(f"/manage/roster/?d={f.MONDAY}"))
    stale = client.post(address, fields | {"start_time": "11:00", "seen": "08:00-20:00"})
    assert stale.status_code == 409
    assert client.post(address, _kept(stale)).status_code == 302
    assert "Anna P., Tue 4 Mar, 11:00–16:00" in _text(client.get(f"/manage/roster/?d={f.MONDAY}"))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"works": "on"}, "Give the time."),
        ({"works": "on", "start_time": "10:00", "end_time": "09:00"}, "The end must be after the start."),
        ({"works": "on", "start_time": "09:00", "end_time": "12:00", "break_from": "10:00"}, "Give both ends"),
    ],
)
def test_wrong_hours_of_a_day(client: Client, anna: Therapist, fields: dict[str, str], sentence: str) -> None:
    answer = client.post(f"/manage/roster/{anna.pk}/2031-03-04/", fields)
    assert answer.status_code == 422
    assert sentence in _text(answer)


def test_a_free_day_lists_its_sessions(scene: Scene, client: Client, anna: Therapist) -> None:
    answer = client.post(f"/manage/roster/{anna.pk}/{f.MONDAY}/", {"seen": "08:00-12:00 12:30-20:00"})
    assert answer.status_code == 409
    assert f"/sessions/{scene.session.pk}/" in _text(answer)


def test_a_week_is_copied_and_the_month_published(scene: Scene, client: Client, anna: Therapist) -> None:
    client.post(f"/manage/roster/{anna.pk}/2031-03-04/", {"works": "on", "start_time": "10:00", "end_time": "16:00"})
    copy = {"copy-what": "week", "copy-source": "2031-03-04", "copy-target": "2031-03-11"}
    assert client.post("/manage/roster/copy/", copy).status_code == 302
    assert client.post("/manage/roster/publish/", {"publish-until": "2031-03-15"}).status_code == 302
    page = _text(client.get(f"/manage/roster/?d={f.MONDAY}"))
    assert "Anna P., Tue 11 Mar, 10:00–16:00" in page
    assert 'Anna P., Sat 15 Mar, 08:00–12:00, 12:30–20:00"' in page
    assert "Anna P., Mon 17 Mar, 08:00–12:00, 12:30–20:00, provisional" in page
    assert "Later days are provisional" in page
    assert client.post("/manage/roster/copy/", copy | {"copy-target": "2032-03-11"}).status_code == 422


def test_a_long_roster_takes_no_more_statements(scene: Scene, client: Client) -> None:
    address = f"/manage/roster/?d={f.MONDAY}"
    _rows(client, address)
    few = _rows(client, address)
    for _n in range(6):
        f.ShiftFactory(clinic=scene.clinic)
    assert _rows(client, address) == few


def test_a_long_list_of_staff_takes_no_more_statements(scene: Scene, client: Client) -> None:
    _rows(client, "/manage/")
    few = _rows(client, "/manage/")
    for _n in range(6):
        shift = f.ShiftFactory(clinic=scene.clinic)
        f.QualificationFactory(therapist=shift.therapist, procedure=scene.session.course.procedure)
    assert _rows(client, "/manage/") == few


# --- Places and calendar ---------------------------------------------------------------------------------------------


def test_rooms_and_devices(scene: Scene, client: Client) -> None:
    assert client.post("/manage/rooms/new/", {"name": "Pool", "room_type": "water", "capacity": "6"}).status_code == 302
    pool = Room.objects.get(name="Pool")
    device = {"name": "Jet", "equipment_type": "jet", "room": pool.pk}
    assert client.post("/manage/devices/new/", device).status_code == 302
    jet = Equipment.objects.get(name="Jet")
    moved = device | {"room": Room.objects.get(name="Room 7").pk, "is_active": "on", "inventory_number": "J-1"}
    address = f"/manage/devices/{jet.pk}/"
    assert client.post(address, moved | {"seen": _seen(client, address)}).status_code == 302
    jet.refresh_from_db()
    assert (jet.room.name, jet.inventory_number) == ("Room 7", "J-1")
    assert "Jet" in _text(client.get("/manage/rooms/"))


def test_a_room_too_small_for_what_is_booked(scene: Scene, client: Client, anna: Therapist) -> None:
    room = Room.objects.get(name="Room 3")
    for _n in range(2):
        f.booked_session(clinic=scene.clinic, starts_at=f.at("11:00"), room=room)
    address = f"/manage/rooms/{room.pk}/"
    fields = {"name": "Room 3", "room_type": "massage", "floor": "", "is_active": "on"}
    answer = client.post(address, fields | {"capacity": "2"})
    assert answer.status_code == 409
    assert "Booked sessions need more places than that" in _text(answer)
    assert "mark" not in _text(answer).split('<div class="actions">')[1]
    assert client.post(address, fields | {"capacity": "3"}).status_code == 302
    assert Resource.objects.get(pk=room.pk).capacity == 3


def test_out_of_use_and_in_use_again(scene: Scene, client: Client) -> None:
    room = Room.objects.get(name="Room 3")
    fields = {"from_date": "2031-03-03", "reason": "burst pipe"}
    assert client.post(f"/manage/places/{room.pk}/outages/new/", fields).status_code == 302
    assert Session.objects.get(pk=scene.session.pk).to_replace
    outage = Outage.objects.get(resource=room.pk)
    assert outage.ends_at is None
    assert "burst pipe" in _text(client.get("/manage/rooms/"))
    assert client.post(f"/manage/outages/{outage.pk}/end/").status_code == 302
    assert Outage.objects.get(pk=outage.pk).ends_at == f.at("09:10")
    assert scene.client("stranger").post(f"/manage/outages/{outage.pk}/end/").status_code == 404


def test_the_country_proposes_and_the_manager_decides(scene: Scene, client: Client) -> None:
    page = _text(client.get("/manage/calendar/?y=2031"))
    assert 'value="2031-11-11"' in page
    answer = client.post("/manage/calendar/proposals/", {"day": ["2031-11-11", "2031-12-25"]})
    assert answer["Location"] == "/manage/calendar/?y=2031"
    assert CalendarDay.objects.filter(clinic=scene.clinic, kind="closed", date__month__gte=11).count() == 2
    assert 'value="2031-11-11"' not in _text(client.get("/manage/calendar/?y=2031"))


def test_a_day_that_differs_and_is_plain_again(scene: Scene, client: Client) -> None:
    fields = {"date": "2031-03-03", "kind": "shortened", "closes_at": "11:00", "works_as": ""}
    answer = client.post("/manage/calendar/new/", fields)
    assert answer.status_code == 409
    assert f"/sessions/{scene.session.pk}/" in _text(answer)
    assert client.post("/manage/calendar/new/", fields | {"closes_at": "20:00"}).status_code == 302
    row = CalendarDay.objects.get(date=f.MONDAY)
    address = f"/manage/calendar/{row.pk}/"
    missing = client.post(address, {"kind": "worked_as", "works_as": ""})
    assert missing.status_code == 422
    assert client.post(address, {"kind": "worked_as", "works_as": "6", "name": "moved"}).status_code == 302
    row.refresh_from_db()
    assert (row.works_as, row.closes_at, row.name) == (6, None, "moved")
    assert client.post(f"{address}clear/").status_code == 302
    assert not CalendarDay.objects.filter(pk=row.pk).exists()


def test_the_clinic_is_shut(scene: Scene, client: Client) -> None:
    answer = client.post("/manage/closures/new/", {"from_date": "2031-03-03", "until_date": "2031-03-02"})
    assert answer.status_code == 422
    fields = {"from_date": "2031-03-03", "until_date": "2031-03-03", "reason": "no water"}
    assert client.post("/manage/closures/new/", fields).status_code == 302
    assert Session.objects.get(pk=scene.session.pk).to_replace
    closure = Closure.objects.get(reason="no water")
    assert client.post(f"/manage/closures/{closure.pk}/clear/").status_code == 302
    assert not Closure.objects.filter(pk=closure.pk).exists()


# --- Settings and accounts -------------------------------------------------------------------------------------------


def _settings(scene: Scene, **changed: Any) -> dict[str, Any]:
    scene.clinic.refresh_from_db()
    clinic = scene.clinic
    return {
        "name": clinic.name,
        "address": clinic.address,
        "phone": clinic.phone,
        "email": clinic.email,
        "language": clinic.language,
        "opening_weekdays": [1, 2, 3, 4, 5, 6],
        "book_until": clinic.book_until.isoformat() if clinic.book_until else "",
        "quiet_from": "20:00",
        "quiet_until": "08:00",
        "settle_minutes": 3,
        "reminder_offsets": "72, 24",
        "hold_minutes": 10,
        "late_cancel_hours": 24,
        "room_change_minutes": 0,
        **changed,
    }


def test_settings_are_saved(scene: Scene, client: Client) -> None:
    assert "Europe/Warsaw" in _text(client.get("/manage/clinic/"))
    fields = _settings(scene, reminder_offsets="24; 48", phone="+48 22 000 00 00", hold_minutes=15)
    assert client.post("/manage/clinic/", fields | {"seen": _seen(client, "/manage/clinic/")}).status_code == 302
    scene.clinic.refresh_from_db()
    assert (scene.clinic.reminder_offsets, scene.clinic.hold_minutes) == ([48, 24], 15)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reminder_offsets": "soon"}, "Write whole hours"),
        ({"reminder_offsets": "0"}, "At most five"),
        ({"hold_minutes": 0}, "greater than or equal to 1"),
        ({"opening_weekdays": []}, "This field is required"),
        ({"email": "desk"}, "valid email"),
    ],
)
def test_wrong_settings_are_named(scene: Scene, client: Client, fields: dict[str, Any], sentence: str) -> None:
    answer = client.post("/manage/clinic/", _settings(scene, **fields))
    assert answer.status_code == 422
    assert sentence in _text(answer)


def test_a_weekday_no_longer_open_lists_its_sessions(scene: Scene, client: Client) -> None:
    answer = client.post("/manage/clinic/", _settings(scene, opening_weekdays=[2, 3]))
    assert answer.status_code == 409
    assert f"/sessions/{scene.session.pk}/" in _text(answer)
    assert _kept(answer)["opening_weekdays"] == ["2", "3"]


def test_someone_new_chooses_a_password_behind_a_link_that_works_once(client: Client, anna: Therapist) -> None:
    fields = {"email": "Anna@Clinic.example", "first_name": "Anna", "last_name": "P", "roles": ["therapist"]}
    answer = client.post(f"/manage/accounts/new/?therapist={anna.pk}", fields)
    user = User.objects.get(email="anna@clinic.example")
    assert answer["Location"] == f"/manage/accounts/{user.pk}/"
    anna.refresh_from_db()
    assert anna.user == user
    shown = _text(client.post(f"/manage/accounts/{user.pk}/invite/"))
    found = re.search(r"http://testserver(/invitations/[^<\s]+)</code>", shown)
    assert found
    path = found[1]
    anyone = Client()
    assert "anna@clinic.example" in _text(anyone.get(path))
    weak = anyone.post(path, {"password": "short", "again": "short"})
    assert weak.status_code == 422
    assert anyone.post(path, {"password": "a b c d e f 7", "again": "a b c d e f 8"}).status_code == 422
    assert anyone.post(path, {"password": "a b c d e f 7", "again": "a b c d e f 7"})["Location"] == "/sign-in/"
    assert anyone.get(path).status_code == 404
    signed = anyone.post("/sign-in/", {"username": "anna@clinic.example", "password": "a b c d e f 7"})
    assert signed.status_code == 302


def test_links_made_up_lead_nowhere(scene: Scene) -> None:
    for path in ("/invitations/MQ/abc/", "/invitations/!!/abc/", f"/invitations/{'9' * 40}/x/"):
        assert Client().get(path).status_code == 404


def test_roles_are_set_and_the_last_manager_stays(scene: Scene, client: Client) -> None:
    desk, manager = scene.users["reception"], scene.users["manager"]
    fields = {"first_name": "Eva", "last_name": "K", "roles": ["reception", "doctor"]}
    address = f"/manage/accounts/{desk.pk}/"
    assert client.post(address, fields | {"seen": _seen(client, address)}).status_code == 302
    assert {m.role for m in desk.memberships.all()} == {"reception", "doctor"}
    last = client.post(f"/manage/accounts/{manager.pk}/", fields)
    assert last.status_code == 409
    assert "left without a manager" in _text(last)
    assert client.post(f"/manage/accounts/{manager.pk}/switch/", {"on": "0"}).status_code == 409


def test_who_is_switched_off_cannot_go_on(scene: Scene, client: Client) -> None:
    desk = scene.client("reception")
    assert client.post(f"/manage/accounts/{scene.users['reception'].pk}/switch/", {"on": "0"}).status_code == 302
    assert desk.get("/")["Location"].startswith("/sign-in/")


def test_nobody_is_taken_over_from_another_clinic(scene: Scene, client: Client) -> None:
    shared = scene.users["stranger"]
    client.post("/manage/accounts/new/", {"email": shared.email, "roles": ["doctor"]})
    assert shared.memberships.count() == 2
    assert client.post(f"/manage/accounts/{shared.pk}/invite/").status_code == 403
    assert client.post(f"/manage/accounts/{shared.pk}/switch/", {"on": "0"}).status_code == 403
    assert client.get(f"/manage/accounts/{scene.users['outsider'].pk}/").status_code == 404


# --- Catalogue -------------------------------------------------------------------------------------------------------


def _procedure(client: Client, one: Procedure, **changed: Any) -> Any:
    """The procedure's form as it is shown, with some fields changed, sent."""
    address = f"/manage/catalogue/{one.pk}/"
    names = ("name_en", "name_ru", "name_pl", "short_code", "short_code_ru", "category", "gap_unit", "note")
    fields = {name: getattr(one, name) for name in names} | {"therapist_change_cost": one.therapist_change_cost}
    for name in ("minutes", "sessions_default", "sessions_min", "sessions_max", "gap_min", "gap_max", "per_week"):
        fields[name] = "" if getattr(one, name) is None else getattr(one, name)
    fields["tags"] = ", ".join(one.tags)
    fields |= {name: "on" for name in ("is_group", "requires_referral") if getattr(one, name)}
    return client.post(address, fields | {"seen": _seen(client, address)} | changed)


def test_the_shipped_catalogue_waits_to_be_confirmed(scene: Scene, client: Client) -> None:
    assert client.post("/manage/catalogue/load/").status_code == 302
    assert "not offered yet" in _text(client.get("/manage/catalogue/"))
    one = Procedure.objects.get(clinic=scene.clinic, code="AMPLIPULSE")
    page = _text(client.get(f"/manage/catalogue/{one.pk}/"))
    assert "To be confirmed by the clinic." in page
    assert "Source: " in page
    assert "(WEAK)" in page
    refused = client.post(f"/manage/catalogue/{one.pk}/activate/")
    assert refused.status_code == 409
    assert "Enter the minutes first" in _text(refused)
    answer = _procedure(client, one, minutes=15)
    assert answer.status_code == 302, _text(answer)
    assert client.post(f"/manage/catalogue/{one.pk}/activate/").status_code == 302
    one.refresh_from_db()
    assert (one.is_active, one.sources["minutes"]["confidence"]) == (True, "CLINIC")
    assert one.sources["sessions_default"]["confidence"] == "WEAK"
    assert _procedure(client, one, minutes="").status_code == 409
    assert client.post(f"/manage/catalogue/{one.pk}/deactivate/").status_code == 302


def test_a_procedure_of_the_clinics_own(scene: Scene, client: Client) -> None:
    missing = client.post("/manage/catalogue/new/", {"code": "SAUNA"})
    assert missing.status_code == 422
    assert client.post("/manage/catalogue/new/", {"code": "sauna", "name_en": "Sauna"}).status_code == 302
    one = Procedure.objects.get(code="SAUNA")
    again = client.post("/manage/catalogue/new/", {"code": "Sauna", "name_en": "Sauna"})
    assert again.status_code == 422
    page = _text(client.get(f"/manage/catalogue/{one.pk}/"))
    assert "It is not said what it needs." in page


def _lines(rows: list[dict[str, Any]], initial: int = 0) -> dict[str, Any]:
    data: dict[str, Any] = {"form-TOTAL_FORMS": len(rows), "form-INITIAL_FORMS": initial}
    for number, row in enumerate(rows):
        data |= {f"form-{number}-{name}": value for name, value in row.items()}
    return data


def _need(role: str, kind: str = "", **minutes: int) -> dict[str, Any]:
    zero = dict.fromkeys(("minutes_before", "minutes_after", "hands_on_start", "hands_on_end"), 0)
    return {"role": role, "type_code": kind, **zero, **minutes}


def test_what_a_procedure_needs(scene: Scene, client: Client) -> None:
    one = scene.session.course.procedure
    address = f"/manage/catalogue/{one.pk}/needs/"
    rows = [
        _need("therapist", hands_on_start=5),
        _need("room", "physio", minutes_after=10) | {"DELETE": ""},
        _need("room", "massage"),
        _need(""),
    ]
    assert client.post(address, _lines(rows, initial=2) | {"seen": _seen(client, address)}).status_code == 302
    found = {(r.role, r.type_code, r.minutes_after, r.hands_on_start) for r in one.requirements.all()}
    assert found == {("therapist", "", 0, 5), ("room", "physio", 10, 0), ("room", "massage", 0, 0)}
    twice = client.post(address, _lines([_need("patient"), _need("patient")]))
    assert twice.status_code == 422
    assert "This is there already." in _text(twice)
    odd = client.post(address, _lines([_need("room", "massage", minutes_after=7)]))
    assert "Minutes are multiples of five" in _text(odd)
    untyped = client.post(address, _lines([_need("room")]))
    assert "Say which type of room or device." in _text(untyped)


def test_two_managers_at_one_list(scene: Scene, client: Client) -> None:
    one = scene.session.course.procedure
    address = f"/manage/catalogue/{one.pk}/needs/"
    seen = _seen(client, address)
    one.requirements.filter(role="room").update(minutes_after=5)
    answer = client.post(address, _lines([_need("therapist")]) | {"seen": seen})
    assert answer.status_code == 409
    assert one.requirements.count() == 2
    assert client.post(address, _kept(answer)).status_code == 302
    assert one.requirements.count() == 1


def test_body_areas_and_what_is_kept_apart(scene: Scene, client: Client) -> None:
    one = scene.session.course.procedure
    rows = [{"area": "back", "minutes": "40", "units": "2.0"}]
    assert client.post(f"/manage/catalogue/{one.pk}/areas/", _lines(rows)).status_code == 302
    assert [(v.area, v.minutes) for v in one.variants.all()] == [("back", 40)]
    other = f.ProcedureFactory(clinic=scene.clinic, code="HEAT")
    assert client.post(f"/manage/catalogue/{one.pk}/apart/", {"others": [other.pk]}).status_code == 302
    assert list(one.not_same_day_with.all()) == [other]
    assert list(other.not_same_day_with.all()) == [one]


# --- Import ----------------------------------------------------------------------------------------------------------


def test_files_are_looked_at_before_anything_is_written(scene: Scene, client: Client) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    from courses.importing.runs import work_through
    from courses.models import ImportRun

    table = "room_id,room_type,name,capacity\nR1,massage,=Room 41,two\nR2,massage,Room 42,2\n"
    given = SimpleUploadedFile("rooms.csv", table.encode())
    answer = client.post("/manage/imports/", {"tables": [given], "mapping": ""})
    run = ImportRun.objects.latest("pk")
    address = f"/manage/imports/{run.pk}/"
    assert answer["Location"] == address
    waiting = client.get(address, headers={"HX-Request": "true"})
    assert 'hx-trigger="every 2s"' in _text(waiting)
    assert "<html" not in _text(waiting)
    work_through(now=f.at("09:10"))
    page = _text(client.get(address))
    assert "every 2s" not in page
    assert "Nothing is written yet." in page
    assert not Room.objects.filter(name="Room 42").exists()
    report = client.get(f"{address}report.csv")
    assert report.content.startswith(b"\xef\xbb\xbffile,record,line,")
    assert client.post(f"{address}confirm/").status_code == 302
    assert client.post(f"{address}confirm/").status_code == 409
    work_through(now=f.at("09:10"))
    assert Room.objects.get(name="Room 42").resource.capacity == 2
    assert "imported" in _text(client.get(address))
    assert client.post(f"{address}discard/").status_code == 302
    assert client.get(address).status_code == 404


def test_no_files_and_wrong_files_are_named(client: Client) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    assert client.post("/manage/imports/", {"mapping": ""}).status_code == 422
    picture = SimpleUploadedFile("rooms.png", b"x")
    answer = client.post("/manage/imports/", {"tables": [picture], "mapping": ""})
    assert answer.status_code == 422
    assert "is no table" in _text(answer)
