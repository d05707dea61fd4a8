"""Whatever is sent to whatever address, the answer is never a 5xx, and what is refused is a problem document.

Requests are generated from the API's own description, good ones and bad ones. Half of them name rows that exist, so
that they get past the door.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import Settings
from schemathesis import GenerationMode

from clinic.models import ApiToken, User
from clinic.permissions import Role
from courses.models import Course
from tests.factories import (
    AbsenceFactory,
    ClosureFactory,
    EquipmentFactory,
    GroupClassFactory,
    MembershipFactory,
    OutageFactory,
    PlanFactory,
    ProgrammeFactory,
    RepairFactory,
    TaskFactory,
    TherapistFactory,
    booked_session,
    user_with_role,
)

EXAMPLES = 5
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]


@pytest.fixture(autouse=True)
def one_connection(course: Course) -> Iterator[None]:
    """The application's requests stay on the test's own connection, as those of Django's client do."""
    signals = [request_started, request_finished]
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def token(course: Course, settings: Settings) -> str:
    settings.API_REQUESTS_PER_MINUTE = 10**9
    user: User = user_with_role(Role.RECEPTION, course.clinic)
    MembershipFactory(user=user, clinic=course.clinic, role=Role.DOCTOR)
    return ApiToken.issue(user=user, name="fuzz")[1]


@pytest.fixture
def rows(course: Course) -> dict[str, int]:
    """A row of every noun, by the noun as it is in addresses and in bodies."""
    session = booked_session(clinic=course.clinic)
    plan = PlanFactory(clinic=course.clinic, patient=course.patient)
    plan.courses.add(course)
    assert session.visit is not None
    therapist = course.procedure.qualifications.get().therapist_id
    programme = ProgrammeFactory(clinic=course.clinic, patient=course.patient)
    room = session.appointment.reservations.get(resource__kind="room").resource_id
    return {
        "clinic": course.clinic_id,
        "patient": course.patient_id,
        "procedure": course.procedure_id,
        "course": course.pk,
        "session": session.pk,
        "visit": session.visit.pk,
        "appointment": session.appointment_id,
        "plan": plan.pk,
        "therapist": therapist,
        "preferred_therapist": therapist,
        "room": room,
        "device": EquipmentFactory(room__clinic=course.clinic).pk,
        "programme": programme.pk,
        "referral": programme.referral_id,
        "absence": AbsenceFactory(therapist_id=therapist, starts_at="2040-01-01T00:00Z", ends_at=None).pk,
        "outage": OutageFactory(resource_id=room, starts_at="2040-01-01T00:00Z", ends_at=None).pk,
        "closure": ClosureFactory(clinic=course.clinic, starts_at="2040-01-01T00:00Z", ends_at="2040-01-02T00:00Z").pk,
        "qualification": course.procedure.qualifications.get().pk,
        "repair": RepairFactory(clinic=course.clinic, therapist_id=therapist).pk,
        "substitute": TherapistFactory().pk,
        "resource": room,
        "class": GroupClassFactory(clinic=course.clinic).pk,
        "task": TaskFactory(clinic=course.clinic).pk,
    }


def with_rows(value: Any, rows: dict[str, int]) -> Any:
    """The same body, naming rows that exist wherever it names one."""
    if isinstance(value, list):
        return [with_rows(inner, rows) for inner in value]
    if not isinstance(value, dict):
        return value
    named = {name: rows[name] for name in value if name in rows}
    if "courses" in value and isinstance(value["courses"], list):
        named["courses"] = [rows["course"]]
    return {name: with_rows(inner, rows) for name, inner in value.items()} | named


def noun_of(path: str) -> str:
    noun = path.split("/")[3]
    return {"classes": "class", "equipment": "device"}.get(noun, noun.removesuffix("s"))


@pytest.mark.slow
def test_no_request_is_answered_with_a_failure(token: str, rows: dict[str, int]) -> None:
    # Not through Django's client: it would connect the signals again.
    document = OpenApiJsonRenderer().render(SchemaGenerator().get_schema(public=True), renderer_context={})
    schema = schemathesis.openapi.from_dict(json.loads(document))
    schema.app = get_wsgi_application()
    sent: set[str] = set()
    failures: list[str] = []

    def send(case: Any, *, deep: bool) -> None:
        if deep:
            case.path_parameters = case.path_parameters and {"id": rows.get(noun_of(case.path), 1)}
            case.body = with_rows(case.body, rows)
        answer = case.call(headers={"Authorization": f"Bearer {token}"})
        sent.add(case.operation.label)
        kind = answer.headers["content-type"][0]
        documented = set(case.operation.definition.raw["responses"])
        if answer.status_code >= 500:
            failures.append(f"{answer.status_code}: {case.as_curl_command()}")
        elif answer.status_code >= 400 and "problem+json" not in kind:
            failures.append(f"{answer.status_code} as {kind}: {case.as_curl_command()}")
        elif str(answer.status_code) not in documented | {"405"}:
            failures.append(f"{answer.status_code} is not described: {case.as_curl_command()}")

    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in MODES:
            check = given(case=operation.as_strategy(generation_mode=mode), deep=st.booleans())(send_as_test(send))
            examples(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            )(check)()
    assert failures == []
    assert len(sent) > 50


def send_as_test(send: Any) -> Any:
    def run(case: Any, deep: bool) -> None:
        send(case, deep=deep)

    return run
