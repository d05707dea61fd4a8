"""Visits as iCalendar objects (RFC 5545, 5546): one event with one UID per object.

The bytes are the same whenever the same revision is rendered: UID, SEQUENCE and DTSTAMP come from the visit, never from
the clock or from chance.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from icalendar import Event, vCalAddress, vText

from notifications import texts, zones
from notifications.snapshots import VisitSnapshot

PRODID = "-//Clinic//Visits//EN"


class Method(StrEnum):
    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


def render_visit(
    visit: VisitSnapshot, *, method: Method, organizer: str, attendee: str, attendee_name: str, language: str
) -> bytes:
    """One visit as an invitation or its cancellation: UTF-8, lines of at most 75 octets ending in CRLF.

    `organizer` must be the address in the mail's From, `attendee` the one in its To. A cancellation is METHOD:CANCEL
    with STATUS:CANCELLED; a REQUEST that says CANCELLED is shown as an accepted event by some programs.
    """
    words = texts.load_language(language)["calendar"]
    # Event() adds nothing by itself; Event.new() would give a random UID and the time of day as DTSTAMP.
    event = Event()
    event.add("UID", visit.uid)
    event.add("DTSTAMP", visit.revised_at.astimezone(UTC))
    event.add("SEQUENCE", visit.sequence)
    by_zone = _is_told_by_zone(visit)
    event.add("DTSTART", visit.local_start if by_zone else visit.starts_at.astimezone(UTC))
    event.add("DTEND", visit.local_end if by_zone else visit.ends_at.astimezone(UTC))
    event.add("SUMMARY", words["summary"].format(clinic=visit.clinic_name))
    if visit.clinic_address:
        event.add("LOCATION", f"{visit.clinic_name}, {visit.clinic_address}")
    if visit.clinic_phone:
        event.add("DESCRIPTION", words["description"].format(phone=visit.clinic_phone))
    event.add("CLASS", "PRIVATE")
    event.add("STATUS", "CANCELLED" if method == Method.CANCEL else "CONFIRMED")
    event.add("TRANSP", "TRANSPARENT" if method == Method.CANCEL else "OPAQUE")
    event.add("ORGANIZER", vCalAddress(f"mailto:{organizer}"))
    event.add("ATTENDEE", _attendee(attendee, attendee_name, method))
    zone = zones.render_zone(visit.zone) if by_zone else b""
    head = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\nCALSCALE:GREGORIAN\r\nMETHOD:{method}\r\n"
    body: bytes = event.to_ical()
    return head.encode() + zone + body + b"END:VCALENDAR\r\n"


def _attendee(address: str, name: str, method: Method) -> vCalAddress:
    attendee = vCalAddress(f"mailto:{address}")
    attendee.params["CN"] = vText(name)
    attendee.params["ROLE"] = vText("REQ-PARTICIPANT")
    if method == Method.REQUEST:
        attendee.params["PARTSTAT"] = vText("NEEDS-ACTION")
        attendee.params["RSVP"] = vText("TRUE")
    return attendee


def _is_told_by_zone(visit: VisitSnapshot) -> bool:
    """Whether local times and the zone's yearly rule say exactly when the visit is; else UTC must.

    A rule cannot say an exception of one year (Morocco's clocks in Ramadan), nor which of two equal hours is meant
    when clocks go back.
    """
    rule = zones.read_rule(visit.zone)
    if rule.is_utc:
        return False
    return all(_agrees(rule, moment) for moment in (visit.local_start, visit.local_end))


def _agrees(rule: zones.Rule, moment: datetime) -> bool:
    return moment.fold == 0 and rule.offset_at(moment) == moment.utcoffset()
