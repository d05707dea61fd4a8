"""The cards of a clinic's days: one per session, one per class. Read in seven statements, whatever the days hold.

A day may have five hundred of them, so rows come as plain values, and what many cards share (a procedure's name, a word
for a status, a clock time) is worked out once.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

from django.db.models import BooleanField, Exists, Func, IntegerField, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from clinic.models import Clinic, Equipment, Reservation, ResourceKind, Room, Therapist
from courses import dates
from courses.booking.models import Session
from courses.booking.transitions import PLACED, PLANNED, Status
from courses.catalogue.models import Procedure
from courses.groups.models import ClassMeeting
from courses.pages.names import initials_of, short_name_of
from courses.pages.statuses import LOOKS, TO_REPLACE, tint_of

SHOWN = sorted(PLACED | {Status.NO_SHOW, Status.NOT_TREATED})
_RESOURCES = (ResourceKind.THERAPIST, ResourceKind.ROOM, ResourceKind.EQUIPMENT)


@dataclass(slots=True)
class Card:
    """One appointment: a session, or a class with all its seats. `label` says all that the card shows.

    `first_slot` is the five-minute slot of the local `date` at which it starts, `slots` how many it lasts; `places` are
    the number of the place taken, by kind of resource, and whether all of them are; `place` are its classes in a
    column's grid. `version` is that of a session that may still be moved, else None.
    """

    key: str
    url: str
    label: str
    starts_at: dt.datetime
    date: dt.date
    first_slot: int
    slots: int
    start: str
    end: str
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
    places: Mapping[str, tuple[int, bool]]
    version: int | None = None
    place: str = ""

    @property
    def span(self) -> str:
        return f"{self.start}–{self.end}"

    def html(self, *, where: str) -> SafeString:
        """The card as a link; `where` is what its column does not tell. A template would take five times as long."""
        flag = '<span class="flag">!</span> ' if self.to_replace else ""
        where = f" · {escape(where)}" if where else ""
        movable = f' data-version="{self.version}"' if self.version is not None else ""
        text = (
            f'<a id="{self.key}" class="card t-{self.tint} st-{self.status}{" replace" if self.to_replace else ""}" '
            f'href="{self.url}"{movable} aria-label="{escape(self.label)}"><span class="line">'
            f'<span class="mark">{self.mark}</span> '
            f'{flag}<span class="time">{self.start}<span class="until">–{self.end}</span></span> '
            f'<span class="who" data-initials="{escape(self.initials)}">{escape(self.who)}</span></span> '
            f'<span class="line rest"><b>{escape(self.letters)}</b> {self.count}{where} '
            f'<span class="word">{escape(self.word)}</span></span></a>'
        )
        return mark_safe(text)  # noqa: S308 - everything that people typed is escaped above

    def row(self, *, may_move: bool) -> SafeString:
        """The card as a row of the list, built like `html`."""
        name = escape(_("Move: %(name)s, %(time)s") % {"name": self.who, "time": self.start})
        move = (
            f'<a class="button small" href="{self.url}move/" aria-label="{name}">⇄</a>'
            if may_move and self.version
            else ""
        )
        flag = f' <span class="status st-replace">{escape(str(TO_REPLACE.word))}</span>' if self.to_replace else ""
        place = ", ".join(part for part in (self.room, self.device) if part)
        text = (
            f'<tr><td class="nums">{self.span}</td>'
            f'<th scope="row"><a id="{self.key}" href="{self.url}">{escape(self.who)}</a></th>'
            f'<td><span class="code t-{self.tint}">{escape(self.letters)}</span> {escape(self.procedure)} '
            f'<span class="nums">{self.count}</span></td>'
            f"<td>{escape(self.therapist)}</td><td>{escape(place)}</td>"
            f'<td><span class="status st-{self.status}"><span class="mark" aria-hidden="true">{self.mark}</span> '
            f"{escape(self.word)}</span>{flag}</td><td>{move}</td></tr>\n"
        )
        return mark_safe(text)  # noqa: S308 - everything that people typed is escaped above


class _Procedure(NamedTuple):
    name: str
    letters: str
    tint: str


class _Words:
    """What the cards of one day share, in the reader's language."""

    def __init__(self, clinic: Clinic) -> None:
        self.zone = clinic.tz
        self.looks = {str(status): (look.mark, str(look.word), look.code) for status, look in LOOKS.items()}
        self.to_replace = str(TO_REPLACE.word)
        self.held_by = _("Held by %(name)s")
        self.counted = _("%(number)d of %(total)d")
        self.seats = _("%(taken)d of %(seats)d places taken")
        self.procedures = {
            p.pk: _Procedure(p.name, p.letters, tint_of(p.category)) for p in Procedure.objects.filter(clinic=clinic)
        }
        # Links differ in their key alone; resolving five hundred of them is a tenth of the page's time.
        self.session_url = reverse("session", args=[0])
        self.meeting_url = reverse("meeting", args=[0])
        self._clocks: dict[dt.datetime, tuple[int, str]] = {}
        self._days: dict[dt.date, str] = {}

    def day(self, moment: dt.datetime) -> tuple[dt.date, str]:
        """Local date of a moment, and its text."""
        date = moment.astimezone(self.zone).date()
        if date not in self._days:
            self._days[date] = dates.day_text(date, year=False)
        return date, self._days[date]

    def clock(self, moment: dt.datetime) -> tuple[int, str]:
        """Slot of the local day and text of a moment."""
        known = self._clocks.get(moment)
        if known is None:
            here = moment.astimezone(self.zone)
            known = self._clocks[moment] = (here.hour * 12 + here.minute // 5, f"{here.hour:02}:{here.minute:02}")
        return known


class _Taken:
    """Who and what an appointment takes, by kind."""

    def __init__(self, clinic: Clinic, start: dt.datetime, end: dt.datetime, resource: int | None) -> None:
        self.names: dict[str, Mapping[int, str]] = {
            "therapist": {t.pk: str(t) for t in Therapist.objects.all()},
            "room": {r.pk: str(r) for r in Room.objects.filter(clinic=clinic)},
            "equipment": {e.pk: str(e) for e in Equipment.objects.filter(clinic=clinic)},
        }
        self.by_appointment: dict[int, dict[str, int]] = defaultdict(dict)
        self.places: dict[int, dict[str, tuple[int, bool]]] = defaultdict(dict)
        rows = Reservation.objects.filter(
            live=True,
            starts_at__lt=end,
            ends_at__gt=start,
            appointment__clinic=clinic,
            resource__kind__in=_RESOURCES,
        )
        if resource is not None:
            rows = rows.filter(_takes(resource))
        lowest = Func("places", function="lower", output_field=IntegerField())
        whole = Func("places", function="upper_inf", output_field=BooleanField())
        read = rows.values_list("appointment_id", "resource__kind", "resource_id", lowest, whole)
        for appointment, kind, pk, place, takes_all in read:
            self.by_appointment[appointment][kind] = pk
            self.places[appointment][kind] = place, takes_all

    def name(self, appointment: int, kind: str) -> str:
        return self.names[kind].get(self.by_appointment[appointment].get(kind, 0), "")


def _takes(resource: int) -> Exists:
    """Of rows with an appointment: those whose appointment takes a resource."""
    return Exists(Reservation.objects.filter(appointment=OuterRef("appointment"), live=True, resource=resource))


def read_day_bounds(clinic: Clinic, date: dt.date, days: int = 1) -> tuple[dt.datetime, dt.datetime]:
    """UTC moments at which a local day begins and the last of so many ends."""
    start = dt.datetime.combine(date, dt.time(), tzinfo=clinic.tz)
    end = dt.datetime.combine(date + dt.timedelta(days=days), dt.time(), tzinfo=clinic.tz)
    return start.astimezone(dt.UTC), end.astimezone(dt.UTC)


def read_cards(
    clinic: Clinic, date: dt.date, *, now: dt.datetime, days: int = 1, resource: int | None = None
) -> list[Card]:
    """All cards of so many local days, or those that take one resource, in order of time. No expired holds."""
    start, end = read_day_bounds(clinic, date, days)
    words, taken = _Words(clinic), _Taken(clinic, start, end, resource)
    sessions: QuerySet[Session] = Session.objects.filter(
        appointment__live=True,
        appointment__clinic=clinic,
        appointment__starts_at__lt=end,
        appointment__ends_at__gt=start,
    )
    meetings = ClassMeeting.objects.filter(
        appointment__live=True,
        appointment__clinic=clinic,
        appointment__starts_at__lt=end,
        appointment__ends_at__gt=start,
    )
    if resource is not None:
        sessions, meetings = sessions.filter(_takes(resource)), meetings.filter(_takes(resource))
    rows = (
        sessions.filter(status__in=SHOWN)
        .filter(Q(held_until=None) | Q(held_until__gt=now))
        .order_by("appointment__starts_at", "pk")
        .values_list(
            "pk",
            "number",
            "status",
            "version",
            "seat",
            "to_replace",
            "appointment_id",
            "appointment__starts_at",
            "appointment__ends_at",
            "course__sessions_total",
            "course__procedure_id",
            "course__patient__family_name",
            "course__patient__given_name",
            "course__patient__full_name",
            "plan__created_by__first_name",
            "plan__created_by__last_name",
            named=True,
        )
    )
    sold: dict[int, int] = defaultdict(int)
    disturbed: set[int] = set()
    cards: list[Card] = []
    for row in rows:
        if row.seat is None:
            cards.append(_session_card(row, taken, words))
            continue
        sold[row.appointment_id] += row.status in PLACED
        if row.to_replace:
            disturbed.add(row.appointment_id)
    cards += [
        _meeting_card(meeting, sold[meeting.pk], meeting.pk in disturbed, taken, words)
        for meeting in meetings.select_related("appointment", "group_class")
    ]
    return sorted(cards, key=lambda card: (card.starts_at, card.who, card.key))


def _slots(starts: int, starts_at: dt.datetime, ends_at: dt.datetime) -> int:
    length = -(-int((ends_at - starts_at).total_seconds()) // 300)
    return max(1, min(length, 288 - starts))


def _session_card(row: Any, taken: _Taken, words: _Words) -> Card:
    mark, word, code = words.looks[row.status]
    holder = " ".join(filter(None, [row.plan__created_by__first_name, row.plan__created_by__last_name]))
    if row.status == Status.HELD and holder:
        word = words.held_by % {"name": holder}
    procedure = words.procedures[row.course__procedure_id]
    names = (row.course__patient__family_name, row.course__patient__given_name, row.course__patient__full_name)
    who = short_name_of(*names)
    date, day = words.day(row.appointment__starts_at)
    first, start = words.clock(row.appointment__starts_at)
    _last, end = words.clock(row.appointment__ends_at)
    held = taken.by_appointment[row.appointment_id]
    therapist, room, device = (taken.name(row.appointment_id, str(kind)) for kind in _RESOURCES)
    counted = words.counted % {"number": row.number, "total": row.course__sessions_total}
    parts = [who, f"{procedure.name} {counted}", f"{day} {start}–{end}", therapist, room, device, word]
    if row.to_replace:
        parts.append(words.to_replace)
    return Card(
        key=f"s{row.pk}",
        url=words.session_url.replace("/0/", f"/{row.pk}/"),
        label=", ".join(part for part in parts if part),
        starts_at=row.appointment__starts_at,
        date=date,
        first_slot=first,
        slots=_slots(first, row.appointment__starts_at, row.appointment__ends_at),
        start=start,
        end=end,
        who=who,
        initials=initials_of(*names),
        letters=procedure.letters,
        procedure=procedure.name,
        count=f"{row.number}/{row.course__sessions_total}",
        therapist=therapist,
        room=room,
        device=device,
        tint=procedure.tint,
        status=code,
        mark=mark,
        word=word,
        to_replace=row.to_replace,
        therapist_id=held.get("therapist"),
        room_id=held.get("room"),
        places=taken.places[row.appointment_id],
        version=row.version if row.status in PLANNED else None,
    )


def _meeting_card(meeting: ClassMeeting, sold: int, disturbed: bool, taken: _Taken, words: _Words) -> Card:
    appointment, name = meeting.appointment, meeting.group_class.name
    procedure = words.procedures[meeting.group_class.procedure_id]
    date, day = words.day(appointment.starts_at)
    first, start = words.clock(appointment.starts_at)
    _last, end = words.clock(appointment.ends_at)
    held = taken.by_appointment[meeting.pk]
    therapist, room = taken.name(meeting.pk, "therapist"), taken.name(meeting.pk, "room")
    counted = words.seats % {"taken": sold, "seats": appointment.seats}
    parts = [name, procedure.name, counted, f"{day} {start}–{end}", therapist, room]
    return Card(
        key=f"m{meeting.pk}",
        url=words.meeting_url.replace("/0/", f"/{meeting.pk}/"),
        label=", ".join(part for part in parts if part),
        starts_at=appointment.starts_at,
        date=date,
        first_slot=first,
        slots=_slots(first, appointment.starts_at, appointment.ends_at),
        start=start,
        end=end,
        who=name,
        initials=name,
        letters=procedure.letters,
        procedure=procedure.name,
        count=f"{sold}/{appointment.seats}",
        therapist=therapist,
        room=room,
        device="",
        tint=procedure.tint,
        status="class",
        mark="",
        word=_("class"),
        to_replace=disturbed,
        therapist_id=held.get("therapist"),
        room_id=held.get("room"),
        places=taken.places[meeting.pk],
    )
