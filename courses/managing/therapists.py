"""Staff who treat or prescribe: making, correcting, and letting go."""

import datetime as dt
from collections.abc import Collection
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.changes import require_unchanged
from clinic.errors import Invalid
from clinic.locking import writing
from clinic.models import Clinic, Resource, ResourceKind, Therapist, User
from courses.booking.holds import release_expired_holds
from courses.booking.texts import require_valid_fields
from courses.managing.places import MOST_PLACES, set_capacity
from courses.managing.rights import require_manager, require_manager_of_staff
from courses.managing.stranding import planned_with, watching

FIELDS = frozenset({"full_name", "short_name", "title", "staff_group", "gender", "languages", "is_prescriber", "email"})


def create_therapist(
    *, clinic: Clinic, by: User | None, now: dt.datetime, capacity: int = 1, **fields: Any
) -> Therapist:
    """A new member of staff, without hours and skills as yet. `capacity` is how many patients they attend at once.

    `fields` are those of FIELDS. Raises Invalid naming the wrong ones, NotAllowed, NotFound.
    """
    require_manager(clinic, by)
    _check(fields, capacity)
    with writing():
        therapist = Therapist(**fields)
        require_valid_fields(therapist)
        therapist.resource = Resource.objects.create(kind=ResourceKind.THERAPIST, capacity=capacity)
        therapist.save()
    return Therapist.objects.select_related("resource").get(pk=therapist.pk)


def edit_therapist(
    *,
    therapist: Therapist,
    by: User | None,
    now: dt.datetime,
    capacity: int | None = None,
    seen: str | None = None,
    **fields: Any,
) -> Therapist:
    """Correct what is known of a therapist. Raises RowChanged where `seen` is of older rows, DoesNotFit where booked
    sessions need more places than `capacity`, Invalid, NotAllowed, NotFound.
    """
    require_manager_of_staff(therapist, by)
    _check(fields, capacity)
    release_expired_holds(now=now)
    with writing():
        locked, resource = _lock(therapist)
        require_unchanged(seen, locked, resource)
        for name, value in fields.items():
            setattr(locked, name, value)
        require_valid_fields(locked)
        locked.save(update_fields=[*fields])
        if capacity is not None:
            set_capacity(resource, capacity, now=now)
    return locked


def deactivate_therapist(
    *, therapist: Therapist, by: User | None, now: dt.datetime, accepted: bool = False, seen: str | None = None
) -> Therapist:
    """They are planned no more. Raises SessionsOutside, unless `accepted`, for what is still booked with them."""
    require_manager_of_staff(therapist, by)
    scope = planned_with([therapist.pk], now)
    with writing(), watching(scope, resources=[therapist.pk], accepted=accepted, now=now):
        locked, resource = _lock(therapist)
        require_unchanged(seen, locked, resource)
        locked.is_active = False
        locked.save(update_fields=["is_active"])
    return locked


def activate_therapist(*, therapist: Therapist, by: User | None, now: dt.datetime) -> Therapist:
    """They are planned again, in the hours and with the skills they have."""
    require_manager_of_staff(therapist, by)
    with writing():
        locked, _resource = _lock(therapist)
        locked.is_active = True
        locked.save(update_fields=["is_active"])
    return locked


def _lock(therapist: Therapist) -> tuple[Therapist, Resource]:
    resource = Resource.objects.select_for_update(no_key=True, of=("self",)).get(pk=therapist.pk)
    locked = Therapist.objects.select_for_update(no_key=True, of=("self",)).get(pk=therapist.pk)
    locked.resource = resource
    return locked, resource


def _check(fields: Collection[str], capacity: int | None) -> None:
    if unknown := sorted(set(fields) - FIELDS):
        raise TypeError(f"a therapist has no {', '.join(unknown)}")
    if capacity is not None and not 1 <= capacity <= MOST_PLACES:
        message = _("Between 1 and %(most)s.") % {"most": MOST_PLACES}
        raise Invalid(details={"capacity": [message]})
