"""Free places of the reference clinic that can all be sold at the same time, and plans that compete for them."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clinic.models import Reservation, Resource
from courses.benchmarks.clinics import BATCH, LoadedClinic
from courses.booking.models import Plan
from courses.planning import masks
from courses.planning.reference import THERAPISTS

# Bookings of each slot, by number of the resource and day.
_Used = dict[tuple[int, int], list[int]]


@dataclass(frozen=True, slots=True)
class FreePlace:
    """A session of a procedure that a therapist could give in a room, with a device or none: primary keys, UTC."""

    code: str
    therapist: int
    room: int
    device: int | None
    starts_at: dt.datetime
    ends_at: dt.datetime

    def item(self, session: int, course: int, patient: int) -> dict[str, Any]:
        """The item of a plan (see `Plan.items`) that puts a session here."""
        start, end = self.starts_at.isoformat(), self.ends_at.isoformat()
        takes = [pk for pk in (patient, self.therapist, self.room, self.device) if pk is not None]
        return {
            "session": session,
            "course": course,
            "start": start,
            "end": end,
            "therapist": self.therapist,
            "room": self.room,
            "device": self.device,
            "meeting": None,
            "takes": [[pk, start, end] for pk in takes],
        }


def find_free_places(loaded: LoadedClinic) -> list[FreePlace]:
    """Places that do not stand in each other's way, therapist after therapist within a day, in order of days."""
    reference = loaded.reference
    used: _Used = defaultdict(lambda: [0] * masks.STRIDE)
    for booking in reference.bookings:
        for number in (booking.therapist, booking.room, booking.device):
            if number is not None:
                _use(used[number, booking.day], range(booking.slot, booking.slot + booking.slots))
    found = []
    for day in range(reference.days):
        for therapist in THERAPISTS:
            for code, room, device, slot in _fill(loaded, used, therapist.number, day):
                found.append(
                    FreePlace(
                        code,
                        loaded.keys[therapist.number],
                        loaded.keys[room],
                        None if device is None else loaded.keys[device],
                        loaded.moment(day, slot),
                        loaded.moment(day, slot + reference.procedures[code].slots),
                    )
                )
    return found


def _use(counts: list[int], slots: range) -> None:
    for slot in slots:
        counts[slot] += 1


def _fill(loaded: LoadedClinic, used: _Used, therapist: int, day: int) -> Iterator[tuple[str, int, int | None, int]]:
    reference = loaded.reference
    codes = next(t.procedures for t in THERAPISTS if t.number == therapist)
    for code in codes:
        procedure = reference.procedures[code]
        for slot in range(masks.STRIDE - procedure.slots):
            taken = range(slot, slot + procedure.slots)
            if not _is_free(loaded, used, (therapist,), day, taken):
                continue
            for room, device in _rooms(loaded, code):
                numbers = tuple(number for number in (therapist, room, device) if number is not None)
                if _is_free(loaded, used, numbers, day, taken):
                    for number in numbers:
                        _use(used[number, day], taken)
                    yield code, room, device, slot
                    break


def _rooms(loaded: LoadedClinic, code: str) -> Iterator[tuple[int, int | None]]:
    for room, devices in loaded.reference.places(loaded.reference.procedures[code]):
        for device in devices or (None,):
            yield room, device


def _is_free(loaded: LoadedClinic, used: _Used, numbers: Sequence[int], day: int, slots: range) -> bool:
    wanted = masks.interval_mask(slots.start, slots.stop)
    works, capacity = loaded.reference.works, loaded.reference.capacity
    return all(
        works[number][day] & wanted == wanted and all(used[number, day][slot] < capacity[number] for slot in slots)
        for number in numbers
    )


def make_contenders(
    loaded: LoadedClinic, places: Sequence[FreePlace], *, count: int, now: dt.datetime
) -> list[list[int]]:
    """For each of `count` contenders one stored plan for each place, in order of places: primary keys of plans.

    A contender sends another patient to each therapist, so that it never stands in its own way.
    """
    therapists = sorted({place.therapist for place in places})
    patients = {
        (number, therapist): patient
        for number in range(count)
        for therapist, patient in zip(therapists, loaded.new_patients(len(therapists)), strict=True)
    }
    asked = [(number, place) for number in range(count) for place in places]
    sessions = loaded.single_courses(
        [patients[number, place.therapist] for number, place in asked], [place.code for _, place in asked]
    )
    versions = {
        str(pk): version for pk, version in Resource.objects.exclude(kind="patient").values_list("pk", "version")
    }
    plans = []
    for (number, place), session in zip(asked, sessions, strict=True):
        patient = patients[number, place.therapist]
        plans.append(
            Plan(
                clinic=loaded.clinic,
                patient=patient,
                status=Plan.Status.PROPOSED,
                items=[place.item(session.pk, session.course_id, patient.pk)],
                versions=versions,
                created_at=now,
            )
        )
    Plan.objects.bulk_create(plans, batch_size=BATCH)
    links = [
        Plan.courses.through(plan_id=plan.pk, course_id=session.course_id)
        for plan, session in zip(plans, sessions, strict=True)
    ]
    Plan.courses.through.objects.bulk_create(links, batch_size=BATCH)
    keys = [plan.pk for plan in plans]
    return [keys[start : start + len(places)] for start in range(0, len(keys), len(places))]


def count_unsold(places: Sequence[FreePlace]) -> int:
    """Places that nobody has."""
    sold = set(
        Reservation.objects.filter(live=True, resource_id__in={place.therapist for place in places}).values_list(
            "resource_id", "starts_at"
        )
    )
    return sum((place.therapist, place.starts_at) not in sold for place in places)
