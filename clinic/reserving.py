"""Choosing places under lock, and recolouring a resource when counts allow what its fixed places do not.

Planning counts free places; only here does a patient get couch 3. Pinning places for good would lose starts that
are free by count, so where no single place is free for a whole period, the resource's other reservations are dealt
out anew: those that have begun stay, the rest take the lowest place that is free for them.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection
from psycopg.types.range import Range

from clinic.errors import PlaceTaken
from clinic.models import Reservation, Resource

# Beyond the longest working day before or after a session nobody is connected to it by overlaps.
_CHAIN = dt.timedelta(hours=16)


@dataclass(frozen=True, slots=True)
class Want:
    """One place of a resource (or all of it) for a period; `key` names whose wish it is."""

    key: int
    resource_id: int
    starts_at: dt.datetime
    ends_at: dt.datetime
    whole: bool = False


@dataclass(slots=True)
class Taken:
    """A place of a resource that somebody has for a period, UTC."""

    reservation_id: int | None
    place: int | None  # None: the whole resource
    starts_at: dt.datetime
    ends_at: dt.datetime

    def meets(self, starts_at: dt.datetime, ends_at: dt.datetime) -> bool:
        return self.starts_at < ends_at and starts_at < self.ends_at


def choose_places(
    wants: Sequence[Want],
    *,
    resources: dict[int, Resource],
    now: dt.datetime,
) -> "list[Range[int]]":
    """A place for each want, in order. The resources must be locked and expired holds on them released.

    One statement reads what is taken; a second recolours where that is needed. Raises PlaceTaken, with
    `details["taken"]` the keys of the wants that lost.
    """
    capacities = {pk: resource.capacity for pk, resource in resources.items()}
    taken = _read_taken(wants, capacities=capacities, now=now)
    chosen, recoloured = deal_places(wants, taken, capacities=capacities, now=now)
    lost = {want.key for want, own in zip(wants, chosen, strict=True) if own is None}
    if lost:
        raise PlaceTaken(details={"taken": sorted(lost)})
    if recoloured:
        _write_colours(recoloured)
    places = [own.place for own in chosen if own is not None]
    return [Range(1, None) if place is None else Range(place, place + 1) for place in places]


def deal_places(
    wants: Sequence[Want], taken: dict[int, list[Taken]], *, capacities: Mapping[int, int], now: dt.datetime
) -> tuple[list[Taken | None], dict[int, int]]:
    """What each want gets, None where nothing is free, and the new places of reservations that make way for them.

    `taken` (resource → what others have) is changed accordingly.
    """
    chosen: list[Taken | None] = []
    recoloured: dict[int, int] = {}
    for want in wants:
        capacity = capacities[want.resource_id]
        others = taken[want.resource_id]
        place = _free_place(others, want, capacity)
        if place is None and not want.whole and capacity > 1:
            moves = _recolour(others, want, capacity, now=now)
            if moves is not None:
                recoloured.update({t.reservation_id: t.place for t in moves if t.reservation_id and t.place})
                place = _free_place(others, want, capacity)
        if place is None:
            chosen.append(None)
            continue
        # Recolouring for a later want may deal this one another place: callers read it at the end.
        own = Taken(None, None if want.whole else place, want.starts_at, want.ends_at)
        others.append(own)
        chosen.append(own)
    return chosen, recoloured


# No reservation is longer than a day, which lets the index find the few that begin before a window and reach into it.
# Seconds since the epoch, because a busy nurse has hundreds of rows and the driver parses timestamps slowly.
_READ_TAKEN = """
    SELECT r.id, r.resource_id, CASE WHEN upper_inf(r.places) THEN NULL ELSE lower(r.places) END,
        date_part('epoch', r.starts_at), date_part('epoch', r.ends_at)
    FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS wanted(resource_id, starts_at, ends_at)
    JOIN clinic_reservation r ON r.resource_id = wanted.resource_id AND r.live AND r.ends_at > wanted.starts_at
        AND r.starts_at < wanted.ends_at AND r.starts_at > wanted.starts_at - interval '1 day'
    WHERE r.held_until IS NULL OR r.held_until > %s
    ORDER BY r.starts_at, r.id
"""


_moment = dt.datetime.fromtimestamp


def _read_taken(wants: Sequence[Want], *, capacities: Mapping[int, int], now: dt.datetime) -> dict[int, list[Taken]]:
    taken: dict[int, list[Taken]] = defaultdict(list)
    windows = [
        (resource_id, start, end)
        for resource_id, periods in _periods(wants, capacities).items()
        for start, end in _merge(periods)
    ]
    if not windows:
        return taken
    with connection.cursor() as cursor:
        cursor.execute(_READ_TAKEN, [*map(list, zip(*windows, strict=True)), now])
        rows = {row[0]: row for row in cursor.fetchall()}  # one may reach into two windows
    for pk, resource_id, place, starts_at, ends_at in rows.values():
        taken[resource_id].append(Taken(pk, place, _moment(starts_at, dt.UTC), _moment(ends_at, dt.UTC)))
    return taken


def _periods(wants: Sequence[Want], capacities: Mapping[int, int]) -> dict[int, list[tuple[dt.datetime, dt.datetime]]]:
    """The periods to look at. Recolouring follows chains of overlaps, which end with the day at the latest."""
    periods: dict[int, list[tuple[dt.datetime, dt.datetime]]] = defaultdict(list)
    for want in wants:
        margin = _CHAIN if capacities[want.resource_id] > 1 and not want.whole else dt.timedelta()
        periods[want.resource_id].append((want.starts_at - margin, want.ends_at + margin))
    return periods


def _merge(periods: list[tuple[dt.datetime, dt.datetime]]) -> list[tuple[dt.datetime, dt.datetime]]:
    merged: list[tuple[dt.datetime, dt.datetime]] = []
    for start, end in sorted(periods):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _free_place(others: list[Taken], want: Want, capacity: int) -> int | None:
    met = [other for other in others if other.meets(want.starts_at, want.ends_at)]
    if want.whole:
        return None if met else 1
    used = {other.place for other in met}
    if None in used:
        return None
    return next((place for place in range(1, capacity + 1) if place not in used), None)


def _recolour(others: list[Taken], want: Want, capacity: int, *, now: dt.datetime) -> list[Taken] | None:
    """Deal places anew among the chain of overlaps around `want`; None where counts do not allow it either.

    Changes `others` in place. First-fit in order of start is optimal for intervals as long as those that have
    begun, which keep their places, come first: they do, since they start before now.
    """
    chain = _chain(others, want)
    if any(other.place is None for other in chain if other.meets(want.starts_at, want.ends_at)):
        return None
    newcomer = Taken(None, 0, want.starts_at, want.ends_at)
    fixed = [t for t in chain if t.place is None or t.starts_at <= now]
    movable = sorted(
        [t for t in chain if t.place is not None and t.starts_at > now] + [newcomer],
        key=lambda t: (t.starts_at, t.ends_at),
    )
    colours: list[tuple[Taken, int]] = []
    for one in movable:
        used = {t.place for t in fixed if t.meets(one.starts_at, one.ends_at)}
        used |= {place for t, place in colours if t.meets(one.starts_at, one.ends_at)}
        place = None if None in used else next((p for p in range(1, capacity + 1) if p not in used), None)
        if place is None:
            return None
        colours.append((one, place))
    changed = [t for t, place in colours if t is not newcomer and t.place != place]
    for one, place in colours:
        one.place = place
    return changed


def _chain(others: list[Taken], want: Want) -> list[Taken]:
    """The reservations connected to the want by overlaps."""
    start, end = want.starts_at, want.ends_at
    chain: list[Taken] = []
    rest = list(others)
    while True:
        met = [t for t in rest if t.meets(start, end)]
        if not met:
            return chain
        chain += met
        rest = [t for t in rest if not t.meets(start, end)]
        start = min(start, *(t.starts_at for t in met))
        end = max(end, *(t.ends_at for t in met))


def deal_anew(resource: Resource, capacity: int, *, now: dt.datetime) -> list[int]:
    """Deal the places of a locked resource so that `capacity` are enough; write nothing where they are not.

    Whoever has begun stays. Returns the keys of the appointments that find no place, by time: empty when it is done.
    Expired holds must have been released.
    """
    held = Reservation.objects.filter(resource=resource, live=True, ends_at__gt=now, places__upper_inf=False)
    rows = held.order_by("starts_at", "pk").values_list("pk", "appointment_id", "places", "starts_at", "ends_at")
    free_from: dict[int, dt.datetime] = {}
    changed: dict[int, int] = {}
    without: list[int] = []
    for pk, appointment, places, starts_at, ends_at in rows:
        own: int = places.lower
        if starts_at > now:
            # First fit in order of start; those that have begun come first by themselves.
            free = (p for p in range(1, capacity + 1) if free_from.get(p, starts_at) <= starts_at)
            place = next(free, capacity + 1)
        else:
            place = own
        if place > capacity:
            without.append(appointment)
            continue
        free_from[place] = max(free_from.get(place, ends_at), ends_at)
        if place != own:
            changed[pk] = place
    if changed and not without:
        _write_colours(changed)
    return without


def _write_colours(places: dict[int, int]) -> None:
    # One statement: the exclusion constraint is deferrable, so it looks only when all have changed places.
    pks = sorted(places)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE clinic_reservation r SET places = int4range(new.place, new.place + 1) "
            "FROM unnest(%s::bigint[], %s::int[]) AS new(id, place) WHERE r.id = new.id",
            [pks, [places[pk] for pk in pks]],
        )
