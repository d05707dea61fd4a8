"""The desk: what waits for reception today."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from clinic.models import Clinic, Task
from clinic.permissions import Permission
from courses.booking.models import Course, Session, Visit
from courses.booking.transitions import PLACED, Status
from courses.catalogue.models import Procedure
from courses.dates import clock
from courses.pages.permissions import PageRequest, page
from courses.prescribing.models import Referral

OPEN = (Course.Status.DRAFT, Course.Status.ACTIVE)
MOST_TASKS = 50


@dataclass(slots=True)
class ToPlan:
    """Courses that are planned together: of one programme, or one alone."""

    courses: list[Course] = field(default_factory=list)
    finish_by: dt.date | None = None

    @property
    def first(self) -> Course:
        return self.courses[0]

    @property
    def referral(self) -> Referral | None:
        programme = self.first.programme
        return programme.referral if programme else None


@page(Permission.VIEW_CALENDAR)
def desk(request: PageRequest) -> HttpResponse:
    clinic, today = request.clinic, request.clinic.local_date(request.now)
    to_plan, unfinished = read_to_plan(clinic)
    context: dict[str, Any] = {
        "today": today,
        "to_plan": to_plan,
        "unfinished": unfinished,
        "arrivals": read_arrivals(clinic, today),
        "may_book": request.user.may(Permission.BOOK, clinic),
        "may_call": request.user.may(Permission.SEE_MESSAGES, clinic),
        "may_check_in": request.user.may(Permission.CHECK_IN, clinic),
    }
    if request.user.may(Permission.SEE_TASKS, clinic):
        tasks = Task.objects.filter(clinic=clinic, done_at=None).select_related("patient")
        context["tasks"] = [TaskLine(task) for task in tasks[:MOST_TASKS]]
        context["to_replace"] = read_to_replace(clinic)
    return render(request, "pages/desk.html", context)


def read_to_plan(clinic: Clinic) -> tuple[list[ToPlan], list[ToPlan]]:
    """What has no time at all, by the day it must be finished; and what has lost or never had some of its times."""
    courses = (
        Course.objects.filter(clinic=clinic, status__in=OPEN)
        .annotate(
            unplaced=Count("sessions", filter=Q(sessions__status=Status.UNPLACED)),
            placed=Count("sessions", filter=Q(sessions__status__in=sorted(PLACED))),
        )
        .filter(unplaced__gt=0)
        .select_related("patient", "procedure", "programme__referral")
        .order_by("programme_id", "line_number", "pk")
    )
    groups: dict[Any, ToPlan] = defaultdict(ToPlan)
    for course in courses:
        groups[course.programme_id or f"course {course.pk}"].courses.append(course)
    for group in groups.values():
        limits = [course.finish_by for course in group.courses if course.finish_by]
        group.finish_by = min(limits) if limits else clinic.book_until
    ordered = sorted(groups.values(), key=lambda g: (g.finish_by or dt.date.max, g.first.programme_id or 0, g.first.pk))
    new = [g for g in ordered if not any(c.placed for c in g.courses)]  # type: ignore[attr-defined]
    return new, [g for g in ordered if any(c.placed for c in g.courses)]  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A visit of the day in words and addresses: there may be hundreds, and what a template looks up costs more.

    `arrived` is the clock time of the check-in, empty before it; `can_undo` where something has not begun since.
    """

    name: str
    url: str
    time: str
    sessions: str
    arrived: str
    can_undo: bool
    press_url: str
    press_label: str


def read_arrivals(clinic: Clinic, date: dt.date) -> list[Arrival]:
    """The visits of a local day in order of time. Three statements."""
    page_url, arrive_url, undo_url = (reverse(name, args=[0]) for name in ("visit", "visit-arrive", "visit-undo"))
    arrive_label, undo_label = _("Arrived: %(name)s"), _("Undo the check-in: %(name)s")
    sessions = _read_sessions(clinic, date)
    visits = (
        Visit.objects.filter(clinic=clinic, date=date, live=True)
        .order_by("starts_at", "pk")
        .values_list("pk", "patient__full_name", "starts_at", "arrived_at")
    )
    return [
        Arrival(
            name=name,
            url=page_url.replace("/0/", f"/{pk}/"),
            time=clock(starts_at),
            sessions=", ".join(text for text, _status in sessions[pk]),
            arrived=clock(arrived_at) if arrived_at else "",
            can_undo=any(status == Status.ARRIVED for _text, status in sessions[pk]),
            press_url=(undo_url if arrived_at else arrive_url).replace("/0/", f"/{pk}/"),
            press_label=(undo_label if arrived_at else arrive_label) % {"name": name},
        )
        for pk, name, starts_at, arrived_at in visits
    ]


def _read_sessions(clinic: Clinic, date: dt.date) -> dict[int, list[tuple[str, str]]]:
    """Short text and status of each session of a local day, in order of time, by visit."""
    letters = {procedure.pk: procedure.letters for procedure in Procedure.objects.filter(clinic=clinic)}
    rows = (
        Session.objects.filter(
            visit__clinic=clinic,
            visit__date=date,
            visit__live=True,
            status__in=sorted(PLACED | {Status.NO_SHOW, Status.NOT_TREATED}),
        )
        .order_by("appointment__starts_at", "pk")
        .values_list("visit_id", "status", "course__procedure_id", "appointment__starts_at")
    )
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for visit, status, procedure, starts_at in rows:
        found[visit].append((f"{letters[procedure]} {clock(starts_at)}", status))
    return found


def read_to_replace(clinic: Clinic) -> list[Session]:
    return list(
        Session.objects.filter(course__clinic=clinic, to_replace=True, status__in=sorted(PLACED))
        .select_related("course__patient", "course__procedure", "appointment")
        .order_by("appointment__starts_at")[:MOST_TASKS]
    )


class TaskLine:
    """A task with the page where it is settled."""

    _PAGES = {"session": "session", "course": "course", "visit": "visit", "plan": "plan"}

    def __init__(self, task: Task) -> None:
        self.task = task
        noun, _colon, key = task.subject.partition(":")
        self.page = self._PAGES.get(noun) if key.isdecimal() else None
        self.key = int(key) if key.isdecimal() else None
