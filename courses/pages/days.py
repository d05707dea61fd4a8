"""A clinic's day as the board shows it: columns of cards, and the times at which nobody works."""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Q
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from clinic.models import Absence, Clinic, Closure, Outage, ResourceKind, Room, Therapist
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


@dataclass(slots=True)
class Column:
    key: str
    name: str
    note: str
    lanes: int
    blocks: list[Block]
    cards: list[Card]
    therapist_id: int | None = None

    @property
    def items(self) -> list[tuple[str, SafeString]]:
        """Grid classes and link of each card; in a room's column it names the specialist, else the room."""
        is_room = self.key.startswith("r") and self.key != "rest"
        return [(card.place, card.html(where=card.therapist if is_room else card.room)) for card in self.cards]


@dataclass(slots=True)
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

    @property
    def digest(self) -> str:
        """Changes whenever anything that the board shows changes."""
        text = repr(
            [
                (c.key, c.name, c.note, [b.place for b in c.blocks], [(k.label, k.place) for k in c.cards])
                for c in self.columns
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_board(clinic: Clinic, date: dt.date, *, by: str, now: dt.datetime) -> Board:
    """The day in columns by therapist or by room. Thirteen statements."""
    cards = read_cards(clinic, date, now=now)
    days = read_days(clinic, date, date)
    crew = _read_rooms(clinic, days) if by == BY_ROOM else _read_therapists(clinic, days, cards)
    start, end = days.bounds()
    shut = [
        _Away(None, closure.starts_at, closure.ends_at, closure.reason or _("closed"))
        for closure in Closure.objects.filter(clinic=clinic, starts_at__lt=end, ends_at__gt=start)
    ]
    first, last = _hours([crew.works.get(pk, 0) for pk in crew.names], cards)
    frame = _Frame(first=first, last=last)
    by_column: dict[int | None, list[Card]] = defaultdict(list)
    for card in cards:
        by_column[card.room_id if by == BY_ROOM else card.therapist_id].append(card)
    columns = []
    for pk, name in crew.names.items():
        away = [
            (period_masks(days, one.starts_at, one.ends_at).get(0, 0), one.text)
            for one in [*crew.away, *shut]
            if one.owner in (None, pk)
        ]
        blocks, note = _blocks(frame, crew.works.get(pk, 0), away)
        cards_here = by_column.pop(pk, [])
        column = _column(frame, cards_here, key=f"{by[0]}{pk}", name=name, note=note, blocks=blocks)
        column.therapist_id = pk if by == BY_THERAPIST else None
        columns.append(column)
    if left := sorted((card for group in by_column.values() for card in group), key=lambda card: card.starts_at):
        columns.append(_column(frame, left, key="rest", name=crew.rest, note="", blocks=[]))
    return Board(
        date=date,
        columns=columns,
        first_hour=first // SLOTS_PER_HOUR,
        hours=(last - first) // SLOTS_PER_HOUR,
        now_row=_now_row(frame, date, now),
        cards=cards,
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


def _meets(days: Days) -> Q:
    start, end = days.bounds()
    return Q(starts_at__lt=end) & (Q(ends_at=None) | Q(ends_at__gt=start))


def _read_rooms(clinic: Clinic, days: Days) -> _Crew:
    names = {room.pk: str(room) for room in Room.objects.filter(clinic=clinic, is_active=True)}
    outages = Outage.objects.filter(_meets(days), resource__kind=ResourceKind.ROOM, resource__in=names)
    return _Crew(
        names=names,
        works=dict.fromkeys(names, days.open_masks[0]),
        away=[_Away(o.resource_id, o.starts_at, o.ends_at, o.reason or _("out of use")) for o in outages],
        rest=_("No room"),
    )


def _read_therapists(clinic: Clinic, days: Days, cards: list[Card]) -> _Crew:
    """Whoever has a shift at this clinic that day, or a card."""
    works = {pk: masks[0] for pk, masks in read_working_hours(days).items() if masks[0]}
    wanted = set(works) | {card.therapist_id for card in cards if card.therapist_id}
    absences = Absence.objects.filter(_meets(days), therapist__in=wanted)
    return _Crew(
        names={therapist.pk: str(therapist) for therapist in Therapist.objects.filter(pk__in=wanted)},
        works=works,
        away=[_Away(a.therapist_id, a.starts_at, a.ends_at, str(a.get_kind_display())) for a in absences],
        rest=_("No specialist"),
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


def _column(frame: _Frame, cards: list[Card], *, key: str, name: str, note: str, blocks: list[Block]) -> Column:
    """Cards that meet in time stand in lanes side by side; each takes the free lanes to its right as well."""
    lane_of: list[int] = []
    free_from: list[int] = []
    for card in cards:
        lane = next((n for n, free in enumerate(free_from) if free <= card.first_slot), len(free_from))
        free_from[lane : lane + 1] = [card.first_slot + card.slots]
        lane_of.append(min(lane, MOST_LANES - 1))
    lanes = min(max(len(free_from), 1), MOST_LANES)
    for card, lane in zip(cards, lane_of, strict=True):
        start, end = card.first_slot, card.first_slot + card.slots
        neighbours = [
            other_lane
            for other, other_lane in zip(cards, lane_of, strict=True)
            if other_lane > lane and other.first_slot < end and start < other.first_slot + other.slots
        ]
        wide = f" l{lane + 1} e{min(neighbours, default=lanes) + 1}" if lanes > 1 else ""
        card.place = frame.place(start, end) + wide + _height(card.slots)
    return Column(key=key, name=name, note=note, lanes=lanes, blocks=blocks, cards=cards)


def _height(slots: int) -> str:
    if slots >= _TALL:
        return " tall"
    return " low" if slots <= _LOW else " lean" if slots <= _LEAN else ""


def _now_row(frame: _Frame, date: dt.date, now: dt.datetime) -> int | None:
    here = dates.local(now)
    slot = slot_of(here.time())
    return slot - frame.first + 1 if here.date() == date and frame.first <= slot < frame.last else None
