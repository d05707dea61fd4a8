"""Rooms and devices: making, correcting, moving, taking out of use, and how many fit in."""

import datetime as dt
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.changes import require_unchanged
from clinic.errors import Conflict, Invalid
from clinic.locking import writing
from clinic.models import Clinic, Equipment, Resource, ResourceKind, Room, User
from clinic.reserving import deal_anew
from courses.booking.holds import release_expired_holds
from courses.booking.models import Session
from courses.booking.texts import require_valid_fields
from courses.managing.rights import require_manager
from courses.managing.stranding import planned_with, watching

MOST_PLACES = 500


class DoesNotFit(Conflict):
    """`details["sessions"]` lists `{"id", "starts_at"}` of those that would find no place."""

    code = "capacity_too_small"
    sentence = _("Booked sessions need more places than that. Move these first.")


def set_capacity(resource: Resource, capacity: int, *, now: dt.datetime) -> None:
    """Within the caller's transaction, on a locked resource. Places are dealt anew where fewer are enough that way.

    Raises DoesNotFit where they are not.
    """
    if capacity == resource.capacity:
        return
    if capacity < resource.capacity and (without := deal_anew(resource, capacity, now=now)):
        sessions = Session.objects.filter(appointment__in=without).select_related("appointment")
        rows = sorted(sessions, key=lambda session: (session.time.starts_at, session.pk))
        named = [{"id": session.pk, "starts_at": session.time.starts_at.isoformat()} for session in rows]
        raise DoesNotFit(details={"sessions": named, "total": len(named)})
    resource.capacity = capacity
    resource.save(update_fields=["capacity"])


def create_room(*, clinic: Clinic, by: User | None, now: dt.datetime, capacity: int = 1, **fields: Any) -> Room:
    """`fields` are name, room_type and floor. Raises Invalid, NotAllowed, NotFound."""
    require_manager(clinic, by)
    _check(capacity)
    with writing():
        room = Room(clinic=clinic, **fields)
        require_valid_fields(room)
        room.resource = Resource.objects.create(kind=ResourceKind.ROOM, capacity=capacity)
        room.save()
    return room


def edit_room(
    *,
    room: Room,
    by: User | None,
    now: dt.datetime,
    capacity: int | None = None,
    accepted: bool = False,
    seen: str | None = None,
    **fields: Any,
) -> Room:
    """Correct name, room_type, floor, is_active and the number of places.

    Raises RowChanged, DoesNotFit, SessionsOutside (a room taken out of use with sessions in it), Invalid.
    """
    require_manager(room.clinic_id, by)
    _check(capacity)
    release_expired_holds(now=now)
    scope = planned_with([room.pk], now)
    with writing(), watching(scope, resources=[room.pk], accepted=accepted, now=now) as locked:
        row = Room.objects.select_for_update(no_key=True, of=("self",)).get(pk=room.pk)
        _change(row, locked[room.pk], fields, capacity=capacity, seen=seen, now=now)
    return row


def create_device(*, room: Room, by: User | None, now: dt.datetime, **fields: Any) -> Equipment:
    """`fields` are name, equipment_type and inventory_number; it stands in `room`."""
    require_manager(room.clinic_id, by)
    with writing():
        device = Equipment(clinic_id=room.clinic_id, room=room, **fields)
        require_valid_fields(device)
        device.resource = Resource.objects.create(kind=ResourceKind.EQUIPMENT)
        device.save()
    return device


def edit_device(
    *,
    device: Equipment,
    by: User | None,
    now: dt.datetime,
    room: Room | None = None,
    accepted: bool = False,
    seen: str | None = None,
    **fields: Any,
) -> Equipment:
    """Correct name, equipment_type, inventory_number and is_active, and move it to `room`, one of the same clinic.

    Raises RowChanged, SessionsOutside for sessions that count on it where it stood, Invalid.
    """
    require_manager(device.clinic_id, by)
    if room is not None and room.clinic_id != device.clinic_id:
        raise Invalid(details={"room": [_("This clinic has no such room.")]})
    scope = planned_with([device.pk], now)
    resources = [device.pk] if room is None else [device.pk, room.pk]
    with writing(), watching(scope, resources=resources, accepted=accepted, now=now) as locked:
        row = Equipment.objects.select_for_update(no_key=True, of=("self",)).get(pk=device.pk)
        if room is not None:
            fields["room"] = room
        _change(row, locked[device.pk], fields, capacity=None, seen=seen, now=now)
    return row


def _change(
    row: Room | Equipment,
    resource: Resource,
    fields: dict[str, Any],
    *,
    capacity: int | None,
    seen: str | None,
    now: dt.datetime,
) -> None:
    require_unchanged(seen, row, resource)
    for name, value in fields.items():
        setattr(row, name, value)
    require_valid_fields(row)
    row.save(update_fields=[*fields])
    if capacity is not None:
        set_capacity(resource, capacity, now=now)


def _check(capacity: int | None) -> None:
    if capacity is not None and not 1 <= capacity <= MOST_PLACES:
        raise Invalid(details={"capacity": [_("Between 1 and %(most)s.") % {"most": MOST_PLACES}]})
