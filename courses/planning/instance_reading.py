"""Reading the texts that `instances` writes; whoever wrote them, the first line that is wrong is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, is_dataclass
from datetime import date
from enum import Enum
from typing import Any, get_args, get_origin

from .instances import (
    BARE,
    DAY_SETS,
    FIRST_LINE,
    MASKS,
    RESERVED,
    SAME_AS,
    Instance,
    InstanceError,
    choices_of,
    default_of,
    fields_of,
    hints_of,
    is_plain,
    mapping_of,
    records_of,
)
from .masks import interval_mask
from .types import SLOTS_PER_DAY, Masks

_TOKEN = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s"])+')
_LINE = re.compile(rf"(?:{_TOKEN.pattern}\s*)*")
_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[^,"]+')
_MOST_DAYS = 4000  # a slip of the pen, beyond


def read_instance(text: str) -> Instance:
    """Raises InstanceError at the first line that is wrong."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != FIRST_LINE:
        raise InstanceError(1, f"expected “{FIRST_LINE}”")
    root = _Record(0, 1, "", [])
    _nest(root, list(_records(lines)))
    named = [child for child in root.children if child.name == "instance"]
    if len(named) != 1 or len(root.children) != 1:
        raise InstanceError(root.children[-1].line if root.children else len(lines), "expected one record “instance”")
    found = _read_dataclass(Instance, named[0], named[0].tokens)
    assert isinstance(found, Instance)  # noqa: S101 - what was asked for
    return found


@dataclass(slots=True)
class _Record:
    """A line, cut into its name and the words after it, and what is indented below it."""

    line: int
    depth: int
    name: str
    tokens: list[str]
    children: list[_Record] = field(default_factory=list)


def _records(lines: list[str]) -> Iterator[_Record]:
    for number, raw in enumerate(lines[1:], start=2):
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            continue
        indent = len(raw) - len(raw.lstrip(" "))
        if indent % 2 or raw[indent] == "\t":
            raise InstanceError(number, "indent by two spaces for each step")
        if not _LINE.fullmatch(stripped):
            raise InstanceError(number, "a quotation mark is not closed")
        tokens = _TOKEN.findall(stripped)
        yield _Record(number, indent // 2 + 2, tokens[0], tokens[1:])


def _nest(root: _Record, records: list[_Record]) -> None:
    open_: list[_Record] = [root]
    for record in records:
        while open_[-1].depth >= record.depth:
            open_.pop()
        if record.depth > open_[-1].depth + 1:
            raise InstanceError(record.line, "this is indented too far")
        open_[-1].children.append(record)
        open_.append(record)


def _read_dataclass(kind: type, record: _Record, tokens: list[str]) -> Any:
    hints = hints_of(kind)
    known = {one.name: one for one in fields_of(kind)}
    values: dict[str, Any] = {}
    for token in tokens:
        name, equals, text = token.partition("=")
        if not equals:
            raise InstanceError(record.line, f"expected name=value, found “{token}”")
        if name not in known or not is_plain(name, hints[name]):
            raise InstanceError(record.line, f"“{record.name}” has no field “{name}” to be written so")
        if name in values:
            raise InstanceError(record.line, f"“{name}” is given twice")
        values[name] = _value(name, text, hints[name], record.line)
    grouped: dict[str, list[_Record]] = {}
    for child in record.children:
        if child.name not in known or is_plain(child.name, hints[child.name]):
            raise InstanceError(child.line, f"“{child.name}” does not belong below “{record.name}”")
        grouped.setdefault(child.name, []).append(child)
    # In the order of the types: a calendar may be told as the one before it.
    for name in known:
        if name in grouped:
            values[name] = _read_field(name, hints[name], grouped[name], values)
    missing = [name for name, one in known.items() if name not in values and default_of(one) is MISSING]
    if missing:
        raise InstanceError(record.line, f"“{record.name}” lacks “{missing[0]}”")
    return kind(**values)


def _read_field(name: str, hint: Any, records: list[_Record], values: Mapping[str, Any]) -> Any:
    first = records[0]
    if name in MASKS:
        return _read_masks(name, records, values)
    if first.tokens in (["none"], ["nothing"]):
        if len(records) > 1:
            raise InstanceError(records[1].line, f"“{name}” was said to be {first.tokens[0]}")
        if first.tokens == ["none"]:
            return None
        return () if records_of(hint) else {}
    kinds = {kind.__name__: kind for kind in records_of(hint)}
    if kinds:
        found = []
        for record in records:
            kind, tokens = next(iter(kinds.values())), record.tokens
            if len(kinds) > 1:
                tag = tokens[0] if tokens else ""
                if tag.removeprefix("@") not in kinds or not tag.startswith("@"):
                    raise InstanceError(record.line, f"expected one of {', '.join('@' + k for k in kinds)}")
                kind, tokens = kinds[tag[1:]], tokens[1:]
            found.append(_read_dataclass(kind, record, tokens))
        if any(get_origin(choice) is tuple for choice in choices_of(hint)):
            return tuple(found)
        if len(found) > 1:
            raise InstanceError(records[1].line, f"“{name}” is given twice")
        return found[0]
    return _read_mapping(name, hint, records)


def _read_mapping(name: str, hint: Any, records: list[_Record]) -> dict[Any, Any]:
    both = mapping_of(hint)
    if both is None:
        raise InstanceError(records[0].line, f"“{name}” cannot be read")
    found: dict[Any, Any] = {}
    for record in records:
        if not record.tokens:
            raise InstanceError(record.line, f"“{name}” needs a key")
        key = _value("", record.tokens[0], both[0], record.line)
        if key in found:
            raise InstanceError(record.line, f"“{name} {key}” is given twice")
        if is_dataclass(both[1]) and isinstance(both[1], type):
            found[key] = _read_dataclass(both[1], record, record.tokens[1:])
        elif len(record.tokens) == 2:
            found[key] = _value("", record.tokens[1], both[1], record.line)
        else:
            raise InstanceError(record.line, f"expected “{name}”, a key and a value")
    return found


def _read_masks(name: str, records: list[_Record], values: Mapping[str, Any]) -> Masks | None:
    first = records[0]
    if first.tokens == ["none"]:
        return None
    if first.tokens == ["same"]:
        before = values.get(SAME_AS.get(name, ""))
        if before is None:
            raise InstanceError(first.line, f"there is nothing for “{name}” to be the same as")
        same: Masks = before
        return same
    if len(first.tokens) != 1 or not first.tokens[0].startswith("days="):
        raise InstanceError(first.line, f"expected “{name} days=…”, “{name} same” or “{name} none”")
    count = _value("", first.tokens[0].removeprefix("days="), int, first.line)
    if not 0 <= count <= _MOST_DAYS:
        raise InstanceError(first.line, f"{count} days are not between 0 and {_MOST_DAYS}")
    found = [0] * count
    for record in records[1:]:
        if len(record.tokens) < 2:
            raise InstanceError(record.line, f"expected “{name}”, days and slots")
        mask = 0
        for text in record.tokens[1:]:
            start, end = _pair(text, "-", record.line)
            if not 0 <= start < end <= SLOTS_PER_DAY:
                raise InstanceError(record.line, f"“{text}” is no time of the day")
            mask |= interval_mask(start, end)
        for day in _days(record.tokens[0], record.line):
            if not 0 <= day < count:
                raise InstanceError(record.line, f"day {day} lies outside the {count} days")
            found[day] |= mask
    return tuple(found)


def _days(text: str, line: int) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        first, last = _pair(part, "..", line) if ".." in part else (_value("", part, int, line),) * 2
        if last - first > _MOST_DAYS:
            raise InstanceError(line, f"“{part}” are too many days")
        found += range(first, last + 1)
    return found


def _pair(text: str, between: str, line: int) -> tuple[int, int]:
    first, _, last = text.partition(between)
    return _value("", first, int, line), _value("", last, int, line)


def _value(name: str, text: str, hint: Any, line: int) -> Any:
    """The value of a word, as the first of the hint's types that it can be."""
    if name in DAY_SETS and text != "none":
        return sum(1 << day for day in _days(text, line)) if text != "nothing" else 0
    for choice in choices_of(hint):
        found = _value_as(text, choice, line)
        if found is not MISSING:
            return found
    raise InstanceError(line, f"“{text}” is not {_wanted(hint)}")


def _value_as(text: str, kind: Any, line: int) -> Any:
    """MISSING where the word is not of the kind."""
    if get_origin(kind) in (frozenset, tuple):
        return _values_as(text, kind, line)
    plain: dict[Any, Any] = {type(None): {"none": None}, bool: {"yes": True, "no": False}}
    if kind in plain:
        return plain[kind].get(text, MISSING)
    if kind is int:
        return int(text) if re.fullmatch(r"-?\d+", text) else MISSING
    if kind is str:
        if text.startswith('"'):
            return _unquoted(text)
        return text if BARE.fullmatch(text) and text not in RESERVED else MISSING
    try:
        return date.fromisoformat(text) if kind is date else kind(text)
    except ValueError:
        return MISSING


def _unquoted(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # an escape that is none
        return MISSING


def _values_as(text: str, kind: Any, line: int) -> Any:
    inner = get_args(kind)
    if text == "nothing":
        return get_origin(kind)()
    if inner == (bool, ...):
        return tuple(c == "1" for c in text) if re.fullmatch("[01]*", text) else MISSING
    found = [_value("", part, inner[0], line) for part in _PART.findall(text)]
    if get_origin(kind) is frozenset:
        return frozenset(found)
    return tuple(found) if inner[-1] is ... or len(found) == len(inner) else MISSING


def _wanted(hint: Any) -> str:
    names = {int: "a number", str: "a name", bool: "yes or no", date: "a date", type(None): "none"}
    members = [
        " or ".join(str(m.value) for m in choice) if isinstance(choice, type) and issubclass(choice, Enum) else ""
        for choice in choices_of(hint)
    ]
    return " or ".join(member or names.get(c, "a list") for member, c in zip(members, choices_of(hint), strict=True))
