"""What the forms do: each validates, calls one service, and shows the way on."""

import datetime as dt
import re

import pytest
from django.test import Client

from clinic.models import Patient
from courses.models import Course, Plan, Procedure, Referral, Session
from courses.pages.plans import merge_wishes
from courses.pages.wishes import WishesForm
from tests import factories as f
from tests.pages.conftest import Scene


@pytest.fixture
def client(scene: Scene) -> Client:
    return scene.client("reception")


def _lines(procedure: int, sessions: int, **fields: str) -> dict[str, str]:
    strengths = {"weekdays_strength": "wish", "window_strength": "wish", "therapist_strength": "wish"}
    return {
        "line0-procedure": str(procedure),
        "line0-sessions_total": str(sessions),
        "profile": "balanced",
        **strengths,
        **fields,
    }


def _plan(client: Client, scene: Scene, **fields: str) -> Plan:
    procedure = scene.unplaced.procedure_id
    answer = client.post(f"/patients/{scene.patient.pk}/courses/new/", _lines(procedure, 3, **fields))
    assert answer.status_code == 302, answer.content.decode()
    found = re.fullmatch(r"/plans/(\d+)/", answer["Location"])
    assert found, answer["Location"]
    return Plan.objects.get(pk=found[1])


@pytest.mark.parametrize("field", ["start_from", "finish_by"])
def test_a_day_that_has_passed_is_named_before_a_course_is_opened(client: Client, scene: Scene, field: str) -> None:
    before = Course.objects.count()
    lines = _lines(scene.unplaced.procedure_id, 3, **{field: "2001-01-01"})
    answer = client.post(f"/patients/{scene.patient.pk}/courses/new/", lines)
    assert answer.status_code == 422
    assert "Date has passed. Enter today or later." in answer.content.decode()
    assert Course.objects.count() == before


def test_from_a_procedure_to_booked_sessions(client: Client, scene: Scene) -> None:
    plan = _plan(client, scene)
    assert plan.status == "proposed"
    text = client.get(f"/plans/{plan.pk}/").content.decode()
    assert "Best possible" in text
    assert "Starts" in text
    client.post(f"/plans/{plan.pk}/hold/")
    text = client.get(f"/plans/{plan.pk}/").content.decode()
    assert "Times held until 09:20." in text
    assert 'data-until="2031-03-03T09:20:00+01:00"' in text
    client.post(f"/plans/{plan.pk}/keep/")
    client.post(f"/plans/{plan.pk}/release/")
    assert Plan.objects.get(pk=plan.pk).status == "proposed"
    answer = client.post(f"/plans/{plan.pk}/book/")
    assert answer["Location"] == f"/plans/{plan.pk}/booked/"
    text = client.get(answer["Location"]).content.decode()
    assert "3 sessions booked" in text
    assert "messages to the patient" in text
    again = client.post(f"/plans/{plan.pk}/book/")
    assert again["Location"] == f"/plans/{plan.pk}/booked/"
    assert Session.objects.filter(course__in=plan.courses.all(), status="booked").count() == 3


def test_who_cannot_be_mailed_is_to_be_called(client: Client, scene: Scene) -> None:
    Patient.objects.filter(pk=scene.patient.pk).update(consent_email=False)
    plan = _plan(client, scene)
    client.post(f"/plans/{plan.pk}/book/")
    text = client.get(f"/plans/{plan.pk}/booked/").content.decode()
    assert "Call the patient" in text
    assert str(scene.patient.phones.get().number.as_international) in text


def test_a_lost_race_names_what_was_taken_and_offers_a_fresh_plan(client: Client, scene: Scene) -> None:
    plan = _plan(client, scene)
    item = plan.items[0]
    other = f.booked_session(
        clinic=scene.clinic,
        patient=f.PatientFactory(),
        starts_at=dt.datetime.fromisoformat(item["start"]),
        therapist=scene.unplaced.procedure.qualifications.get().therapist,
    )
    assert other.status == "booked"
    answer = client.post(f"/plans/{plan.pk}/book/")
    assert answer.status_code == 409
    text = answer.content.decode()
    assert "Just taken" in text
    assert "Massage" in text
    fresh = re.search(r'href="/plans/(\d+)/"', text)
    assert fresh
    assert client.get(f"/plans/{fresh[1]}/").status_code == 200


def test_the_impossible_is_explained_and_a_press_opens_it(client: Client, scene: Scene) -> None:
    plan = _plan(client, scene, window_from="20:30", window_strength="must")
    assert plan.status == "impossible"
    text = client.get(f"/plans/{plan.pk}/").content.decode()
    assert "Nobody who may give this works at the requested days and hours." in text
    answer = client.post(f"/plans/{plan.pk}/again/", {"concession": "0"})
    opened = Plan.objects.get(pk=int(answer["Location"].strip("/").split("/")[1]))
    assert opened.status == "proposed"
    assert client.post(f"/plans/{plan.pk}/again/", {"concession": "99"}).status_code == 404


def test_what_only_a_doctor_may_change_is_said_but_not_offered(client: Client, scene: Scene) -> None:
    plan = _plan(client, scene, window_from="20:30", window_strength="must")
    offered = plan.explanation["concessions"]
    offered.append({**offered[0], "wishes": None})
    plan.save()
    text = client.get(f"/plans/{plan.pk}/").content.decode()
    assert "doctor only" in text
    refused = client.post(f"/plans/{plan.pk}/again/", {"concession": str(len(offered) - 1)})
    assert refused.status_code == 403


def test_without_consent_nothing_is_opened(client: Client, scene: Scene) -> None:
    Patient.objects.filter(pk=scene.patient.pk).update(consent_data=False)
    before = Course.objects.count()
    answer = client.post(f"/patients/{scene.patient.pk}/courses/new/", _lines(scene.unplaced.procedure_id, 3))
    assert answer.status_code == 422
    assert "has not agreed" in answer.content.decode()
    assert Course.objects.count() == before


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"line0-sessions_total": "0"}, "greater than or equal to 1"),
        ({"line0-procedure": ""}, "This field is required"),
        ({"line0-procedure": "999999"}, "Select a valid choice"),
        ({"line0-gap_min": "5", "line0-gap_max": "2"}, "must not be shorter"),
        ({"window_from": "12:00", "window_until": "10:00"}, "The end must be after the start."),
        ({"start_from": "2031-04-01", "finish_by": "2031-03-05"}, "must not be before the first"),
    ],
)
def test_wrong_entries_are_named(client: Client, scene: Scene, fields: dict[str, str], sentence: str) -> None:
    data = _lines(scene.unplaced.procedure_id, 3) | fields
    answer = client.post(f"/patients/{scene.patient.pk}/courses/new/", data)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert 'id="error-summary"' in answer.content.decode()


def test_a_procedure_without_a_usual_frequency_asks_for_one_and_opens_nothing(client: Client, scene: Scene) -> None:
    Procedure.objects.filter(pk=scene.unplaced.procedure_id).update(gap_min=None, gap_max=None, per_week=None)
    address, before = f"/patients/{scene.patient.pk}/courses/new/", Course.objects.count()
    data = _lines(scene.unplaced.procedure_id, 3)
    answer = client.post(address, data)
    assert answer.status_code == 422
    assert "Say how often" in answer.content.decode()
    assert Course.objects.count() == before
    answer = client.post(address, data | {"line0-frequency": "2_per_week"})
    assert answer.status_code == 302
    course = Course.objects.latest("pk")
    assert (course.gap_min, course.gap_max, course.per_week) == (2, 5, 2)


def test_a_day_that_has_passed_is_refused_where_it_is_entered_and_opens_no_course(client: Client, scene: Scene) -> None:
    before = Course.objects.count()
    answer = client.post(
        f"/patients/{scene.patient.pk}/courses/new/",
        _lines(scene.unplaced.procedure_id, 3, finish_by="2020-01-01"),
    )
    assert answer.status_code == 422
    assert "Date has passed." in answer.content.decode()
    assert Course.objects.count() == before


def test_a_course_of_unknown_frequency_asks_for_it(client: Client, scene: Scene) -> None:
    Course.objects.filter(pk=scene.unplaced.pk).update(gap_min=None, gap_max=None, per_week=None)
    address = f"/courses/{scene.unplaced.pk}/plan/"
    answer = client.post(address, _lines(scene.unplaced.procedure_id, 3))
    assert answer.status_code == 422
    answer = client.post(address, _lines(scene.unplaced.procedure_id, 3, frequency="daily"))
    assert answer.status_code == 302, answer.content.decode()
    wishes = Plan.objects.latest("pk").request["wishes"]
    assert wishes["courses"] == {str(scene.unplaced.pk): {"gap_min": 1, "gap_max": 3, "per_week": 6}}


def test_the_rest_of_a_course_of_unknown_frequency_is_planned_anew(client: Client, scene: Scene) -> None:
    course = scene.session.course
    Course.objects.filter(pk=course.pk).update(gap_min=None, gap_max=None, per_week=None, sessions_total=4)
    f.SessionFactory(course=course, number=4)
    assert 'name="frequency"' in client.get(f"/courses/{course.pk}/").content.decode()
    answer = client.post(f"/courses/{course.pk}/replan/", {"frequency": "daily"})
    assert answer.status_code == 302, answer.content.decode()
    assert Plan.objects.latest("pk").request["wishes"] == {"gap_min": 1, "gap_max": 3, "per_week": 6}


def test_what_needs_a_prescription_becomes_one_that_a_doctor_signs(client: Client, scene: Scene) -> None:
    procedure = scene.unplaced.procedure
    procedure.requires_referral = True
    procedure.save()
    plan = _plan(client, scene)
    referral = Referral.objects.latest("pk")
    text = client.get(f"/plans/{plan.pk}/").content.decode()
    assert "needs a signed prescription" in text
    assert client.post(f"/plans/{plan.pk}/book/").status_code == 409
    assert client.post(f"/prescriptions/{referral.pk}/sign/").status_code == 403
    assert scene.client("doctor").post(f"/prescriptions/{referral.pk}/sign/").status_code == 302
    assert client.post(f"/plans/{plan.pk}/book/")["Location"] == f"/plans/{plan.pk}/booked/"


def test_a_prescription_is_written_with_its_lines(scene: Scene) -> None:
    data = {
        "line0-procedure": str(scene.unplaced.procedure_id),
        "line0-sessions_total": "5",
        "origin": "own",
        "prescribed_on": "2031-03-03",
        "icd10": "M54.5",
    }
    answer = scene.client("doctor").post(f"/patients/{scene.patient.pk}/prescriptions/new/", data)
    referral = Referral.objects.latest("pk")
    assert answer["Location"] == f"/prescriptions/{referral.pk}/"
    assert referral.icd10 == "M54.5"
    assert referral.programmes.get().courses.get().sessions_total == 5


def test_a_session_moves_by_one_press(client: Client, scene: Scene) -> None:
    url = f"/sessions/{scene.session.pk}/move/"
    text = client.get(url).content.decode()
    assert 'value="12:30"' in text
    data = {"date": "2031-03-04", "time": "12:30", "version": str(scene.session.version)}
    answer = client.post(url, data)
    assert answer.status_code == 302, answer.content.decode()
    moved = Session.objects.select_related("appointment").get(pk=scene.session.pk)
    assert moved.appointment is not None
    assert moved.appointment.starts_at == f.at("12:30", day=1)


@pytest.mark.parametrize(
    ("data", "status", "sentence"),
    [
        ({"date": "2031-03-03", "time": "12:03"}, 422, "steps of five minutes"),
        ({"date": "2031-03-01", "time": "12:00"}, 422, "Date has passed"),
        ({"date": "2031-03-04", "time": "06:00"}, 409, "outside working hours"),
    ],
)
def test_a_refused_move_says_why_and_keeps_the_entries(
    client: Client, scene: Scene, data: dict[str, str], status: int, sentence: str
) -> None:
    answer = client.post(f"/sessions/{scene.session.pk}/move/", data)
    text = answer.content.decode()
    assert answer.status_code == status, text
    assert sentence in text
    assert f'value="{data["date"]}"' in text


def test_cancelling_keeps_the_reason_and_leaves_a_session_to_place(client: Client, scene: Scene) -> None:
    client.post(f"/sessions/{scene.session.pk}/cancel/", {"reason": "has a cold"})
    ended = Session.objects.get(pk=scene.session.pk)
    assert (ended.status, ended.reason) == ("late_cancelled", "has a cold")
    assert Session.objects.filter(replaces=ended, status="unplaced").exists()


def test_the_whole_visit_arrives_in_one_press(client: Client, scene: Scene) -> None:
    answer = client.post(f"/visits/{scene.session.visit_id}/arrive/", {"next": "/"}, follow=True)
    assert "1 session checked in." in answer.content.decode()
    assert Session.objects.get(pk=scene.session.pk).status == "arrived"
    again = client.post(f"/visits/{scene.session.visit_id}/arrive/")
    assert again.status_code == 409
    assert "Nobody is left to check in" in again.content.decode()


def test_a_check_in_is_taken_back(client: Client, scene: Scene) -> None:
    undo = f"/visits/{scene.session.visit_id}/undo/"
    assert undo not in client.get("/").content.decode()
    client.post(f"/visits/{scene.session.visit_id}/arrive/")
    for url in ("/", f"/visits/{scene.session.visit_id}/"):
        assert undo in client.get(url).content.decode(), url
    answer = client.post(undo, {"next": "/"}, follow=True)
    assert "Check-in taken back." in answer.content.decode()
    assert Session.objects.get(pk=scene.session.pk).status == "booked"
    assert client.post(undo).status_code == 409


def test_a_task_is_done_in_one_press(client: Client, scene: Scene) -> None:
    task = scene.clinic.tasks.get()
    answer = client.post(f"/tasks/{task.pk}/done/", follow=True).content.decode()
    assert "Task done." in answer
    assert "Ring the plumber" not in answer
    task.refresh_from_db()
    assert task.done_by == scene.users["reception"]
    again = client.post(f"/tasks/{task.pk}/done/")
    assert again.status_code == 409
    assert "This task is done already." in again.content.decode()
    assert scene.client("stranger").post(f"/tasks/{task.pk}/done/").status_code == 404


def test_a_reason_is_asked_for_where_one_is_needed(scene: Scene) -> None:
    doctor, url = scene.client("doctor"), f"/sessions/{scene.session.pk}"
    doctor.post(f"{url}/arrive/")
    assert doctor.post(f"{url}/not-treated/").status_code == 422
    doctor.post(f"{url}/not-treated/", {"reason": "fever"})
    assert Session.objects.get(pk=scene.session.pk).status == "not_treated"


def test_a_course_pauses_resumes_and_is_planned_anew(client: Client, scene: Scene) -> None:
    course = scene.session.course_id
    assert client.post(f"/courses/{course}/pause/", {"until": "2031-03-01"}).status_code == 422
    client.post(f"/courses/{course}/pause/", {"until": ""})
    assert Course.objects.get(pk=course).status == "paused"
    answer = client.post(f"/courses/{course}/resume/")
    assert answer["Location"] == f"/courses/{course}/plan/"
    plan = _plan_of(client.post(f"/courses/{course}/plan/", _lines(0, 0))["Location"])
    client.post(f"/plans/{plan.pk}/book/")
    moved = _plan_of(client.post(f"/courses/{course}/replan/")["Location"])
    assert len(moved.request["moving"]) == 3
    assert "was" in client.get(f"/plans/{moved.pk}/").content.decode() or moved.status == "proposed"


def _plan_of(location: str) -> Plan:
    return Plan.objects.get(pk=int(location.strip("/").split("/")[1]))


def test_a_new_card_warns_of_one_that_may_be_the_same(client: Client, scene: Scene) -> None:
    data = {"family_name": "Kovtun", "given_name": "Olga", "birth_date": "1990-02-03", "language": "ru"}
    assert client.post("/patients/new/", data).status_code == 302
    second = client.post("/patients/new/", data)
    assert second.status_code == 409
    assert "These cards may be the same person" in second.content.decode()
    assert client.post("/patients/new/", data | {"not_duplicate": "yes"}).status_code == 302
    assert Patient.objects.filter(family_name="Kovtun").count() == 2


def test_a_wrong_phone_is_named_at_its_field(client: Client, scene: Scene) -> None:
    answer = client.post("/patients/new/", {"family_name": "Kovtun", "language": "ru", "phone": "12"})
    assert answer.status_code == 422
    assert "is not a phone number" in answer.content.decode()


def test_consents_are_recorded(client: Client, scene: Scene) -> None:
    client.post(f"/patients/{scene.patient.pk}/consents/", {"data": "yes", "sms": "yes"})
    patient = Patient.objects.get(pk=scene.patient.pk)
    assert (patient.consent_data, patient.consent_email, patient.consent_sms) == (True, False, True)


def test_only_changed_wishes_are_asked_beyond_what_the_course_says(scene: Scene) -> None:
    course = scene.unplaced
    course.weekdays, course.weekdays_strength = [1, 3], "must"
    unchanged = {"weekdays": ["1", "3"], "weekdays_strength": "must", "window_strength": "wish"}
    unchanged |= {"therapist_strength": "wish", "profile": "balanced"}
    form = WishesForm(unchanged, courses=[course])
    assert form.is_valid(), form.errors
    assert form.wishes() == {}
    form = WishesForm(unchanged | {"weekdays": ["2"], "window_from": "09:00"}, courses=[course])
    assert form.is_valid(), form.errors
    assert form.wishes() == {
        "weekdays": [2],
        "weekdays_strength": "must",
        "window_from": "09:00",
        "window_until": None,
        "window_strength": "wish",
    }
    form = WishesForm({**unchanged, "weekdays": []}, courses=[course])
    assert form.is_valid(), form.errors
    assert form.wishes() == {"weekdays": [], "weekdays_strength": "none"}


def test_wishes_of_courses_are_merged_course_by_course() -> None:
    first = {"finish_by": "2031-04-01", "courses": {"1": {"gap_max": 3}, "2": {"weekdays": [1]}}}
    second = {"courses": {"1": {"window_from": "10:00"}}}
    assert merge_wishes(first, second) == {
        "finish_by": "2031-04-01",
        "courses": {"1": {"gap_max": 3, "window_from": "10:00"}, "2": {"weekdays": [1]}},
    }
