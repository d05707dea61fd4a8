"""Values of cells: pure functions from text to a value, with the kinds of defect found on the way.

A function returns the value and a tuple of issue kinds (often empty), or raises :class:`UnreadableError` with the kind.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from courses.importing.records import PhoneEntry

# Letters that look the same in both scripts, Latin to Cyrillic and back.
_LATIN, _CYRILLIC = "ABCEHKMOPTXaceopxy", "АВСЕНКМОРТХасеорху"
_TO_CYRILLIC = str.maketrans(_LATIN, _CYRILLIC)
# Only the letters that open a chapter of ICD-10.
_TO_LATIN = str.maketrans("АВСЕНКМОРТХ", "ABCEHKMOPTX")

_ISO_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_DAY_FIRST = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})")
_TIME = re.compile(r"(\d{1,2})[:.\-](\d{2})(?::(\d{2}))?")
_ICD10 = re.compile(r"[A-Z]\d{2}(\.\d{1,3})?")
_DASHES = re.compile(r"\s*[-–—]\s*")
_INITIALS = re.compile(r"(\w\.){1,3}")
_PATRONYMIC = re.compile(r"(ович|евич|ич|овна|евна|ична|инична)$", re.IGNORECASE)
_PATRONYMIC_PARTICLES = frozenset({"оглы", "оглу", "кызы", "улы", "уулу", "гызы"})
OLDEST_AGE = 110
# Beyond these a date is a slip of the pen, and far beyond them no time zone can be applied.
_EARLIEST_YEAR, _LATEST_YEAR = 1900, 2199


class UnreadableError(ValueError):
    """The cell holds no such value; ``kind`` is the kind of issue to report."""

    def __init__(self, kind: str, **details: Any) -> None:
        super().__init__(kind)
        self.kind = kind
        self.details: dict[str, Any] = details


def squeeze(text: str) -> str:
    """Outer space removed, inner runs of white space (line breaks too) made one space."""
    return " ".join(text.split())


def fold(text: str) -> str:
    """A key for comparing words: case, ``ё``, dashes and spacing do not count."""
    return squeeze(_DASHES.sub("-", text)).casefold().replace("ё", "е")


def parse_date(text: str) -> tuple[date, bool]:
    """ISO or day-first date. The flag says that the year had two digits; it is then read as 20yy.

    Raises UnreadableError: ``impossible_date`` for 31.02., ``date_format`` for anything else.
    """
    cleaned = text.strip()
    if match := _ISO_DATE.fullmatch(cleaned):
        year, month, day = match.groups()
    elif match := _DAY_FIRST.fullmatch(cleaned):
        day, month, year = match.groups()
    else:
        raise UnreadableError("date_format")
    short = len(year) == 2
    if not short and not _EARLIEST_YEAR <= int(year) <= _LATEST_YEAR:
        raise UnreadableError("impossible_date")
    try:
        return date(int(year) + (2000 if short else 0), int(month), int(day)), short
    except ValueError as error:
        raise UnreadableError("impossible_date") from error


def parse_birth_date(text: str, *, today: date) -> tuple[date, tuple[str, ...]]:
    """A date of birth; a year of two digits is 19yy unless that person would be older than anyone."""
    born, short = parse_date(text)
    if short:
        last_century = _in_year(born, born.year - 100)
        born = last_century if today.year - last_century.year <= OLDEST_AGE else born
    if born > today:
        raise UnreadableError("birth_in_future")
    return born, ("two_digit_year",) if short else ()


def _in_year(day: date, year: int) -> date:
    try:
        return day.replace(year=year)
    except ValueError as error:  # 29 February of a year that has none (1900)
        raise UnreadableError("impossible_date") from error


def parse_time(text: str) -> tuple[time, tuple[str, ...]]:
    """A time of day, normally ``hh:mm``; ``9:30``, ``8.00`` and ``09-30`` are understood and told."""
    cleaned = text.strip()
    match = _TIME.fullmatch(cleaned)
    if not match:
        raise UnreadableError("impossible_time")
    hours, minutes, seconds = match.groups()
    try:
        value = time(int(hours), int(minutes), int(seconds or 0))
    except ValueError as error:
        raise UnreadableError("impossible_time") from error
    return value, () if re.fullmatch(r"\d\d:\d\d", cleaned) else ("time_format",)


def parse_time_range(text: str) -> tuple[time, time]:
    """``11:00-11:30``, with any dash."""
    parts = _DASHES.split(text.strip())
    if len(parts) != 2:
        raise UnreadableError("impossible_time")
    start, end = (parse_time(part)[0] for part in parts)
    if end <= start:
        raise UnreadableError("end_before_start")
    return start, end


def parse_number(text: str, *, low: int, high: int) -> int:
    """A whole number written in ASCII digits, within bounds."""
    if not re.fullmatch(r"[0-9]+", text.strip()):
        raise UnreadableError("not_a_number")
    value = int(text) if len(text.strip()) < 10 else high + 1
    if not low <= value <= high:
        raise UnreadableError("out_of_range", low=low, high=high)
    return value


def parse_position(text: str) -> tuple[int, int]:
    """``6 of 10`` in any language: a session's number and the number of sessions of its course."""
    match = re.fullmatch(r"([0-9]{1,3})\D+([0-9]{1,3})", text.strip())
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UnreadableError("bad_position")
    return int(match[1]), int(match[2])


def parse_word(text: str, words: Mapping[str, str]) -> str:
    """The canonical word for one of the known words, which are given folded. Raises ``unknown_word``."""
    try:
        return words[fold(text)]
    except KeyError:
        raise UnreadableError("unknown_word", known=", ".join(words)) from None


def parse_email(text: str) -> tuple[str, tuple[str, ...]]:
    """An address that mail can be sent to, or nothing and ``email_bad``."""
    cleaned = text.strip()
    try:
        if cleaned:
            validate_email(cleaned)
    except ValidationError:
        return "", ("email_bad",)
    return cleaned, ()


def parse_icd10(text: str) -> tuple[str, tuple[str, ...]]:
    """An ICD-10 code with a Latin letter and a full stop; ``icd_bad`` and nothing if it is none."""
    code, kinds = text.strip(), []
    if not code:
        return "", ()
    if code[0].upper() in "АВСЕНКМОРТХ":
        code = code[0].upper().translate(_TO_LATIN) + code[1:]
        kinds.append("icd_cyrillic")
    if "," in code:
        code = code.replace(",", ".")
        kinds.append("icd_comma")
    code = code.upper()
    return (code, tuple(kinds)) if _ICD10.fullmatch(code) else ("", ("icd_bad",))


def parse_phones(
    text: str, *, country: str, separators: Iterable[str] = ()
) -> tuple[tuple[PhoneEntry, ...], tuple[str, ...]]:
    """Phone numbers of one cell in E.164; letters beside a number tell whose it is.

    ``separators`` are words between two numbers ("and"). A number with the wrong number of digits gives ``phone_bad``.
    """
    if not text.strip():
        return (), ("phone_empty",)
    pattern = "|".join([r"[;,/\n]", *(rf"\s{re.escape(word)}\s" for word in separators)])
    phones, kinds = [], []
    for part in filter(None, (part.strip() for part in re.split(pattern, text))):
        owner = squeeze(re.sub(r"[^\w\s-]|\d", " ", part)).strip(" -")
        try:
            number = phonenumbers.parse(re.sub(r"[^\d+]", "", part), country)
        except phonenumbers.NumberParseException:
            kinds.append("phone_bad")
            continue
        # A number that works only inside its town is no address for a message.
        if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
            kinds.append("phone_bad")
            continue
        phones.append(PhoneEntry(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), owner))
    if len(phones) > 1:
        kinds.append("phone_two")
    return tuple(dict.fromkeys(phones)), tuple(dict.fromkeys(kinds))


@dataclass(frozen=True, slots=True)
class PersonName:
    """Name parts as written; ``full`` is the whole name, tidied."""

    full: str
    family: str
    given: str = ""
    patronymic: str = ""


def parse_name(text: str, *, patronymics: bool) -> tuple[PersonName, tuple[str, ...]]:
    """A person's name. With ``patronymics`` it is family name, given name, patronymic — or given name first.

    Kinds: ``mixed_script`` and ``upper_case`` are put right; ``no_patronymic``, ``four_part_name``, ``initials_only``
    only tell, and only where names have patronymics.
    """
    full, kinds = squeeze(text), []
    if not full:
        raise UnreadableError("value_missing")
    unmixed = unmix_scripts(full)
    if unmixed != full:
        full = unmixed
        kinds.append("mixed_script")
    if full.isupper() and len(full) > 2:
        full = re.sub(r"[^\W\d_]+", lambda word: word[0].capitalize(), full)
        kinds.append("upper_case")
    if not patronymics:
        return PersonName(full, family=full.split()[-1], given=" ".join(full.split()[:-1])), tuple(kinds)
    words = full.split()
    if len(words) > 1 and all(_is_initials(word) for word in words[1:]):
        kinds.append("initials_only")
        initials = re.findall(r"\w\.", "".join(words[1:]))
        return PersonName(full, words[0], initials[0], "".join(initials[1:])), tuple(kinds)
    if len(words) == 2:
        kinds.append("no_patronymic")
    elif len(words) == 4:
        kinds.append("four_part_name")
    return _split_patronymic(words), tuple(kinds)


def _split_patronymic(words: list[str]) -> PersonName:
    full = " ".join(words)
    if len(words) == 3 and _PATRONYMIC.search(words[1]) and not _PATRONYMIC.search(words[2]):
        return PersonName(full, family=words[2], given=words[0], patronymic=words[1])
    if len(words) >= 4 and words[-1].casefold() not in _PATRONYMIC_PARTICLES and not _PATRONYMIC.search(words[-1]):
        return PersonName(full, family=words[0], given=" ".join(words[1:]))
    given = words[1] if len(words) > 1 else ""
    return PersonName(full, words[0], given, " ".join(words[2:]))


def _is_initials(word: str) -> bool:
    return _INITIALS.fullmatch(word) is not None


def unmix_scripts(text: str) -> str:
    """Latin look-alikes inside words that also have Cyrillic letters, made Cyrillic."""
    return " ".join(
        word.translate(_TO_CYRILLIC) if re.search("[А-Яа-яЁё]", word) and re.search("[A-Za-z]", word) else word
        for word in text.split(" ")
    )


def is_same_name(one: str, other: str) -> bool:
    """Whether two spellings name one person: order, case, ``ё`` and spacing do not count; initials stand for names."""
    left, right = (re.findall(r"\w+\.?", fold(unmix_scripts(name))) for name in (one, other))
    if sorted(left) == sorted(right):
        return True
    if len(left) != len(right):
        return False
    return all(_stands_for(a, b) or _stands_for(b, a) for a, b in zip(left, right, strict=True))


def _stands_for(short: str, word: str) -> bool:
    return short == word or (short.endswith(".") and word.startswith(short[:-1]))
