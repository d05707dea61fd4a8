"""Mapping of a clinic's own files to the canonical ones: file names, headings and words, read from TOML.

Without a mapping the files have the canonical names (``patients.csv``), headings and words.
"""

import tomllib
from collections.abc import Mapping as Words
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.errors import DomainError
from courses.importing.values import fold

# Canonical columns by table; those that a file must have come before the bar.
_COLUMNS = {
    "staff": "staff_id full_name | short_name role staff_group gender languages max_parallel_patients is_prescriber"
    " email",
    "procedures": "code duration_min room_type | name_en name_pl name_ru name_uk name equipment_type not_same_day_with",
    "rooms": "room_id room_type | name capacity floor",
    "equipment": "equipment_id equipment_type room_id | name out_of_service_from out_of_service_to note",
    "qualifications": "staff_id procedure | valid_from valid_until",
    "shifts": "staff_id | shift_id name dtstart end_time rrule exdates break_from break_to"
    " days start_time break valid_from valid_until",
    "absences": "staff_id | absence_id kind start end start_date end_date note",
    "patients": "patient_id full_name | given_name family_name patronymic sex birth_date language email phone"
    " consent_data_processing consent_email consent_sms consent_marketing consent_date registered_on"
    " contact_name contact_phone contact_relation note",
    "classes": "class_id instructor_id room_id duration_min | name procedure capacity dtstart rrule days start_time",
    "enrolments": "class_id patient_id first_date last_date | enrolment_id sessions status patient_name",
    "sessions": "patient_id procedure therapist_id room_id | session_id course_id course_seq course_sessions position"
    " equipment_id start end date start_time end_time area side status patient_name note",
    "prescriptions": "prescription_id patient_id prescriber_id prescribed_on | icd10 diagnosis start_from finish_by"
    " combine_visits comment patient_name",
    "prescription_lines": "prescription_id procedure sessions | line_id line_no area side frequency preference"
    " preference_strength pref_days pref_from pref_to preferred_therapist_id therapist_strength therapist_gender note",
}
TABLES = {name: (*(part.split() for part in columns.split("|")),) for name, columns in _COLUMNS.items()}

CANONICAL_WORDS: dict[str, dict[str, str]] = {
    "boolean": {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"},
    "gender": {"f": "F", "m": "M"},
    "absence": {word: word for word in ("leave", "sick", "training", "other")},
    "frequency": {word: word for word in ("daily", "every_other_day", "3_per_week", "2_per_week", "weekly", "once")},
    "side": {word: word for word in ("left", "right", "both")},
    "strength": {"must": "must", "wish": "wish"},
    "combine": {"wish": "true", "yes": "true", "no": "false"},
    "session_status": {"booked": "booked", "confirmed": "confirmed"},
    "enrolment_status": {"enrolled": "enrolled"},
    "weekday": {
        **{code.lower(): code for code in ("MO", "TU", "WE", "TH", "FR", "SA", "SU")},
        **dict(
            zip(
                ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
                ("MO", "TU", "WE", "TH", "FR", "SA", "SU"),
                strict=True,
            )
        ),
    },
    "dates": {"even": "even", "odd": "odd"},
    "area": {},
}
CANONICAL_FOOTER = ("total",)


class MappingError(DomainError):
    """The mapping file cannot be used; the sentence names the key to correct."""

    code = "import_mapping_invalid"
    status = 400


@dataclass(frozen=True, slots=True)
class WishPattern:
    """A phrase with ``{time} {from} {to} {days}`` as places; it sets ``from``, ``to``, ``days``, ``except``."""

    phrase: str
    sets: Words[str, str]


@dataclass(frozen=True, slots=True)
class Mapping:
    """How to read one clinic's files; ``columns`` map canonical names to the headings of the file."""

    files: Words[str, str] = field(default_factory=lambda: {table: f"{table}.csv" for table in TABLES})
    columns: Words[str, Words[str, str]] = field(default_factory=dict)
    words: Words[str, Words[str, str]] = field(default_factory=lambda: CANONICAL_WORDS)
    patronymics: bool = False
    phone_separators: tuple[str, ...] = ()
    footer: tuple[str, ...] = CANONICAL_FOOTER
    prescriber_roles: tuple[str, ...] = ()
    class_procedure: str = ""
    wishes: tuple[WishPattern, ...] = ()

    def heading(self, table: str, column: str) -> str:
        """The file's heading of a canonical column."""
        return self.columns.get(table, {}).get(column, column)

    def table_of(self, file: str) -> str:
        return next(table for table, name in self.files.items() if name == file)


def load_mapping(path: Path) -> Mapping:
    """Read a mapping. Raises MappingError naming the key at fault, also when the file cannot be read."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingError(
            _("The mapping %(path)s cannot be read: %(error)s. Correct it and repeat.")
            % {"path": path.name, "error": error}
        ) from error
    return build_mapping(data)


def build_mapping(data: dict[str, Any]) -> Mapping:
    """A mapping from TOML: ``[names] [rows] [files.TABLE] [files.TABLE.columns] [words.SET] [[wishes]]``."""
    _allow(data, {"names", "rows", "files", "words", "wishes"}, "")
    files, columns = {table: f"{table}.csv" for table in TABLES}, {}
    for table, section in _section(data, "files").items():
        _allow({table: section}, set(TABLES), "files.")
        if not isinstance(section, dict):
            raise _fault(f"files.{table}")
        _allow(section, {"file", "columns"}, f"files.{table}.")
        files[table] = _text(section.get("file", files[table]), f"files.{table}.file")
        columns[table] = _section(section, "columns", f"files.{table}.")
        _allow(columns[table], {name for part in TABLES[table] for name in part}, f"files.{table}.columns.")
        for name, heading in columns[table].items():
            columns[table][name] = " ".join(_text(heading, f"files.{table}.columns.{name}").split())
    names, rows = _section(data, "names"), _section(data, "rows")
    _allow(names, {"patronymics"}, "names.")
    _allow(rows, {"footer", "phone_separators", "prescriber_roles", "class_procedure"}, "rows.")
    return Mapping(
        files=files,
        columns=columns,
        words=_merge_words(_section(data, "words")),
        patronymics=_flag(names.get("patronymics", False), "names.patronymics"),
        phone_separators=_texts(rows, "phone_separators"),
        footer=(*CANONICAL_FOOTER, *map(fold, _texts(rows, "footer"))),
        prescriber_roles=tuple(map(fold, _texts(rows, "prescriber_roles"))),
        class_procedure=_text(rows.get("class_procedure", ""), "rows.class_procedure"),
        wishes=_wishes(data.get("wishes", [])),
    )


def _merge_words(sections: dict[str, Any]) -> dict[str, dict[str, str]]:
    _allow(sections, set(CANONICAL_WORDS), "words.")
    merged = {name: dict(words) for name, words in CANONICAL_WORDS.items()}
    for name in sections:
        known = set(CANONICAL_WORDS[name].values())
        for word, value in _section(sections, name, "words.").items():
            meaning = str(value).lower() if isinstance(value, bool) else value
            if not isinstance(meaning, str) or (known and meaning not in known):
                raise _fault(f"words.{name}.{word}")
            merged[name][fold(word)] = meaning
    return merged


def _wishes(wishes: Any) -> tuple[WishPattern, ...]:
    if not isinstance(wishes, list):
        raise _fault("wishes")
    return tuple(_wish(wish, number) for number, wish in enumerate(wishes, start=1))


def _wish(wish: Any, number: int) -> WishPattern:
    if not isinstance(wish, dict) or not isinstance(wish.get("phrase"), str):
        raise _fault(f"wishes[{number}].phrase")
    sets = {key: value for key, value in wish.items() if key != "phrase"}
    _allow(sets, {"from", "to", "days", "except"}, f"wishes[{number}].")
    return WishPattern(wish["phrase"], {key: _text(value, f"wishes[{number}].{key}") for key, value in sets.items()})


def _section(data: dict[str, Any], key: str, prefix: str = "") -> dict[str, Any]:
    section = data.get(key, {})
    if not isinstance(section, dict):
        raise _fault(prefix + key)
    return section


def _texts(data: dict[str, Any], key: str) -> tuple[str, ...]:
    values = data.get(key, [])
    if not isinstance(values, list):
        raise _fault(f"rows.{key}")
    return tuple(_text(value, f"rows.{key}") for value in values)


def _flag(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise _fault(key)
    return value


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise _fault(key)
    return value


def _allow(data: dict[str, Any], known: set[str], prefix: str) -> None:
    for key in data:
        if key not in known:
            raise MappingError(
                _("The mapping has an unknown key “%(key)s”. Known here: %(known)s.")
                % {"key": prefix + key, "known": ", ".join(sorted(known))}
            )


def _fault(key: str) -> MappingError:
    return MappingError(_("The mapping has a wrong value at “%(key)s”. Correct it and repeat.") % {"key": key})
