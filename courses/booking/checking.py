"""Is this a request at all?  One sentence per wrong field, before anything is read or solved."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid
from clinic.models import Therapist
from courses.booking.changing import Demand
from courses.booking.models import Course, Strength
from courses.booking.wishes import Wishes
from courses.planning.types import SLOT_MINUTES, Flaw

PAST = _("Date has passed. Enter today or later.")
UNKNOWN_THERAPIST = _("There is no such specialist.")
GAPS = _("The longest gap must not be shorter than the shortest.")
ORDER = _("The last day must not be before the first.")
TOO_SHORT = _("This part of the day is shorter than one session.")

Found = Iterator[tuple[str, Any]]


def require_sensible(
    courses: Sequence[Course],
    wishes: Mapping[int, Wishes],
    *,
    raw: Mapping[str, Any],
    not_before: dt.date | None,
    demands: Sequence[Demand],
    today: dt.date,
) -> None:
    """Raises Invalid with every wrong field: `gap_max`, or `courses.12.gap_max` where it is wished of one course alone.

    raw: the wishes as they were sent.
    """
    known = _known_therapists(wishes.values(), demands)
    errors: dict[str, list[Any]] = {}
    if not_before is not None and not_before < today:
        errors["not_before"] = [PAST]
    for course in courses:
        own = raw.get("courses", {}).get(str(course.pk), {})
        for name, sentence in _wrong_wishes(course, wishes[course.pk], known, today=today):
            errors.setdefault(f"courses.{course.pk}.{name}" if name in own else name, [sentence])
    for number, demand in enumerate(demands, start=1):
        for name, sentence in _wrong_demand(demand, courses, known, today=today):
            errors.setdefault(f"demands.{number}.{name}", [sentence])
    if errors:
        raise Invalid(details=errors)


def _known_therapists(wishes: Collection[Wishes], demands: Sequence[Demand]) -> set[int]:
    named = {w.preferred_therapist for w in wishes} | {d.therapist for d in demands}
    named |= {pk for d in demands for pk in d.excluded_therapists}
    asked = {pk for pk in named if pk is not None}
    return set(Therapist.objects.filter(pk__in=asked).values_list("pk", flat=True)) if asked else set()


def _wrong_wishes(course: Course, wishes: Wishes, known: set[int], *, today: dt.date) -> Found:
    """What is wrong with what is asked anew; what the course itself says may be as old as the course."""
    given = wishes.given
    whole = wishes.over(course)
    if "preferred_therapist" in given and wishes.preferred_therapist not in {None, *known}:
        yield "preferred_therapist", UNKNOWN_THERAPIST
    for name in ("start_from", "finish_by"):
        day = getattr(wishes, name)
        if name in given and day is not None and day < today:
            yield name, PAST
    if "excluded_days" in given and any(day < today for day in wishes.excluded_days):
        yield "excluded_days", PAST
    spans = bool(whole.start_from and whole.finish_by and given & {"start_from", "finish_by"})
    if spans and whole.finish_by < whole.start_from:  # type: ignore[operator]
        yield ("finish_by" if "finish_by" in given else "start_from"), ORDER
    if whole.gap_min and whole.gap_max and whole.gap_max < whole.gap_min:
        yield ("gap_max" if "gap_max" in given or "gap_min" not in given else "gap_min"), GAPS
    window = whole.window
    if window is not None and whole.window_strength != Strength.NONE:
        if window[0] >= window[1]:
            yield "window_until", _("The end must be after the start.")
        elif whole.window_strength == Strength.MUST and (window[1] - window[0]) * SLOT_MINUTES < course.minutes:
            yield (
                ("window_until" if "window_until" in given or "window_from" not in given else "window_from"),
                TOO_SHORT,
            )


def _wrong_demand(demand: Demand, courses: Sequence[Course], known: set[int], *, today: dt.date) -> Found:
    if demand.therapist is not None and demand.therapist not in known:
        yield "therapist", UNKNOWN_THERAPIST
    if set(demand.excluded_therapists) - known:
        yield "excluded_therapists", UNKNOWN_THERAPIST
    if any(day < today for day in demand.excluded_days):
        yield "excluded_days", PAST
    if demand.not_before and demand.not_after:
        first, last = (time.hour * 60 + time.minute for time in (demand.not_before, demand.not_after))
        if last - first < min(course.minutes for course in courses):
            yield "not_after", TOO_SHORT


_FIELDS = {
    "sessions": "courses",
    "start_day": "start_from",
    "finish_day": "finish_by",
    "window": "window_until",
    "hours": "demands",
    "former": "demands",
    "procedure": "rules",
}
_SENTENCES = {
    ("gap_max", "below_gap_min"): GAPS,
    ("window", "shorter_than_session"): TOO_SHORT,
    ("hours", "shorter_than_session"): _("What is asked of these sessions leaves no time of the day for them."),
    ("hours", "not_an_interval"): _("What is asked of these sessions leaves no time of the day for them."),
    ("finish_day", "before_start"): ORDER,
    ("former", "twice_a_day"): _("Two of these sessions would be on one day."),
    ("rules", "cycle"): _("These rules lead in a circle."),
    ("rules", "unknown_course"): _("A rule names a course that is neither planned here nor booked."),
    ("rules", "more_than_there_are"): _("A rule counts more sessions than the course has, or not in rising order."),
    ("rules", "lag_below_rest"): _("The longest lag of a rule is shorter than its rest."),
    ("rules", "order_of_itself"): _("A rule puts a procedure before itself."),
    ("rules", "not_positive"): _("A rule allows no session at all."),
    ("sessions", "not_the_reviews"): _("A review needs as many visits as it names sessions to follow."),
    ("procedure", "not_together"): _("A rule forbids these procedures in one programme."),
}


def invalid_problem(flaws: Sequence[Flaw]) -> Invalid:
    """What the planner finds wrong with a problem, in the names of the request's fields."""
    details: dict[str, list[Any]] = {}
    for flaw in flaws:
        sentence = _SENTENCES.get((flaw.field, flaw.code), _("This value does not make a plan possible."))
        details.setdefault(_FIELDS.get(flaw.field, flaw.field), [sentence])
    return Invalid(details=details)
