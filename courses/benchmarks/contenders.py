"""One contender's work in its own process. Every attempt ends as booked, lost, busy or as an error."""

import datetime as dt
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import connection
from django.utils import timezone

from clinic.errors import Busy, PlaceTaken
from courses.benchmarks.shares import ServiceShare, UnguardedShare, WebShare
from courses.benchmarks.web import WebClient
from courses.booking.bookings import book_as_planned
from courses.booking.cancelling import cancel_session
from courses.booking.models import Plan, Session

# All wait for each other before every so many places: what is raced for must not be long sold when one comes by.
TOGETHER = 20

Made = Callable[[int], None]


def contend(share: ServiceShare, barrier: Any, made: Made) -> Counter[str]:
    """Book through the service; cancel what was won and ask for it again in the next round."""
    found: Counter[str] = Counter()
    plans = Plan.objects.select_related("clinic", "patient").in_bulk(share.plans)
    mine = [plans[pk] for pk in share.plans]
    connection.ensure_connection()
    for number in range(share.rounds):
        is_last = number == share.rounds - 1
        won: set[int] = set()
        for first in range(0, len(mine), TOGETHER):
            # Only the first and the last round begin together: else some still cancel while others book already.
            if first or number == 0 or is_last:
                barrier.wait()
            group = range(first, min(first + TOGETHER, len(mine)))
            for index in [index for _pass in range(share.passes) for index in group]:
                if index in won:
                    continue
                outcome = _attempt(mine[index])
                found[outcome] += 1
                if outcome == "booked":
                    won.add(index)
            made(len(group) * share.passes)
        for index in () if is_last else sorted(won):
            again = _give_back(mine[index], found)
            if again is not None:
                mine[index] = again
    connection.close()
    return found


def _attempt(plan: Plan) -> str:
    try:
        book_as_planned(plan=plan, now=timezone.now())
    except PlaceTaken:
        return "lost"
    except Busy:
        return "busy"
    except Exception as error:
        _tell(error)
        return "error"
    return "booked"


def _give_back(plan: Plan, found: Counter[str]) -> Plan | None:
    """Cancel, and ask for the same place for the session that takes the cancelled one's place."""
    now = timezone.now()
    for _try in range(5):
        try:
            old = Session.objects.select_related("course__clinic", "appointment").get(pk=plan.items[0]["session"])
            cancel_session(session=old, by=None, now=now)
            found["cancelled"] += 1
            return _ask_again(plan, old, now=now)
        except Busy:
            found["busy"] += 1
        except Exception as error:
            _tell(error)
            found["error"] += 1
            return None
    return None


def _ask_again(plan: Plan, old: Session, *, now: dt.datetime) -> Plan:
    session = Session.objects.get(replaces=old)
    return Plan.objects.create(
        clinic=plan.clinic,
        patient=plan.patient,
        status=Plan.Status.PROPOSED,
        items=[plan.items[0] | {"session": session.pk}],
        versions=plan.versions,
        created_at=now,
    )


def contend_over_http(share: WebShare, barrier: Any, made: Made) -> Counter[str]:
    """Book through the API, with the fresh plan that a lost race brings."""
    found: Counter[str] = Counter()
    with WebClient(share.url, share.token) as web:
        for index, pk in enumerate(share.plans):
            if index % TOGETHER == 0:
                barrier.wait()
            status, answer = web.post(f"/api/v1/plans/{pk}/book/")
            code = answer.get("code") if isinstance(answer, dict) else None
            outcome = {(200, None): "booked", (409, "place_taken"): "lost", (409, "plan_stale"): "lost"}.get(
                (status, code), "busy" if code == "busy" else "error"
            )
            if outcome == "error":
                _tell(RuntimeError(f"HTTP {status} {answer}"))
            found[outcome] += 1
            made(1)
    return found


def contend_unguarded(share: UnguardedShare, barrier: Any, made: Made) -> Counter[str]:
    """Look, then write, as software without locks and constraints does: it shows that the race is real."""
    found: Counter[str] = Counter()
    with psycopg.connect(share.database, autocommit=True) as database:
        for place in range(share.places):
            barrier.wait()
            row = database.execute(f"SELECT 1 FROM {share.table} WHERE place = %s".encode(), [place]).fetchone()
            if row is None:
                database.execute(
                    f"INSERT INTO {share.table} (place, taker) VALUES (%s, %s)".encode(), [place, share.taker]
                )
                found["booked"] += 1
            made(1)
    return found


def _tell(error: Exception) -> None:
    sys.stderr.write(f"{type(error).__name__}: {error}\n")
