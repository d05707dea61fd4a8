"""A clinic's day, or the week of one resource, as the board shows it: columns of cards, and times nobody works."""

import datetime as dt
import hashlib
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from django.db.models import Q
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from clinic.models import Absence, Clinic, Closure, Outage, Resource, ResourceKind, Room, Therapist
from courses import dates
from courses.booking.calendars import Days, period_masks, read_days, read_working_hours, slot_of, span_mask, time_of
from courses.pages.cards import Card, read_cards
from courses.pages.grid import MOST_LANES, MOST_STEPS, STEP_MINUTES

BY_THERAPIST, BY_ROOM = "therapist", "room"
SLOTS_PER_HOUR = 12
# How many slots are enough for more than two lines, and how many are too few for a second one, at the smaller sizes.
_TALL, _LEAN, _LOW = 6, 3, 2
# Shown when a day has neither hours nor sessions.
_USUAL_HOURS = (8, 18)


@dataclass(slots=True)
class Block:
    """A stretch of a column in which nothing can be booked."""

    place: str
    text: str


@dataclass
class Column:
    key: str
    name: str
    note: str
    lanes: int
    blocks: list[Block]
    cards: list[Card]
    date: dt.date
    is_today: bool = False
    therapist_id: int | None = None
    room_id: int | None = None
    capacity: int = 1

    @cached_property
    def items(self) -> list[tuple[str, str, SafeString]]:
        """Key, grid classes and link of each card; in a room's column it names the specialist, else the room."""
        return [
            (card.key, card.place, card.html(where=card.therapist if self.room_id else card.room))
            for card in self.cards
        ]

    @property
    def numbers(self) -> range:
        """Numbers of its places, where it has several."""
        return range(1, self.lanes + 1) if 1 < self.capacity <= MOST_LANES else range(0)

    @property
    def frame(self) -> tuple[object, ...]:
        """What a column shows beside its cards."""
        return self.name, self.note, self.lanes, [(block.place, block.text) for block in self.blocks]


@dataclass
class Board:
    date: dt.date
    columns: list[Column]
    first_hour: int
    hours: int
    now_row: int | None
    cards: list[Card] = field(default_factory=list)

    @property
    def hour_marks(self) -> list[tuple[int, str]]:
        """Row and text of each full hour."""
        return [(n * SLOTS_PER_HOUR + 1, f"{self.first_hour + n:02}:00") for n in range(self.hours)]

    @property
    def shortest(self) -> int:
        """Minutes of the shortest appointment; 30 where there is none."""
        return min((card.slots * STEP_MINUTES for card in self.cards), default=30)

    @cached_property
    def signatures(self) -> dict[str, int]:
        """A checksum of each part that changes by itself: "" the frame, a column's key, a card's key."""
        parts = {"": _checksum((self.first_hour, self.hours, [column.key for column in self.columns]))}
        for column in self.columns:
            parts[column.key] = _checksum(column.frame)
            parts |= {key: zlib.crc32(f"{column.key} {place} {html}".encode()) for key, place, html in column.items}
        return parts

    @property
    def digest(self) -> str:
        """Changes whenever anything that the board shows changes."""
        return hashlib.sha256(repr(self.signatures).encode()).hexdigest()[:16]


def _checksum(shown: object) -> int:
    return zlib.crc32(repr(shown).encode())


def read_board(
    clinic: Clinic,
    date: dt.date,
    *,
    by: str,
    now: dt.datetime,
    ids: Collection[int] = (),
    statuses: Collection[str] = (),
) -> Board:
    """The day in columns by therapist or by room: all, or those of `ids`. Thirteen statements."""
    cards = with_status(read_cards(clinic, date, now=now), statuses)
    days = read_days(clinic, date, date)
    crew = _read_rooms(clinic, days) if by == BY_ROOM else _read_therapists(clinic, days, cards)
    shut = _read_closures(clinic, days)
    if ids:
        crew = replace(crew, names={pk: name for pk, name in crew.names.items() if pk in ids})
        cards = [card for card in cards if (card.room_id if by == BY_ROOM else card.therapist_id) in ids]
    frame = _Frame(*_hours([crew.works.get(pk, 0) for pk in crew.names], cards))
    by_column: dict[int | None, list[Card]] = defaultdict(list)
    for card in cards:
        by_column[card.room_id if by == BY_ROOM else card.therapist_id].append(card)
    here = dates.local(now).date()
    columns = []
    for pk, name in crew.names.items():
        away = [
            (period_masks(days, one.starts_at, one.ends_at).get(0, 0), one.text)
            for one in [*crew.away, *shut]
            if one.owner in (None, pk)
        ]
        blocks, note = _blocks(frame, crew.works.get(pk, 0), away)
        column = Column(f"{by[0]}{pk}", name, note, 1, blocks, by_column.pop(pk, []), date, here == date)
        column.therapist_id, column.room_id = (None, pk) if by == BY_ROOM else (pk, None)
        column.capacity = crew.capacities.get(pk, 1)
        columns.append(_in_lanes(frame, column))
    if left := sorted((card for group in by_column.values() for card in group), key=lambda card: card.starts_at):
        columns.append(_in_lanes(frame, Column("rest", crew.rest, "", 1, [], left, date, here == date)))
    return _board(frame, date, columns, now)


def read_week(
    clinic: Clinic, monday: dt.date, *, by: str, owner: Resource, now: dt.datetime, statuses: Collection[str] = ()
) -> Board:
    """Seven days of one therapist or room, a column for each."""
    resource = owner.pk
    cards = with_status(read_cards(clinic, monday, now=now, days=7, resource=resource), statuses)
    days = read_days(clinic, monday, monday + dt.timedelta(days=6))
    shut = _read_closures(clinic, days)
    if by == BY_ROOM:
        works: Sequence[int] = days.open_masks
        outages = Outage.objects.filter(_meets(days), resource=resource)
        shut += [_Away(resource, o.starts_at, o.ends_at, o.reason or _("out of use")) for o in outages]
    else:
        works = read_working_hours(days, [resource]).get(resource, (0,) * 7)
        absences = Absence.objects.filter(_meets(days), therapist=resource)
        shut += [_Away(resource, a.starts_at, a.ends_at, str(a.get_kind_display())) for a in absences]
    frame = _Frame(*_hours(works, cards))
    here = dates.local(now).date()
    away = [(period_masks(days, one.starts_at, one.ends_at), one.text) for one in shut]
    columns = []
    for day in range(7):
        date = days.date(day)
        blocks, note = _blocks(frame, works[day], [(masks.get(day, 0), text) for masks, text in away])
        cards_here = [card for card in cards if card.date == date]
        name = dates.day_text(date, year=False)
        column = Column(f"d{date.isoformat()}", name, note, 1, blocks, cards_here, date, here == date)
        column.therapist_id, column.room_id = (None, resource) if by == BY_ROOM else (resource, None)
        column.capacity = owner.capacity
        columns.append(_in_lanes(frame, column))
    return _board(frame, monday, columns, now)


def with_status(cards: list[Card], statuses: Collection[str]) -> list[Card]:
    """The cards whose look is one of these; all where none is named."""
    return [card for card in cards if card.status in statuses] if statuses else cards


def _board(frame: "_Frame", date: dt.date, columns: list[Column], now: dt.datetime) -> Board:
    return Board(
        date=date,
        columns=columns,
        first_hour=frame.first // SLOTS_PER_HOUR,
        hours=(frame.last - frame.first) // SLOTS_PER_HOUR,
        now_row=_now_row(frame, [column.date for column in columns], now),
        cards=[card for column in columns for card in column.cards],
    )


@dataclass(frozen=True, slots=True)
class _Away:
    """A period in which `owner` (None: everyone) does not work, and the word for it."""

    owner: int | None
    starts_at: dt.datetime
    ends_at: dt.datetime | None
    text: str


@dataclass(frozen=True, slots=True)
class _Crew:
    """The columns: names in order, working hours as masks, absences; `rest` heads what belongs to none."""

    names: dict[int, str]
    works: dict[int, int]
    away: list[_Away]
    rest: str
    capacities: dict[int, int]


def _meets(days: Days) -> Q:
    start, end = days.bounds()
    return Q(starts_at__lt=end) & (Q(ends_at=None) | Q(ends_at__gt=start))


def _read_closures(clinic: Clinic, days: Days) -> list[_Away]:
    start, end = days.bounds()
    closures = Closure.objects.filter(clinic=clinic, starts_at__lt=end, ends_at__gt=start)
    return [_Away(None, one.starts_at, one.ends_at, one.reason or _("closed")) for one in closures]


def _read_rooms(clinic: Clinic, days: Days) -> _Crew:
    rooms = {room.pk: room for room in Room.objects.filter(clinic=clinic, is_active=True).select_related("resource")}
    names = {pk: str(room) for pk, room in rooms.items()}
    outages = Outage.objects.filter(_meets(days), resource__kind=ResourceKind.ROOM, resource__in=names)
    return _Crew(
        names=names,
        works=dict.fromkeys(names, days.open_masks[0]),
        away=[_Away(o.resource_id, o.starts_at, o.ends_at, o.reason or _("out of use")) for o in outages],
        rest=_("No room"),
        capacities={pk: room.resource.capacity for pk, room in rooms.items()},
    )


def _read_therapists(clinic: Clinic, days: Days, cards: list[Card]) -> _Crew:
    """Whoever has a shift at this clinic that day, or a card."""
    works = {pk: masks[0] for pk, masks in read_working_hours(days).items() if masks[0]}
    wanted = set(works) | {card.therapist_id for card in cards if card.therapist_id}
    absences = Absence.objects.filter(_meets(days), therapist__in=wanted)
    staff = Therapist.objects.filter(pk__in=wanted).select_related("resource")
    return _Crew(
        names={therapist.pk: str(therapist) for therapist in staff},
        works=works,
        away=[_Away(a.therapist_id, a.starts_at, a.ends_at, str(a.get_kind_display())) for a in absences],
        rest=_("No specialist"),
        capacities={therapist.pk: therapist.resource.capacity for therapist in staff},
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """First and last (excluded) slot shown, on full hours."""

    first: int
    last: int

    def place(self, start: int, end: int) -> str:
        """Grid classes of slots start … end−1, cut to what is shown."""
        start, end = max(start, self.first), min(end, self.last)
        return f"r{start - self.first + 1} s{min(max(end - start, 1), MOST_STEPS)}"


def _hours(masks: Iterable[int], cards: Iterable[Card]) -> tuple[int, int]:
    spans = [(_lowest(mask), mask.bit_length()) for mask in masks if mask] + [
        (card.first_slot, card.first_slot + card.slots) for card in cards
    ]
    spans = [(s, e) for s, e in spans if e - s < 24 * SLOTS_PER_HOUR]
    if not spans:
        return _USUAL_HOURS[0] * SLOTS_PER_HOUR, _USUAL_HOURS[1] * SLOTS_PER_HOUR
    first = min(start for start, _end in spans) // SLOTS_PER_HOUR * SLOTS_PER_HOUR
    last = -(-max(end for _start, end in spans) // SLOTS_PER_HOUR) * SLOTS_PER_HOUR
    return first, last


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _runs(mask: int) -> list[tuple[int, int]]:
    """Stretches of set bits, as (start, end) with the end excluded."""
    runs = []
    while mask:
        start = _lowest(mask)
        length = _lowest(~(mask >> start))
        runs.append((start, start + length))
        mask &= ~span_mask(start, start + length)
    return runs


def _blocks(frame: _Frame, works: int, away: Sequence[tuple[int, str]]) -> tuple[list[Block], str]:
    """What is striped in a column, and the words for its heading."""
    whole = span_mask(frame.first, frame.last)
    notes, blocks, covered = [], [], 0
    for mask, text in away:
        for start, end in _runs(mask & whole):
            blocks.append(Block(frame.place(start, end), text))
            if (works or whole) & mask & whole:
                until = time_of(end).strftime("%H:%M") if end < 288 else "24:00"
                notes.append(text if mask & works == works else f"{text} {time_of(start):%H:%M}–{until}")
        covered |= mask
    blocks += [Block(frame.place(start, end), "") for start, end in _runs(whole & ~works & ~covered)]
    return blocks, ", ".join(dict.fromkeys(notes))


def _in_lanes(frame: _Frame, column: Column) -> Column:
    """Each place of a resource is a lane with its number. Where there are none, cards that meet in time (overrides,
    what ended and the next) stand side by side, and each takes the free lanes to its right as well.
    """
    if 1 < column.capacity <= MOST_LANES:
        column.lanes, kind = column.capacity, "room" if column.room_id else "therapist"
        for card in column.cards:
            place, whole = card.places.get(kind, (1, True))
            first, last = (1, column.lanes) if whole else (min(place, column.lanes),) * 2
            span = frame.place(card.first_slot, card.first_slot + card.slots)
            card.place = f"{span} l{first} e{last + 1}{_height(card.slots)}"
        return column
    lane_of, column.lanes = _side_by_side(column.cards)
    for card, lane in zip(column.cards, lane_of, strict=True):
        start, end = card.first_slot, card.first_slot + card.slots
        neighbours = [
            other_lane
            for other, other_lane in zip(column.cards, lane_of, strict=True)
            if other_lane > lane and other.first_slot < end and start < other.first_slot + other.slots
        ]
        wide = f" l{lane + 1} e{min(neighbours, default=column.lanes) + 1}" if column.lanes > 1 else ""
        card.place = frame.place(start, end) + wide + _height(card.slots)
    return column


def _side_by_side(cards: list[Card]) -> tuple[list[int], int]:
    """The lane of each card, in order of time, and how many lanes there are."""
    lane_of: list[int] = []
    free_from: list[int] = []
    for card in cards:
        lane = next((n for n, free in enumerate(free_from) if free <= card.first_slot), len(free_from))
        free_from[lane : lane + 1] = [card.first_slot + card.slots]
        lane_of.append(min(lane, MOST_LANES - 1))
    return lane_of, min(max(len(free_from), 1), MOST_LANES)


def _height(slots: int) -> str:
    if slots >= _TALL:
        return " tall"
    return " low" if slots <= _LOW else " lean" if slots <= _LEAN else ""


def _now_row(frame: _Frame, days: Collection[dt.date], now: dt.datetime) -> int | None:
    here = dates.local(now)
    slot = slot_of(here.time())
    return slot - frame.first + 1 if here.date() in days and frame.first <= slot < frame.last else None
