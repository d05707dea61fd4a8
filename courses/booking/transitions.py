"""The one table of a session's statuses and of what may follow what."""

from enum import StrEnum


class Status(StrEnum):
    UNPLACED = "unplaced"
    HELD = "held"
    BOOKED = "booked"
    CONFIRMED = "confirmed"
    ARRIVED = "arrived"
    IN_TREATMENT = "in_treatment"
    COMPLETED = "completed"
    STOPPED_EARLY = "stopped_early"
    NOT_TREATED = "not_treated"
    CANCELLED = "cancelled"
    LATE_CANCELLED = "late_cancelled"
    CANCELLED_BY_CLINIC = "cancelled_by_clinic"
    NO_SHOW = "no_show"
    ENTERED_IN_ERROR = "entered_in_error"


S = Status

# A live session occupies its number in the course; whatever else it is, another row may take the number.
LIVE = frozenset({S.UNPLACED, S.HELD, S.BOOKED, S.CONFIRMED, S.ARRIVED, S.IN_TREATMENT, S.COMPLETED, S.STOPPED_EARLY})
PLANNED = frozenset({S.BOOKED, S.CONFIRMED})
PLACED = LIVE - {S.UNPLACED}
DONE = frozenset({S.COMPLETED, S.STOPPED_EARLY})
ENDED = frozenset(Status) - LIVE

_CANCELLING = frozenset({S.CANCELLED, S.LATE_CANCELLED, S.CANCELLED_BY_CLINIC})

_TREATING = frozenset({S.ARRIVED, S.IN_TREATMENT, S.COMPLETED})

TRANSITIONS: dict[Status, frozenset[Status]] = {
    S.UNPLACED: frozenset({S.HELD, S.BOOKED, S.ENTERED_IN_ERROR}) | _CANCELLING,
    S.HELD: frozenset({S.UNPLACED, S.BOOKED}),
    # That a session was begun or given is a fact, whether or not anyone checked the patient in.
    S.BOOKED: frozenset({S.CONFIRMED, S.NO_SHOW, S.ENTERED_IN_ERROR}) | _TREATING | _CANCELLING,
    S.CONFIRMED: frozenset({S.BOOKED, S.NO_SHOW, S.ENTERED_IN_ERROR}) | _TREATING | _CANCELLING,
    S.ARRIVED: frozenset({S.BOOKED, S.IN_TREATMENT, S.COMPLETED, S.NOT_TREATED, S.ENTERED_IN_ERROR}) | _CANCELLING,
    S.IN_TREATMENT: frozenset({S.COMPLETED, S.STOPPED_EARLY, S.NOT_TREATED, S.ENTERED_IN_ERROR}),
    S.COMPLETED: frozenset({S.ENTERED_IN_ERROR}),
    S.STOPPED_EARLY: frozenset({S.ENTERED_IN_ERROR}),
    S.NO_SHOW: frozenset(),
    S.NOT_TREATED: frozenset(),
    S.CANCELLED: frozenset(),
    S.LATE_CANCELLED: frozenset(),
    S.CANCELLED_BY_CLINIC: frozenset(),
    S.ENTERED_IN_ERROR: frozenset(),
}


def may_become(current: str, wanted: str) -> bool:
    """Whether a session in status `current` may become `wanted`."""
    return Status(wanted) in TRANSITIONS[Status(current)]
