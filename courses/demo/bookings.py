"""Planning and booking every prescription through the API, the most urgent first."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from clinic.models import Clinic
from courses.demo.client import Client, ProblemError
from courses.demo.outcomes import BookedSession, Outcome
from courses.importing.models import ImportedRecord
from courses.models import Programme

RACES = 3


class Names:
    """Ids of the clinic's files by our primary keys."""

    def __init__(self, clinic: Clinic) -> None:
        rows = ImportedRecord.objects.filter(clinic=clinic).exclude(noun__in=["patient", "session"])
        self._keys = {(row.noun, row.object_id): row.key for row in rows}

    def of(self, noun: str, key: int | None) -> str | None:
        return None if key is None else self._keys[noun, key]


@dataclass(frozen=True)
class Waiting:
    """A prescription to book: its id in the files and its programme."""

    prescription: str
    programme: int


def waiting_prescriptions(clinic: Clinic) -> list[Waiting]:
    """All imported prescriptions, in order of the day they must be finished by, then of the file."""
    imported = ImportedRecord.objects.filter(clinic=clinic, noun="programme").order_by("pk")
    finish_by = dict(Programme.objects.filter(clinic=clinic).values_list("pk", "referral__finish_by"))
    last = clinic.book_until or dt.date.max
    ordered = sorted(imported, key=lambda row: finish_by[row.object_id] or last)
    return [Waiting(row.key, row.object_id) for row in ordered]


def book_prescriptions(
    *,
    client: Client,
    clinic: Clinic,
    waiting: Iterable[Waiting],
    not_before: dt.date,
    done: Callable[[int, Outcome], None] = lambda _number, _outcome: None,
) -> list[Outcome]:
    """Plan each prescription as of `not_before` and book it. `done` hears of each with its number from 1.

    Raises ProblemError where the API refuses what a front desk may ask for.
    """
    names = Names(clinic)
    outcomes = []
    for number, one in enumerate(waiting, 1):
        plan = client.post("/api/v1/plans/", {"programme": one.programme, "not_before": not_before.isoformat()})
        if plan["status"] != "impossible":
            plan = _book(client, plan)
        outcomes.append(_outcome(client, clinic, names, one, plan))
        done(number, outcomes[-1])
    return outcomes


def _book(client: Client, plan: dict[str, Any]) -> dict[str, Any]:
    """Book a plan; should somebody else be quicker, the fresh one that comes with the refusal."""
    for race in range(RACES):
        try:
            booked: dict[str, Any] = client.post(f"/api/v1/plans/{plan['id']}/book/")
        except ProblemError as problem:
            fresh = problem.details.get("fresh_plan")
            if problem.code != "place_taken" or fresh is None or race == RACES - 1:
                raise
            plan = client.get(f"/api/v1/plans/{fresh}/")
            if plan["status"] == "impossible":
                break
        else:
            return booked
    return plan


def _outcome(client: Client, clinic: Clinic, names: Names, one: Waiting, plan: dict[str, Any]) -> Outcome:
    measured = {"plan_ms": plan["plan_ms"], "proven": plan["proven"], "gap": plan["gap"]}
    if plan["status"] != "booked":
        concessions = plan["concessions"]
        return Outcome(
            prescription=one.prescription,
            booked=False,
            reason_code=plan["explanation"]["reason"],
            reason=plan["sentence"],
            concession=concessions[0]["sentence"] if concessions else None,
            **measured,
        )
    rows = client.rows("/api/v1/sessions/", plan=plan["id"])
    sessions = sorted((_session(clinic, names, row) for row in rows), key=lambda session: session.start)
    return Outcome(prescription=one.prescription, booked=True, sessions=tuple(sessions), **measured)


def _session(clinic: Clinic, names: Names, row: dict[str, Any]) -> BookedSession:
    line = names.of("line", row["course"])
    assert line is not None  # noqa: S101 - every course of a prescription comes from one of its lines
    return BookedSession(
        line=line,
        start=_local(clinic, row["starts_at"]),
        end=_local(clinic, row["ends_at"]),
        therapist=names.of("staff", row["therapist"]),
        room=names.of("room", row["room"]),
        device=names.of("equipment", row["device"]),
        group_class=names.of("class", row["group_class"]),
        visit=row["visit"],
    )


def _local(clinic: Clinic, moment: str) -> str:
    local = dt.datetime.fromisoformat(moment).astimezone(clinic.tz)
    return local.replace(tzinfo=None).isoformat(timespec="minutes")
