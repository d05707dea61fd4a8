"""The cast: a receptionist, a therapist, a doctor and a manager of one clinic, a colleague of another, an outsider."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from rest_framework.test import APIClient

from clinic.models import ApiToken, Clinic, ResourceKind, User
from clinic.permissions import Role
from courses.models import Course
from tests.factories import (
    NOW,
    ClinicFactory,
    CourseFactory,
    ProcedureFactory,
    QualificationFactory,
    RequirementFactory,
    RoomFactory,
    ShiftFactory,
    UserFactory,
    user_with_role,
)


@pytest.fixture(autouse=True)
def fresh_limits(db: None) -> None:
    cache.clear()


@pytest.fixture
def clinic(db: None) -> Clinic:
    return ClinicFactory()


@pytest.fixture
def other_clinic(db: None) -> Clinic:
    return ClinicFactory(name="Hillside")


def signed_in(user: User) -> APIClient:
    _token, text = ApiToken.issue(user=user, name="test")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


@pytest.fixture
def receptionist(clinic: Clinic) -> User:
    return user_with_role(Role.RECEPTION, clinic)


@pytest.fixture
def reception(receptionist: User) -> APIClient:
    return signed_in(receptionist)


@pytest.fixture
def therapist(clinic: Clinic) -> APIClient:
    return signed_in(user_with_role(Role.THERAPIST, clinic))


@pytest.fixture
def doctor(clinic: Clinic) -> APIClient:
    return signed_in(user_with_role(Role.DOCTOR, clinic))


@pytest.fixture
def manager(clinic: Clinic) -> APIClient:
    return signed_in(user_with_role(Role.MANAGER, clinic))


@pytest.fixture
def colleague(other_clinic: Clinic) -> APIClient:
    """Works at another clinic of the same organisation."""
    return signed_in(user_with_role(Role.RECEPTION, other_clinic))


@pytest.fixture
def outsider(db: None) -> APIClient:
    """Can sign in and has no role anywhere."""
    return signed_in(UserFactory())


@pytest.fixture
def present() -> Iterator[None]:
    """The factories' present."""
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def course(clinic: Clinic, present: None) -> Course:
    """An active course of three unplaced sessions that can be planned: a specialist, a room, all day free."""
    procedure = ProcedureFactory(clinic=clinic)
    RequirementFactory(procedure=procedure, role=ResourceKind.THERAPIST)
    RequirementFactory(procedure=procedure, role=ResourceKind.ROOM, type_code="massage")
    RoomFactory(clinic=clinic, room_type="massage")
    therapist = ShiftFactory(clinic=clinic).therapist
    QualificationFactory(therapist=therapist, procedure=procedure)
    return CourseFactory(clinic=clinic, procedure=procedure, sessions=True)


@pytest.fixture
def booked(course: Course, reception: APIClient) -> list[dict[str, Any]]:
    """The sessions of `course`, booked."""
    plan = reception.post("/api/v1/plans/", {"courses": [course.pk]}).json()
    answer = reception.post(f"/api/v1/plans/{plan['id']}/book/")
    assert answer.status_code == 200, answer.content
    rows: list[dict[str, Any]] = reception.get("/api/v1/sessions/", {"course": course.pk}).json()["results"]
    return rows
