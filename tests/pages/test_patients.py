"""Patients' cards on pages: new ones and doubles, corrections, merging, and the box that finds everything."""

import datetime as dt
from typing import Any

import pytest

from clinic.models import ContactPerson, Patient
from clinic.searching import refresh_search_text
from courses.booking.transitions import Status
from tests import factories as f
from tests.pages.conftest import Scene

PHONE = "+48501234567"
NEW = {"family_name": "Zielinska", "given_name": "Ewa", "phone": PHONE, "language": "pl"}


@pytest.fixture
def known(scene: Scene) -> Patient:
    """Someone on the phone whose relatives may call too."""
    card = f.PatientFactory(family_name="Nowak", given_name="Piotr", full_name="Nowak Piotr")
    f.PatientPhoneFactory(patient=card, number=PHONE)
    refresh_search_text(card)
    return card


def lines(prefix: str, *rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    data = {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": initial}
    return data | {f"{prefix}-{n}-{name}": value for n, row in enumerate(rows) for name, value in row.items()}


def card(**fields: Any) -> dict[str, Any]:
    return {"full_name": "Ivanova Anna", "language": "ru"} | fields


def test_a_phone_that_someone_has_is_a_question_with_two_answers(scene: Scene, known: Patient) -> None:
    client = scene.client("reception")
    asked = client.post("/patients/new/", NEW)
    assert asked.status_code == 409
    text = asked.content.decode()
    assert f'href="/patients/{known.pk}/"' in text
    assert "Open record: Nowak Piotr" in text
    assert "Different person, same phone: save" in text
    saved = client.post("/patients/new/", NEW | {"not_duplicate": "yes", "phone_owner": "her father"})
    created = Patient.objects.get(family_name="Zielinska")
    assert saved["Location"] == f"/patients/{created.pk}/"
    assert created.phones.get().owner == "her father"


def test_the_same_person_is_named_whatever_the_spelling(scene: Scene, known: Patient) -> None:
    Patient.objects.filter(pk=known.pk).update(birth_date=dt.date(1970, 5, 1))
    answer = scene.client("reception").post(
        "/patients/new/",
        {"family_name": "Новак", "given_name": "Петр", "birth_date": "1970-05-01", "phone": PHONE, "language": "ru"},
    )
    assert answer.status_code == 409
    assert "Nowak Piotr" in answer.content.decode()


def test_a_card_is_corrected_with_its_phones_and_people(scene: Scene) -> None:
    client = scene.client("reception")
    person = scene.patient.contacts.get()
    answer = client.post(
        f"/patients/{scene.patient.pk}/edit/",
        card(email="anna@example.org", note="Rings twice.")
        | lines(
            "phones",
            {"number": "+48 501 234 111", "is_main": "on"},
            {"number": "501 234 222", "owner": "her son"},
            {"number": ""},
            initial=1,
        )
        | lines(
            "contacts",
            {"name": person.name, "relation": "daughter", "is_guardian": "on"},
            {"name": "Oleg", "phone": "501 234 333"},
            initial=1,
        ),
    )
    assert answer["Location"] == f"/patients/{scene.patient.pk}/"
    patient = Patient.objects.get(pk=scene.patient.pk)
    assert (patient.email, patient.language, patient.note) == ("anna@example.org", "ru", "Rings twice.")
    assert [(str(p.number), p.owner, p.is_main) for p in patient.phones.all()] == [
        ("+48501234111", "", True),
        ("+48501234222", "her son", False),
    ]
    kept = ContactPerson.objects.get(pk=person.pk)
    assert (kept.relation, kept.is_guardian) == ("daughter", True)
    assert patient.contacts.count() == 2
    page = client.get(f"/patients/{scene.patient.pk}/").content.decode()
    assert "(guardian)" in page
    assert "her son" in page


def test_what_is_wrong_on_a_card_is_said_and_nothing_changes(scene: Scene) -> None:
    client = scene.client("reception")
    answer = client.post(
        f"/patients/{scene.patient.pk}/edit/",
        card(full_name="") | lines("phones", {"number": "123"}) | lines("contacts", {"relation": "son"}),
    )
    assert answer.status_code == 422
    answer = client.post(
        f"/patients/{scene.patient.pk}/edit/",
        card() | lines("phones", {"number": "123"}) | lines("contacts", {"relation": "son"}),
    )
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "is not a phone number" in text
    assert "Enter the contact person" in text
    assert scene.patient.phones.count() == 1


def test_two_cards_are_found_compared_and_merged(scene: Scene, known: Patient) -> None:
    client = scene.client("reception")
    found = client.post(f"/patients/{scene.patient.pk}/merge/", {"q": "nowak"}).content.decode()
    review = f"/patients/{scene.patient.pk}/merge/{known.pk}/"
    assert f'href="{review}"' in found
    page = client.get(review).content.decode()
    assert "Card that stays" in page
    assert f'href="/patients/{known.pk}/merge/{scene.patient.pk}/"' in page
    assert client.post(review)["Location"] == f"/patients/{scene.patient.pk}/"
    known.refresh_from_db()
    assert known.merged_into == scene.patient
    for path in ("", "edit/", "merge/"):
        answer = client.get(f"/patients/{known.pk}/{path}")
        assert answer["Location"].startswith(f"/patients/{scene.patient.pk}/"), path
    page = client.get(f"/patients/{known.pk}/", follow=True).content.decode()
    assert "is now part of this one" in page
    assert "Merged into this card:" in page


def test_overlaps_are_listed_and_hold_the_merge_back(scene: Scene, known: Patient) -> None:
    theirs = f.booked_session(
        f.CourseFactory(clinic=scene.clinic, procedure=scene.session.course.procedure, patient=known, sessions=True),
        starts_at=f.at("11:10"),
    )
    client = scene.client("reception")
    review = f"/patients/{scene.patient.pk}/merge/{known.pk}/"
    page = client.get(review).content.decode()
    assert "Settle first" in page
    assert f'href="/sessions/{theirs.pk}/"' in page
    assert f'href="/sessions/{scene.session.pk}/"' in page
    assert "Merge into" not in page
    refused = client.post(review)
    assert refused.status_code == 409
    assert "Both cards have something at the same time" in refused.content.decode()
    known.refresh_from_db()
    assert known.merged_into is None


def test_who_only_treats_merges_nothing(scene: Scene, known: Patient) -> None:
    assert scene.client("therapist").post(f"/patients/{scene.patient.pk}/merge/{known.pk}/").status_code == 403


def test_all_of_a_patient_is_on_one_page(scene: Scene) -> None:
    course = f.CourseFactory(
        clinic=scene.clinic, procedure=scene.session.course.procedure, patient=scene.patient, sessions=True
    )
    f.booked_session(course, starts_at=f.at("11:00", day=-14), status=Status.COMPLETED)
    f.TaskFactory(clinic=scene.clinic, patient=scene.patient, text="Ask for the paper")
    page = scene.client("reception").get(f"/patients/{scene.patient.pk}/").content.decode()
    for part in ("1 earlier visit", "Ask for the paper", "No messages yet", "Consents", "Prescriptions"):
        assert part in page, part
    assert "No messages yet" not in scene.client("therapist").get(f"/patients/{scene.patient.pk}/").content.decode()


def test_a_page_of_a_full_card_runs_as_many_queries_as_one_of_an_empty_one(
    scene: Scene, django_assert_max_num_queries: Any
) -> None:
    client = scene.client("reception")
    with django_assert_max_num_queries(60) as few:
        client.get(f"/patients/{scene.patient.pk}/")
    for day in range(1, 8):
        course = f.CourseFactory(
            clinic=scene.clinic, procedure=scene.session.course.procedure, patient=scene.patient, sessions=True
        )
        f.booked_session(course, starts_at=f.at("11:00", day=-day), status=Status.COMPLETED)
        f.booked_session(course, starts_at=f.at("11:00", day=day))
    with django_assert_max_num_queries(len(few) + 2):
        client.get(f"/patients/{scene.patient.pk}/")


def test_one_box_finds_patients_their_sessions_and_prescriptions(scene: Scene) -> None:
    refresh_search_text(scene.patient)
    type(scene.referral).objects.filter(pk=scene.referral.pk).update(number="R-2031-17")
    client = scene.client("reception")
    assert 'action="/search/"' in client.get("/").content.decode()
    page = client.post("/search/", {"q": "ivanova"}).content.decode()
    assert f'href="/patients/{scene.patient.pk}/"' in page
    assert f'href="/sessions/{scene.session.pk}/"' in page
    assert f'href="/prescriptions/{scene.referral.pk}/"' in client.post("/search/", {"q": "2031-17"}).content.decode()
    assert "No patient found" in client.post("/search/", {"q": "zzzzqq"}).content.decode()
    stranger = scene.client("stranger").post("/search/", {"q": "2031-17"}).content.decode()
    assert "/prescriptions/" not in stranger
