"""A clinic's day as the board shows it: columns of cards, and the times at which nobody works.

Read in a fixed number of statements, whatever the day holds.
"""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from clinic.models import Absence, Clinic, Closure, Outage, Reservation, ResourceKind, Room, Shift, Therapist
from courses.booking.calendars import period_masks, read_days, shift_masks, slot_of, span_mask, time_of
from courses.booking.models import Session
from courses.booking.transitions import PLACED, Status
from courses.groups.models import ClassMeeting
from courses.pages import dates
from courses.pages.grid import MOST_LANES, MOST_STEPS
from courses.pages.names import initials, short_name
from courses.pages.statuses import TO_REPLACE, look_of, tint_of

BY_THERAPIST, BY_ROOM = "therapist", "room"
SHOWN = sorted(PLACED | {Status.NO_SHOW, Status.NOT_TREATED})
SLOTS_PER_HOUR = 12
# Shown when a day has neither hours nor sessions.
_USUAL_HOURS = (8, 18)


@dataclass(slots=True)
class Card:
    """One appointment on the board: a session, or a class with all its seats. `label` says all that the card shows."""

    key: str
    url: str
    label: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    span: str
    who: str
    initials: str
    letters: str
    procedure: str
    count: str
    therapist: str
    room: str
    device: str
    tint: str
    status: str
    mark: str
    word: str
    to_replace: bool
    therapist_id: int | None
    room_id: int | None
    place: str = ""


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
    def digest(self) -> str:
        """Changes whenever anything that the board shows changes."""
        text = repr(
            [(c.key, c.name, c.note, [b.place for b in c.blocks], [(k.label, k.place) for k in c.cards]) for c in self.columns]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_cards(clinic: Clinic, date: dt.date, *, now: dt.datetime) -> list[Card]:
    """All cards of a local day, in order of time. Four statements. Expired holds are not there."""
    start, end = read_day_bounds(clinic, date)
    taken: dict[int, dict[str, int]] = defaultdict(dict)
    rows = Reservation.objects.filter(
        live=True,
        starts_at__lt=end,
        ends_at__gt=start,
        appointment__clinic=clinic,
        resource__kind__in=[ResourceKind.THERAPIST, ResourceKind.ROOM, ResourceKind.EQUIPMENT],
    ).values_list("appointment_id", "resource__kind", "resource_id", "resource__therapist__short_name",
                  "resource__therapist__full_name", "resource__room__name", "resource__equipment__name")
    names: dict[int, str] = {}
    for appointment, kind, resource, short, full, room, device in rows:
        taken[appointment][kind] = resource
        names[resource] = short or full or room or device or ""
    sessions = (
        Session.objects.filter(
            appointment__live=True,
            appointment__clinic=clinic,
            appointment__starts_at__lt=end,
            appointment__ends_at__gt=start,
            status__in=SHOWN,
        )
        .filter(Q(held_until=None) | Q(held_until__gt=now))
        .select_related("appointment", "course__patient", "course__procedure")
        .order_by("appointment__starts_at", "pk")
    )
    seats: dict[int, list[Session]] = defaultdict(list)
    cards: list[Card] = []
    for session in sessions:
        if session.seat is not None:
            seats[session.appointment_id].append(session)
        else:
            cards.append(_session_card(session, taken[session.appointment_id], names))
    meetings = ClassMeeting.objects.filter(
        appointment__live=True, appointment__clinic=clinic, appointment__starts_at__lt=end, appointment__ends_at__gt=start
    ).select_related("appointment", "group_class__procedure")
    cards += [_meeting_card(m, seats[m.pk], taken[m.pk], names) for m in meetings]
    return sorted(cards, key=lambda card: (card.starts_at, card.who, card.key))


def read_day_bounds(clinic: Clinic, date: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """UTC moments at which a local day begins and ends."""
    start = dt.datetime.combine(date, dt.time(), tzinfo=clinic.tz)
    end = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), tzinfo=clinic.tz)
    return start.astimezone(dt.UTC), end.astimezone(dt.UTC)


def _session_card(session: Session, taken: dict[str, int], names: dict[int, str]) -> Card:
    appointment, course = session.appointment, session.course
    assert appointment is not None
    look = look_of(session.status)
    procedure, who = course.procedure.name, short_name(course.patient)
    therapist_id, room_id = taken.get("therapist"), taken.get("room")
    therapist, room, device = (names.get(taken.get(kind, 0), "") for kind in ("therapist", "room", "equipment"))
    span = dates.span_text(appointment.starts_at, appointment.ends_at)
    word = str(look.word)
    counted = _("%(number)d of %(total)d") % {"number": session.number, "total": course.sessions_total}
    day = dates.day_text(dates.local(appointment.starts_at).date(), year=False)
    parts = [who, f"{procedure} {counted}", f"{day} {span}", therapist, room, device, word]
    if session.to_replace:
        parts.append(str(TO_REPLACE.word))
    return Card(
        key=f"s{session.pk}",
        url=reverse("session", args=[session.pk]),
        label=", ".join(part for part in parts if part),
        starts_at=appointment.starts_at,
        ends_at=appointment.ends_at,
        span=span,
        who=who,
        initials=initials(course.patient),
        letters=course.procedure.letters,
        procedure=procedure,
        count=f"{session.number}/{course.sessions_total}",
        therapist=therapist,
        room=room,
        device=device,
        tint=tint_of(course.procedure.category),
        status=look.code,
        mark=look.mark,
        word=word,
        to_replace=session.to_replace,
        therapist_id=therapist_id,
        room_id=room_id,
    )


def _meeting_card(meeting: ClassMeeting, sessions: list[Session], taken: dict[str, int], names: dict[int, str]) -> Card:
    appointment, procedure = meeting.appointment, meeting.group_class.procedure
    therapist_id, room_id = taken.get("therapist"), taken.get("room")
    therapist, room = (names.get(taken.get(kind, 0), "") for kind in ("therapist", "room"))
    span = dates.span_text(appointment.starts_at, appointment.ends_at)
    sold = len([s for s in sessions if s.status in PLACED])
    counted = _("%(taken)d of %(seats)d places taken") % {"taken": sold, "seats": appointment.seats}
    day = dates.day_text(dates.local(appointment.starts_at).date(), year=False)
    name = meeting.group_class.name
    parts = [name, procedure.name, counted, f"{day} {span}", therapist, room]
    return Card(
        key=f"m{meeting.pk}",
        url=reverse("meeting", args=[meeting.pk]),
        label=", ".join(part for part in parts if part),
        starts_at=appointment.starts_at,
        ends_at=appointment.ends_at,
        span=span,
        who=name,
        initials=name,
        letters=procedure.letters,
        procedure=procedure.name,
        count=f"{sold}/{appointment.seats}",
        therapist=therapist,
        room=room,
        device="",
        tint=tint_of(procedure.category),
        status="class",
        mark="",
        word=_("class"),
        to_replace=any(s.to_replace for s in sessions),
        therapist_id=therapist_id,
        room_id=room_id,
    )


def read_board(clinic: Clinic, date: dt.date, *, by: str, now: dt.datetime) -> Board:
    """The day in columns by therapist or by room. Nine statements."""
    cards = read_cards(clinic, date, now=now)
    days = read_days(clinic, date, date)
    bounds = days.bounds()
    inside = Q(starts_at__lt=bounds[1]) & (Q(ends_at=None) | Q(ends_at__gt=bounds[0]))
    shut = [(0, c.starts_at, c.ends_at, c.reason or _("closed")) for c in Closure.objects.filter(inside, clinic=clinic)]
    away: list[tuple[int, dt.datetime, dt.datetime | None, str]]
    if by == BY_ROOM:
        rooms = list(Room.objects.filter(clinic=clinic, is_active=True).select_related("resource"))
        heads = [(room.pk, str(room), room.resource.capacity) for room in rooms]
        works = {room.pk: days.open_masks[0] for room in rooms}
        outages = Outage.objects.filter(inside, resource__kind=ResourceKind.ROOM, resource__in=[r.pk for r in rooms])
        away = [(o.resource_id, o.starts_at, o.ends_at, o.reason or _("out of use")) for o in outages]
        rest = _("No room")
    else:
        shifts = list(Shift.objects.filter(clinic=clinic, starts_on__lte=date).select_related("therapist"))
        works = {pk: masks[0] for pk, masks in shift_masks(days, shifts).items()}
        busy = {card.therapist_id for card in cards}
        wanted = {pk for pk, mask in works.items() if mask} | busy
        therapists = Therapist.objects.filter(pk__in=[pk for pk in wanted if pk]).select_related("resource")
        heads = [(t.pk, str(t), t.resource.capacity) for t in therapists]
        absences = Absence.objects.filter(inside, therapist__in=wanted - {None})
        away = [(a.therapist_id, a.starts_at, a.ends_at, str(a.get_kind_display())) for a in absences]
        rest = _("No specialist")
    first, last = _hours([works.get(pk, 0) for pk, _name, _capacity in heads], cards)
    frame = _Frame(first=first, last=last)
    by_column: dict[int | None, list[Card]] = defaultdict(list)
    for card in cards:
        by_column[card.room_id if by == BY_ROOM else card.therapist_id].append(card)
    columns = []
    for pk, name, capacity in heads:
        closures = [(pk, *rest_of) for _zero, *rest_of in shut]
        own = [(starts, ends, text) for owner, starts, ends, text in [*away, *closures] if owner == pk]
        blocks, note = _blocks(frame, works.get(pk, 0), [(period_masks(days, s, e).get(0, 0), text) for s, e, text in own])
        columns.append(_column(frame, f"{by[0]}{pk}", name, note, capacity, blocks, by_column.pop(pk, [])))
    left = [card for group in by_column.values() for card in group]
    if left:
        columns.append(_column(frame, "rest", rest, "", 1, [], sorted(left, key=lambda card: card.starts_at)))
    return Board(date, columns, first // SLOTS_PER_HOUR, (last - first) // SLOTS_PER_HOUR, _now_row(frame, date, now), cards)


@dataclass(frozen=True, slots=True)
class _Frame:
    """First and last (excluded) slot shown, on full hours."""

    first: int
    last: int

    def place(self, start: int, end: int) -> str:
        """Grid classes of slots start … end−1, cut to what is shown."""
        start, end = max(start, self.first), min(end, self.last)
        return f"r{start - self.first + 1} s{min(max(end - start, 1), MOST_STEPS)}"


def _slots(card: Card) -> tuple[int, int]:
    starts, ends = dates.local(card.starts_at), dates.local(card.ends_at)
    start = slot_of(starts.time())
    length = -(-int((card.ends_at - card.starts_at).total_seconds()) // 300)
    return start, start + length if ends.date() == starts.date() else 288


def _hours(masks: Iterable[int], cards: Iterable[Card]) -> tuple[int, int]:
    spans = [(_lowest(mask), mask.bit_length()) for mask in masks if mask] + [_slots(card) for card in cards]
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


def _column(
    frame: _Frame, key: str, name: str, note: str, capacity: int, blocks: list[Block], cards: list[Card]
) -> Column:
    """Cards that meet in time stand side by side in lanes, as many as are needed."""
    free_from: list[int] = []
    lane_of = []
    for card in cards:
        start, end = _slots(card)
        lane = next((n for n, free in enumerate(free_from) if free <= start), None)
        if lane is None:
            lane = len(free_from)
            free_from.append(0)
        free_from[lane] = end
        lane_of.append(min(lane, MOST_LANES - 1))
    lanes = min(max(len(free_from), 1), MOST_LANES)
    for card, lane in zip(cards, lane_of, strict=True):
        start, end = _slots(card)
        wide = f" l{lane + 1}" if lanes > 1 else ""
        card.place = frame.place(start, end) + wide + (" short" if end - start < 4 else "")
    return Column(key=key, name=name, note=note, lanes=lanes, blocks=blocks, cards=cards)


def _now_row(frame: _Frame, date: dt.date, now: dt.datetime) -> int | None:
    here = dates.local(now)
    slot = slot_of(here.time())
    return slot - frame.first + 1 if here.date() == date and frame.first <= slot < frame.last else None
