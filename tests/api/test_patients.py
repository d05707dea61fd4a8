"""Patients' cards over HTTP: corrected, their consents dated, two cards made one."""

from rest_framework.test import APIClient

from clinic.models import Clinic, Patient
from tests import factories as f


def test_phones_and_people_are_replaced_when_named(reception: APIClient, clinic: Clinic) -> None:
    patient = f.ContactPersonFactory(name="Olga").patient
    f.PatientPhoneFactory(patient=patient)
    body = {
        "phones": [{"number": "+48501234111"}, {"number": "+48501234222", "owner": "son", "is_main": True}],
        "contacts": [{"name": "Oleg", "is_guardian": True}],
    }
    answer = reception.patch(f"/api/v1/patients/{patient.pk}/", body, format="json")
    assert answer.status_code == 200
    assert [(p["number"], p["is_main"]) for p in answer.json()["phones"]] == [
        ("+48501234222", True),
        ("+48501234111", False),
    ]
    assert [(c["name"], c["is_guardian"]) for c in answer.json()["contacts"]] == [("Oleg", True)]


def test_consents_have_their_date(reception: APIClient, clinic: Clinic) -> None:
    patient = f.PatientFactory(consent_sms=True, consent_date=None)
    answer = reception.post(f"/api/v1/patients/{patient.pk}/consents/", {"consent_sms": False}, format="json")
    assert answer.status_code == 200
    assert answer.json()["consent_sms"] is False
    assert answer.json()["consent_date"] is not None


def test_two_cards_become_one(reception: APIClient, clinic: Clinic) -> None:
    kept, other = f.PatientFactory(), f.PatientFactory()
    mine = f.booked_session(clinic=clinic, patient=kept, starts_at=f.at("09:00"))
    theirs = f.booked_session(clinic=clinic, patient=other, starts_at=f.at("09:10"))
    path = f"/api/v1/patients/{kept.pk}/merge/"
    refused = reception.post(path, {"other": other.pk}, format="json")
    assert (refused.status_code, refused["Content-Type"]) == (409, "application/problem+json")
    assert refused.json()["code"] == "cards_overlap"
    assert refused.json()["details"]["overlaps"] == [{"kept": mine.pk, "other": theirs.pk}]
    cancelled = reception.post(f"/api/v1/sessions/{theirs.pk}/cancel/", {}, format="json")
    assert cancelled.status_code == 200
    merged = reception.post(path, {"other": other.pk}, format="json")
    assert (merged.status_code, merged.json()["id"]) == (200, kept.pk)
    assert Patient.objects.get(pk=other.pk).merged_into == kept
    again = reception.post(path, {"other": other.pk}, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "card_merged")


def test_what_cannot_be_merged(reception: APIClient, therapist: APIClient, clinic: Clinic) -> None:
    kept, other = f.PatientFactory(), f.PatientFactory()
    path = f"/api/v1/patients/{kept.pk}/merge/"
    assert reception.post(path, {"other": kept.pk}, format="json").status_code == 422
    assert reception.post(path, {"other": 10**12}, format="json").status_code == 404
    assert reception.post(path, {}, format="json").status_code == 422
    assert therapist.post(path, {"other": other.pk}, format="json").status_code == 403
