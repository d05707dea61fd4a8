"""Races between threads, each with its own connection to the real PostgreSQL."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections

from clinic.errors import Busy, Conflict
from tests.booking.conftest import Desk, desk

__all__ = ["Desk", "desk"]

# Two live reservations of one place at one time, whatever the constraint says.
OVERLAPS = """
    SELECT count(*) FROM clinic_reservation a JOIN clinic_reservation b ON b.resource_id = a.resource_id AND b.id > a.id
    WHERE a.live AND b.live AND a.places && b.places AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at
"""


def race(*calls: Callable[[], Any]) -> list[Any]:
    """Call all at the same moment. Returns, in order, what each returned or raised."""
    start = threading.Barrier(len(calls), timeout=30)

    def run(call: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            start.wait()
            return call()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def failures(outcomes: Sequence[Any]) -> list[BaseException]:
    """What no user should ever see: anything but an answer, a conflict and "busy, try again"."""
    raised = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    return [error for error in raised if not isinstance(error, Conflict | Busy)]


def one(sql: str, *params: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchone()[0]


@pytest.fixture(autouse=True)
def nothing_overlaps_and_nothing_deadlocks(transactional_db: None) -> Iterator[None]:
    """Whatever a test does: in the end every place is sold once, and no deadlock had to be broken."""
    deadlocks = "SELECT pg_stat_clear_snapshot(), deadlocks FROM pg_stat_database WHERE datname = current_database()"
    with connection.cursor() as cursor:
        cursor.execute(deadlocks)
        before = cursor.fetchone()[1]
    yield
    assert one(OVERLAPS) == 0
    # The connections of the threads are closed: with that they have handed their counters in.
    with connection.cursor() as cursor:
        cursor.execute(deadlocks)
        assert cursor.fetchone()[1] == before
