"""Free times of a procedure, straight from the masks: per therapist and day, ranges of possible starts."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid
from clinic.models import Clinic
from courses.booking.calendars import Days, local_moment, read_calendars, read_days, time_of
from courses.booking.supply import Supply
from courses.catalogue.models import Procedure
from courses.planning import masks
from courses.planning.types import SLOT_MINUTES, SLOTS_PER_DAY, CourseRequest, ResourceDays

MOST_DAYS = 92
_CLOCK = tuple(time_of(slot).strftime("%H:%M") for slot in range(SLOTS_PER_DAY))

Ranges = dict[int, dict[dt.date, list[tuple[str, str]]]]


@dataclass(frozen=True, slots=True)
class FreeStart:
    """A time at which a session could start, with the resources that would serve it."""

    starts_at: dt.datetime
    therapist_id: int | None
    room_id: int | None
    device_id: int | None


def free_times(
    *,
    clinic: Clinic,
    procedure: Procedure,
    first_day: dt.date,
    days: int,
    now: dt.datetime,
    therapist_ids: Collection[int] | None = None,
) -> Ranges:
    """Therapist → local date → ranges of starts, each `("HH:MM" first start, "HH:MM" last start)`.

    Counts only whole sessions with therapist, room and device free; patients' own times are not looked at. Raises
    Invalid for a range beyond 92 days or a procedure without minutes.
    """
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(details={"days": [_("Ask for 1 to %(most)s days.") % {"most": MOST_DAYS}]})
    if not procedure.minutes:
        message = _("This procedure has no duration yet. Complete it in the catalogue first.")
        raise Invalid(details={"procedure": [message]})
    horizon = read_days(clinic, first_day, first_day + dt.timedelta(days=days - 1))
    supply = Supply.read([procedure], horizon)
    calendars = read_calendars(
        horizon,
        therapists=supply.therapist_ids,
        places=supply.place_ids,
        hands=supply.hands,
        capacities=supply.capacities,
        now=now,
    )
    request = supply.bare_request(procedure, minutes=procedure.minutes, days=horizon)
    past = _past(horizon, now)
    found: Ranges = {}
    for therapist, joined in start_masks(request, calendars.resources).items():
        if therapist_ids is not None and therapist not in therapist_ids:
            continue
        per_day = masks.split_days(joined & ~past, horizon.count)
        found[therapist] = {
            horizon.date(day): [(_CLOCK[first], _CLOCK[last - 1]) for first, last in masks.runs(mask)]
            for day, mask in enumerate(per_day)
            if mask
        }
    return found


def start_masks(request: CourseRequest, resources: Mapping[int, ResourceDays]) -> dict[int, int]:
    """Therapist (0 where none is needed) → joined bits of starts at which everything but the patient is free."""
    length = request.slots

    def starts(resource: int, margins: object) -> int:
        free = masks.join_days(resources[resource].free)
        return masks.starts_for(free, length, margins.before, margins.after)  # type: ignore[attr-defined]

    days = len(next(iter(resources.values())).free) if resources else 0
    somewhere = masks.day_bits(days) if not request.needs_room else 0
    for room in request.rooms:
        here = starts(room.room, request.room_margins)
        if room.devices:
            any_device = 0
            for device in room.devices:
                any_device |= starts(device, request.device_margins)
            here &= any_device
        somewhere |= here
    if not request.needs_therapist:
        return {0: somewhere}
    found = {}
    for option in request.therapists:
        free = starts(option.therapist, request.therapist_margins) & somewhere
        if option.valid_days is not None:
            valid = tuple(-1 & ((1 << 288) - 1) if option.valid_days >> day & 1 else 0 for day in range(days))
            free &= masks.join_days(valid)
        if option.hands is not None:
            hands = masks.join_days(resources[option.hands].free)
            if request.hands_on_start:
                free &= masks.starts_for(hands, request.hands_on_start)
            if request.hands_on_end:
                free &= masks.starts_for(hands, request.hands_on_end) >> (length - request.hands_on_end)
        found[option.therapist] = free
    return found


def pick_place(
    request: CourseRequest, resources: dict[int, ResourceDays], day: int, slot: int
) -> tuple[int | None, int | None] | None:
    """A free room and device for a start, lowest key first; None where there is none."""
    if not request.needs_room:
        return None, None

    def is_free(resource: int, margins: object) -> bool:
        start = slot - margins.before  # type: ignore[attr-defined]
        end = slot + request.slots + margins.after  # type: ignore[attr-defined]
        wanted = masks.interval_mask(start, end)
        return start >= 0 and wanted & resources[resource].free[day] == wanted

    for room in request.rooms:
        if not is_free(room.room, request.room_margins):
            continue
        if not room.devices:
            return room.room, None
        for device in room.devices:
            if is_free(device, request.device_margins):
                return room.room, device
    return None


def each_start(clinic: Clinic, horizon: Days, joined: int) -> Iterator[tuple[int, int, dt.datetime]]:
    """Day, slot and moment of every set bit, in order of time."""
    for day, mask in enumerate(masks.split_days(joined, horizon.count)):
        for first, last in masks.runs(mask):
            for slot in range(first, last):
                yield day, slot, local_moment(clinic, horizon.date(day), slot)


def _past(horizon: Days, now: dt.datetime) -> int:
    """Starts that have gone by."""
    wall = now.astimezone(horizon.clinic.tz)
    today = horizon.index(wall.date())
    gone = 0
    for day in range(min(max(today, 0), horizon.count)):
        gone |= masks.interval(day, 0, 288)
    if 0 <= today < horizon.count:
        gone |= masks.interval(today, 0, (wall.hour * 60 + wall.minute) // SLOT_MINUTES + 1)
    return gone
