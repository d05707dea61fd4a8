"""Planning anew with least movement: where sessions were, what is asked of some of them, and what has changed."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid
from clinic.models import Appointment, Reservation, ResourceKind
from courses.booking.calendars import slot_of
from courses.booking.models import Plan, Session
from courses.booking.problems import Asked, Bridge
from courses.booking.wishes import read_dates, read_key, read_time, read_weekdays
from courses.planning import types as planning
from courses.planning.types import SLOTS_PER_DAY
from courses.planning.verification import keeps_musts


@dataclass(frozen=True, slots=True)
class Place:
    """When and with what a session is, or was."""

    start: dt.datetime
    end: dt.datetime
    therapist: int | None = None
    room: int | None = None
    device: int | None = None

    @classmethod
    def of_item(cls, item: Mapping[str, Any]) -> Self:
        moment = dt.datetime.fromisoformat
        return cls(moment(item["start"]), moment(item["end"]), item["therapist"], item["room"], item["device"])

    def as_json(self) -> dict[str, Any]:
        times = {"start": self.start.isoformat(), "end": self.end.isoformat()}
        return times | {"therapist": self.therapist, "room": self.room, "device": self.device}


@dataclass(frozen=True, slots=True)
class Former:
    """Where the sessions of a plan were until now, by primary key; `fixed` ones stay, or go, exactly there."""

    places: Mapping[int, Place] = field(default_factory=dict)
    fixed: Mapping[int, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of some sessions (of all, where none is named).  Those that do not keep it move to where they do.

    A session that moves keeps every demand that names a session of its course; one that is not named may stay where it
    is though it does not.
    """

    sessions: frozenset[int] = frozenset()
    not_before: dt.time | None = None
    not_after: dt.time | None = None
    weekdays: tuple[int, ...] = ()
    therapist: int | None = None
    excluded_therapists: tuple[int, ...] = ()
    excluded_days: tuple[dt.date, ...] = ()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Read a demand from JSON. Raises Invalid with one sentence per wrong field."""
        readers: dict[str, Any] = {
            "sessions": lambda value: frozenset(_keys(value)),
            "not_before": read_time,
            "not_after": read_time,
            "weekdays": read_weekdays,
            "therapist": read_key,
            "excluded_therapists": _keys,
            "excluded_days": read_dates,
        }
        errors: dict[str, list[Any]] = {}
        values: dict[str, Any] = {}
        for name, value in raw.items():
            if name not in readers:
                errors[name] = [_("Unknown demand.")]
                continue
            try:
                values[name] = readers[name](value)
            except (TypeError, ValueError, OverflowError):
                errors[name] = [_("This value cannot be read.")]
        first, last = values.get("not_before"), values.get("not_after")
        if first and last and first >= last:
            errors["not_after"] = [_("The end must be after the start.")]
        if not errors and not any(values.get(name) for name in readers if name != "sessions"):
            errors["not_before"] = [_("Say what is asked of these sessions.")]
        if errors:
            raise Invalid(details=errors)
        return cls(**values)

    def names(self, session: Session) -> bool:
        return not self.sessions or session.pk in self.sessions

    def over(self, request: planning.CourseRequest, bridge: Bridge) -> planning.CourseRequest:
        """The request with the demand as a must of whatever moves."""
        first = slot_of(self.not_before, up=True) if self.not_before else 0
        last = slot_of(self.not_after) if self.not_after else SLOTS_PER_DAY
        before, until = request.hours or (0, SLOTS_PER_DAY)
        barred = set(request.excluded_therapists) | set(self.excluded_therapists)
        if self.therapist is not None:
            barred |= {option.therapist for option in request.therapists} - {self.therapist}
            barred |= {s.therapist.therapist for s in request.series or () if s.therapist} - {self.therapist}
        shut = {bridge.days.index(day) for day in self.excluded_days if bridge.days.first <= day <= bridge.days.last}
        weekdays = frozenset(day - 1 for day in self.weekdays)
        if weekdays and request.weekdays_strength is planning.Strength.MUST:
            weekdays &= request.weekdays
        return replace(
            request,
            hours=(max(first, before), min(last, until)) if self.not_before or self.not_after else request.hours,
            excluded_therapists=frozenset(barred),
            excluded_days=request.excluded_days | shut,
            weekdays=weekdays or request.weekdays,
            weekdays_strength=planning.Strength.MUST if weekdays else request.weekdays_strength,
        )


def parse_demands(raw: Sequence[Mapping[str, Any]]) -> tuple[Demand, ...]:
    """Raises Invalid with fields counted from 1: `demands.1.not_after`."""
    found: list[Demand] = []
    errors: dict[str, list[Any]] = {}
    for number, one in enumerate(raw, start=1):
        try:
            found.append(Demand.parse(one))
        except Invalid as wrong:
            errors |= {f"demands.{number}.{name}": sentences for name, sentences in wrong.details.items()}
    if errors:
        raise Invalid(details=errors)
    return tuple(found)


def with_former(bridge: Bridge, former: Former, demands: Sequence[Demand]) -> Bridge:
    """The bridge's problem with the former times of its sessions, and with what is demanded of them.

    Raises Invalid where a demand names a session that is not planned.
    """
    planned = {session.pk for asked in bridge.asked for session in asked.sessions}
    errors = {
        f"demands.{number}.sessions": [_("One of these sessions is not planned here.")]
        for number, demand in enumerate(demands, start=1)
        if demand.sessions - planned
    }
    if errors:
        raise Invalid(details=errors)
    places: dict[int, planning.FormerSession] = {}
    requests = []
    for asked, request in zip(bridge.asked, bridge.problem.courses, strict=True):
        own = [d for d in demands if any(d.names(session) for session in asked.sessions)]
        eased = request
        for demand in own:
            eased = demand.over(eased, bridge)
        found = _former_of(bridge, asked, request, former, own)
        places |= found
        requests.append(replace(eased, former=tuple(sorted(found.values(), key=lambda f: (f.day, f.slot)))))
    return replace(bridge, problem=replace(bridge.problem, courses=tuple(requests)), former=places)


def _former_of(
    bridge: Bridge, asked: Asked, request: planning.CourseRequest, former: Former, demands: Sequence[Demand]
) -> dict[int, planning.FormerSession]:
    """Former times of one course's sessions; where a fixed one goes to another's day, that one has to leave."""
    found: dict[int, planning.FormerSession] = {}
    fixed_days = {bridge.days.index(_wall(bridge, place).date()) for place in _own(former.fixed, asked)}
    for session in asked.sessions:
        fixed = former.fixed.get(session.pk)
        place = fixed or former.places.get(session.pk)
        if place is None:
            continue
        wall = _wall(bridge, place)
        day = bridge.days.index(wall.date())
        if not 0 <= day < bridge.days.count or (fixed is None and day in fixed_days):
            continue
        one = planning.FormerSession(day, slot_of(wall.time()), place.therapist, place.room, place.device)
        if fixed is not None:
            stay = planning.Stay.MUST
        elif _keeps(bridge, asked, request, one, [d for d in demands if d.names(session)]):
            stay = planning.Stay.MAY
        else:
            stay = planning.Stay.FREE
        found[session.pk] = replace(one, stay=stay)
    return found


def _own(places: Mapping[int, Place], asked: Asked) -> Iterable[Place]:
    return [places[session.pk] for session in asked.sessions if session.pk in places]


def _wall(bridge: Bridge, place: Place) -> dt.datetime:
    return place.start.astimezone(bridge.clinic.tz)


def _keeps(
    bridge: Bridge,
    asked: Asked,
    request: planning.CourseRequest,
    place: planning.FormerSession,
    demands: Sequence[Demand],
) -> bool:
    """Whether a session may stay: it keeps what is wished anew and demanded of it."""
    if not asked.wishes.given and not demands:
        return True
    whole = request if asked.wishes.given else _without_musts(request)
    for demand in demands:
        whole = demand.over(whole, bridge)
    return keeps_musts(bridge.problem, whole, place)


def _without_musts(request: planning.CourseRequest) -> planning.CourseRequest:
    return replace(
        request,
        start_day=0,
        finish_day=None,
        weekdays_strength=planning.Strength.NONE,
        window_strength=planning.Strength.NONE,
        therapist_strength=planning.Strength.NONE,
        language_strength=planning.Strength.NONE,
        gender="",
        excluded_days=frozenset(),
    )


# -- where sessions are --------------------------------------------------------------------------------------------


def places_of(sessions: Collection[Session]) -> dict[int, Place]:
    """Where placed sessions are. One statement."""
    appointments = {s.appointment_id: s.appointment for s in sessions if s.appointment is not None}
    taken: dict[int, dict[str, int]] = {pk: {} for pk in appointments if pk is not None}
    rows = Reservation.objects.filter(appointment_id__in=taken, live=True)
    for appointment, resource, kind in rows.values_list("appointment_id", "resource_id", "resource__kind"):
        taken[appointment][kind] = resource
    found = {}
    for session in sessions:
        if session.appointment is not None and session.appointment_id is not None:
            found[session.pk] = _place(session.appointment, taken[session.appointment_id])
    return found


def _place(appointment: Appointment, taken: Mapping[str, int]) -> Place:
    return Place(
        appointment.starts_at,
        appointment.ends_at,
        taken.get(ResourceKind.THERAPIST),
        taken.get(ResourceKind.ROOM),
        taken.get(ResourceKind.EQUIPMENT),
    )


def places_in(plan: Plan) -> dict[int, Place]:
    return {item["session"]: Place.of_item(item) for item in plan.items}


# -- what has changed ----------------------------------------------------------------------------------------------


def changes_json(former: Former, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`{"session", "course", "change", "old", "new"}` per item; `change` is kept, moved, other_therapist (at the same
    time), other_room (same time and therapist) or new (it had no time)."""
    found = []
    for item in items:
        old, new = former.places.get(item["session"]), Place.of_item(item)
        found.append(
            {
                "session": item["session"],
                "course": item["course"],
                "change": _kind(old, new),
                "old": old.as_json() if old else None,
                "new": new.as_json(),
            }
        )
    return found


def _kind(old: Place | None, new: Place) -> str:
    if old is None:
        return "new"
    if old.start != new.start:
        return "moved"
    if old.therapist != new.therapist:
        return "other_therapist"
    return "kept" if (old.room, old.device) == (new.room, new.device) else "other_room"


def _keys(value: Any) -> tuple[int, ...]:
    keys = [read_key(one) for one in value]
    return tuple(sorted({key for key in keys if key is not None}))
