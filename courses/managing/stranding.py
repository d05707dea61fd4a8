"""Booked sessions that a change leaves outside of hours, skills or places: named first, marked when told to go on.

The change is made, and looked at, in its own transaction: what it would strand is raised as an error, which takes the
change back. Repeated with `accepted`, it stays, and those sessions are marked to be re-placed.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict
from clinic.locking import lock_meetings, lock_resources
from clinic.models import Appointment, Clinic, Equipment, Reservation, Resource, ResourceKind, Room, Therapist
from courses.booking.calendars import period_masks, read_days, read_working_hours
from courses.booking.disruption import mark_to_replace
from courses.booking.models import Course, Session
from courses.booking.transitions import PLANNED, Status
from courses.catalogue.models import Qualification

_KINDS = (ResourceKind.THERAPIST, ResourceKind.ROOM, ResourceKind.EQUIPMENT)
MOST_NAMED = 500


class SessionsOutside(Conflict):
    """`details["sessions"]` lists `{"id", "starts_at"}` by time, at most MOST_NAMED, and `details["total"]` counts."""

    code = "sessions_outside"
    sentence = _("Booked sessions would be left outside. Look at them, then save all the same or leave it as it is.")


def planned(now: dt.datetime) -> QuerySet[Session]:
    """What is booked or held and not over."""
    return Session.objects.filter(
        status__in=PLANNED | {Status.HELD}, appointment__live=True, appointment__ends_at__gt=now
    )


def planned_with(resources: Collection[int], now: dt.datetime) -> QuerySet[Session]:
    """Those of the planned sessions that have one of the resources reserved."""
    held = Reservation.objects.filter(resource__in=resources, live=True, ends_at__gt=now)
    return planned(now).filter(appointment__in=held.values("appointment"))


@contextmanager
def watching(
    scope: QuerySet[Session], *, resources: Collection[int], accepted: bool, now: dt.datetime
) -> Iterator[dict[int, Resource]]:
    """Around a change inside `writing()`: takes the locks first, yields the resources, and sees to what is stranded.

    `scope` is whatever the change could concern. Sessions that were outside before are left alone. Raises
    SessionsOutside unless `accepted`. The resources' versions rise, so that plans made before are stale.
    """
    courses = Course.objects.filter(pk__in=scope.values("course_id")).order_by("pk")
    list(courses.select_for_update(no_key=True).values_list("pk"))
    locked = lock_resources(resources)
    meetings = scope.filter(appointment__kind=Appointment.Kind.CLASS_MEETING)
    lock_meetings(meetings.values_list("appointment_id", flat=True))
    sessions = _read(scope)
    before = outside(sessions)
    yield locked
    Resource.objects.filter(pk__in=locked).update(version=F("version") + 1)
    now_outside = outside(sessions) - before
    stranded = [session for session in sessions if session.pk in now_outside]
    if stranded and not accepted:
        named = [{"id": s.pk, "starts_at": s.time.starts_at.isoformat()} for s in stranded[:MOST_NAMED]]
        raise SessionsOutside(details={"sessions": named, "total": len(stranded)})
    mark_to_replace(stranded, now=now)


def _read(scope: QuerySet[Session]) -> list[Session]:
    related = scope.select_related("course__clinic", "course__patient", "appointment__clinic")
    return list(related.order_by("appointment__starts_at", "pk"))


def outside(sessions: Sequence[Session]) -> set[int]:
    """Keys of the sessions that stand outside hours or skills, or with someone or something no longer there."""
    if not sessions:
        return set()
    taken = _Taken.read(sessions)
    return _outside_hours(sessions, taken) | _outside_skills(sessions, taken) | _without_resource(sessions, taken)


@dataclass(slots=True)
class _Taken:
    """What each appointment has reserved, by kind."""

    therapist: dict[int, int] = field(default_factory=dict)
    room: dict[int, int] = field(default_factory=dict)
    equipment: dict[int, int] = field(default_factory=dict)

    @classmethod
    def read(cls, sessions: Sequence[Session]) -> "_Taken":
        held = Reservation.objects.filter(
            live=True, appointment__in={s.appointment_id for s in sessions}, resource__kind__in=_KINDS
        )
        taken = cls()
        for appointment, resource, kind in held.values_list("appointment_id", "resource_id", "resource__kind"):
            getattr(taken, kind)[appointment] = resource
        return taken


def _outside_hours(sessions: Sequence[Session], taken: _Taken) -> set[int]:
    by_clinic: dict[int, list[Session]] = defaultdict(list)
    for session in sessions:
        by_clinic[session.time.clinic_id].append(session)
    found = set()
    # Read anew: its opening days may be what was changed.
    for clinic in Clinic.objects.filter(pk__in=by_clinic):
        group = by_clinic[clinic.pk]
        dates = [clinic.local_date(session.time.starts_at) for session in group]
        days = read_days(clinic, min(dates), max(dates))
        hours = read_working_hours(days, {*taken.therapist.values()})
        for session in group:
            therapist = taken.therapist.get(session.time.pk)
            works = days.open_masks if therapist is None else hours.get(therapist, (0,) * days.count)
            spans = period_masks(days, session.time.starts_at, session.time.ends_at)
            if any(mask & ~works[day] for day, mask in spans.items()):
                found.add(session.pk)
    return found


def _outside_skills(sessions: Sequence[Session], taken: _Taken) -> set[int]:
    skills: dict[tuple[int, int], list[tuple[dt.date, dt.date]]] = defaultdict(list)
    for holder, procedure, first, last in Qualification.objects.filter(
        therapist__in={*taken.therapist.values()}
    ).values_list("therapist_id", "procedure_id", "valid_from", "valid_until"):
        skills[holder, procedure].append((first or dt.date.min, last or dt.date.max))
    found = set()
    for session in sessions:
        therapist: int | None = taken.therapist.get(session.time.pk)
        date = session.time.clinic.local_date(session.time.starts_at)
        valid = skills[therapist, session.course.procedure_id] if therapist is not None else [(date, date)]
        if not any(first <= date <= last for first, last in valid):
            found.add(session.pk)
    return found


def _without_resource(sessions: Sequence[Session], taken: _Taken) -> set[int]:
    gone: set[int] = set()
    for rows, held in ((Therapist, taken.therapist), (Room, taken.room), (Equipment, taken.equipment)):
        inactive = rows.objects.filter(pk__in={*held.values()}, is_active=False)
        gone |= {*inactive.values_list("pk", flat=True)}
    stands = dict(Equipment.objects.filter(pk__in={*taken.equipment.values()}).values_list("pk", "room_id"))
    found = set()
    for session in sessions:
        key = session.time.pk
        therapist, room, device = taken.therapist.get(key), taken.room.get(key), taken.equipment.get(key)
        moved = device is not None and room is not None and stands[device] != room
        if moved or gone & {therapist, room, device}:
            found.add(session.pk)
    return found


def at_clinic(clinic: Clinic, first: dt.date, last: dt.date | None, now: dt.datetime) -> QuerySet[Session]:
    """Planned sessions of a clinic's local days, both included; `last` None: all that follow."""
    start = dt.datetime.combine(first, dt.time(), tzinfo=clinic.tz)
    meets = Q(appointment__clinic=clinic, appointment__ends_at__gt=start)
    if last is not None:
        meets &= Q(
            appointment__starts_at__lt=dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), tzinfo=clinic.tz)
        )
    return planned(now).filter(meets)
