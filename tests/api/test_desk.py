"""Tasks: settled once, by those who may see them."""

from rest_framework.test import APIClient

from clinic.models import Clinic, Task, User
from tests import factories


def test_a_task_is_settled(reception: APIClient, receptionist: User, clinic: Clinic) -> None:
    task = factories.TaskFactory(clinic=clinic)
    answer = reception.post(f"/api/v1/tasks/{task.pk}/done/")
    assert answer.status_code == 200, answer.content
    assert answer.json()["done_by"] == receptionist.pk
    assert answer.json()["done_at"]
    again = reception.post(f"/api/v1/tasks/{task.pk}/done/")
    assert (again.status_code, again.json()["code"]) == (409, "already_done")
    assert reception.get("/api/v1/tasks/", {"open": "true"}).json()["results"] == []


def test_settling_twice_under_one_key_answers_the_same(reception: APIClient, clinic: Clinic) -> None:
    address = f"/api/v1/tasks/{factories.TaskFactory(clinic=clinic).pk}/done/"
    key = {"Idempotency-Key": "a-key-of-this-press"}
    first, second = (reception.post(address, headers=key) for _time in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()


def test_a_body_that_says_more_is_refused(reception: APIClient, clinic: Clinic) -> None:
    task = factories.TaskFactory(clinic=clinic)
    answer = reception.post(f"/api/v1/tasks/{task.pk}/done/", {"done_at": "2031-03-03T09:00Z"})
    assert (answer.status_code, list(answer.json()["fields"])) == (422, ["done_at"])


def test_tasks_of_another_clinic_do_not_exist(colleague: APIClient, clinic: Clinic) -> None:
    task = factories.TaskFactory(clinic=clinic)
    assert colleague.post(f"/api/v1/tasks/{task.pk}/done/").status_code == 404
    assert Task.objects.get(pk=task.pk).done_at is None
