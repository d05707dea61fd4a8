"""Who and what can serve procedures: requirements and qualifications become the planner's options.

This lies on the path of every plan and every look for free times, so it reads plain rows in three statements.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection

from clinic.models import ResourceKind
from courses.booking.calendars import Days
from courses.catalogue.models import Procedure
from courses.planning import types as planning
from courses.planning.types import SLOT_MINUTES

_NEEDS = """
    SELECT given.id, n.role, n.type_code, n.minutes_before, n.minutes_after, n.hands_on_start, n.hands_on_end,
        ARRAY(SELECT p.code::text FROM courses_procedure_not_same_day_with apart
              JOIN courses_procedure p ON p.id = apart.to_procedure_id WHERE apart.from_procedure_id = given.id)
    FROM unnest(%s::bigint[]) AS given(id) LEFT JOIN courses_requirement n ON n.procedure_id = given.id
    ORDER BY n.id
"""

_QUALIFIED = """
    SELECT q.procedure_id, t.resource_id, q.valid_from, q.valid_until, t.gender, t.languages, t.hands_id,
        r.capacity, r.version
    FROM courses_qualification q
    JOIN clinic_therapist t ON t.resource_id = q.therapist_id AND t.is_active
    JOIN clinic_resource r ON r.id = t.resource_id
    WHERE q.procedure_id = ANY (%s) ORDER BY t.resource_id, q.id
"""

_PLACES = """
    SELECT room.resource_id, room.room_type, r.capacity, r.version,
        device.resource_id, device.equipment_type, device_r.capacity, device_r.version
    FROM clinic_room room JOIN clinic_resource r ON r.id = room.resource_id
    LEFT JOIN clinic_equipment device
        ON device.room_id = room.resource_id AND device.is_active AND device.equipment_type = ANY (%s)
    LEFT JOIN clinic_resource device_r ON device_r.id = device.resource_id
    WHERE room.clinic_id = %s AND room.is_active AND room.room_type = ANY (%s)
    ORDER BY room.resource_id, device.resource_id
"""


class Need(NamedTuple):
    """A requirement: what fills a role, and the minutes around the treatment."""

    role: str
    type_code: str
    minutes_before: int
    minutes_after: int
    hands_on_start: int
    hands_on_end: int

    @property
    def margins(self) -> planning.Margins:
        return planning.Margins(to_slots(self.minutes_before), to_slots(self.minutes_after))


class Qualified(NamedTuple):
    """A therapist's qualification, from and until dates that are both included."""

    therapist: int
    valid_from: dt.date | None
    valid_until: dt.date | None
    gender: str
    languages: Sequence[str]
    hands: int | None

    def valid_days(self, days: Days) -> int:
        """Day set of the qualification."""
        first = max(days.index(self.valid_from), 0) if self.valid_from else 0
        last = min(days.index(self.valid_until), days.count - 1) if self.valid_until else days.count - 1
        return ((1 << (last - first + 1)) - 1) << first if last >= first else 0


@dataclass(slots=True)
class Supply:
    """What was read for some procedures in one clinic. `hands` maps a hands' resource to its therapist."""

    needs_of: dict[int, dict[str, Need]] = field(default_factory=lambda: defaultdict(dict))
    apart: dict[int, frozenset[str]] = field(default_factory=dict)
    qualified: dict[int, list[Qualified]] = field(default_factory=lambda: defaultdict(list))
    rooms: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    devices: dict[str, dict[int, list[int]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    hands: dict[int, int] = field(default_factory=dict)
    capacities: dict[int, int] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)
    therapist_ids: list[int] = field(default_factory=list)
    place_ids: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, procedures: Sequence[Procedure], days: Days) -> "Supply":
        """Three statements, whatever the number of procedures."""
        supply, pks = cls(), [procedure.pk for procedure in procedures]
        with connection.cursor() as cursor:
            cursor.execute(_NEEDS, [pks])
            supply._note_needs(cursor.fetchall())
            cursor.execute(_QUALIFIED, [pks])
            supply._note_therapists(cursor.fetchall())
            device_types = supply._types(ResourceKind.EQUIPMENT)
            cursor.execute(_PLACES, [device_types, days.clinic.pk, supply._types(ResourceKind.ROOM)])
            supply._note_places(cursor.fetchall())
        return supply

    def _note_needs(self, rows: Sequence[tuple[Any, ...]]) -> None:
        for procedure, role, *figures, apart in rows:
            self.apart[procedure] = frozenset(apart)
            if role is not None:
                self.needs_of[procedure].setdefault(role, Need(role, *figures))

    def _note_therapists(self, rows: Sequence[tuple[Any, ...]]) -> None:
        for procedure, therapist, valid_from, valid_until, gender, languages, hands, capacity, version in rows:
            one = Qualified(therapist, valid_from, valid_until, gender, languages, hands)
            self.qualified[procedure].append(one)
            if therapist not in self.versions:
                self.therapist_ids.append(therapist)
            self._note(therapist, capacity, version)
            staff = self.needs_of[procedure].get(ResourceKind.THERAPIST)
            if hands is not None and staff is not None and (staff.hands_on_start or staff.hands_on_end):
                self.hands[hands] = therapist
                self.capacities[hands] = 1

    def _note_places(self, rows: Sequence[tuple[Any, ...]]) -> None:
        for room, room_type, capacity, version, device, device_type, device_capacity, device_version in rows:
            if room not in self.versions:
                self.rooms[room_type].append(room)
                self.place_ids.append(room)
                self._note(room, capacity, version)
            if device is not None:
                self.devices[device_type][room].append(device)
                self.place_ids.append(device)
                self._note(device, device_capacity, device_version)

    def _note(self, resource: int, capacity: int, version: int) -> None:
        self.capacities[resource] = capacity
        self.versions[resource] = version

    def _types(self, role: ResourceKind) -> list[str]:
        return sorted({needs[role].type_code for needs in self.needs_of.values() if role in needs})

    def needs(self, procedure: Procedure, *, minutes: int, days: Days) -> dict[str, Any]:
        """The fields of a `CourseRequest` that say what a session of the procedure takes."""
        by_role = self.needs_of[procedure.pk]
        staff, room = by_role.get(ResourceKind.THERAPIST), by_role.get(ResourceKind.ROOM)
        device, rest = by_role.get(ResourceKind.EQUIPMENT), by_role.get(ResourceKind.PATIENT)
        none = planning.Margins()
        return {
            "procedure": procedure.code,
            "slots": to_slots(minutes),
            "therapists": self._therapists(procedure, days),
            "rooms": self._rooms(room, device),
            "needs_therapist": staff is not None,
            "needs_room": room is not None,
            "therapist_margins": staff.margins if staff else none,
            "room_margins": room.margins if room else none,
            "device_margins": device.margins if device else none,
            "patient_margins": rest.margins if rest else none,
            "hands_on_start": to_slots(staff.hands_on_start) if staff else 0,
            "hands_on_end": to_slots(staff.hands_on_end) if staff else 0,
            "not_same_day_with": self.apart.get(procedure.pk, frozenset()),
        }

    def bare_request(self, procedure: Procedure, *, minutes: int, days: Days) -> planning.CourseRequest:
        """One session of the procedure for nobody in particular."""
        return planning.CourseRequest(key=procedure.pk, sessions=1, **self.needs(procedure, minutes=minutes, days=days))

    def _therapists(self, procedure: Procedure, days: Days) -> tuple[planning.TherapistOption, ...]:
        valid: dict[int, int] = defaultdict(int)
        options = {}
        for one in self.qualified[procedure.pk]:
            valid[one.therapist] |= one.valid_days(days)
            options[one.therapist] = planning.TherapistOption(
                therapist=one.therapist,
                valid_days=None if valid[one.therapist] == (1 << days.count) - 1 else valid[one.therapist],
                gender=one.gender,
                languages=frozenset(one.languages),
                hands=one.hands if one.hands in self.hands else None,
            )
        return tuple(options.values())

    def _rooms(self, room: Need | None, device: Need | None) -> tuple[planning.RoomOption, ...]:
        if room is None:
            return ()
        rooms = self.rooms[room.type_code]
        if device is None:
            return tuple(planning.RoomOption(pk) for pk in rooms)
        standing = self.devices[device.type_code]
        return tuple(planning.RoomOption(pk, tuple(standing[pk])) for pk in rooms if standing.get(pk))


def to_slots(minutes: int) -> int:
    """Slots that hold so many minutes, rounded up."""
    return -(-minutes // SLOT_MINUTES)
