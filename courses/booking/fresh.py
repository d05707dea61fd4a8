"""A lost race is never an error page: whoever lost gets to know what was taken, and a fresh plan."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from clinic.errors import DomainError, PlaceTaken
from clinic.models import User
from courses.booking.models import Plan
from courses.booking.proposals import propose_again


@contextmanager
def with_fresh_plan(plan: Plan, *, by: User | None, now: dt.datetime) -> Iterator[None]:
    """Add the plan's lost items ("taken") and the primary key of a fresh plan to a PlaceTaken on its way out."""
    try:
        yield
    except PlaceTaken as error:
        lost = set(error.details.get("taken", []))
        error.details["taken"] = [item for item in plan.items if item["session"] in lost]
        error.details["fresh_plan"] = _propose_again(plan, by=by, now=now)
        raise


def _propose_again(plan: Plan, *, by: User | None, now: dt.datetime) -> int | None:
    try:
        return propose_again(plan=plan, by=by, now=now).pk
    except DomainError:
        # What was asked can no longer be asked (all sessions have times now): the refusal itself says enough.
        return None
