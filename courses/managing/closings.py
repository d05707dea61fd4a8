"""Rooms and devices out of use, and the clinic shut: recorded at once, what they cover is marked to be re-placed.

These never wait for consent, as an absence does not: a burst pipe has already burst.
"""

import datetime as dt

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid, NotFound
from clinic.locking import lock_meetings, lock_resources, writing
from clinic.models import Appointment, Clinic, Closure, Equipment, Outage, Resource, Room, User
from courses.booking.disruption import mark_to_replace
from courses.booking.models import Course, Session
from courses.booking.texts import short_text
from courses.managing.rights import require_manager
from courses.managing.stranding import planned, planned_with


def record_outage(
    *,
    place: Room | Equipment,
    starts_at: dt.datetime,
    ends_at: dt.datetime | None,
    by: User | None,
    now: dt.datetime,
    reason: str = "",
) -> Outage:
    """A room or device cannot be used; without an end until further notice. Raises Invalid, NotAllowed, NotFound."""
    require_manager(place.clinic_id, by)
    reason = _check(starts_at, ends_at, reason)
    with writing():
        _mark([place.pk], planned_with([place.pk], now), starts_at, ends_at, now=now)
        return Outage.objects.create(
            resource=Resource.objects.get(pk=place.pk), starts_at=starts_at, ends_at=ends_at, reason=reason
        )


def end_outage(*, outage: Outage, by: User | None, now: dt.datetime, at: dt.datetime | None = None) -> None:
    """It can be used again from `at` (now) on; one that has not begun is taken back. Sessions stay marked."""
    require_manager(_clinic_of(outage), by)
    moment = at or now
    with writing():
        lock_resources([outage.resource_id])
        row = Outage.objects.select_for_update(of=("self",)).get(pk=outage.pk)
        if row.starts_at >= moment:
            row.delete()
            return
        row.ends_at = min(row.ends_at or moment, moment)
        row.save(update_fields=["ends_at"])


def record_closure(
    *, clinic: Clinic, starts_at: dt.datetime, ends_at: dt.datetime, by: User | None, now: dt.datetime, reason: str = ""
) -> Closure:
    """The clinic is shut between two moments. Raises Invalid, NotAllowed, NotFound."""
    require_manager(clinic, by)
    reason = _check(starts_at, ends_at, reason)
    rooms = list(Room.objects.filter(clinic=clinic).values_list("pk", flat=True))
    with writing():
        _mark(rooms, planned(now).filter(appointment__clinic=clinic), starts_at, ends_at, now=now)
        return Closure.objects.create(clinic=clinic, starts_at=starts_at, ends_at=ends_at, reason=reason)


def take_back_closure(*, closure: Closure, by: User | None, now: dt.datetime) -> None:
    """It stays open after all. Sessions stay as they are marked."""
    require_manager(closure.clinic_id, by)
    with writing():
        lock_resources(Room.objects.filter(clinic=closure.clinic_id).values_list("pk", flat=True))
        Closure.objects.filter(pk=closure.pk).delete()


def _mark(
    resources: list[int],
    scope: QuerySet[Session],
    starts_at: dt.datetime,
    ends_at: dt.datetime | None,
    *,
    now: dt.datetime,
) -> None:
    covered = scope.filter(appointment__ends_at__gt=starts_at)
    if ends_at is not None:
        covered = covered.filter(appointment__starts_at__lt=ends_at)
    courses = Course.objects.filter(pk__in=covered.values("course_id")).order_by("pk")
    list(courses.select_for_update(no_key=True).values_list("pk"))
    lock_resources(resources)
    meetings = covered.filter(appointment__kind=Appointment.Kind.CLASS_MEETING)
    lock_meetings(meetings.values_list("appointment_id", flat=True))
    mark_to_replace(list(covered.select_related("course__clinic", "course__patient", "appointment")), now=now)


def _clinic_of(outage: Outage) -> int:
    for rows in (Room, Equipment):
        found = rows.objects.filter(pk=outage.resource_id).values_list("clinic_id", flat=True).first()
        if found is not None:
            return int(found)
    raise NotFound()


def _check(starts_at: dt.datetime, ends_at: dt.datetime | None, reason: str) -> str:
    if ends_at is not None and ends_at <= starts_at:
        raise Invalid(details={"ends_at": [_("The end must be after the start.")]})
    return short_text("reason", reason)
