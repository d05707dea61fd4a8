"""Reading of a clinic's directory: settings, then every table in the order in which rows refer to one another."""

import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays
from django.utils.translation import gettext_lazy as _

from clinic.errors import DomainError
from courses.importing.cells import Context
from courses.importing.checking import Checks, sort_issues
from courses.importing.course_numbers import number_courses
from courses.importing.issues import Issue, make_issue
from courses.importing.mapping import Mapping
from courses.importing.occupancy import Timetable
from courses.importing.reading import read_file
from courses.importing.records import ClassRow, ClinicFiles, ClinicSettings, PrescriptionLineRow
from courses.importing.rows import Row, open_rows
from courses.importing.tables import (
    read_absence,
    read_class,
    read_enrolment,
    read_equipment,
    read_patient,
    read_prescription,
    read_prescription_line,
    read_procedure,
    read_qualification,
    read_room,
    read_session,
    read_shift,
    read_staff,
)
from courses.importing.timetable import WEEKDAYS
from courses.importing.values import squeeze

# A clinic cannot be without these; the other files may be missing.
NEEDED = ("staff", "procedures", "rooms", "qualifications", "shifts", "patients")
SETTINGS_FILE = "clinic.toml"
Moment = TypeVar("Moment")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")


class FilesError(DomainError):
    """The directory or its ``clinic.toml`` cannot be used; the sentence says what to correct."""

    code = "import_files_unusable"
    status = 400


def read_clinic(directory: Path, mapping: Mapping | None = None, *, today: date | None = None) -> ClinicFiles:
    """Read, understand and check a clinic's files; nothing is written anywhere.

    ``today`` is the day that birth dates are held against. A bad row is left out and reported, the others are kept.
    Raises FilesError for a missing or wrong ``clinic.toml`` and for a directory without any known file.
    """
    mapping = mapping or Mapping()
    settings = read_settings(directory / SETTINGS_FILE)
    if not any((directory / name).is_file() for name in mapping.files.values()):
        raise FilesError(
            _("%(directory)s holds none of the expected files (%(files)s). Check the directory or give a mapping.")
            % {"directory": directory.name, "files": ", ".join(mapping.files.values())}
        )
    context = Context(settings, mapping, today or datetime.now(ZoneInfo(settings.zone)).date())
    checks, issues = Checks(context, Timetable(settings)), list[Issue]()
    accepted: dict[str, tuple[Any, ...]] = {
        table: tuple(_read_table(table, directory, context, checks, issues)) for table in _TABLES
    }
    accepted["sessions"] = number_courses(accepted["sessions"])
    return ClinicFiles(settings=settings, **accepted, issues=sort_issues(issues, mapping))


def _read_table(table: str, directory: Path, context: Context, checks: Checks, issues: list[Issue]) -> Iterator[Any]:
    """Accepted records of one table; the register keeps the keys of the rejected ones."""
    name, register = context.mapping.files[table], checks.registers[table]
    read, check, key_column = _TABLES[table]
    try:
        source = read_file(directory / name)
    except OSError:
        if table in NEEDED:
            issues.append(make_issue("missing_file", file=name, record=None, line=1))
        return
    issues.extend(source.issues)
    for row in open_rows(source, table=table, mapping=context.mapping, issues=issues):
        record = read(row, context, checks)
        if record is not None and not row.rejected:
            record = check(checks, row, record)
        if row.rejected:
            register.reject(row, squeeze(row.raw(key_column)))
        else:
            yield record


def read_settings(path: Path) -> ClinicSettings:
    """Read ``clinic.toml``. Raises FilesError naming the key at fault."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise FilesError(
            _("There is no clinic.toml beside the tables. Add one with name, zone, country, language, opening_days.")
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FilesError(_("clinic.toml cannot be read: %(error)s") % {"error": error}) from error
    name, zone, country = (_need(data, key, str, str.strip) for key in ("name", "zone", "country"))
    if len(name) > 200:
        raise _fault("name")
    if len(country) != 2:
        raise _fault("country")
    days = _need(data, "opening_days", list, lambda days: days and all(day in WEEKDAYS for day in days))
    try:
        ZoneInfo(zone)
        holidays.country_holidays(country)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _fault("zone") from error
    except NotImplementedError as error:
        raise _fault("country") from error
    return ClinicSettings(
        name=name,
        zone=zone,
        country=country,
        language=_need(data, "language", str, _LANGUAGE.fullmatch, "en"),
        opening_days=tuple(day for day in WEEKDAYS if day in days),
        grid_minutes=_need(data, "grid_minutes", int, lambda minutes: minutes == 5, 5),
        book_until=_read_moment(data, "book_until", date.fromisoformat),
        demo_now=_read_moment(data, "demo_now", datetime.fromisoformat),
    )


def _need(data: dict[str, Any], key: str, kind: type, is_good: Callable[[Any], Any], default: Any = None) -> Any:
    value = data.get(key, default)
    if not isinstance(value, kind) or not is_good(value):
        raise _fault(key)
    return value


def _read_moment(data: dict[str, Any], key: str, parse: Callable[[str], Moment]) -> Moment | None:
    if key not in data:
        return None
    try:
        return parse(str(data[key]))
    except ValueError as error:
        raise _fault(key) from error


def _fault(key: str) -> FilesError:
    return FilesError(_("clinic.toml has no usable value for “%(key)s”. Correct it and repeat.") % {"key": key})


def _read_class(row: Row, context: Context, checks: Checks) -> ClassRow | None:
    # A class without a first date is as old as its instructor's shifts.
    instructor = squeeze(row.raw("instructor_id"))
    return read_class(row, context, earliest=checks.timetable.first_shift(instructor, otherwise=context.today))


def _read_line(row: Row, context: Context, checks: Checks) -> PrescriptionLineRow | None:
    key = squeeze(row.raw("prescription_id"))
    checks.lines_of[key] += 1
    return read_prescription_line(row, context, order=checks.lines_of[key])


def _alone(read: Callable[[Row, Context], Any]) -> Callable[[Row, Context, Checks], Any]:
    return lambda row, context, _checks: read(row, context)


# Table: how a row is read, how it is checked against the others, and the column that others refer to.
_TABLES: dict[str, tuple[Callable[[Row, Context, Checks], Any], Callable[[Checks, Row, Any], Any], str]] = {
    "staff": (_alone(read_staff), Checks.check_staff, "staff_id"),
    "procedures": (_alone(read_procedure), Checks.check_procedure, "code"),
    "rooms": (_alone(read_room), Checks.check_room, "room_id"),
    "equipment": (_alone(read_equipment), Checks.check_equipment, "equipment_id"),
    "qualifications": (_alone(read_qualification), Checks.check_qualification, ""),
    "shifts": (_alone(read_shift), Checks.check_shift, "shift_id"),
    "absences": (_alone(read_absence), Checks.check_absence, "absence_id"),
    "patients": (_alone(read_patient), Checks.check_patient, "patient_id"),
    "classes": (_read_class, Checks.check_class, "class_id"),
    "enrolments": (_alone(read_enrolment), Checks.check_enrolment, "enrolment_id"),
    "sessions": (_alone(read_session), Checks.check_session, "session_id"),
    "prescriptions": (_alone(read_prescription), Checks.check_prescription, "prescription_id"),
    "prescription_lines": (_read_line, Checks.check_prescription_line, "line_id"),
}
