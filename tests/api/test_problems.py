"""Bad input, repeated input, too much input."""

import datetime as dt
import json
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from clinic.models import ApiToken, IdempotentRequest
from courses.models import Course, Plan
from tests.factories import NOW

PLANS = "/api/v1/plans/"


def _send(client: APIClient, body: bytes, content_type: str = "application/json") -> Any:
    return client.generic("POST", PLANS, body, content_type=content_type)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"courses": [NaN]}', 400),
        (b'{"courses": [' + b"9" * 5000 + b"]}", 400),
        (b'{"courses": [1e999]}', 422),
        (b'{"courses": [99999999999999999999]}', 422),
        (b'{"courses": "\\u0000"}', 422),
        (b'{"profile": "\\ud800"}', 400),
        (b"null", 422),
        (b'"text"', 422),
        (b"", 422),
    ],
)
def test_bodies_that_are_none(reception: APIClient, body: bytes, status: int) -> None:
    answer = _send(reception, body)
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert {"type", "title", "status", "code", "detail"} <= set(answer.json())


def test_other_forms_are_refused(reception: APIClient) -> None:
    assert _send(reception, b"courses=1", "application/x-www-form-urlencoded").status_code == 415
    assert reception.put(PLANS, {}).status_code == 405
    assert reception.get("/api/v1/nothing/").json()["code"] == "not_found"
    assert reception.get(f"/api/v1/sessions/{10**18 - 1}/").status_code == 404
    assert reception.get(f"/api/v1/sessions/{10**30}/").status_code == 404


def test_a_body_too_large_is_refused(reception: APIClient, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = _send(reception, json.dumps({"courses": [1] * 1000}).encode())
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"


def test_an_address_with_a_line_break_is_not_found_in_the_same_words(reception: APIClient) -> None:
    answer = reception.get("/api/v1/patients/1%0a/")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_sentences_are_in_the_readers_language(reception: APIClient) -> None:
    english = reception.get("/api/v1/sessions/1/", headers={"accept-language": "en"}).json()
    assert english["detail"] == "Not found."


def test_a_token_opens_until_it_is_revoked(reception: APIClient, receptionist: Any) -> None:
    stored = ApiToken.objects.get()
    assert stored.token_hash not in str(reception._credentials)
    assert reception.get("/api/v1/clinics/").status_code == 200
    stored.revoked_at = NOW
    stored.save()
    assert reception.get("/api/v1/clinics/").status_code == 401


def test_a_browser_needs_its_csrf_token(receptionist: Any, course: Course) -> None:
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(receptionist)
    assert browser.get("/api/v1/clinics/").status_code == 200
    assert browser.post(PLANS, {"courses": [course.pk]}).status_code == 403
    assert not Plan.objects.exists()


def test_too_many_requests_are_told_to_wait(reception: APIClient, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 3
    with time_machine.travel(NOW, tick=False):
        codes = [reception.get("/api/v1/clinics/").status_code for _ in range(5)]
        refused = reception.get("/api/v1/clinics/")
    assert codes == [200, 200, 200, 429, 429]
    assert refused.json()["code"] == "throttled"
    assert 0 < int(refused.headers["Retry-After"]) <= 61
    with time_machine.travel(NOW + dt.timedelta(minutes=1), tick=False):
        assert reception.get("/api/v1/clinics/").status_code == 200


class TestIdempotencyKey:
    def _plan(self, client: APIClient, course: Course, key: str, **others: Any) -> Any:
        return client.post(PLANS, {"courses": [course.pk], **others}, headers={"Idempotency-Key": key})

    def test_a_repeat_gets_the_first_answer(self, reception: APIClient, course: Course) -> None:
        first, again = (self._plan(reception, course, "k1") for _ in range(2))
        assert first.status_code == again.status_code == 201
        assert again.json() == first.json()
        assert again.headers["Idempotency-Replayed"] == "true"
        assert Plan.objects.count() == 1
        assert self._plan(reception, course, "k2").json()["id"] != first.json()["id"]

    def test_a_refusal_is_repeated_too(self, reception: APIClient) -> None:
        first, again = (reception.post(PLANS, {"courses": [7]}, headers={"Idempotency-Key": "k"}) for _ in range(2))
        assert first.status_code == again.status_code == 404
        assert again.headers["Content-Type"].startswith("application/problem+json")

    def test_another_body_needs_another_key(self, reception: APIClient, course: Course) -> None:
        self._plan(reception, course, "k")
        answer = self._plan(reception, course, "k", profile="fewest_visits")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")

    def test_while_the_first_is_at_work(self, reception: APIClient, course: Course) -> None:
        self._plan(reception, course, "k")
        IdempotentRequest.objects.update(status=None)
        answer = self._plan(reception, course, "k")
        assert (answer.status_code, answer.json()["code"]) == (409, "still_running")
        assert Plan.objects.count() == 1

    def test_after_a_day_the_key_is_free(self, reception: APIClient, course: Course) -> None:
        first = self._plan(reception, course, "k").json()
        with time_machine.travel(NOW + dt.timedelta(hours=25), tick=True):
            assert self._plan(reception, course, "k").json()["id"] != first["id"]
        assert IdempotentRequest.objects.count() == 1

    def test_keys_are_per_user(self, reception: APIClient, manager: APIClient, course: Course) -> None:
        mine, theirs = (self._plan(client, course, "k").json()["id"] for client in (reception, manager))
        assert mine != theirs

    def test_a_failure_is_forgotten(self, reception: APIClient, course: Course, monkeypatch: Any) -> None:
        from courses.booking import proposals

        def fail(**_: Any) -> None:
            raise RuntimeError("power cut")

        with monkeypatch.context() as broken:
            broken.setattr(proposals, "propose_plan", fail)
            with pytest.raises(RuntimeError):
                self._plan(reception, course, "k")
        assert not IdempotentRequest.objects.exists()
        assert self._plan(reception, course, "k").status_code == 201

    @pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
    def test_bad_keys(self, reception: APIClient, course: Course, key: str) -> None:
        answer = self._plan(reception, course, key)
        assert (answer.status_code, list(answer.json()["fields"])) == (422, ["Idempotency-Key"])


def test_the_description_is_openapi_3_1_and_open_to_all(client: Any, db: None) -> None:
    answer = client.get(reverse("api:schema"), headers={"accept": "application/vnd.oai.openapi+json"})
    assert answer.status_code == 200
    described = json.loads(answer.content)
    assert described["openapi"].startswith("3.1")
    paths = set(described["paths"])
    for verb in ("move", "cancel", "confirm", "arrive", "start", "complete", "stop-early", "not-treated", "no-show"):
        assert f"/api/v1/sessions/{{id}}/{verb}/" in paths
    for verb in ("replan", "pause", "resume"):
        assert f"/api/v1/courses/{{id}}/{verb}/" in paths
    assert {"/api/v1/availability/", "/api/v1/plans/", "/api/v1/plans/{id}/hold/", "/api/v1/plans/{id}/book/"} <= paths


def test_its_page_has_no_inline_script_or_style(client: Any, db: None) -> None:
    page = client.get(reverse("api:docs"))
    html = page.content.decode()
    assert page.status_code == 200
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "<style" not in html
    assert "<script>" not in html
    script = client.get(reverse("api:docs"), {"script": ""})
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert "/api/schema/" in script.content.decode()
