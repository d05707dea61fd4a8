"""Several plans to choose from, one per profile, side by side; see `courses.planning.alternatives`."""

import datetime as dt
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid
from clinic.models import User
from courses import planning
from courses.booking.calendars import time_of
from courses.booking.checking import invalid_problem
from courses.booking.models import Course, Plan
from courses.booking.problems import Bridge
from courses.booking.proposals import ask
from courses.planning.alternatives import COMPARED, THREE, Alternative
from courses.planning.types import PROFILES, NoPlan, ProblemError

# For all profiles together; what is spent beyond it is at most one step of the search.
SECONDS = 1.5
MOST_PROFILES = 4


def propose_alternatives(
    *,
    courses: Sequence[Course],
    by: User | None,
    now: dt.datetime,
    profiles: Sequence[str] = THREE,
    wishes: Mapping[str, Any] | None = None,
    not_before: dt.date | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
) -> list[Plan]:
    """Plan the courses once by each profile, and store the plans that really differ, in the profiles' order.

    They share a `group` and say in `comparison` what they are best for. Where there is no plan, a single one says why.
    Raises as `propose_plan` does.
    """
    if not profiles or len(profiles) > MOST_PROFILES or len(set(profiles)) < len(profiles):
        raise Invalid(details={"profiles": [_("Name one to four different profiles.")]})
    if not set(profiles) <= set(PROFILES):
        raise Invalid(details={"profiles": [_("Unknown profile.")]})
    question = ask(courses=courses, by=by, now=now, wishes=wishes, not_before=not_before, rules=rules)
    started = time.perf_counter()
    budget = planning.Budget(seconds=SECONDS, clock=time.perf_counter)
    try:
        answer = planning.alternatives(question.bridge.problem, profiles, budget)
    except ProblemError as error:
        raise invalid_problem(error.flaws) from error
    spent = (time.perf_counter() - started) * 1000
    if isinstance(answer, NoPlan):
        return [question.store(answer, profile=profiles[0], plan_ms=spent)]
    group = uuid.uuid4()
    plans = []
    for one in answer:
        plan = question.answered(question.new_plan(profile=one.profiles[0], plan_ms=spent), one.plan)
        plan.group, plan.comparison = group, comparison_json(question.bridge, one)
        plans.append(question.save(plan))
    return plans


def comparison_json(bridge: Bridge, one: Alternative) -> dict[str, Any]:
    """`{"profiles", "best_in", "figures"}` with dates and times instead of days and slots."""
    figures = asdict(one.figures)
    usual = figures.pop("usual_slot")
    return {
        "profiles": list(one.profiles),
        "best_in": list(one.best_in),
        "figures": figures
        | {
            "first_day": bridge.days.date(one.figures.first_day).isoformat(),
            "last_day": bridge.days.date(one.figures.last_day).isoformat(),
            "usual_time": time_of(usual).isoformat("minutes") if usual is not None else None,
        },
    }


def differences(one: Plan, other: Plan) -> dict[str, int]:
    """By how much `one` is worse than the other in each figure: days, visits, minutes, people; negative = better."""
    if one.comparison is None or other.comparison is None:
        return {}
    mine, theirs = one.comparison["figures"], other.comparison["figures"]
    found = {name: mine[name] - theirs[name] for name in COMPARED if name != "last_day"}
    return {"days": (dt.date.fromisoformat(mine["last_day"]) - dt.date.fromisoformat(theirs["last_day"])).days, **found}
