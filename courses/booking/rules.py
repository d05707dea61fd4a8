"""Rules between procedures that one request asks for, read from JSON and put in the planner's terms."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid
from courses.booking.supply import to_slots
from courses.planning.rules import Apart, DayLimit, NotTogether, OpensAfter, Review, Rule, SameDay
from courses.planning.types import SLOT_MINUTES

MOST_RULES = 40

# Sessions of a course that no problem speaks of: given before its horizon, or before the software's time.
Earlier = Mapping[int, int]


def parse_rules(raw: Sequence[Mapping[str, Any]], *, earlier: Earlier) -> tuple[Rule, ...]:
    """Rules as objects with a `kind` and its fields; minutes become slots: rests rounded up, lags down.

    `earlier`: course → sessions that count for `sessions` and `after_sessions` but are not in the problem. What these
    have settled already is left out. Raises Invalid with one sentence per rule that cannot be read.
    """
    if len(raw) > MOST_RULES:
        raise Invalid(details={"rules": [_("Name at most %(most)s rules.") % {"most": MOST_RULES}]})
    rules: list[Rule] = []
    errors: list[Any] = []
    for position, one in enumerate(raw, start=1):
        try:
            rule = _READERS[one["kind"]](one, earlier)
        except (KeyError, TypeError, ValueError):
            errors.append(_("Rule %(position)s cannot be read.") % {"position": position})
            continue
        if rule is not None:
            rules.append(rule)
    if errors:
        raise Invalid(details={"rules": errors})
    return tuple(rules)


def _same_day(raw: Mapping[str, Any], _earlier: Earlier) -> Rule:
    lag = raw.get("lag_minutes")
    return SameDay(
        _selector(raw["first"]),
        _selector(raw["then"]),
        rest=to_slots(_count(raw.get("rest_minutes", 0))),
        lag=None if lag is None else _count(lag) // SLOT_MINUTES,
        ordered=bool(raw.get("ordered", True)),
    )


def _apart(raw: Mapping[str, Any], _earlier: Earlier) -> Rule:
    return Apart(_selector(raw["one"]), _selector(raw["other"]), days=_count(raw.get("days", 0)))


def _day_limit(raw: Mapping[str, Any], _earlier: Earlier) -> Rule:
    return DayLimit(_selector(raw["selector"]), _count(raw["most"]))


def _not_together(raw: Mapping[str, Any], _earlier: Earlier) -> Rule:
    return NotTogether(_selector(raw["one"]), _selector(raw["other"]))


def _opens_after(raw: Mapping[str, Any], earlier: Earlier) -> Rule | None:
    course, after = _count(raw["course"]), _count(raw["after"])
    left = _count(raw["sessions"]) - earlier.get(after, 0)
    # A course that has begun has opened.
    return OpensAfter(course, after, left) if left > 0 and not earlier.get(course) else None


def _review(raw: Mapping[str, Any], earlier: Earlier) -> Rule | None:
    course, of = _count(raw["course"]), _count(raw["of"])
    numbers = [_count(number) for number in raw["after_sessions"]][earlier.get(course, 0) :]
    # A review that is overdue follows the next session.
    left = [max(number - earlier.get(of, 0), 1) for number in numbers]
    return Review(course, of, tuple(left), within=_count(raw.get("within_days", 7))) if left else None


def _selector(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > 64 or "\0" in value:
        raise ValueError(value)
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError(value)
    return value


_READERS: dict[str, Callable[[Mapping[str, Any], Earlier], Rule | None]] = {
    "same_day": _same_day,
    "apart": _apart,
    "day_limit": _day_limit,
    "not_together": _not_together,
    "opens_after": _opens_after,
    "review": _review,
}
KINDS = tuple(_READERS)
