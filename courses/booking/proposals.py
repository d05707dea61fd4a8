"""Asking the planner, outside any transaction, and keeping its answer as a Plan."""

import datetime as dt
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid
from clinic.models import User
from courses import planning
from courses.booking.answers import explanation_json
from courses.booking.models import Course, Plan, Session
from courses.booking.placing import require_open
from courses.booking.problems import Bridge, build_problem
from courses.booking.transitions import Status
from courses.booking.wishes import Wishes
from courses.planning.explaining import explain
from courses.planning.types import PROFILES, NoPlan, ProblemError

# People wait for three seconds at most before "nothing found" (planning.md §5); improvement stops after one.
SECONDS = 1.0


def propose_plan(
    *,
    courses: Sequence[Course],
    by: User | None,
    now: dt.datetime,
    profile: str = "balanced",
    wishes: Mapping[str, Any] | None = None,
    not_before: dt.date | None = None,
    moving: Collection[Session] = (),
    only_moving: bool = False,
) -> Plan:
    """Plan all open sessions of these courses of one patient together, and store the answer.

    `wishes` override those of the courses (see `Wishes`); under "courses" they may be keyed by a course's primary
    key. The plan's status is proposed, or impossible with reasons and concessions in `explanation`. Raises Invalid
    where the request itself is wrong, Conflict where all courses are paused or have ended; else those are left out.
    """
    if profile not in PROFILES:
        raise Invalid(details={"profile": [_("Unknown profile.")]})
    if not courses:
        raise Invalid(details={"courses": [_("Choose at least one course.")]})
    require_consent(courses[0])
    asked = parse_wishes(wishes or {}, courses)
    if not any(course.status in Course.OPEN for course in courses):
        require_open(courses)
    courses = [course for course in courses if course.status in Course.OPEN]
    _release_own_expired_holds(courses, now=now)
    started = time.perf_counter()
    bridge = build_problem(
        courses=courses,
        now=now,
        profile=profile,
        wishes=asked,
        not_before=not_before,
        moving=moving,
        only_moving=only_moving,
    )
    loaded = time.perf_counter()
    answer = solve(bridge)
    ended = time.perf_counter()
    request: dict[str, Any] = {
        "wishes": dict(wishes or {}),
        "not_before": not_before.isoformat() if not_before else None,
        "moving": [session.pk for session in moving],
        "only_moving": only_moving,
        "load_ms": round((loaded - started) * 1000, 2),
    }
    plan = Plan(
        clinic=bridge.clinic,
        patient=bridge.patient,
        profile=profile,
        request=request,
        versions={str(pk): version for pk, version in bridge.versions.items()},
        plan_ms=round((ended - loaded) * 1000, 2),
        created_at=now,
        created_by=by,
    )
    if isinstance(answer, NoPlan):
        plan.status = Plan.Status.IMPOSSIBLE
        plan.proven = answer.proven
        plan.explanation = explanation_json(bridge, explain(bridge.problem))
    else:
        plan.status = Plan.Status.PROPOSED
        plan.items = bridge.items(answer)
        plan.cost, plan.bound, plan.proven = answer.cost, answer.bound, answer.proven
    plan.save()
    plan.courses.set(courses)
    return plan


def solve(bridge: Bridge) -> planning.Plan | NoPlan:
    """Plan and check the plan without the solver. Raises Invalid with one sentence per field of a bad problem."""
    try:
        answer = planning.plan(bridge.problem, budget=planning.Budget(seconds=SECONDS, clock=time.perf_counter))
    except ProblemError as error:
        details: dict[str, list[Any]] = {}
        for flaw in error.flaws:
            details.setdefault(flaw.field, []).append(_("This value does not make a plan possible."))
        raise Invalid(details=details) from error
    if isinstance(answer, NoPlan):
        return answer
    violations = planning.verify(bridge.problem, answer)
    if violations:
        raise AssertionError(f"the planner broke its rules: {[v.code for v in violations]}")
    return answer


def parse_wishes(raw: Mapping[str, Any], courses: Sequence[Course]) -> dict[int, Wishes]:
    """Wishes per course: those for all, with a course's own on top. Raises Invalid per field."""
    if not isinstance(raw, Mapping):
        raise Invalid(details={"wishes": [_("Wishes are an object of fields.")]})
    own = raw.get("courses", {})
    if not isinstance(own, Mapping) or not all(isinstance(value, Mapping) for value in own.values()):
        raise Invalid(details={"courses": [_("Wishes of courses are an object keyed by course.")]})
    unknown = set(map(str, own)) - {str(course.pk) for course in courses}
    if unknown:
        raise Invalid(details={"courses": [_("Wishes name a course that is not planned.")]})
    by_course = {**raw, "courses": {str(key): value for key, value in own.items()}}
    return {course.pk: Wishes.of(by_course, course) for course in courses}


def _release_own_expired_holds(courses: Sequence[Course], *, now: dt.datetime) -> None:
    """Sessions whose hold has expired need new times, though nobody has swept them yet."""
    # Holds bring fresh plans to those who lose a race, so they import this module.
    from courses.booking.holds import release_expired_holds

    if Session.objects.filter(course__in=courses, status=Status.HELD, held_until__lte=now).exists():
        release_expired_holds(now=now)


def require_consent(course: Course) -> None:
    """Raises Invalid where the patient has not agreed to data processing."""
    if not course.patient.consent_data:
        message = _("This patient has not agreed to data processing. Record the consent first.")
        raise Invalid(message, code="no_consent", details={"patient": [message]})
