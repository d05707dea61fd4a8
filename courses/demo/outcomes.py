"""What became of each prescription, in the words of the clinic's own files."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class BookedSession:
    """Ids as in the files, times local without an offset, as there."""

    line: str
    start: str
    end: str
    therapist: str | None
    room: str | None
    device: str | None
    group_class: str | None
    visit: int = 0

    def as_json(self) -> dict[str, Any]:
        shown = asdict(self)
        del shown["visit"]
        shown["class"] = shown.pop("group_class")
        return shown


@dataclass(frozen=True)
class Outcome:
    prescription: str
    booked: bool
    reason_code: str | None = None
    reason: str | None = None
    concession: str | None = None
    plan_ms: float = 0.0
    proven: bool = False
    gap: float | None = None
    sessions: tuple[BookedSession, ...] = field(default=())

    @property
    def visits(self) -> int:
        return len({session.visit for session in self.sessions})

    @property
    def dates(self) -> tuple[dt.date, dt.date] | None:
        days = [dt.datetime.fromisoformat(session.start).date() for session in self.sessions]
        return (min(days), max(days)) if days else None

    @property
    def therapists(self) -> list[str]:
        return sorted({session.therapist for session in self.sessions if session.therapist})

    def as_json(self) -> dict[str, Any]:
        return {
            "prescription": self.prescription,
            "booked": self.booked,
            "reason_code": self.reason_code,
            "concession": self.concession,
            "plan_ms": self.plan_ms,
            "proven": self.proven,
            "gap": self.gap,
            "sessions": [session.as_json() for session in self.sessions],
        }


def totals(outcomes: Iterable[Outcome], **others: Any) -> dict[str, Any]:
    """Sums over all prescriptions; `others` are added as they are."""
    known = list(outcomes)
    times = sorted(outcome.plan_ms for outcome in known)
    visits = {session.visit for outcome in known for session in outcome.sessions}
    return {
        "prescriptions": len(known),
        "booked": sum(outcome.booked for outcome in known),
        "not_booked": sum(not outcome.booked for outcome in known),
        "sessions": sum(len(outcome.sessions) for outcome in known),
        "visits": len(visits),
        "proven": sum(outcome.booked and outcome.proven for outcome in known),
        "plan_ms_median": times[len(times) // 2] if times else None,
        "plan_ms_longest": times[-1] if times else None,
        **others,
    }
