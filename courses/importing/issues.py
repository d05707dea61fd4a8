"""What an import found: one issue per defect, with its place, its outcome and what to do about it."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Outcome(StrEnum):
    """What becomes of the record: kept as it is, kept with something to look at, or left out."""

    ACCEPT = "accept"
    WARN = "accept_with_warning"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of defect; ``message`` and ``remedy`` may use the issue's ``details`` as ``%(name)s``."""

    outcome: Outcome
    message: Promise
    remedy: Promise


def _accept(message: Promise, remedy: Promise) -> Kind:
    return Kind(Outcome.ACCEPT, message, remedy)


def _warn(message: Promise, remedy: Promise) -> Kind:
    return Kind(Outcome.WARN, message, remedy)


def _reject(message: Promise, remedy: Promise) -> Kind:
    return Kind(Outcome.REJECT, message, remedy)


_NOTHING = _("Nothing to do.")
_CORRECT_ROW = _("Correct the row and import again.")
_RESOLVE_CLASH = _("Move one of the two sessions and import again.")
_BY_HAND = _("Decide by hand: move the session or leave it as it is.")

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        # The file
        "missing_file": _reject(_("File not found: %(file)s"), _("Add the file or name it in the mapping.")),
        "empty_file": _reject(_("The file is empty"), _("Export the file again.")),
        "missing_column": _reject(
            _("No column “%(column)s”; the file was not read"), _("Add the column or name it in the mapping.")
        ),
        "repeated_column": _warn(_("Column name used twice; the first is read"), _("Rename one of the columns.")),
        "utf8_bom": _warn(
            _("File starts with a UTF-8 BOM although the text is Windows-1251; BOM removed"),
            _("Nothing to do; check that names look right."),
        ),
        "unreadable_character": _warn(
            _("A byte is neither UTF-8 nor Windows-1251; replaced with �"), _("Export the file as UTF-8.")
        ),
        "control_character": _warn(
            _("Control characters removed"), _("Check the row; export again if text is missing.")
        ),
        "nul_character": _warn(_("NUL characters removed"), _("Export the file again if text is missing.")),
        "trailing_semicolon_file": _warn(
            _("Every line ends with an extra semicolon; empty last column ignored"), _NOTHING
        ),
        # The form of a row
        "trailing_semicolon": _warn(_("Extra empty field(s) at the end of the line ignored"), _NOTHING),
        "extra_cells": _reject(
            _("More cells than columns"), _("Quote the cell that contains the separator and import again.")
        ),
        "unclosed_quote": _reject(_("A quotation mark is not closed"), _("Close or double it and import again.")),
        "quoted_newline": _accept(_("Line break inside a quoted field is part of the text"), _NOTHING),
        "semicolon_in_quotes": _accept(_("Semicolon inside a quoted field is part of the text"), _NOTHING),
        "empty_row": _reject(_("Empty row skipped"), _NOTHING),
        "footer_row": _reject(_("Totals line, not a record; skipped"), _NOTHING),
        "duplicate_row": _reject(_("Exact copy of an earlier row"), _("Nothing to do; the earlier row is kept.")),
        "duplicate_key": _reject(
            _("“%(value)s” is already used by an earlier row"), _("Give the row a key of its own and import again.")
        ),
        "duplicate_card": _reject(
            _("Card number already used by an earlier row"), _("Give the patient another card number.")
        ),
        # Values
        "value_missing": _reject(_("A value is required"), _("Fill in the cell and import again.")),
        "too_long": _reject(_("Longer than %(limit)s characters"), _("Shorten the text and import again.")),
        "nbsp": _warn(_("Non-breaking space replaced with a space"), _NOTHING),
        "impossible_date": _reject(_("No such date in the calendar"), _("Correct the date and import again.")),
        "date_format": _reject(_("Not a date"), _("Write the date as yyyy-mm-dd or dd.mm.yyyy.")),
        "two_digit_year": _warn(_("Two-digit year read as %(value)s"), _("Check the year.")),
        "birth_in_future": _reject(_("Birth date is in the future"), _("Correct the birth date and import again.")),
        "time_format": _warn(_("Time not in hh:mm form, understood"), _NOTHING),
        "impossible_time": _reject(_("Not a time of day"), _("Write the time as hh:mm.")),
        "nonexistent_time": _reject(
            _("The clocks skip this time on that day"), _("Correct the time and import again.")
        ),
        "end_before_start": _reject(_("End is before start"), _CORRECT_ROW),
        "not_a_number": _reject(_("Not a whole number"), _("Write the number in digits.")),
        "out_of_range": _reject(_("Number must be from %(low)s to %(high)s"), _("Correct the number.")),
        "bad_position": _reject(_("Not a session's number such as “6 of 10”"), _CORRECT_ROW),
        "repeated_number": _reject(_("The course has a session of this number already"), _CORRECT_ROW),
        "course_mismatch": _reject(_("The course is another patient's or of another procedure"), _CORRECT_ROW),
        "taken_meanwhile": _reject(
            _("The time or the session's number has been taken in the program"), _("Book the session in the program.")
        ),
        "unknown_word": _reject(
            _("“%(value)s” is not understood; known words: %(known)s"),
            _("Use one of the known words or add it to the mapping."),
        ),
        "unknown_days": _reject(_("Days are not understood"), _("Write the days as in the mapping.")),
        "bad_break": _reject(_("The break is not inside the shift"), _("Correct the break and import again.")),
        "over_midnight": _reject(_("Session ends on another day"), _CORRECT_ROW),
        "bad_rule": _reject(_("Not a recurrence rule of RFC 5545"), _("Correct the rule and import again.")),
        "email_bad": _warn(_("E-mail address is not valid; left empty"), _("Ask the patient for the address.")),
        "phone_bad": _warn(
            _("Phone number has the wrong number of digits; kept in the note, phone left empty"),
            _("Ask the patient for the number."),
        ),
        "phone_empty": _warn(_("No phone number; SMS reminders are impossible"), _("Ask the patient for a number.")),
        "phone_two": _warn(
            _("Two phone numbers in one cell; the first becomes the main number, the second an additional one"),
            _("Check which number is whose."),
        ),
        "icd_cyrillic": _warn(_("ICD-10 code begins with a Cyrillic letter; replaced with Latin"), _NOTHING),
        "icd_comma": _warn(_("Comma in the ICD-10 code replaced with a full stop"), _NOTHING),
        "icd_bad": _warn(_("Not an ICD-10 code; kept in the comment"), _("Correct the code in the prescription.")),
        # Names
        "mixed_script": _warn(
            _("Latin letter inside a Cyrillic word; replaced with the Cyrillic look-alike"), _NOTHING
        ),
        "upper_case": _warn(_("Name in capitals; written with initial capitals"), _("Check the spelling.")),
        "no_patronymic": _accept(_("Two-part name, no patronymic"), _NOTHING),
        "four_part_name": _accept(_("Four-part name"), _NOTHING),
        "initials_only": _warn(
            _("Initials instead of given name and patronymic"), _("Ask the patient for the full name.")
        ),
        "name_mismatch": _warn(
            _("Name differs from the name on the card; card number is used"),
            _("Check that the row belongs to card %(value)s."),
        ),
        # References
        "unknown_therapist": _reject(
            _("Staff member is not in %(list)s%(suggestion)s"), _("Correct the name or add the staff member.")
        ),
        "unknown_procedure": _reject(
            _("Procedure is not in %(list)s%(suggestion)s"), _("Correct the name or add the procedure.")
        ),
        "unknown_patient": _reject(
            _("Card number is not in %(list)s%(suggestion)s"), _("Correct the number or add the patient.")
        ),
        "unknown_room": _reject(_("Room is not in %(list)s%(suggestion)s"), _("Correct the room or add it.")),
        "unknown_equipment": _reject(
            _("Device is not in %(list)s%(suggestion)s"), _("Correct the number or add the device.")
        ),
        "unknown_class": _reject(_("Class is not in %(list)s%(suggestion)s"), _("Correct the class or add it.")),
        "orphan_line": _reject(
            _("Prescription of this line was rejected"), _("Correct the prescription and import again.")
        ),
        "unknown_prescription": _reject(
            _("Prescription is not in %(list)s%(suggestion)s"), _("Correct the number or add the prescription.")
        ),
        "duplicate_patient": _warn(
            _("Same phone and birth date as an earlier card; proposed for merging, not merged silently"),
            _("Compare the two cards and merge them if they are one person."),
        ),
        "shared_phone": _accept(_("Same phone but another birth date: different person (family)"), _NOTHING),
        "card_taken": _warn(
            _("Card number belongs to a patient of another clinic; left empty"),
            _("Compare the two cards; give this patient another number."),
        ),
        "no_consent": _warn(
            _("Patient has not consented to data processing"), _("Ask for the consent; nothing new can be booked.")
        ),
        "session_on_duplicate_card": _warn(
            _("Session is booked on a card proposed for merging"), _("Merge the two cards first.")
        ),
        # The calendar
        "overlap_therapist": _reject(_("Therapist already has another patient at this time"), _RESOLVE_CLASH),
        "overlap_room": _reject(_("Room is already taken at this time"), _RESOLVE_CLASH),
        "overlap_equipment": _reject(_("Device is already in use at this time"), _RESOLVE_CLASH),
        "overlap_patient": _reject(_("Patient already has another session at this time"), _RESOLVE_CLASH),
        "capacity_exceeded": _reject(
            _("Number of patients at once is above the limit"), _("Move one of the sessions and import again.")
        ),
        "duration_mismatch": _warn(
            _("Length differs from the normal length of the procedure"), _("Check the end of the session.")
        ),
        "outside_shift": _warn(_("Session is outside the working hours of the therapist"), _BY_HAND),
        "during_absence": _warn(_("Therapist is absent on this day"), _BY_HAND),
        "device_out_of_service": _warn(_("Device is out of service on this day"), _BY_HAND),
        "closed_day": _warn(_("The clinic is closed on this day"), _BY_HAND),
        "not_qualified": _warn(_("Therapist has no qualification for the procedure"), _BY_HAND),
        "not_prescriber": _warn(_("Staff member is not marked as a prescriber"), _("Check the staff member's role.")),
        "wrong_room_type": _warn(_("The procedure needs a room of the type “%(needed)s”"), _BY_HAND),
        "wrong_equipment_type": _warn(_("The procedure needs a device of the type “%(needed)s”"), _BY_HAND),
        "class_count": _warn(
            _("The class meets %(value)s times between these dates"), _("Check the dates and the number.")
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Issue:
    """One defect of one record (``record`` None: of the whole file) and its outcome.

    ``line`` is the physical line where the record starts, ``column`` the file's own heading, ``related_record`` the
    number of the earlier record it clashes with, ``details`` the words that its message needs.
    """

    file: str
    record: int | None
    line: int
    column: str
    kind: str
    related_record: int | None = None
    raw_value: str = ""
    details: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def outcome(self) -> Outcome:
        return KINDS[self.kind].outcome

    @property
    def message(self) -> str:
        return str(KINDS[self.kind].message) % self.details

    @property
    def remedy(self) -> str:
        return str(KINDS[self.kind].remedy) % self.details


def make_issue(
    kind: str,
    *,
    file: str,
    record: int | None,
    line: int,
    column: str = "",
    related_record: int | None = None,
    raw_value: str = "",
    **details: Any,
) -> Issue:
    """An issue of a known kind; the value and the column are always among the words of its message."""
    words = {"value": raw_value, "file": file, "column": column, **details}
    return Issue(file, record, line, column, kind, related_record, raw_value, words)


REPORT_COLUMNS = (
    "file",
    "record",
    "line",
    "column",
    "kind",
    "related_record",
    "raw_value",
    "expected",
    "message",
    "remedy",
)


def write_report(path: Path, issues: Iterable[Issue]) -> None:
    """Write the issues as CSV (UTF-8, comma); line breaks in values become ``\\n``. Raises ``OSError``."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(REPORT_COLUMNS)
        for issue in issues:
            writer.writerow(
                [
                    issue.file,
                    issue.record or "",
                    issue.line,
                    issue.column,
                    issue.kind,
                    issue.related_record or "",
                    issue.raw_value.replace("\n", "\\n"),
                    issue.outcome,
                    issue.message,
                    issue.remedy,
                ]
            )
