"""What is taken in the database, so that imported bookings get places beside it."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from clinic.models import Absence, Clinic, Closure, Outage, Reservation, Resource

WHOLE = 0


@dataclass(slots=True)
class Places:
    """Taken places per resource and UTC day. Ask in order of start: then the lowest free place is always enough.

    (First fit by start colours intervals with as many places as ever overlap.)
    """

    capacities: dict[int, int]
    _taken: dict[tuple[int, dt.date], list[tuple[dt.datetime, dt.datetime, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _away: dict[int | None, list[tuple[dt.datetime, dt.datetime | None]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    @classmethod
    def read(cls, clinic: Clinic, resource_ids: Collection[int], *, first: dt.datetime) -> "Places":
        """Reservations, absences, outages and closures from a moment on. Five statements."""
        wanted = set(resource_ids)
        places = cls(dict(Resource.objects.filter(pk__in=wanted).values_list("pk", "capacity")))
        taken = Reservation.objects.filter(resource_id__in=wanted, live=True, ends_at__gt=first)
        for resource_id, held, start, end in taken.values_list("resource_id", "places", "starts_at", "ends_at"):
            # Reservations of several places are whole ones; a single place has an upper bound next to it.
            places._add(resource_id, start, end, held.lower if held.upper is not None else WHOLE)
        for therapist_id, away_from, away_until in Absence.objects.values_list("therapist_id", "starts_at", "ends_at"):
            places._away[therapist_id].append((away_from, away_until))
        for device_id, away_from, away_until in Outage.objects.values_list("resource_id", "starts_at", "ends_at"):
            places._away[device_id].append((away_from, away_until))
        for closure in Closure.objects.filter(clinic=clinic):
            places._away[None].append((closure.starts_at, closure.ends_at))
        return places

    def take(self, resource_ids: Sequence[int], start: dt.datetime, end: dt.datetime) -> dict[int, int] | None:
        """One place of each resource, or None, and then nothing is taken."""
        found = {resource_id: self._free_place(resource_id, start, end) for resource_id in resource_ids}
        chosen = {resource_id: place for resource_id, place in found.items() if place is not None}
        if len(chosen) < len(found):
            return None
        for resource_id, place in chosen.items():
            self._add(resource_id, start, end, place)
        return chosen

    def take_whole(self, resource_ids: Sequence[int], start: dt.datetime, end: dt.datetime) -> bool:
        """All places of each resource, or none at all."""
        if any(any(self._met(resource_id, start, end)) for resource_id in resource_ids):
            return False
        for resource_id in resource_ids:
            self._add(resource_id, start, end, WHOLE)
        return True

    def is_away(self, resource_ids: Sequence[int], start: dt.datetime, end: dt.datetime) -> bool:
        """Whether an absence, outage or closure covers part of the period."""
        return any(
            begun < end and (ended is None or start < ended)
            for resource_id in (None, *resource_ids)
            for begun, ended in self._away.get(resource_id, ())
        )

    def _free_place(self, resource_id: int, start: dt.datetime, end: dt.datetime) -> int | None:
        used = {place for _, _, place in self._met(resource_id, start, end)}
        if WHOLE in used:
            return None
        return next((place for place in range(1, self.capacities[resource_id] + 1) if place not in used), None)

    def _met(
        self, resource_id: int, start: dt.datetime, end: dt.datetime
    ) -> Iterator[tuple[dt.datetime, dt.datetime, int]]:
        for day in {start.astimezone(dt.UTC).date(), end.astimezone(dt.UTC).date()}:
            for taken in self._taken.get((resource_id, day), ()):
                if taken[0] < end and start < taken[1]:
                    yield taken

    def _add(self, resource_id: int, start: dt.datetime, end: dt.datetime, place: int) -> None:
        for day in {start.astimezone(dt.UTC).date(), end.astimezone(dt.UTC).date()}:
            self._taken[resource_id, day].append((start, end, place))
