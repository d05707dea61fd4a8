"""Who and what can serve procedures: requirements and qualifications become the planner's options."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clinic.models import Equipment, Resource, ResourceKind, Room
from courses.booking.calendars import Days
from courses.catalogue.models import Procedure, Qualification, Requirement
from courses.planning import types as planning
from courses.planning.types import SLOT_MINUTES


@dataclass(slots=True)
class Supply:
    """What was read for some procedures in one clinic. `hands` maps a hands' resource to its therapist."""

    requirements: dict[int, list[Requirement]]
    qualifications: dict[int, list[Qualification]]
    rooms: dict[str, list[Room]]
    devices: dict[str, dict[int, list[int]]]  # type → room → devices
    hands: dict[int, int]
    capacities: dict[int, int]
    versions: dict[int, int]
    therapist_ids: list[int]
    place_ids: list[int]

    @classmethod
    def read(cls, procedures: Sequence[Procedure], days: Days) -> "Supply":
        """Four statements, whatever the number of procedures."""
        pks = {procedure.pk for procedure in procedures}
        clinic = days.clinic
        requirements: dict[int, list[Requirement]] = defaultdict(list)
        for requirement in Requirement.objects.filter(procedure_id__in=pks).order_by("pk"):
            requirements[requirement.procedure_id].append(requirement)
        capacities: dict[int, int] = {}
        versions: dict[int, int] = {}

        def note(resource: Resource) -> None:
            capacities[resource.pk] = resource.capacity
            versions[resource.pk] = resource.version

        def types(role: ResourceKind) -> set[str]:
            return {r.type_code for group in requirements.values() for r in group if r.role == role}

        hands_on = {pk for pk, group in requirements.items() if any(r.hands_on_start or r.hands_on_end for r in group)}
        qualifications: dict[int, list[Qualification]] = defaultdict(list)
        hands: dict[int, int] = {}
        therapists: dict[int, None] = {}
        for qualification in (
            Qualification.objects.filter(procedure_id__in=pks, therapist__is_active=True)
            .select_related("therapist__resource")
            .order_by("therapist_id", "pk")
        ):
            qualifications[qualification.procedure_id].append(qualification)
            therapist = qualification.therapist
            therapists[therapist.pk] = None
            note(therapist.resource)
            if therapist.hands_id is not None and qualification.procedure_id in hands_on:
                hands[therapist.hands_id] = therapist.pk
                capacities[therapist.hands_id] = 1
        rooms: dict[str, list[Room]] = defaultdict(list)
        place_ids: list[int] = []
        active = Room.objects.filter(clinic=clinic, room_type__in=types(ResourceKind.ROOM), is_active=True)
        for room in active.select_related("resource").order_by("pk"):
            rooms[room.room_type].append(room)
            place_ids.append(room.pk)
            note(room.resource)
        devices: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        wanted = types(ResourceKind.EQUIPMENT)
        if wanted:
            equipment = Equipment.objects.filter(clinic=clinic, equipment_type__in=wanted, is_active=True)
            for device in equipment.select_related("resource").order_by("pk"):
                devices[device.equipment_type][device.room_id].append(device.pk)
                place_ids.append(device.pk)
                note(device.resource)
        return cls(
            requirements=requirements,
            qualifications=qualifications,
            rooms=rooms,
            devices=devices,
            hands=hands,
            capacities=capacities,
            versions=versions,
            therapist_ids=list(therapists),
            place_ids=place_ids,
        )

    def needs(self, procedure: Procedure, *, minutes: int, days: Days) -> dict[str, Any]:
        """The fields of a `CourseRequest` that say what a session of the procedure takes."""
        by_role: dict[str, Requirement] = {}
        for requirement in self.requirements[procedure.pk]:
            by_role.setdefault(requirement.role, requirement)
        staff, room = by_role.get(ResourceKind.THERAPIST), by_role.get(ResourceKind.ROOM)
        device, rest = by_role.get(ResourceKind.EQUIPMENT), by_role.get(ResourceKind.PATIENT)
        return {
            "procedure": procedure.code,
            "slots": to_slots(minutes),
            "therapists": self._therapists(procedure, days),
            "rooms": self._rooms(room, device),
            "needs_therapist": staff is not None,
            "needs_room": room is not None,
            "therapist_margins": _margins(staff),
            "room_margins": _margins(room),
            "device_margins": _margins(device),
            "patient_margins": _margins(rest),
            "hands_on_start": to_slots(staff.hands_on_start) if staff else 0,
            "hands_on_end": to_slots(staff.hands_on_end) if staff else 0,
        }

    def bare_request(self, procedure: Procedure, *, minutes: int, days: Days) -> planning.CourseRequest:
        """One session of the procedure for nobody in particular."""
        return planning.CourseRequest(key=procedure.pk, sessions=1, **self.needs(procedure, minutes=minutes, days=days))

    def _therapists(self, procedure: Procedure, days: Days) -> tuple[planning.TherapistOption, ...]:
        valid: dict[int, int] = defaultdict(int)
        options = {}
        for qualification in self.qualifications[procedure.pk]:
            therapist = qualification.therapist
            valid[therapist.pk] |= _valid_days(qualification, days)
            options[therapist.pk] = planning.TherapistOption(
                therapist=therapist.pk,
                valid_days=None if valid[therapist.pk] == (1 << days.count) - 1 else valid[therapist.pk],
                gender=therapist.gender,
                languages=frozenset(therapist.languages),
                hands=therapist.hands_id if therapist.hands_id in self.hands else None,
            )
        return tuple(options.values())

    def _rooms(self, room: Requirement | None, device: Requirement | None) -> tuple[planning.RoomOption, ...]:
        if room is None:
            return ()
        if device is None:
            return tuple(planning.RoomOption(r.pk) for r in self.rooms[room.type_code])
        standing = self.devices[device.type_code]
        return tuple(
            planning.RoomOption(r.pk, tuple(standing[r.pk])) for r in self.rooms[room.type_code] if standing.get(r.pk)
        )


def to_slots(minutes: int) -> int:
    """Slots that hold so many minutes, rounded up."""
    return -(-minutes // SLOT_MINUTES)


def _valid_days(qualification: Qualification, days: Days) -> int:
    first = max(days.index(qualification.valid_from), 0) if qualification.valid_from else 0
    last = min(days.index(qualification.valid_until), days.count - 1) if qualification.valid_until else days.count - 1
    return ((1 << (last - first + 1)) - 1) << first if last >= first else 0


def _margins(requirement: Requirement | None) -> planning.Margins:
    if requirement is None:
        return planning.Margins()
    return planning.Margins(to_slots(requirement.minutes_before), to_slots(requirement.minutes_after))
