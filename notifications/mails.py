"""Mails to patients: what they say, and their MIME tree. Pure: no Django, no clock.

The tree is CalConnect's for calendar invitations: `mixed(alternative(plain, html, calendar), ics attachment)`, the
calendar twice with the same bytes, because some programs look only for the one and some only for the other.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from functools import lru_cache
from html import escape

from notifications import icalendars
from notifications.icalendars import Method
from notifications.snapshots import VisitSnapshot
from notifications.texts import Language, load_language

# Kinds of mail; each is a table of sentences in every language's file.
SUMMARY, INVITATION, CHANGE, CANCELLATION, REMINDER = "summary", "invitation", "change", "cancellation", "reminder"
KINDS = (SUMMARY, INVITATION, CHANGE, CANCELLATION, REMINDER)


class UnwritableAddressError(ValueError):
    """No header can hold this address: it has spaces, line breaks or letters beyond ASCII before the @."""


@dataclass(frozen=True, kw_only=True)
class Letter:
    """All that one mail is made of.

    kind: one of KINDS; a summary has several visits in order of time, every other kind exactly one
    sender: the bare address of From and ORGANIZER; sender_name is shown beside it
    message_id: with angle brackets, stored, the same at every attempt
    date: aware; the moment of this attempt
    with_calendar: False for a cancellation of what was never invited to
    """

    kind: str
    language: str
    visits: tuple[VisitSnapshot, ...]
    sender: str
    sender_name: str
    to: str
    to_name: str
    message_id: str
    date: datetime
    with_calendar: bool = True

    @property
    def method(self) -> Method | None:
        """The calendar method it carries, if it carries a calendar part."""
        if not self.with_calendar or self.kind in (SUMMARY, REMINDER):
            return None
        return Method.CANCEL if self.kind == CANCELLATION else Method.REQUEST


@dataclass
class _Content:
    """What a mail says, before it is plain text or HTML."""

    title: str
    lead: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    greeting: str = ""
    closing: str = ""


def render_letter(letter: Letter) -> bytes:
    """The mail as it goes over the wire, lines ending in CRLF. Raises UnwritableAddressError.

    Written out by hand, since every part is base64 and most headers never vary: the library's generator takes three
    times as long, and a mail is mostly this.
    """
    for address in (letter.sender, letter.to):
        _check_address(address)
    content = _compose(letter)
    # No line of base64 begins with a hyphen, so any boundary is safe; taken from the Message-ID it repeats with it.
    boundary = "=_" + letter.message_id.strip("<>").partition("@")[0]
    parts = [
        _part('text/plain; charset="utf-8"', _to_plain(content).replace("\n", "\r\n").encode()),
        _part('text/html; charset="utf-8"', _to_html(content, letter.language).replace("\n", "\r\n").encode()),
    ]
    if letter.method is None:
        body = _multipart("alternative", boundary, parts)
    else:
        calendar = icalendars.render_visit(
            letter.visits[0],
            method=letter.method,
            organizer=letter.sender,
            attendee=letter.to,
            attendee_name=letter.to_name,
            language=letter.language,
        )
        parts.append(_part(f"text/calendar; charset=UTF-8; method={letter.method}", calendar))
        attachment = _part(
            f'application/ics; name="invite.ics"; method={letter.method}',
            calendar,
            'Content-Disposition: attachment; filename="invite.ics"\r\n',
        )
        body = _multipart("mixed", boundary + "_m", [_multipart("alternative", boundary + "_a", parts), attachment])
    return _headers(letter) + body


def _headers(letter: Letter) -> bytes:
    lines = (
        f"Subject: {_encode(subject_of(letter), 'Subject')}",
        f"From: {_address(letter.sender_name, letter.sender, 'From')}",
        f"To: {_address(letter.to_name, letter.to, 'To')}",
        f"Date: {format_datetime(letter.date)}",
        f"Message-ID: {letter.message_id}",
        "Auto-Submitted: auto-generated",
        f"Content-Language: {letter.language}",
        "MIME-Version: 1.0",
    )
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def subject_of(letter: Letter) -> str:
    """The subject line: neutral, for locked screens show it."""
    language = load_language(letter.language)
    visit = letter.visits[0]
    return _one_line(
        language[letter.kind]["subject"].format(
            clinic=visit.clinic_name,
            date=language.short_date(visit.local_start.date()),
            time=language.time(visit.local_start),
        )
    )


def _compose(letter: Letter) -> _Content:
    language = load_language(letter.language)
    words, labels = language[letter.kind], language["labels"]
    visit = letter.visits[0]
    content = _Content(words["title"], words["lead"], greeting=language["greeting"], closing=language["closing"])
    if letter.kind == SUMMARY:
        content.lead = words["lead"].format(count=language.count("appointments", len(letter.visits)))
        content.dates = [_when(language, each) for each in letter.visits]
    else:
        content.facts.append((labels["when"], _when(language, visit)))
    content.facts += [
        (labels[key], value)
        for key, value in (
            ("name", letter.to_name),
            ("clinic", visit.clinic_name),
            ("address", visit.clinic_address),
            ("phone", visit.clinic_phone),
        )
        if value
    ]
    content.notes = list(_notes(letter, language))
    return content


def _notes(letter: Letter, language: Language) -> Iterable[str]:
    phone = letter.visits[0].clinic_phone
    if letter.kind != CANCELLATION:
        yield language["bring"]
    if letter.kind == SUMMARY:
        yield language[SUMMARY]["hint"]
    if letter.method == Method.REQUEST:
        yield language["calendar_hint"]
    if letter.method == Method.CANCEL:
        yield language[CANCELLATION]["calendar_hint"]
    yield language["questions"].format(phone=phone) if phone else language["questions_no_phone"]


def _when(language: Language, visit: VisitSnapshot) -> str:
    start, end = visit.local_start, visit.local_end
    return f"{language.long_date(start.date())}, {language.time(start)}–{language.time(end)}"


def _to_plain(content: _Content) -> str:
    blocks = [content.greeting, f"{content.title}\n{content.lead}"]
    if content.dates:
        blocks.append("\n".join(f"• {when}" for when in content.dates))
    blocks.append("\n".join(f"{label}: {value}" for label, value in content.facts))
    blocks += content.notes
    blocks.append(f"-- \n{content.closing}")
    return "\n\n".join(blocks) + "\n"


_PAGE = """\
<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">\
<meta name="color-scheme" content="light dark"><title>{title}</title></head>
<body style="margin:0;padding:16px;font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif">
<div style="max-width:34em;margin:0 auto">
<p style="margin:0 0 12px">{greeting}</p>
<h1 style="font-size:22px;line-height:1.25;margin:0 0 8px">{title}</h1>
<p style="margin:0 0 16px">{lead}</p>
{dates}<dl style="margin:0 0 16px;padding:12px 16px;border-left:4px solid #2a6f97">
{facts}
</dl>
{notes}
<p style="margin:16px 0 0;font-size:13px;opacity:.75">{closing}</p>
</div>
</body></html>
"""
_FACT = (
    '<dt style="font-size:13px;opacity:.75">{}</dt>'
    '<dd style="margin:0 0 8px;font-weight:600;overflow-wrap:anywhere">{}</dd>'
)


def _to_html(content: _Content, language: str) -> str:
    items = "".join(f'<li style="margin:0 0 6px;font-weight:600">{escape(when)}</li>\n' for when in content.dates)
    return _PAGE.format(
        language=language,
        title=escape(content.title),
        greeting=escape(content.greeting),
        lead=escape(content.lead),
        dates=f'<ul style="margin:0 0 16px;padding-left:20px">\n{items}</ul>\n' if items else "",
        facts="\n".join(_FACT.format(escape(label), escape(value)) for label, value in content.facts),
        notes="\n".join(f'<p style="margin:0 0 12px">{escape(note)}</p>' for note in content.notes),
        closing=escape(content.closing),
    )


def _multipart(subtype: str, boundary: str, parts: list[bytes]) -> bytes:
    head = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n'.encode()
    line = f"--{boundary}".encode()
    return head + b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"


def _part(content_type: str, content: bytes, disposition: str = "") -> bytes:
    head = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n{disposition}\r\n"
    return head.encode() + base64.encodebytes(content).replace(b"\n", b"\r\n")


def _address(name: str, address: str, header: str) -> str:
    """`Name <address>`, the name encoded where it must be."""
    name = _one_line(name)
    if not name.isascii():
        return f"{_encode(name, header)}\r\n <{address}>"
    return formataddr((name, address))


def _check_address(address: str) -> None:
    if not (address.isascii() and address.isprintable()) or " " in address:
        raise UnwritableAddressError("the address has characters that a mail's header cannot hold")


def _one_line(name: str) -> str:
    """A name from a file may hold a line break, which no header may."""
    return " ".join(name.split())


@lru_cache(maxsize=1024)
def _encode(text: str, header: str) -> str:
    """Header text as RFC 2047 encoded words, folded; plain ASCII is folded only."""
    return Header(text, None if text.isascii() else "utf-8", header_name=header).encode(linesep="\r\n")
