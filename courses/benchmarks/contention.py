"""Many buyers of the same places at the same moment: through services in processes, and over HTTP.

An attempt through services is `book_as_planned` with a plan made beforehand: locks, the look at what is taken, the
writing of session, reservations, visit and messages, the commit. An attempt over HTTP is the whole of it, with the
proposal of a fresh plan for those who lost.
"""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import connections
from django.utils import timezone

from courses.benchmarks import audit
from courses.benchmarks.clinics import LoadedClinic, load_reference_clinic, owner_connection
from courses.benchmarks.places import FreePlace, count_unsold, find_free_places, make_contenders
from courses.benchmarks.processes import run_processes
from courses.benchmarks.shares import ServiceShare, UnguardedShare, WebShare
from courses.demo.progress import Bar

PROCESSES = 16
ATTEMPTS = 100_000
HTTP_ATTEMPTS = 5_000
MOST_PLACES = 240  # sold in each round through services
PASSES = 2
SLOTS = 20
UNGUARDED_PLACES = 100
UNGUARDED_TABLE = "bench_unguarded"


def measure(options: Mapping[str, Any]) -> dict[str, Any]:
    """`lost` is what a contended attempt usually is: somebody else was first. `errors` are answers of any other kind
    than booked, lost and busy; `unguarded_double_bookings` is how often the race is lost without the guard."""
    processes = options["processes"] or PROCESSES
    attempts = options["attempts"] or ATTEMPTS
    http_attempts = options["http_attempts"] or HTTP_ATTEMPTS
    loaded = load_reference_clinic(timezone.localdate())
    per_round = min(MOST_PLACES, -(-attempts // (PASSES * processes)))
    # Whoever got a place in the first pass does not ask for it in the second.
    rounds = -(-attempts // (per_round * (PASSES * processes - 1)))
    sold = find_free_places(loaded)
    lots = _share_out(sold, SLOTS, per_round, -(-http_attempts // processes))
    before = audit.deadlocks()

    started = time.monotonic()
    services = _contend(loaded, lots[1], processes, rounds=rounds, passes=PASSES, label="Through services")
    seconds = time.monotonic() - started
    slots = _contend(loaded, lots[0], processes, rounds=1, passes=1, label=f"{SLOTS} slots")
    web = _contend_over_http(loaded, lots[2], processes)
    unguarded = _contend_unguarded(processes)

    # PostgreSQL's backends hand their counters in once a second.
    time.sleep(2)
    made, through_http = _attempts(services) + _attempts(slots), _attempts(web)
    total = services + slots + web
    return {
        "processes": processes,
        "attempts": made,
        "http_attempts": through_http,
        "booked": total["booked"],
        "lost": total["lost"],
        "cancelled": total["cancelled"],
        "errors": total["error"],
        "busy_share": round(total["busy"] / (made + through_http), 5),
        "double_bookings": audit.double_bookings(),
        "disagreements": audit.disagreements(),
        "deadlocks": audit.deadlocks() - before,
        "places": len(lots[0]) + len(lots[1]) + len(lots[2]),
        "unsold": count_unsold([place for lot in lots for place in lot]),
        "attempts_on_20": _attempts(slots),
        "accepted_of_20": slots["booked"],
        "unguarded_double_bookings": unguarded,
        "attempts_per_second": round(made / seconds, 1),
    }


def _attempts(found: Counter[str]) -> int:
    return sum(found[outcome] for outcome in ("booked", "lost", "busy", "error"))


def _share_out(places: Sequence[FreePlace], *sizes: int) -> list[list[FreePlace]]:
    """Lots of free places that lie near each other, so that the lots of one therapist's day are contended together."""
    if sum(sizes) > len(places):
        raise RuntimeError(f"The clinic has {len(places)} free places, {sum(sizes)} are asked for. Ask for fewer.")
    lots, start = [], 0
    for size in sizes:
        lots.append(list(places[start : start + size]))
        start += size
    return lots


def _contend(
    loaded: LoadedClinic, places: Sequence[FreePlace], processes: int, *, rounds: int, passes: int, label: str
) -> Counter[str]:
    plans = make_contenders(loaded, places, count=processes, now=timezone.now())
    shares = [ServiceShare(tuple(keys), rounds, passes) for keys in plans]
    return _run("contend", shares, label, processes * len(places) * rounds * passes)


def _contend_over_http(loaded: LoadedClinic, places: Sequence[FreePlace], processes: int) -> Counter[str]:
    plans = make_contenders(loaded, places, count=processes, now=timezone.now())
    shares = [WebShare(settings.PUBLIC_URL, loaded.token, tuple(keys)) for keys in plans]
    return _run("contend_over_http", shares, "Over HTTP", processes * len(places))


def _contend_unguarded(processes: int) -> int:
    database = os.environ.get("DATABASE_OWNER_URL") or os.environ["DATABASE_URL"]
    with owner_connection() as owner:
        owner.execute(f"DROP TABLE IF EXISTS {UNGUARDED_TABLE}".encode())
        owner.execute(f"CREATE TABLE {UNGUARDED_TABLE} (place integer, taker integer)".encode())
        shares = [UnguardedShare(database, UNGUARDED_TABLE, UNGUARDED_PLACES, taker) for taker in range(processes)]
        found = _run("contend_unguarded", shares, "Without the guard", processes * UNGUARDED_PLACES)
        owner.execute(f"DROP TABLE {UNGUARDED_TABLE}".encode())
    return found["booked"] - UNGUARDED_PLACES


def _run(function: str, shares: Sequence[object], label: str, attempts: int) -> Counter[str]:
    connections.close_all()  # what is idle for minutes is cut off
    with Bar(label, attempts) as bar:
        answers = run_processes(
            f"courses.benchmarks.contenders:{function}", shares, done=lambda more: bar.to(bar.done + more)
        )
    return sum(answers, Counter())
