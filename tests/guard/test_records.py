"""6. A signed record never changes; what corrects it is an amendment, which never changes either."""

import pytest
from django.db import DatabaseError

from courses.models import Record
from tests.factories import RecordAmendmentFactory, RecordFactory, UserFactory, at
from tests.guard.conftest import Attacker

SIGN = "UPDATE courses_record SET signed_at = %s, signed_by_id = %s WHERE id = %s"
CHANGES = [
    "UPDATE courses_record SET done = 'nothing' WHERE id = %s",
    "UPDATE courses_record SET signed_at = NULL, signed_by_id = NULL WHERE id = %s",
    "UPDATE courses_record SET entered_at = now() WHERE id = %s",
    "UPDATE courses_record SET id = id WHERE id = %s",
    "DELETE FROM courses_record WHERE id = %s",
]


@pytest.fixture
def record(db: None) -> Record:
    return RecordFactory()


@pytest.mark.parametrize("change", CHANGES)
def test_a_signed_record(sql: Attacker, record: Record, change: str) -> None:
    signed = RecordFactory(signed_at=at("10:00"), signed_by=UserFactory())
    sql.refused("signed_record_is_final", change, signed.pk)
    sql.write(change, record.pk)


def test_signing_is_the_last_change(sql: Attacker, record: Record) -> None:
    sql.refused("record_signed_by_someone", SIGN, at("10:00"), None, record.pk)
    sql.write(SIGN, at("10:00"), record.author_id, record.pk)
    sql.refused("signed_record_is_final", SIGN, at("11:00"), record.author_id, record.pk)
    sql.denied("TRUNCATE courses_record CASCADE")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE courses_recordamendment SET text = 'right, after all' WHERE id = %s",
        "UPDATE courses_recordamendment SET written_at = now() WHERE id = %s",
        "DELETE FROM courses_recordamendment WHERE id = %s",
    ],
)
def test_an_amendment(sql: Attacker, change: str) -> None:
    amendment = RecordAmendmentFactory()
    sql.refused("amendment_is_final", change, amendment.pk)


def test_an_amendment_says_why(sql: Attacker) -> None:
    insert = """INSERT INTO courses_recordamendment (record_id, author_id, written_at, reason, text)
                VALUES (%s, %s, now(), %s, 'left')"""
    record = RecordFactory(signed_at=at("10:00"), signed_by=UserFactory())
    sql.refused("amendment_has_reason", insert, record.pk, record.author_id, "")
    sql.write(insert, record.pk, record.author_id, "wrong side")


@pytest.mark.parametrize(
    "trick",
    [
        "SET LOCAL session_replication_role = replica",
        "ALTER TABLE courses_record DISABLE TRIGGER ALL",
        "DROP TABLE courses_record",
        "CREATE FUNCTION public.anything() RETURNS int AS 'SELECT 1' LANGUAGE sql",
    ],
)
def test_the_role_cannot_switch_the_guard_off(sql: Attacker, trick: str) -> None:
    with pytest.raises(DatabaseError, match=r"permission denied|must be owner"):
        sql.write(trick)


def test_nor_name_triggers_to_be_skipped(sql: Attacker) -> None:
    signed = RecordFactory(signed_at=at("10:00"), signed_by=UserFactory())
    names = sql.write("SELECT string_agg(tgname, ',') FROM pg_trigger WHERE tgname LIKE 'pgtrigger_%%' AND %s", True)
    sql.write("SELECT set_config('pgtrigger.ignore', '{' || %s || '}', true)", names[0][0])
    sql.refused("signed_record_is_final", CHANGES[0], signed.pk)
