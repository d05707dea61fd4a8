"""From a prescription to courses that may be booked, over HTTP."""

from rest_framework.test import APIClient

from courses.models import Course
from tests.factories import PatientFactory, TherapistFactory


def _body(course: Course) -> dict[str, object]:
    line = {"procedure": course.procedure_id, "sessions_total": 2, "window_from": "09:00", "window_strength": "wish"}
    patient = PatientFactory()
    return {"clinic": course.clinic_id, "patient": patient.pk, "icd10": "M54.5", "lines": [line]}


def test_a_referral_makes_a_programme_and_its_courses(reception: APIClient, doctor: APIClient, course: Course) -> None:
    course.procedure.requires_referral = True
    course.procedure.save()
    answer = reception.post("/api/v1/referrals/", _body(course), format="json")
    assert answer.status_code == 201, answer.content
    referral = answer.json()
    assert referral["signed_at"] is None
    [programme] = referral["programmes"]
    [own] = reception.get("/api/v1/courses/", {"programme": programme}).json()["results"]
    assert (own["status"], own["sessions_total"], own["window_from"]) == ("draft", 2, "09:00:00")

    plan = reception.post("/api/v1/plans/", {"programme": programme}).json()
    unsigned = reception.post(f"/api/v1/plans/{plan['id']}/book/")
    assert unsigned.status_code == 409
    assert reception.post(f"/api/v1/referrals/{referral['id']}/sign/").status_code == 403
    signed = doctor.post(f"/api/v1/referrals/{referral['id']}/sign/")
    assert signed.json()["signed_at"] is not None
    assert reception.post(f"/api/v1/plans/{plan['id']}/book/").status_code == 200
    assert Course.objects.get(pk=own["id"]).status == "active"


def test_wrong_lines_are_named_and_nothing_is_kept(reception: APIClient, course: Course) -> None:
    stranger = TherapistFactory()
    body = _body(course)
    good = body["lines"][0]  # type: ignore[index]
    cases = [
        ({"procedure": 10**9}, "lines.2.procedure"),
        ({"sessions_total": 0}, "lines.2.sessions_total"),
        ({"preferred_therapist": stranger.pk}, "lines.2.preferred_therapist"),
        ({"window_from": "25:00"}, "lines.2.window_from"),
        ({"gap_min": 4, "gap_max": 2}, "lines.2.gap_max"),
    ]
    for wrong, field in cases:
        answer = reception.post("/api/v1/referrals/", body | {"lines": [good, good | wrong]}, format="json")
        assert answer.status_code == 422, answer.content
        assert list(answer.json()["fields"]) == [field]
    assert Course.objects.count() == 1


def test_a_course_is_opened_at_the_desk(reception: APIClient, course: Course) -> None:
    body = {
        "clinic": course.clinic_id,
        "patient": course.patient_id,
        "procedure": course.procedure_id,
        "sessions_total": 1,
    }
    answer = reception.post("/api/v1/courses/", body)
    assert answer.status_code == 201, answer.content
    assert answer.json()["minutes"] == 30
    wrong = reception.post("/api/v1/courses/", body | {"programme": 12345})
    assert (wrong.status_code, list(wrong.json()["fields"])) == (422, ["programme"])


def test_a_patient_is_registered(reception: APIClient, therapist: APIClient) -> None:
    body = {"full_name": "Zofia Nowak", "phones": [{"number": "+48 501 222 333"}], "language": "pl"}
    answer = reception.post("/api/v1/patients/", body, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["phones"][0]["number"] == "+48501222333"
    assert therapist.post("/api/v1/patients/", body, format="json").status_code == 403
    wrong = reception.post("/api/v1/patients/", {"full_name": "", "email": "nowhere"}, format="json")
    assert set(wrong.json()["fields"]) == {"full_name", "email"}
