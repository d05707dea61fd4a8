"""A therapist is away: recorded at once, and the sessions it covers are marked to re-place."""

import datetime as dt
from collections.abc import Collection

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid
from clinic.locking import lock_meetings, lock_resources, writing
from clinic.models import Absence, Appointment, Clinic, Reservation, Task, Therapist, User
from courses.booking.models import Course, Session
from courses.booking.texts import short_text
from courses.booking.transitions import PLANNED, Status

# A session that starts sooner must be seen to at once.
URGENT = dt.timedelta(hours=4)


def record_absence(
    *,
    therapist: Therapist,
    kind: str,
    starts_at: dt.datetime,
    ends_at: dt.datetime | None,
    by: User | None,
    now: dt.datetime,
    note: str = "",
) -> Absence:
    """Record an absence, open-ended if need be. Commits at once; booked sessions inside it are marked to re-place
    and become tasks, urgent when they start within four hours. Held ones are marked too, so that their plan cannot be
    booked any more. Raises Invalid for a wrong period or kind.
    """
    errors: dict[str, list[object]] = {}
    if ends_at is not None and ends_at <= starts_at:
        errors["ends_at"] = [_("The end must be after the start.")]
    if kind not in Absence.Kind.values:
        errors["kind"] = [_("Unknown kind of absence.")]
    if errors:
        raise Invalid(details=errors)
    note = short_text("note", note)
    covered = _covered(therapist, starts_at, ends_at, now=now)
    affected = Session.objects.filter(appointment__in=covered.values("appointment"), status__in=PLANNED | {Status.HELD})
    with writing():
        courses = Course.objects.filter(pk__in=affected.values("course_id")).order_by("pk")
        list(courses.select_for_update(no_key=True).values_list("pk"))
        lock_resources([therapist.pk])
        # A seat is sold under its meeting's lock alone.
        meetings = covered.filter(appointment__kind=Appointment.Kind.CLASS_MEETING)
        lock_meetings(meetings.values_list("appointment_id", flat=True))
        absence = Absence.objects.create(
            therapist=therapist, kind=kind, starts_at=starts_at, ends_at=ends_at, note=note
        )
        sessions = list(affected.select_related("course__clinic", "course__patient", "appointment"))
        mark_to_replace(sessions, now=now)
    return absence


def mark_uncovered(sessions: Collection[Session], *, now: dt.datetime) -> None:
    """Mark to re-place those of these sessions, planned again, whose therapist is away by now."""
    away = Absence.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=OuterRef("starts_at")),
        therapist=OuterRef("resource_id"),
        starts_at__lt=OuterRef("ends_at"),
    )
    uncovered = Reservation.objects.filter(
        Exists(away), live=True, appointment__in={session.appointment_id for session in sessions}
    )
    appointments = set(uncovered.values_list("appointment_id", flat=True))
    mark_to_replace([session for session in sessions if session.appointment_id in appointments], now=now)


def sessions_to_replace(*, absence: Absence, clinic_ids: Collection[int], now: dt.datetime) -> QuerySet[Session]:
    """What an absence leaves to be placed elsewhere in these clinics, by time: booked, not over, with their patients'
    phones.
    """
    covered = _covered(absence.therapist, absence.starts_at, absence.ends_at, now=now)
    return (
        Session.objects.filter(
            appointment__in=covered.values("appointment"), status__in=PLANNED, course__clinic__in=clinic_ids
        )
        .select_related("course__clinic", "course__patient", "course__procedure", "appointment")
        .prefetch_related("course__patient__phones")
        .order_by("appointment__starts_at", "pk")
    )


def mark_to_replace(sessions: Collection[Session], *, now: dt.datetime) -> None:
    """Mark sessions and make a task of each that is booked. The caller holds their courses' locks."""
    Session.objects.filter(pk__in=[s.pk for s in sessions]).update(to_replace=True)
    tasks = [_task(session, now=now) for session in sessions if session.status in PLANNED]
    Task.objects.bulk_create(tasks, ignore_conflicts=True)


def _covered(
    therapist: Therapist, starts_at: dt.datetime, ends_at: dt.datetime | None, *, now: dt.datetime
) -> QuerySet[Reservation]:
    """What the therapist is reserved for and not through with, inside the period."""
    held = Reservation.objects.filter(resource_id=therapist.pk, live=True, ends_at__gt=max(starts_at, now))
    if ends_at is not None:
        held = held.filter(starts_at__lt=ends_at)
    return held


def _task(session: Session, *, now: dt.datetime) -> Task:
    clinic: Clinic = session.course.clinic
    starts_at = session.time.starts_at
    return Task(
        clinic=clinic,
        kind=Task.Kind.TO_REPLACE,
        patient=session.course.patient,
        subject=f"session:{session.pk}",
        due_at=starts_at,
        urgent=starts_at - now < URGENT,
    )
