"""Cells that several tables share and that take more than one parser, or more than one cell, to read."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from courses.importing.mapping import Mapping
from courses.importing.records import ClinicSettings
from courses.importing.rows import Row
from courses.importing.timetable import build_rule, find_first, list_dates, parse_days
from courses.importing.values import (
    PersonName,
    UnreadableError,
    fold,
    parse_birth_date,
    parse_email,
    parse_name,
    parse_position,
    parse_time_range,
)
from courses.importing.wishes import Wish, read_wish

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Context:
    """What the reading of rows depends on besides the row: the clinic, the mapping, and the day of the import."""

    settings: ClinicSettings
    mapping: Mapping
    today: date


def read_written_wish(row: Row, context: Context) -> Wish:
    structured = any(row.has(column) for column in ("pref_days", "pref_from", "pref_to", "preference_strength"))
    return Wish() if structured or not row.has("preference") else read_wish(row.raw("preference"), context.mapping)


def read_name(row: Row, column: str, *, patronymics: bool) -> PersonName:
    try:
        name, kinds = parse_name(row.text(column, limit=200), patronymics=patronymics)
    except UnreadableError as error:
        row.report(error.kind, column)
        return PersonName("", "")
    for kind in kinds:
        row.report(kind, column)
    return name


def read_email(row: Row) -> str:
    address, kinds = parse_email(row.text("email", limit=254))
    for kind in kinds:
        row.report(kind, "email")
    return address


def read_birth_date(row: Row, *, today: date) -> date | None:
    if not row.has("birth_date"):
        return None
    try:
        born, kinds = parse_birth_date(row.raw("birth_date"), today=today)
    except UnreadableError as error:
        row.report(error.kind, "birth_date")
        return None
    for kind in kinds:
        row.report(kind, "birth_date", value=born.isoformat())
    return born


def read_position(row: Row) -> tuple[int, int]:
    if row.has("position"):
        try:
            return parse_position(row.raw("position"))
        except UnreadableError as error:
            row.report(error.kind, "position")
            return 1, 1
    number = row.number("course_seq", high=200, default=1)
    total = row.number("course_sessions", high=200, default=number)
    if number > total:
        row.report("bad_position", "course_seq")
    return number, total


def read_area(row: Row) -> str:
    text = row.text("area", limit=60)
    return row.mapping.words["area"].get(fold(text), text)


def read_dates(row: Row, column: str) -> tuple[date, ...]:
    found = []
    for text in row.words(column):
        try:
            found.append(date.fromisoformat(text))
        except ValueError:
            row.report("date_format", column)
    return tuple(found)


def read_days_list(row: Row, column: str) -> tuple[str, ...]:
    if not row.has(column):
        return ()
    try:
        return parse_days(row.raw(column), row.mapping.words["weekday"])
    except UnreadableError as error:
        row.report(error.kind, column)
        return ()


def read_days(row: Row, context: Context, *, earliest: date | None, until: date | None) -> tuple[datetime | None, str]:
    at, words = row.time("start_time", required=True), context.mapping.words
    if not row.has("days"):
        row.report("value_missing", "days")
    if at is None or not row.has("days"):
        return None, ""
    try:
        rule = build_rule(row.raw("days"), weekdays=words["weekday"], dates=words["dates"], until=until)
        return find_first(rule, earliest=earliest or context.today, at=at), rule
    except UnreadableError as error:
        row.report(error.kind, "days")
        return None, ""


def exists(moment: datetime, zone: str) -> bool:
    """Whether the clocks of the zone show this local time at all: they skip an hour in spring."""
    local = moment.replace(tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == moment


def gives_dates(row: Row, rule: str, dtstart: datetime) -> bool:
    try:
        return bool(list_dates(rule, dtstart=dtstart, first=dtstart.date(), last=dtstart.date() + 366 * _DAY))
    except UnreadableError:
        return False


def read_break(row: Row) -> tuple[time | None, time | None]:
    if row.has("break"):
        try:
            return parse_time_range(row.raw("break"))
        except UnreadableError as error:
            row.report(error.kind, "break")
            return None, None
    start, end = row.time("break_from"), row.time("break_to")
    if start and end and end <= start:
        row.report("end_before_start", "break_to")
    return start, end
