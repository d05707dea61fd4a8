"""8. A message is there once."""

from typing import Any

import pytest

from tests.factories import ClinicFactory, PatientFactory
from tests.guard.conftest import Attacker

KEY = {
    "subject": "7c4b@clinic.example",
    "kind": "reminder",
    "offset": 24,
    "recipient": "patient:1",
    "channel": "email",
    "revision": 0,
}


def insert(sql: Attacker, **changes: Any) -> tuple[str, list[Any]]:
    clinic, patient = ClinicFactory(), PatientFactory()
    fields = KEY | {"clinic_id": clinic.pk, "patient_id": patient.pk, "language": "en", "snapshot": "{}"} | changes
    fields |= {"address": "", "message_id": "", "status": "pending", "outcome": "", "reason": "", "attempts": 0}
    names = ", ".join(f'"{name}"' for name in fields)
    marks = ", ".join("%s" for _name in fields)
    statement = f"""
        INSERT INTO notifications_message ({names}, created_at, due_at, next_attempt_at)
        VALUES ({marks}, now(), now(), now())
    """
    return statement, list(fields.values())


@pytest.mark.parametrize("offset", [24, None])
def test_the_same_message(sql: Attacker, offset: int | None) -> None:
    statement, params = insert(sql, offset=offset)
    sql.write(statement, *params)
    again, params = insert(sql, offset=offset)  # of another clinic or patient makes no difference
    sql.refused("message_once", again, *params)


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "other@clinic.example"},
        {"kind": "invitation"},
        {"offset": 72},
        {"offset": None},
        {"recipient": "patient:2"},
        {"channel": "call"},
        {"revision": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_message(sql: Attacker, change: dict[str, Any]) -> None:
    for fields in ({}, change):
        statement, params = insert(sql, **fields)
        sql.write(statement, *params)
    statement, params = insert(sql, **change)
    sql.refused("message_once", statement, *params)


def test_one_that_became_the_same(sql: Attacker) -> None:
    for revision in (0, 1):
        statement, params = insert(sql, revision=revision)
        sql.write(statement, *params)
    sql.refused("message_once", "UPDATE notifications_message SET revision = 0")
