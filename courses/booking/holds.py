"""Holds: a plan's times kept for some minutes, visible to others, freed by themselves."""

import datetime as dt
from collections.abc import Callable
from typing import TypeVar

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict, PlaceTaken
from clinic.locking import writing
from clinic.models import Appointment, Reservation, Resource, User
from courses.booking.fresh import with_fresh_plan
from courses.booking.models import Plan, Session
from courses.booking.placing import (
    Placement,
    free_sessions,
    lock_for,
    lock_sessions,
    place,
    require_ahead,
    require_current,
    require_open,
)
from courses.booking.transitions import Status

MOST_RENEWALS = 10

Result = TypeVar("Result")


def hold_plan(*, plan: Plan, by: User | None, now: dt.datetime) -> Plan:
    """Keep the times of a proposed plan for the clinic's hold minutes.

    Only sessions without a time are held; a plan that moves booked ones is booked straight away instead. Raises
    PlaceTaken, with a fresh plan in its details, where a time has gone; Conflict where the plan is not a proposal.
    """
    with with_fresh_plan(plan, by=by, now=now):
        return again_without_expired_holds(lambda: _hold(plan, now=now), now=now)


def _hold(plan: Plan, *, now: dt.datetime) -> Plan:
    with writing():
        sessions = lock_sessions(
            [item["session"] for item in plan.items], courses={item["course"] for item in plan.items}
        )
        fresh = Plan.objects.select_for_update(no_key=True).get(pk=plan.pk)
        if fresh.status != Plan.Status.PROPOSED:
            raise Conflict(_("This plan is not a proposal any more."), code="plan_not_proposed")
        placements = [Placement.parse(item, sessions[item["session"]]) for item in plan.items]
        if any(p.session.status != Status.UNPLACED for p in placements):
            raise Conflict(_("Some of these sessions have a time already."), code="session_has_time")
        require_open(session.course for session in sessions.values())
        require_ahead(placements, now=now)
        resources = lock_for(placements)
        require_current(plan.versions, resources)
        until = now + dt.timedelta(minutes=plan.clinic.hold_minutes)
        place(
            placements,
            clinic=plan.clinic,
            resources=resources,
            status=Status.HELD,
            held_until=until,
            plan_id=plan.pk,
            now=now,
        )
        plan.status, plan.held_until = Plan.Status.HELD, until
        plan.versions |= {str(plan.patient_id): _patient_version(plan)}
        plan.save(update_fields=["status", "held_until", "versions"])
    return plan


def again_without_expired_holds(attempt: Callable[[], Result], *, now: dt.datetime) -> Result:
    """Attempt; if a place was taken, free what holds of the past still reserve and attempt once more.

    Readers ignore expired holds, the database's constraint cannot: this is where the two meet.
    """
    try:
        return attempt()
    except PlaceTaken:
        if not release_expired_holds(now=now):
            raise
        return attempt()


def renew_hold(*, plan: Plan, by: User | None, now: dt.datetime) -> Plan:
    """Keep a hold for another while, ten times at most. Raises Conflict when it has ended."""
    with writing():
        sessions = _lock_held(plan)
        if plan.held_until is None or plan.held_until <= now:
            raise Conflict(_("Hold expired, nothing booked. Find times again."), code="hold_expired")
        if plan.renewals >= MOST_RENEWALS:
            raise Conflict(_("This hold has been kept ten times. Book it or let it go."), code="hold_too_long")
        until = now + dt.timedelta(minutes=plan.clinic.hold_minutes)
        _set_until(plan, sessions, until)
        plan.held_until, plan.renewals = until, plan.renewals + 1
        plan.save(update_fields=["held_until", "renewals"])
    return plan


def release_hold(*, plan: Plan, by: User | None, now: dt.datetime) -> Plan:
    """Let a hold go; the plan is a proposal again."""
    with writing():
        sessions = _lock_held(plan)
        before = _patient_version(plan)
        _free(sessions)
        plan.status, plan.held_until = Plan.Status.PROPOSED, None
        if plan.versions.get(str(plan.patient_id)) == before:
            # Nothing but its own hold came and went: it is as good as it was.
            plan.versions |= {str(plan.patient_id): _patient_version(plan)}
        plan.save(update_fields=["status", "held_until", "versions"])
    return plan


def _patient_version(plan: Plan) -> int:
    return Resource.objects.values_list("version", flat=True).get(pk=plan.patient_id)


def release_expired_holds(*, now: dt.datetime) -> int:
    """Free what held plans of the past still reserve. Returns how many plans; each in its own transaction."""
    expired = Plan.objects.filter(status=Plan.Status.HELD, held_until__lte=now).values_list("pk", flat=True)
    released = 0
    for pk in list(expired):
        with transaction.atomic(durable=True):
            # Whoever is booking or releasing this very plan has it locked: leave it to them.
            plan = Plan.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=pk).first()
            if plan is None or plan.status != Plan.Status.HELD or plan.held_until is None or plan.held_until > now:
                continue
        with writing():
            sessions = _lock_held(plan, missing_ok=True)
            if plan.status != Plan.Status.HELD or plan.held_until is None or plan.held_until > now:
                continue
            _free(sessions)
            plan.status, plan.held_until = Plan.Status.EXPIRED, None
            plan.save(update_fields=["status", "held_until"])
            released += 1
    return released


def _lock_held(plan: Plan, *, missing_ok: bool = False) -> list[Session]:
    """Lock a held plan's courses, then the plan, then its resources; refresh the plan's row."""
    locked = lock_sessions(list(plan.sessions.values_list("pk", flat=True)))
    fresh = Plan.objects.select_for_update(no_key=True).get(pk=plan.pk)
    for name in ("status", "held_until", "renewals", "versions"):
        setattr(plan, name, getattr(fresh, name))
    if plan.status != Plan.Status.HELD and not missing_ok:
        raise Conflict(_("Hold expired, nothing booked. Find times again."), code="hold_expired")
    sessions = [s for s in locked.values() if s.status == Status.HELD and s.plan_id == plan.pk]
    lock_for([], freeing=sessions)
    return sessions


def _free(sessions: list[Session]) -> None:
    free_sessions(sessions)
    pks = [session.pk for session in sessions]
    Session.objects.filter(pk__in=pks, status=Status.HELD).update(
        status=Status.UNPLACED, appointment=None, seat=None, held_until=None, plan=None, to_replace=False
    )


def _set_until(plan: Plan, sessions: list[Session], until: dt.datetime) -> None:
    Session.objects.filter(pk__in=[s.pk for s in sessions]).update(held_until=until)
    appointments = [s.appointment_id for s in sessions if s.appointment_id]
    # In a class's meeting other patients have holds of their own.
    own = Q(appointment__kind=Appointment.Kind.TREATMENT) | Q(resource_id=plan.patient_id)
    Reservation.objects.filter(own, appointment_id__in=appointments, live=True).update(held_until=until)
