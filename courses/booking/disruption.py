"""A therapist is away, a room or a device is out, the clinic is shut, a qualification has gone: recorded at once, and
the booked sessions it leaves without cover are marked to re-place.

What a session is without is one rule, `_mark_anew`; every verb here asks it, after its change, about the sessions that
the change touches. So a session is unmarked as soon as nothing stands in its way any more.
"""

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict, Invalid
from clinic.locking import lock_meetings, lock_resources, writing
from clinic.models import (
    Absence,
    Appointment,
    Clinic,
    Closure,
    Outage,
    Reservation,
    Resource,
    ResourceKind,
    Shift,
    Task,
    Therapist,
    User,
)
from courses.booking.models import Course, Session
from courses.booking.placing import settle_replacing
from courses.booking.texts import short_text
from courses.booking.transitions import PLANNED, Status
from courses.catalogue.models import Qualification

# A session that starts sooner must be seen to at once.
URGENT = dt.timedelta(hours=4)

Cause = Absence | Outage | Closure | Qualification
Row = TypeVar("Row", Absence, Outage, Closure, Qualification)


@dataclass(frozen=True, slots=True)
class Reach:
    """What a disruption touches: reservations of some resources, or of a whole clinic, in a period (no end: for good);
    with `procedure`, only treatments of that procedure."""

    starts_at: dt.datetime
    ends_at: dt.datetime | None
    resource: int | None = None
    clinic: int | None = None
    procedure: int | None = None

    @classmethod
    def of(cls, cause: Cause) -> "Reach":
        match cause:
            case Absence():
                return cls(cause.starts_at, cause.ends_at, resource=cause.therapist_id)
            case Outage():
                return cls(cause.starts_at, cause.ends_at, resource=cause.resource_id)
            case Closure():
                return cls(cause.starts_at, cause.ends_at, clinic=cause.clinic_id)
        return cls._without(cause, cause.valid_until)

    @classmethod
    def _without(cls, qualification: Qualification, until: dt.date | None) -> "Reach":
        clinic = qualification.procedure.clinic
        after = (until or dt.date.max - dt.timedelta(days=2)) + dt.timedelta(days=1)
        begins = dt.datetime.combine(after, dt.time(), tzinfo=clinic.tz)
        return cls(begins, None, resource=qualification.therapist_id, procedure=qualification.procedure_id)

    def reservations(self) -> QuerySet[Reservation]:
        """Live ones inside the period."""
        held = Reservation.objects.filter(live=True, ends_at__gt=self.starts_at)
        if self.ends_at is not None:
            held = held.filter(starts_at__lt=self.ends_at)
        if self.resource is not None:
            held = held.filter(resource=self.resource)
        if self.clinic is not None:
            held = held.filter(appointment__clinic=self.clinic)
        return held

    def sessions(self) -> QuerySet[Session]:
        """Those still planned, held ones too: so that their plan cannot be booked any more."""
        touched = Session.objects.filter(
            appointment__in=self.reservations().values("appointment"), status__in=PLANNED | {Status.HELD}
        )
        if self.procedure is not None:
            touched = touched.filter(course__procedure=self.procedure, seat=None)
        return touched

    def from_now(self, now: dt.datetime) -> "Reach":
        """What is over stays as it was."""
        return Reach(max(self.starts_at, now), self.ends_at, self.resource, self.clinic, self.procedure)


# --- Recording ------------------------------------------------------------------------------------------------------


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
    errors = _period_errors(starts_at, ends_at)
    if kind not in Absence.Kind.values:
        errors["kind"] = [_("Unknown kind of absence.")]
    if errors:
        raise Invalid(details=errors)
    absence = Absence(
        therapist=therapist, kind=kind, starts_at=starts_at, ends_at=ends_at, note=short_text("note", note)
    )
    return _record(absence, now=now)


def record_outage(
    *,
    resource: Resource,
    starts_at: dt.datetime,
    ends_at: dt.datetime | None,
    by: User | None,
    now: dt.datetime,
    reason: str = "",
) -> Outage:
    """A room or a device is out of service, until further notice where there is no end; as `record_absence`."""
    errors = _period_errors(starts_at, ends_at)
    if resource.kind not in (ResourceKind.ROOM, ResourceKind.EQUIPMENT):
        errors["resource"] = [_("Only a room or a device can be out of service.")]
    if errors:
        raise Invalid(details=errors)
    outage = Outage(resource=resource, starts_at=starts_at, ends_at=ends_at, reason=short_text("reason", reason))
    return _record(outage, now=now)


def record_closure(
    *,
    clinic: Clinic,
    starts_at: dt.datetime,
    ends_at: dt.datetime,
    by: User | None,
    now: dt.datetime,
    reason: str = "",
) -> Closure:
    """The whole clinic is shut for a time; as `record_absence`."""
    if errors := _period_errors(starts_at, ends_at):
        raise Invalid(details=errors)
    closure = Closure(clinic=clinic, starts_at=starts_at, ends_at=ends_at, reason=short_text("reason", reason))
    return _record(closure, now=now)


def _period_errors(starts_at: dt.datetime, ends_at: dt.datetime | None) -> dict[str, list[object]]:
    if ends_at is not None and ends_at <= starts_at:
        return {"ends_at": [_("The end must be after the start.")]}
    return {}


def _record(cause: Row, *, now: dt.datetime) -> Row:
    return _change(lambda: _saved(cause), Reach.of(cause), now=now)


def _saved(cause: Row) -> Row:
    cause.save()
    return cause


# --- Changing what was recorded -------------------------------------------------------------------------------------


def extend_absence(*, absence: Absence, ends_at: dt.datetime | None, by: User | None, now: dt.datetime) -> Absence:
    """The therapist comes back later than was said, or nobody knows when (None): the sessions in the time added are
    marked. Raises Invalid where the end is no later than before, Conflict where it was changed meanwhile.
    """
    if absence.ends_at is None or (ends_at is not None and ends_at <= absence.ends_at):
        raise Invalid(details={"ends_at": [_("Give an end later than before.")]})
    return _set_end(absence, ends_at, now=now)


def end_absence(*, absence: Absence, ends_at: dt.datetime, by: User | None, now: dt.datetime) -> Absence:
    """The therapist comes back, earlier than was said where that was said: sessions after it that nothing else stands
    in the way of are not to be re-placed any more, and their tasks are settled. Raises as `extend_absence`.
    """
    errors = _period_errors(absence.starts_at, ends_at)
    if not errors and absence.ends_at is not None and ends_at >= absence.ends_at:
        errors = {"ends_at": [_("Give an end earlier than before.")]}
    if errors:
        raise Invalid(details=errors)
    return _set_end(absence, ends_at, now=now)


def end_outage(*, outage: Outage, ends_at: dt.datetime, by: User | None, now: dt.datetime) -> Outage:
    """The room or device can be used again; as `end_absence`, or as `extend_absence` where it is later."""
    if errors := _period_errors(outage.starts_at, ends_at):
        raise Invalid(details=errors)
    return _set_end(outage, ends_at, now=now)


def _set_end(cause: Row, ends_at: dt.datetime | None, *, now: dt.datetime) -> Row:
    """Only what lies between the two ends is looked at: what was booked inside for a reason stays as it is."""
    before = cause.ends_at  # type: ignore[union-attr]
    if before == ends_at:
        return cause
    ends = sorted(end for end in (before, ends_at) if end is not None)
    reach = Reach.of(cause)
    between = Reach(ends[0], ends[1] if len(ends) > 1 else None, reach.resource, reach.clinic)

    def write() -> Row:
        rows: QuerySet[Any] = type(cause)._default_manager.filter(pk=cause.pk, ends_at=before)
        if not rows.update(ends_at=ends_at):
            raise Conflict(code="changed_meanwhile")
        cause.ends_at = ends_at  # type: ignore[union-attr]
        return cause

    return _change(write, between, now=now)


def restrict_qualification(
    *, qualification: Qualification, valid_until: dt.date, by: User | None, now: dt.datetime
) -> Qualification:
    """The therapist may give the procedure until this day and no longer (yesterday: not any more). Booked sessions
    after it are marked to re-place, as by `record_absence`. Raises Invalid where that is no restriction.
    """
    errors: list[object] = []
    if qualification.valid_from is not None and valid_until < qualification.valid_from:
        errors = [_("The end must be after the start.")]
    elif qualification.valid_until is not None and valid_until >= qualification.valid_until:
        errors = [_("Give an end earlier than before.")]
    if errors:
        raise Invalid(details={"valid_until": errors})
    before = qualification.valid_until

    def write() -> Qualification:
        rows = Qualification.objects.filter(pk=qualification.pk, valid_until=before)
        if not rows.update(valid_until=valid_until):
            raise Conflict(code="changed_meanwhile")
        # Plans made with it are stale now; hours and absences raise the version by trigger.
        Resource.objects.filter(pk=qualification.therapist_id).update(version=F("version") + 1)
        qualification.valid_until = valid_until
        return qualification

    return _change(write, Reach._without(qualification, valid_until), now=now)


def _change(write: Callable[[], Row], reach: Reach, *, now: dt.datetime) -> Row:
    """Lock what the reach touches, write, and mark its sessions anew."""
    reach = reach.from_now(now)
    touched = reach.sessions()
    with writing():
        courses = Course.objects.filter(pk__in=touched.values("course_id")).order_by("pk")
        list(courses.select_for_update(no_key=True).values_list("pk"))
        lock_resources([reach.resource] if reach.resource is not None else _resources_of(reach.clinic))
        # A seat is sold under its meeting's lock alone.
        meetings = reach.reservations().filter(appointment__kind=Appointment.Kind.CLASS_MEETING)
        lock_meetings(meetings.values_list("appointment_id", flat=True))
        row = write()
        _mark_anew(list(touched.select_related("course__clinic", "course__patient", "appointment")), now=now)
    return row


def _resources_of(clinic: int | None) -> set[int]:
    """Whatever somebody who books in the clinic locks besides the patient."""
    rows = Resource.objects.filter(
        Q(room__clinic=clinic)
        | Q(equipment__clinic=clinic)
        | Q(Exists(Shift.objects.filter(therapist=OuterRef("pk"), clinic=clinic)))
        | Q(Exists(Qualification.objects.filter(therapist=OuterRef("pk"), procedure__clinic=clinic)))
    )
    return set(rows.values_list("pk", flat=True))


# --- The rule -------------------------------------------------------------------------------------------------------


def _without_cover() -> Q:
    """Condition on a Session with a time: somebody or something it needs is not there."""
    inside = Q(starts_at__lt=OuterRef("ends_at")) & (Q(ends_at=None) | Q(ends_at__gt=OuterRef("starts_at")))
    gone = (
        Q(Exists(Absence.objects.filter(inside, therapist=OuterRef("resource_id"))))
        | Q(Exists(Outage.objects.filter(inside, resource=OuterRef("resource_id"))))
        | Q(Exists(Closure.objects.filter(inside, clinic=OuterRef("appointment__clinic_id"))))
    )
    taken = Reservation.objects.filter(gone, live=True, appointment=OuterRef("appointment_id"))
    return Q(Exists(taken))


def _unqualified(sessions: Collection[Session]) -> set[int]:
    """Treatments whose therapist was qualified for them once and is not on that day."""
    treatments = [s for s in sessions if s.appointment_id is not None and s.seat is None]
    therapists = Reservation.objects.filter(
        live=True, appointment__in=[s.appointment_id for s in treatments], resource__kind=ResourceKind.THERAPIST
    )
    by_appointment = dict(therapists.values_list("appointment_id", "resource_id"))
    skills: dict[tuple[int, int], list[tuple[dt.date | None, dt.date | None]]] = {}
    for therapist, procedure, valid_from, valid_until in Qualification.objects.filter(
        therapist__in=set(by_appointment.values()), procedure__in={s.course.procedure_id for s in treatments}
    ).values_list("therapist_id", "procedure_id", "valid_from", "valid_until"):
        skills.setdefault((therapist, procedure), []).append((valid_from, valid_until))
    lost = set()
    for session in treatments:
        held = skills.get((by_appointment.get(session.appointment_id or 0, 0), session.course.procedure_id), [])
        date = session.course.clinic.local_date(session.time.starts_at)
        if held and not any((not first or first <= date) and (not last or date <= last) for first, last in held):
            lost.add(session.pk)
    return lost


def _mark_anew(sessions: Collection[Session], *, now: dt.datetime) -> None:
    """Bring marks and tasks of these sessions in step with what is there for them now."""
    keys = {session.pk for session in sessions}
    lost = set(Session.objects.filter(_without_cover(), pk__in=keys).values_list("pk", flat=True))
    lost |= _unqualified(sessions)
    Session.objects.filter(pk__in=lost).update(to_replace=True)
    tasks = [_task(session, now=now) for session in sessions if session.pk in lost and session.status in PLANNED]
    Task.objects.bulk_create(tasks, ignore_conflicts=True)
    free = [session for session in sessions if session.to_replace and session.pk not in lost]
    if free:
        Session.objects.filter(pk__in=[session.pk for session in free]).update(to_replace=False)
        settle_replacing(free, now=now)


def mark_uncovered(sessions: Collection[Session], *, now: dt.datetime) -> None:
    """Mark to re-place those of these sessions, planned again, whose therapist, room or clinic is away by now."""
    _mark_anew(sessions, now=now)


# --- Reading --------------------------------------------------------------------------------------------------------


def sessions_to_replace(*, absence: Absence, clinic_ids: Collection[int], now: dt.datetime) -> QuerySet[Session]:
    """What an absence leaves to be placed elsewhere in these clinics, by time: booked, not over, with their patients'
    phones.
    """
    return (
        Reach.of(absence)
        .from_now(now)
        .sessions()
        .filter(status__in=PLANNED, course__clinic__in=clinic_ids)
        .select_related("course__clinic", "course__patient", "course__procedure", "appointment")
        .prefetch_related("course__patient__phones")
        .order_by("appointment__starts_at", "pk")
    )


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
