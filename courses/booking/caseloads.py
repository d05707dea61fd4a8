"""All prescriptions of a clinic that wait for times, as one caseload for the planner, and its answer as plans."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clinic.errors import Conflict, DomainError, PlaceTaken
from clinic.models import Clinic, Resource, User
from courses.booking.bookings import book_as_planned
from courses.booking.calendars import masks_of, read_days, read_taken
from courses.booking.models import Course, Plan
from courses.booking.problems import Bridge, build_problem
from courses.booking.proposals import require_consent
from courses.booking.transitions import Status
from courses.planning import types as planning
from courses.planning.caseload import Caseload, CaseloadPlan, Prescription
from courses.planning.validity import require_valid
from courses.prescribing.models import Programme


@dataclass(frozen=True, slots=True)
class Waiting:
    """The programmes of a caseload with what it takes to read its answer; `refused` have no problem to solve."""

    clinic: Clinic
    caseload: Caseload
    bridges: Mapping[int, Bridge]
    refused: Mapping[int, str]
    not_before: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Booked:
    """What came of booking a caseload's plans: programmes booked, and why others were not."""

    booked: tuple[int, ...]
    refused: Mapping[int, str]


def waiting_programmes(clinic: Clinic) -> list[Programme]:
    """Programmes with a session without a time in an open course, in the order in which they were made."""
    waiting = Course.objects.filter(status__in=Course.OPEN, sessions__status=Status.UNPLACED)
    return list(Programme.objects.filter(clinic=clinic, courses__in=waiting).distinct().order_by("pk"))


def read_caseload(
    *,
    clinic: Clinic,
    programmes: Sequence[Programme],
    now: dt.datetime,
    not_before: dt.date | None = None,
    done: Callable[[int], None] = lambda _count: None,
) -> Waiting:
    """Each programme's problem on the calendar as it is, and the free places of all. `done` hears how many are read."""
    bridges: dict[int, Bridge] = {}
    refused: dict[int, str] = {}
    for count, programme in enumerate(programmes, 1):
        open_courses = Course.objects.filter(programme=programme, status__in=Course.OPEN).order_by("line_number", "pk")
        courses = list(open_courses.select_related("clinic", "patient", "procedure", "programme"))
        try:
            require_consent(courses[0])
            bridge = build_problem(courses=courses, now=now, not_before=not_before)
            require_valid(bridge.problem)
            bridges[programme.pk] = bridge
        except (DomainError, planning.ProblemError) as error:
            refused[programme.pk] = str(error)
        done(count)
    prescriptions = tuple(Prescription(pk, one.patient.pk, one.problem) for pk, one in bridges.items())
    first = min((one.days.first for one in bridges.values()), default=clinic.local_date(now))
    places = _read_places(clinic, list(bridges.values()), first, now=now) if bridges else {}
    return Waiting(clinic, Caseload(first, places, prescriptions), bridges, refused, not_before)


def _read_places(
    clinic: Clinic, bridges: Sequence[Bridge], first: dt.date, *, now: dt.datetime
) -> dict[int, tuple[planning.Masks, ...]]:
    """Free places of every resource that any problem names, over the days of all of them."""
    days = read_days(clinic, first, max(one.days.last for one in bridges))
    present: dict[int, list[int]] = {}
    for bridge in bridges:
        offset = days.index(bridge.days.first)
        for key, calendar in bridge.problem.resources.items():
            known = present.setdefault(key, [0] * days.count)
            known[offset : offset + bridge.days.count] = calendar.present
    capacities = dict(Resource.objects.filter(pk__in=present).values_list("pk", "capacity"))
    hands = {key for bridge in bridges for key in bridge.hands.values()}
    taken = read_taken(days, list(present), now=now)
    places = {}
    for key, masks in present.items():
        capacity = 1 if key in hands else capacities[key]
        counts = taken.get(key)
        levels = []
        for most in range(capacity - 1, -1, -1):
            free = tuple(masks) if counts is None else _both(masks, masks_of(counts <= most))
            levels.append(free)
        places[key] = tuple(levels)
    return places


def _both(first: Sequence[int], second: Sequence[int]) -> planning.Masks:
    return tuple(a & b for a, b in zip(first, second, strict=True))


def keep_plans(waiting: Waiting, found: CaseloadPlan, *, by: User | None, now: dt.datetime) -> dict[int, Plan]:
    """Programme → its plan, stored as a proposal like any other that reception asks for."""
    earliest = waiting.not_before.isoformat() if waiting.not_before else None
    request: dict[str, Any] = {"wishes": {}, "not_before": earliest, "moving": [], "only_moving": False}
    kept = {}
    for key, answer in found.plans.items():
        bridge = waiting.bridges[int(key)]
        plan = Plan.objects.create(
            clinic=bridge.clinic,
            patient=bridge.patient,
            status=Plan.Status.PROPOSED,
            request=request,
            items=bridge.items(answer),
            cost=answer.cost,
            bound=answer.bound,
            proven=answer.proven,
            versions={str(pk): version for pk, version in bridge.versions.items()},
            created_at=now,
            created_by=by,
        )
        plan.courses.set([asked.course for asked in bridge.asked])
        kept[int(key)] = plan
    return kept


def book_plans(
    plans: Mapping[int, Plan], *, now: dt.datetime, done: Callable[[int], None] = lambda _count: None
) -> Booked:
    """Book each by itself; what cannot be booked any more is told and stops nothing else.

    A patient's own bookings make plans made before them stale; those of this very caseload were reckoned with, so the
    plans of a patient who has several go by the patient's version after each of them.
    """
    booked: list[int] = []
    refused: dict[int, str] = {}
    for count, (programme, plan) in enumerate(plans.items(), 1):
        try:
            book_as_planned(plan=plan, now=now)
        except (PlaceTaken, Conflict) as error:
            refused[programme] = str(error)
        else:
            booked.append(programme)
            _keep_current(plan, [other for pk, other in plans.items() if pk not in (*booked, *refused)])
        done(count)
    return Booked(tuple(booked), refused)


def _keep_current(booked: Plan, waiting: Sequence[Plan]) -> None:
    patient = str(booked.patient_id)
    same = [plan for plan in waiting if plan.patient_id == booked.patient_id]
    if not same:
        return
    version = Resource.objects.get(pk=booked.patient_id).version
    for plan in same:
        if plan.versions[patient] == booked.versions[patient]:
            plan.versions[patient] = version
            plan.save(update_fields=["versions"])
