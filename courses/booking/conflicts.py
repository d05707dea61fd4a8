"""Why a session cannot go where someone wants it: who is busy with whom, and the nearest times that are free."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from clinic.models import Absence, Clinic, Patient, Reservation, ResourceKind
from courses.booking.availability import FreeStart
from courses.booking.models import Session
from courses.booking.moves import free_places, therapist_of

# Choices that a refusal offers, and how many of them may be with one and the same person.
CHOICES = 3
MOST_OF_ONE = 2
# How many days after the wanted one are looked at for them.
DAYS_SEARCHED = 3


@dataclass(frozen=True, slots=True)
class Occupant:
    """What stands in the way: `resource` is the therapist, room, device or patient that is taken, as text, and `who`
    the patient it is taken for, None for a class, which has a `name`. An absence has a `name` and no patient.
    """

    kind: str
    resource: str
    who: Patient | None
    name: str
    starts_at: dt.datetime
    ends_at: dt.datetime | None


def find_occupant(
    *, session: Session, starts_at: dt.datetime, therapist: int | None, room: int | None, now: dt.datetime
) -> Occupant | None:
    """The first thing in the way of a session at a time: of its therapist, then its patient, then a room named."""
    ends_at = starts_at + dt.timedelta(minutes=session.course.minutes)
    wanted = [pk for pk in (therapist or therapist_of(session), session.course.patient_id, room) if pk]
    rows = (
        Reservation.objects.filter(live=True, resource__in=wanted, starts_at__lt=ends_at, ends_at__gt=starts_at)
        .filter(Q(held_until=None) | Q(held_until__gt=now))
        .exclude(appointment=session.appointment_id)
        .select_related("resource__therapist", "resource__room", "resource__patient", "appointment")
        .order_by("starts_at", "pk")
    )
    by_resource: dict[int, list[Reservation]] = {pk: [] for pk in wanted}
    for row in rows:
        by_resource[row.resource_id].append(row)
    for taken in by_resource.values():
        if taken and _is_full(taken, starts_at, ends_at):
            return _occupant(taken[0])
    return _absence(wanted[0], starts_at, ends_at)


def _is_full(taken: Sequence[Reservation], starts_at: dt.datetime, ends_at: dt.datetime) -> bool:
    """Whether at some moment of the period no place of the resource is left."""
    capacity = taken[0].resource.capacity
    moments = [starts_at, *(row.starts_at for row in taken if starts_at < row.starts_at < ends_at)]
    for moment in moments:
        meeting = [row for row in taken if row.starts_at <= moment < row.ends_at]
        if len(meeting) >= capacity or any(row.places.upper is None for row in meeting):
            return True
    return False


def _occupant(row: Reservation) -> Occupant:
    kind = row.resource.kind
    held = row.appointment.sessions.filter(seat=None).select_related("course__patient").first()
    meeting = getattr(row.appointment, "class_meeting", None)
    return Occupant(
        kind=kind,
        resource=str(getattr(row.resource, str(ResourceKind(kind)))),
        who=held.course.patient if held is not None else None,
        name=meeting.group_class.name if meeting is not None else "",
        starts_at=row.starts_at,
        ends_at=row.ends_at,
    )


def _absence(therapist: int, starts_at: dt.datetime, ends_at: dt.datetime) -> Occupant | None:
    row = (
        Absence.objects.filter(Q(ends_at=None) | Q(ends_at__gt=starts_at), therapist=therapist, starts_at__lt=ends_at)
        .select_related("therapist")
        .first()
    )
    if row is None:
        return None
    return Occupant("absence", str(row.therapist), None, str(row.get_kind_display()), row.starts_at, row.ends_at)


def nearest_places(
    *, session: Session, starts_at: dt.datetime, therapist: int | None, now: dt.datetime
) -> list[FreeStart]:
    """The three nearest places that are free, at most two of them with the same therapist; the wanted one first."""
    clinic: Clinic = session.course.clinic
    day = clinic.local_date(starts_at)
    first = max(day, clinic.local_date(now))
    found = free_places(session=session, first_day=first, days=DAYS_SEARCHED, now=now)
    found.sort(key=lambda p: (abs(p.starts_at - starts_at), p.therapist_id != therapist, p.starts_at))
    chosen: list[FreeStart] = []
    for place in found:
        alike = [one for one in chosen if one.therapist_id == place.therapist_id]
        if len(alike) < MOST_OF_ONE:
            chosen.append(place)
        if len(chosen) == CHOICES:
            break
    return chosen if len(chosen) == CHOICES else found[:CHOICES]
