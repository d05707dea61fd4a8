"""A course's own life: opened, activated, paused, resumed, planned anew; and sessions pinned or ended within it."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict, Invalid
from clinic.locking import writing
from clinic.models import Clinic, Patient, User
from courses.booking.models import Course, Plan, Session
from courses.booking.placing import free_sessions, lock_for, lock_sessions, settle_replacing
from courses.booking.proposals import propose_plan
from courses.booking.texts import require_valid_fields
from courses.booking.transitions import PLANNED, Status
from courses.booking.visits import regroup_and_tell
from courses.catalogue.models import Procedure
from courses.prescribing.models import Programme

MOST_SESSIONS = 60


def open_course(
    *,
    patient: Patient,
    clinic: Clinic,
    procedure: Procedure,
    sessions_total: int,
    by: User | None,
    now: dt.datetime,
    programme: Programme | None = None,
    **fields: Any,
) -> Course:
    """Create a course with its sessions, all without a time; active at once unless a signed referral is missing.

    What `fields` leave out comes from the catalogue: minutes (by area), gaps, weekly maximum.
    """
    with writing():
        course = new_course(
            patient=patient,
            clinic=clinic,
            procedure=procedure,
            sessions_total=sessions_total,
            programme=programme,
            **fields,
        )
        if _may_be_active(course):
            course.status = Course.Status.ACTIVE
        course.save()
        Session.objects.bulk_create(new_sessions(course))
    return course


def new_course(
    *,
    patient: Patient,
    clinic: Clinic,
    procedure: Procedure,
    sessions_total: int,
    programme: Programme | None = None,
    **fields: Any,
) -> Course:
    """An unsaved draft, validated. Raises Invalid per field."""
    errors: dict[str, list[Any]] = {}
    if procedure.clinic_id != clinic.pk:
        errors["procedure"] = [_("This procedure belongs to another clinic.")]
    if not procedure.is_active:
        errors["procedure"] = [_("This procedure is not active. Complete it in the catalogue first.")]
    if not 1 <= sessions_total <= MOST_SESSIONS:
        errors["sessions_total"] = [_("Enter a number of sessions from 1 to %(most)s.") % {"most": MOST_SESSIONS}]
    if patient.merged_into_id is not None:
        errors["patient"] = [_("This card was merged into another. Use that one.")]
    if errors:
        raise Invalid(details=errors)
    values: dict[str, Any] = {
        "minutes": _minutes(procedure, fields.get("area", "")),
        "gap_min": procedure.gap_min,
        "gap_max": procedure.gap_max,
        "gap_unit": procedure.gap_unit,
        "per_week": procedure.per_week,
        **{name: value for name, value in fields.items() if value is not None},
    }
    course = Course(
        patient=patient,
        clinic=clinic,
        procedure=procedure,
        programme=programme,
        sessions_total=sessions_total,
        **values,
    )
    require_valid_fields(course)
    gap_min, gap_max = course.gap_min, course.gap_max
    if gap_min is not None and gap_min < 1:
        raise Invalid(details={"gap_min": [_("The shortest gap is one day.")]})
    if gap_min is not None and gap_max is not None and gap_min > gap_max:
        raise Invalid(details={"gap_max": [_("The longest gap must not be shorter than the shortest.")]})
    if course.window_from and course.window_until and course.window_from >= course.window_until:
        raise Invalid(details={"window_until": [_("The end must be after the start.")]})
    if course.done_before > sessions_total:
        raise Invalid(details={"done_before": [_("More sessions cannot have been given than there are.")]})
    return course


def _minutes(procedure: Procedure, area: str) -> int | None:
    variant = next((v for v in procedure.variants.all() if v.area == area and v.minutes), None)
    return variant.minutes if variant else procedure.minutes


def new_sessions(course: Course) -> list[Session]:
    """Unsaved sessions without a time, for the numbers that were not given before the software's time."""
    return [Session(course=course, number=n) for n in range(course.done_before + 1, course.sessions_total + 1)]


def _may_be_active(course: Course) -> bool:
    if course.origin == Course.Origin.IMPORTED or not course.procedure.requires_referral:
        return True
    referral = course.programme.referral if course.programme else None
    return referral is not None and referral.signed_at is not None


def activate_locked(course: Course, *, now: dt.datetime) -> None:
    """Make a draft active, under its lock. Raises Conflict where a signed referral is missing."""
    if not _may_be_active(course):
        raise Conflict(
            _("This course needs a signed prescription before it can be booked. Ask a doctor to sign it."),
            code="referral_missing",
        )
    course.status = Course.Status.ACTIVE
    course.save(update_fields=["status"])


def activate_course(*, course: Course, by: User | None, now: dt.datetime) -> Course:
    """Make a draft course active. Raises Conflict where a signed referral is missing."""
    with writing():
        locked = lock_course(course)
        if locked.status == Course.Status.DRAFT:
            activate_locked(locked, now=now)
    course.status = locked.status
    return course


def lock_course(course: Course) -> Course:
    return (
        Course.objects.select_related("procedure", "programme__referral", "clinic", "patient")
        .select_for_update(of=("self",), no_key=True)
        .get(pk=course.pk)
    )


def pause_course(*, course: Course, until: dt.date | None, by: User | None, now: dt.datetime) -> Course:
    """Free every future session of the course, until a date or until it is resumed; the patient is told.

    Each freed session ends as cancelled and is replaced by one without a time.
    """
    if until is not None and until <= course.clinic.local_date(now):
        raise Invalid(details={"until": [_("Date has passed. Enter tomorrow or later.")]})
    with writing():
        locked = lock_course(course)
        if locked.status != Course.Status.ACTIVE:
            raise Conflict(_("Only an active course can be paused."), code="course_not_active")
        _cancel_future(locked, now=now)
        locked.status, locked.paused_until = Course.Status.PAUSED, until
        locked.version += 1
        locked.save(update_fields=["status", "paused_until", "version"])
    return locked


def _cancel_future(course: Course, *, now: dt.datetime) -> None:
    pks = list(
        Session.objects.filter(course=course, status__in=PLANNED, appointment__starts_at__gt=now)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    sessions = list(lock_sessions(pks, courses=[course.pk]).values())
    lock_for([], freeing=sessions)
    end_sessions(sessions, status=Status.CANCELLED, reason="", now=now)
    dates = {course.clinic.local_date(s.time.starts_at) for s in sessions}
    regroup_and_tell(clinic=course.clinic, patient=course.patient, dates=dates, now=now)


def end_sessions(sessions: Sequence[Session], *, status: Status, reason: str, now: dt.datetime) -> list[Session]:
    """End locked sessions and free what they reserve. While its course may go on, each is followed by one without a
    time; returns these.
    """
    free_sessions([s for s in sessions if s.appointment_id is not None])
    settle_replacing(sessions, now=now)
    for session in sessions:
        session.status, session.reason, session.held_until = status, reason, None
        session.to_replace = False
        session.version += 1
    Session.objects.bulk_update(sessions, ["status", "reason", "held_until", "to_replace", "version"])
    owed = [session for session in sessions if session.course.status in Course.OWING]
    return Session.objects.bulk_create(Session(course=s.course, number=s.number, replaces=s) for s in owed)


def resume_course(*, course: Course, by: User | None, now: dt.datetime) -> Course:
    """Make a paused course active again; its open sessions are then planned anew."""
    with writing():
        locked = lock_course(course)
        if locked.status != Course.Status.PAUSED:
            raise Conflict(_("This course is not paused."), code="course_not_paused")
        locked.status, locked.paused_until = Course.Status.ACTIVE, None
        locked.version += 1
        locked.save(update_fields=["status", "paused_until", "version"])
    return locked


def replan_course(
    *,
    course: Course,
    by: User | None,
    now: dt.datetime,
    keep: Collection[int] = (),
    profile: str = "balanced",
    wishes: Mapping[str, Any] | None = None,
    demands: Sequence[Mapping[str, Any]] = (),
    least_movement: bool = True,
) -> Plan:
    """Propose new times for the rest of a course: what is done, pinned or in `keep` (session keys) stays.

    What can stay where it is does, unless `least_movement` is off; then the rest is planned as if it had no times.
    `demands` (see `Demand`) say what is to become of some sessions. Booking the plan moves the sessions. Raises
    Conflict for a paused or ended course.
    """
    return propose_plan(
        courses=[course],
        by=by,
        now=now,
        profile=profile,
        wishes=wishes,
        moving=movable_sessions([course], keep=keep, now=now),
        least_movement=least_movement,
        demands=demands,
    )


def movable_sessions(courses: Sequence[Course], *, keep: Collection[int] = (), now: dt.datetime) -> list[Session]:
    """The sessions still to come that have a time and are neither pinned nor kept.

    Raises Invalid where a session to be kept is of no such course.
    """
    if set(keep) - set(Session.objects.filter(course__in=courses, pk__in=keep).values_list("pk", flat=True)):
        raise Invalid(details={"keep": [_("One of these sessions is not planned here.")]})
    return list(
        Session.objects.filter(course__in=courses, status__in=PLANNED, pinned=False, appointment__starts_at__gt=now)
        .exclude(pk__in=keep)
        .select_related("course", "appointment")
        .order_by("course_id", "number")
    )


def pin_session(*, session: Session, pinned: bool, by: User | None, now: dt.datetime) -> Session:
    """Keep a session's time when the rest of its course is planned anew, or no longer.

    Moved by hand it may still be. Raises Conflict for one that is not booked or confirmed.
    """
    with writing():
        locked = lock_sessions([session.pk])[session.pk]
        if pinned and locked.status not in PLANNED:
            raise Conflict(_("Only a session that is still to come can be pinned."), code="wrong_status")
        if locked.pinned != pinned:
            locked.pinned = pinned
            locked.version += 1
            locked.save(update_fields=["pinned", "version"])
    return locked
