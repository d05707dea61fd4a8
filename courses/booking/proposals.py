"""Asking the planner, outside any transaction, and keeping its answer as a Plan."""

import datetime as dt
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid
from clinic.models import User
from courses import planning
from courses.booking.answers import explanation_json
from courses.booking.changing import Demand, Former, changes_json, parse_demands, places_in, places_of, with_former
from courses.booking.checking import invalid_problem, require_sensible
from courses.booking.elsewhere import with_other_rooms
from courses.booking.models import Course, Plan, Session
from courses.booking.placing import require_open
from courses.booking.problems import Bridge, build_problem
from courses.booking.transitions import Status
from courses.booking.wishes import Wishes
from courses.planning.explaining import explain
from courses.planning.types import PROFILES, NoPlan, ProblemError

# People wait for three seconds at most before "nothing found" (planning.md §5); improvement stops after one.
SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Question:
    """What one request asks of the planner, read and checked. `request` is what plans keep of it."""

    bridge: Bridge
    courses: Sequence[Course]
    request: dict[str, Any]
    demands: Sequence[Demand]
    by: User | None
    now: dt.datetime
    former: Former | None = None
    based_on: Plan | None = None

    def starting_from(self, former: Former, *, based_on: Plan | None = None) -> "Question":
        """The same, with as little movement as can be from where sessions were."""
        return replace(
            self,
            bridge=with_former(self.bridge, former, self.demands),
            request=self.request | {"least_movement": True, "fixed": sorted(former.fixed)},
            former=former,
            based_on=based_on,
        )

    def answer(self) -> planning.Plan | NoPlan:
        """Raises Invalid with one sentence per field of a bad problem."""
        try:
            budget = planning.Budget(seconds=SECONDS, clock=time.perf_counter)
            return planning.plan(self.bridge.problem, budget=budget)
        except ProblemError as error:
            raise invalid_problem(error.flaws) from error

    def new_plan(self, *, profile: str, plan_ms: float) -> Plan:
        """A row that still misses its answer."""
        return Plan(
            clinic=self.bridge.clinic,
            patient=self.bridge.patient,
            profile=profile,
            request=self.request,
            versions={str(pk): version for pk, version in self.bridge.versions.items()},
            plan_ms=round(plan_ms, 2),
            based_on=self.based_on,
            created_at=self.now,
            created_by=self.by,
        )

    def store(self, answer: planning.Plan | NoPlan, *, profile: str, plan_ms: float) -> Plan:
        plan = self.new_plan(profile=profile, plan_ms=plan_ms)
        return self.save(self.unanswered(plan, answer) if isinstance(answer, NoPlan) else self.answered(plan, answer))

    def answered(self, plan: Plan, answer: planning.Plan) -> Plan:
        """The row with a plan that keeps every must, as was checked without the solver."""
        violations = planning.verify(self.bridge.problem, answer)
        if violations:
            raise AssertionError(f"the planner broke its rules: {[v.code for v in violations]}")
        plan.status = Plan.Status.PROPOSED
        plan.items = self.bridge.items(answer)
        plan.cost, plan.bound, plan.proven = answer.cost, answer.bound, answer.proven
        if self.former is not None:
            plan.changes = changes_json(self.former, plan.items)
        return plan

    def unanswered(self, plan: Plan, answer: NoPlan) -> Plan:
        plan.status = Plan.Status.IMPOSSIBLE
        plan.proven = answer.proven
        bridge = with_other_rooms(self.bridge, now=self.now)
        plan.explanation = explanation_json(bridge, explain(bridge.problem))
        return plan

    def save(self, plan: Plan) -> Plan:
        plan.save()
        plan.courses.set(self.courses)
        return plan


def ask(
    *,
    courses: Sequence[Course],
    by: User | None,
    now: dt.datetime,
    profile: str = "balanced",
    wishes: Mapping[str, Any] | None = None,
    not_before: dt.date | None = None,
    moving: Collection[Session] = (),
    only_moving: bool = False,
    demands: Sequence[Mapping[str, Any]] = (),
    rules: Sequence[Mapping[str, Any]] = (),
) -> Question:
    """Read what the planner needs; the arguments are those of `propose_plan`. `demands` await a `starting_from`."""
    if profile not in PROFILES:
        raise Invalid(details={"profile": [_("Unknown profile.")]})
    if not courses:
        raise Invalid(details={"courses": [_("Choose at least one course.")]})
    require_consent(courses[0])
    asked, demanded = parse_wishes(wishes or {}, courses), parse_demands(demands)
    today = courses[0].clinic.local_date(now)
    require_sensible(courses, asked, raw=wishes or {}, not_before=not_before, demands=demanded, today=today)
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
        rules=rules,
    )
    request: dict[str, Any] = {
        "wishes": dict(wishes or {}),
        "not_before": not_before.isoformat() if not_before else None,
        "moving": [session.pk for session in moving],
        "only_moving": only_moving,
        "least_movement": False,
        "demands": [dict(demand) for demand in demands],
        "rules": [dict(rule) for rule in rules],
        "load_ms": round((time.perf_counter() - started) * 1000, 2),
    }
    return Question(bridge, courses, request, demanded, by, now)


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
    least_movement: bool = False,
    demands: Sequence[Mapping[str, Any]] = (),
    rules: Sequence[Mapping[str, Any]] = (),
) -> Plan:
    """Plan all open sessions of these courses of one patient together, and store the answer.

    `wishes` override those of the courses (see `Wishes`); under "courses" they may be keyed by a course's primary
    key. `moving` sessions have a time and are planned anew as well: with `least_movement`, or `demands` (see
    `Demand`), from where they are. `rules` hold between the procedures (see `parse_rules`).

    The plan's status is proposed, or impossible with reasons and concessions in `explanation`. Raises Invalid
    where the request itself is wrong, Conflict where all courses are paused or have ended; else those are left out.
    """
    question = ask(
        courses=courses,
        by=by,
        now=now,
        profile=profile,
        wishes=wishes,
        not_before=not_before,
        moving=moving,
        only_moving=only_moving,
        demands=demands,
        rules=rules,
    )
    if least_movement or demands:
        question = question.starting_from(Former(places_of(moving)))
    return answer_and_store(question, profile=profile)


def answer_and_store(question: Question, *, profile: str) -> Plan:
    started = time.perf_counter()
    answer = question.answer()
    return question.store(answer, profile=profile, plan_ms=(time.perf_counter() - started) * 1000)


def propose_again(
    *,
    plan: Plan,
    by: User | None,
    now: dt.datetime,
    profile: str | None = None,
    wishes: Mapping[str, Any] | None = None,
    demands: Sequence[Mapping[str, Any]] | None = None,
) -> Plan:
    """What a plan was asked, asked once more as things are now, with another profile, wishes or demands where given.

    A plan that left sessions where they were does so again: from where they are, or were in the plan it came from.
    """
    question = question_of(plan, by=by, now=now, profile=profile, wishes=wishes, demands=demands)
    if plan.request.get("least_movement"):
        places = places_of(_moving(plan))
        if plan.based_on is not None:
            places |= places_in(plan)
        question = question.starting_from(Former(places), based_on=plan.based_on)
    return answer_and_store(question, profile=profile or plan.profile)


def question_of(
    plan: Plan,
    *,
    by: User | None,
    now: dt.datetime,
    profile: str | None = None,
    wishes: Mapping[str, Any] | None = None,
    demands: Sequence[Mapping[str, Any]] | None = None,
    also_moving: Collection[Session] = (),
) -> Question:
    """What a plan was asked, with the calendars as they are now, wherever its sessions were.

    `also_moving`: sessions whose times count as free besides, such as those a hold keeps.
    """
    request: dict[str, Any] = plan.request
    today = plan.clinic.local_date(now)
    not_before = dt.date.fromisoformat(request["not_before"]) if request.get("not_before") else None
    return ask(
        courses=list(
            plan.courses.select_related("clinic", "patient", "procedure", "programme").order_by("line_number", "pk")
        ),
        by=by,
        now=now,
        profile=profile or plan.profile,
        wishes=_still_ahead(request.get("wishes") or {} if wishes is None else wishes, today),
        not_before=not_before if not_before and not_before >= today else None,
        moving=[*_moving(plan), *also_moving],
        only_moving=request.get("only_moving", False),
        demands=request.get("demands", []) if demands is None else demands,
        rules=request.get("rules", []),
    )


def _moving(plan: Plan) -> list[Session]:
    moving = Session.objects.filter(pk__in=plan.request.get("moving", []))
    return list(moving.select_related("course", "appointment").order_by("pk"))


def _still_ahead(wishes: Mapping[str, Any], today: dt.date) -> dict[str, Any]:
    """Without the days that have passed since they were wished for; a finish that has is for people to change."""
    kept = {name: value for name, value in wishes.items() if name != "courses"}
    if kept.get("start_from") and dt.date.fromisoformat(kept["start_from"]) < today:
        del kept["start_from"]
    if kept.get("excluded_days"):
        kept["excluded_days"] = [day for day in kept["excluded_days"] if dt.date.fromisoformat(day) >= today]
    own = {key: _still_ahead(value, today) for key, value in wishes.get("courses", {}).items()}
    return kept | ({"courses": own} if own else {})


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
