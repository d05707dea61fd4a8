"""Rules between the procedures of one patient: on one day, across days, across courses.

A *selector* is a procedure's code or one of its tags.  Rules speak of sessions of different courses, planned or booked
already; what holds within one course is its own frequency.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

Key = int | str


@dataclass(frozen=True, slots=True)
class SameDay:
    """Where both are on one day, `rest` to `lag` slots lie between the end of one and the start of the other.

    ordered: `first` comes before `then`.  lag None = no limit.
    """

    first: str
    then: str
    rest: int = 0
    lag: int | None = None
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Apart:
    """Never within `days` calendar days of each other: 0 = not on one day, 1 = nor on consecutive days."""

    one: str
    other: str
    days: int = 0


@dataclass(frozen=True, slots=True)
class DayLimit:
    """At most so many sessions of a tag (or procedure) on one day."""

    selector: str
    most: int


@dataclass(frozen=True, slots=True)
class NotTogether:
    """Never in one programme: a problem that asks for both is none."""

    one: str
    other: str


@dataclass(frozen=True, slots=True)
class OpensAfter:
    """`course` begins on a later day than session number `sessions` of the course `after`, those given counted."""

    course: Key
    after: Key
    sessions: int


@dataclass(frozen=True, slots=True)
class Review:
    """Visits with the doctor along a course: session j of `course` follows session number after[j] of the course `of`.

    It lies on that day, later than the session, or at most `within` calendar days after it and before the day of the
    next session.  Numbers ascend and count the sessions given already, on both sides.
    """

    course: Key
    of: Key
    after: tuple[int, ...]
    within: int = 7


Rule = SameDay | Apart | DayLimit | NotTogether | OpensAfter | Review


def selects(selector: str, procedure: str, tags: Collection[str]) -> bool:
    return selector == procedure or selector in tags
