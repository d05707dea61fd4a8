"""The one way to write: a durable transaction, all locks first, and database refusals turned into sentences.

Order of locks, for every writer: Course → Resource → class Appointment → Ledger, each by primary key. Whoever
frees places takes the same locks: cancelling first and locking later deadlocks against locking and inserting.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils.translation import gettext_lazy as _

from clinic.errors import Busy, Conflict, OutsideAvailability, PlaceTaken
from clinic.models import Appointment, Resource

_REFUSALS: dict[str, Conflict] = {
    "nothing_is_in_two_places": PlaceTaken(),
    "seat_sold_once": PlaceTaken(),
    "reservation_within_capacity": PlaceTaken(),
    "reservation_outside_absence": OutsideAvailability(_("The specialist is absent at this time.")),
    "reservation_outside_outage": OutsideAvailability(_("The room or device is out of service at this time.")),
    "reservation_outside_closure": OutsideAvailability(_("The clinic is closed at this time.")),
    "session_number_once": Conflict(),
    "treatment_is_one_session": Conflict(),
    "seat_within_class": PlaceTaken(),
    "merged_card_takes_nothing": Conflict(_("This card was merged into another. Open that one."), code="card_merged"),
    "one_visit_a_day": Busy(),
    "task_open_once": Busy(),
}


@contextmanager
def writing() -> Iterator[None]:
    """A durable transaction for one verb.

    Raises Busy where a lock could not be had in time, and the matching DomainError where the database itself
    refused: then nothing was written.
    """
    try:
        with transaction.atomic(durable=True):
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
            raise Busy() from error
        raise
    except IntegrityError as error:
        refusal = refusal_of(error)
        if refusal is None:
            raise
        raise refusal from error


def refusal_of(error: IntegrityError) -> Conflict | None:
    """What a person should read when the database refused; None for refusals that are programming errors."""
    cause = error.__cause__
    name = cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
    refusal = _REFUSALS.get(name or "")
    return None if refusal is None else type(refusal)(refusal.sentence, code=refusal.code)


def lock_resources(ids: Iterable[int]) -> dict[int, Resource]:
    """Lock resources by primary key and return them. Call before the first write of the transaction."""
    _require_transaction()
    wanted = sorted(set(ids))
    rows = Resource.objects.filter(pk__in=wanted).order_by("pk").select_for_update(no_key=True, of=("self",))
    return {row.pk: row for row in rows}


def lock_meetings(ids: Iterable[int]) -> dict[int, Appointment]:
    """Lock the appointments of class meetings, after the resources."""
    _require_transaction()
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = Appointment.objects.filter(pk__in=wanted).order_by("pk").select_for_update(no_key=True, of=("self",))
    return {row.pk: row for row in rows}


def _require_transaction() -> None:
    if not connection.in_atomic_block:
        raise RuntimeError("locks are taken inside writing()")
