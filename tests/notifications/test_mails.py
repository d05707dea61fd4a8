"""What a mail and its calendar part say, read back by programs that did not write them."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import pytest
import vobject
from babel import Locale
from babel.dates import format_date

from notifications import texts
from notifications.icalendars import Method, render_visit
from notifications.mails import CANCELLATION, CHANGE, INVITATION, KINDS, REMINDER, SUMMARY, Letter, render_letter
from notifications.sink import read_header
from notifications.snapshots import VisitSnapshot
from tests.notifications.conftest import NOW, make_visit

LANGUAGES = sorted(texts.languages())


def make_letter(kind: str = INVITATION, language: str = "en", *visits: VisitSnapshot, **fields: object) -> Letter:
    values = {
        "kind": kind,
        "language": language,
        "visits": visits or (make_visit(uid="6f0c@health-house.example"),),
        "sender": "visits@health-house.example",
        "sender_name": "Health House",
        "to": "alice@example.org",
        "to_name": "Alice Nowak",
        "message_id": "<1234@health-house.example>",
        "date": NOW,
    }
    return Letter(**(values | fields))


def parse(letter: Letter) -> EmailMessage:
    parsed = message_from_bytes(render_letter(letter), policy=policy.default)
    assert not [part.defects for part in parsed.walk() if part.defects]
    return parsed


def calendar_of(mail: EmailMessage) -> str:
    [part] = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    return part.get_content()


def invite(visit: VisitSnapshot, method: Method = Method.REQUEST, language: str = "en") -> bytes:
    return render_visit(
        visit, method=method, organizer="v@h.example", attendee="a@b.c", attendee_name="Alice", language=language
    )


def test_the_tree_of_an_invitation():
    mail = parse(make_letter())
    assert mail.get_content_type() == "multipart/mixed"
    alternative, attachment = mail.iter_parts()
    assert alternative.get_content_type() == "multipart/alternative"
    plain, html, calendar = alternative.iter_parts()
    assert [part.get_content_type() for part in (plain, html, calendar)] == ["text/plain", "text/html", "text/calendar"]
    assert b"\r\nContent-Type: text/calendar; charset=UTF-8; method=REQUEST\r\n" in render_letter(make_letter())
    assert calendar["Content-Transfer-Encoding"] == "base64"
    assert calendar["Content-Disposition"] is None
    assert attachment.get_content_type() == "application/ics"
    assert attachment.get_filename() == "invite.ics"
    assert attachment.get_payload(decode=True) == calendar.get_payload(decode=True)


@pytest.mark.parametrize("kind", [SUMMARY, REMINDER])
def test_summaries_and_reminders_carry_no_calendar(kind):
    assert parse(make_letter(kind)).get_content_type() == "multipart/alternative"


def test_headers():
    mail = parse(make_letter())
    assert mail["From"] == "Health House <visits@health-house.example>"
    assert mail["To"] == "Alice Nowak <alice@example.org>"
    assert mail["Message-ID"] == "<1234@health-house.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == NOW
    assert mail["Content-Language"] == "en"


def test_names_of_any_script_and_with_line_breaks_stay_in_their_header():
    mail = parse(
        make_letter(sender_name="Дом здоровья «Липа», отделение на улице Липовой", to_name="Ян\r\nBcc: x@y.z, Żółć")
    )
    raw = dict(mail.raw_items())
    assert read_header(raw["From"]) == ("Дом здоровья «Липа», отделение на улице Липовой <visits@health-house.example>")
    assert read_header(raw["To"]) == "Ян Bcc: x@y.z, Żółć <alice@example.org>"
    assert [address.addr_spec for address in mail["To"].addresses] == ["alice@example.org"]
    assert mail["Bcc"] is None


def test_lines_are_short_and_end_in_crlf():
    content = render_letter(make_letter(INVITATION, "ru", sender_name="Дом здоровья " * 12))
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert max(map(len, content.split(b"\r\n"))) <= 78


def test_the_same_revision_is_the_same_mail():
    letter = make_letter()
    assert render_letter(letter) == render_letter(letter)


@pytest.mark.parametrize(
    ("kind", "method", "status"),
    [(INVITATION, "REQUEST", "CONFIRMED"), (CHANGE, "REQUEST", "CONFIRMED"), (CANCELLATION, "CANCEL", "CANCELLED")],
)
def test_the_calendar_part_of_each_kind(kind, method, status):
    visit = make_visit(uid="6f0c@health-house.example", sequence=3)
    calendar = icalendar.Calendar.from_ical(calendar_of(parse(make_letter(kind, "en", visit))))
    [event] = calendar.events
    assert (str(calendar["METHOD"]), str(event["STATUS"]), event["SEQUENCE"]) == (method, status, 3)
    assert str(event["UID"]) == visit.uid
    assert (event.start, event.end, event["DTSTAMP"].dt) == (visit.starts_at, visit.ends_at, visit.revised_at)
    assert str(event["ORGANIZER"]) == "mailto:visits@health-house.example"
    assert not event["ORGANIZER"].params
    assert str(event["ATTENDEE"]) == "mailto:alice@example.org"
    assert str(event["SUMMARY"]) == "Appointment at Health House"
    assert str(event["LOCATION"]) == "Health House, Lipowa 5, Kraków"
    assert str(event["CLASS"]) == "PRIVATE"
    assert "UID" not in calendar
    assert not event.walk("VALARM")


def test_a_cancellation_of_what_was_never_invited_has_no_calendar_part():
    assert parse(make_letter(CANCELLATION, with_calendar=False)).get_content_type() == "multipart/alternative"


@pytest.mark.parametrize(
    "zone", ["Europe/Warsaw", "Europe/Moscow", "America/New_York", "America/Nuuk", "UTC", "Africa/Casablanca"]
)
@pytest.mark.parametrize("month", range(1, 13))
def test_two_other_programs_read_the_same_moment_all_year(zone, month):
    start = datetime(2027, month, 15, 9, 30, tzinfo=ZoneInfo(zone))
    content = invite(make_visit(start, zone=zone))
    [event] = icalendar.Calendar.from_ical(content).events
    assert event.start.astimezone(UTC) == start.astimezone(UTC)
    read = vobject.readOne(content.decode()).vevent
    assert read.dtstart.value.astimezone(UTC) == start.astimezone(UTC)
    assert read.dtend.value.astimezone(UTC) == start.astimezone(UTC) + timedelta(minutes=50)


@pytest.mark.parametrize("day", [date(2027, 3, 27), date(2027, 3, 28), date(2027, 10, 30), date(2027, 10, 31)])
def test_nine_in_the_morning_is_nine_on_both_sides_of_a_change_of_clocks(day):
    start = datetime(day.year, day.month, day.day, 9, tzinfo=ZoneInfo("Europe/Warsaw"))
    content = invite(make_visit(start))
    assert f"DTSTART;TZID=Europe/Warsaw:{day:%Y%m%d}T090000" in content.decode()
    assert vobject.readOne(content.decode()).vevent.dtstart.value.astimezone(UTC) == start.astimezone(UTC)


def test_the_second_of_two_equal_hours_is_told_in_utc():
    start = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)  # 02:30 in Warsaw for the second time
    text = invite(make_visit(start)).decode()
    assert "DTSTART:20271031T013000Z" in text
    assert "VTIMEZONE" not in text


def test_lines_of_a_calendar_are_folded_and_special_characters_escaped():
    visit = make_visit(clinic_name="Дом здоровья «Липа», корпус; Б\\2 " * 3, clinic_address="one\ntwo")
    content = invite(visit, language="ru")
    assert max(map(len, content.split(b"\r\n"))) <= 75
    [event] = icalendar.Calendar.from_ical(content).events
    assert str(event["LOCATION"]) == f"{visit.clinic_name}, one\ntwo"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_reads_well_in_every_language(kind, language):
    visits = tuple(make_visit(NOW + timedelta(days=day)) for day in ((1, 3, 8, 10, 15) if kind == SUMMARY else (7,)))
    mail = parse(make_letter(kind, language, *visits))
    plain = mail.get_body(("plain",)).get_content()
    html = mail.get_body(("html",)).get_content()
    words = texts.load_language(language)
    for text in (plain, html, str(mail["Subject"])):
        assert not re.search(r"[{}]", text.replace("{}", ""))
    for visit in visits:
        when = f"{words.long_date(visit.local_start.date())}, {visit.local_start:%H:%M}–{visit.local_end:%H:%M}"
        assert when in plain
        assert when in html
    for fact in ("Health House", "Lipowa 5, Kraków", "+48 12 345 67 89", "Alice Nowak"):
        assert fact in plain
        assert fact in html
    assert f'<html lang="{language}">' in html


def test_what_patients_are_called_is_not_taken_for_html():
    html = parse(make_letter(to_name="<b>Bo & Co</b>")).get_body(("html",)).get_content()
    assert "&lt;b&gt;Bo &amp; Co&lt;/b&gt;" in html


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "Booked: 5 appointments."),
        ("pl", "Zaplanowano: 5 wizyt."),
        ("ru", "Запланировано: 5 визитов."),
        ("uk", "Заплановано: 5 візитів."),
    ],
)
def test_the_count_of_a_summary(language, expected):
    visits = [make_visit(NOW + timedelta(days=day)) for day in range(1, 6)]
    assert expected in parse(make_letter(SUMMARY, language, *visits)).get_body(("plain",)).get_content()


@pytest.mark.parametrize("language", LANGUAGES)
def test_plurals_and_dates_are_those_of_cldr(language):
    locale, words = Locale(language), texts.load_language(language)
    forms = words["nouns"]["appointments"]
    assert set(forms) >= {locale.plural_form(n) for n in range(1, 300)}
    for n in range(1, 300):
        assert words.count("appointments", n) == f"{n} {forms[locale.plural_form(n)]}"
    for day in range(366):
        moment = date(2028, 1, 1) + timedelta(days=day)
        assert words.long_date(moment).startswith(format_date(moment, "EEEE, d MMMM y", locale))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts(language):
    def shape(value: object, path: str = "") -> set[str]:
        if not isinstance(value, dict):
            return {path + str(sorted(re.findall(r"\{(\w+)\}", str(value))))}
        if path.startswith(".nouns.") or path == ".dates":
            return {path}
        return set().union(*(shape(inner, f"{path}.{key}") for key, inner in value.items()))

    assert shape(texts.load_language(language).texts) == shape(texts.load_language("en").texts)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (("ru", "pl"), "ru"),
        (("de", "pl"), "pl"),
        (("", "uk"), "uk"),
        (("de", "fr"), "en"),
        (("pl-PL",), "pl"),
        (("RU_ru",), "ru"),
    ],
)
def test_the_language_is_the_patients_then_the_clinics_then_english(wanted, chosen):
    assert texts.choose_language(*wanted) == chosen


# Beginnings of words that would tell what the visit is about, in the languages of the texts.
CLINICAL = tuple(Path(__file__).with_name("clinical_words.txt").read_text(encoding="utf-8").split())


def clinical_words_in(text: str) -> list[str]:
    return [word for word in re.findall(r"\w+", text.lower()) if word.startswith(CLINICAL)]


def test_the_list_of_clinical_words_finds_them():
    assert clinical_words_in("Massage, лечебный МАССАЖ; zabiegi") == ["massage", "лечебный", "массаж", "zabiegi"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_hold_no_clinical_word(language):
    assert clinical_words_in((texts.FOLDER / f"{language}.toml").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_mails_hold_no_clinical_word(kind, language):
    mail = parse(make_letter(kind, language))
    parts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
    assert clinical_words_in("\n".join([str(mail["Subject"]), *parts])) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_subject_summary_and_location_hold_only_place_and_time(language):
    plain = replace(make_visit(), clinic_name="§")
    for kind in KINDS:
        words = texts.load_language(language)
        assert set(re.findall(r"\{(\w+)\}", words[kind]["subject"])) <= {"clinic", "date", "time"}
    assert re.findall(r"\{(\w+)\}", texts.load_language(language)["calendar"]["summary"]) == ["clinic"]
    [event] = icalendar.Calendar.from_ical(invite(plain, language=language)).events
    assert str(event["LOCATION"]) == "§, Lipowa 5, Kraków"
