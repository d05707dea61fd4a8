"""Attacks by SQL, as the role that the application has. What is refused is refused by the database alone."""

from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from clinic.models import Appointment


class Attacker:
    """Writes SQL as the application's role. Every statement is followed by the checks that a commit would make."""

    def write(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """Run what must be accepted, and keep it. Returns the rows, if any."""
        with transaction.atomic():
            return self._run(sql, params)

    def refused(self, by: str | set[str], sql: str, *params: Any) -> None:
        """Run what must be refused by the constraint or trigger of that name (or one of those); nothing stays."""
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            self._run(sql, params)
        cause = error.value.__cause__
        assert isinstance(cause, psycopg.Error)
        assert cause.diag.constraint_name in ({by} if isinstance(by, str) else by), str(error.value)

    def denied(self, sql: str, *params: Any) -> None:
        """Run what the role has no right to do."""
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            self._run(sql, params)

    def reservation(self, appointment: Appointment, resource: Any, **changes: Any) -> tuple[str, list[Any]]:
        """SQL and parameters of a reservation: place 1 for the time of the appointment, unless changed."""
        fields = {
            "appointment_id": appointment.pk,
            "resource_id": resource.pk,
            "places": "[1,2)",
            "starts_at": appointment.starts_at,
            "ends_at": appointment.ends_at,
            "live": True,
        } | changes
        names = ", ".join(fields)
        marks = ", ".join("%s::int4range" if name == "places" else "%s" for name in fields)
        return f"INSERT INTO clinic_reservation ({names}) VALUES ({marks}) RETURNING id", list(fields.values())

    def _run(self, sql: str, params: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {settings.DATABASE_APP_ROLE}")
            cursor.execute(sql, params or None)
            rows = cursor.fetchall() if cursor.description else []
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED; SET CONSTRAINTS nothing_is_in_two_places IMMEDIATE")
            cursor.execute("RESET ROLE")
        return rows


@pytest.fixture
def sql(db: None) -> Attacker:
    attacker = Attacker()
    assert attacker.write("SELECT current_user") == [(settings.DATABASE_APP_ROLE,)]
    return attacker
