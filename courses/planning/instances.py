"""Problems as plain text, so that planners anywhere can be compared on the same instances; see docs/instances.md.

One record a line: the name of a field, then its own fields as ``name=value``; what belongs to a record is indented
below it.  The names are those of `types`, and the types say how a value is written, so a new field needs nothing here.
What is as the types have it by default is left out.  `instance_reading` reads it.
"""

from __future__ import annotations

import json
import re
import types as python
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import date
from enum import Enum
from functools import cache
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from .masks import runs
from .types import Masks, PlannedSession, Problem

FIRST_LINE = "clinic-courses instance, format 1"
BARE = re.compile(r"[A-Za-z_][\w./-]*")
RESERVED = {"none", "nothing", "same", "yes", "no"}
# Each calendar of a resource that may be told as the one before it.
SAME_AS = {"present": "works", "free": "present", "free_twice": "free"}
MASKS = {"works", "present", "free", "free_twice"}
DAY_SETS = {"valid_days"}


@dataclass(frozen=True, slots=True)
class Known:
    """The best that is known of an instance: its cost (None: no plan), a lower bound, and the plan."""

    cost: int | None
    bound: int = 0
    proven: bool = False
    sessions: tuple[PlannedSession, ...] = ()


@dataclass(frozen=True, slots=True)
class Instance:
    name: str
    problem: Problem
    known: Known | None = None
    origin: str = ""  # how it was made: generator, seed, number


class InstanceError(ValueError):
    """A text that is no instance: which line, from 1, and what is wrong with it."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line, self.message = line, message


def write_instance(instance: Instance) -> str:
    """The text of an instance; `read_instance` gives an equal one."""
    return "\n".join([FIRST_LINE, *_lines_of("instance", instance, 0)]) + "\n"


# -- what the types say -------------------------------------------------------------------------------------------


@cache
def hints_of(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def fields_of(kind: Any) -> tuple[Field[Any], ...]:
    return fields(kind)


def default_of(one: Field[Any]) -> Any:
    if one.default is not MISSING:
        return one.default
    return one.default_factory() if one.default_factory is not MISSING else MISSING


def choices_of(hint: Any) -> tuple[Any, ...]:
    """The members of a union, else the hint itself."""
    return get_args(hint) if get_origin(hint) in (Union, python.UnionType) else (hint,)


def records_of(hint: Any) -> tuple[type, ...]:
    """The dataclasses that a field holds one or several of; empty where it holds plain values."""
    found: list[type] = []
    for choice in choices_of(hint):
        if is_dataclass(choice) and isinstance(choice, type):
            found.append(choice)
        elif get_origin(choice) is tuple and len(get_args(choice)) == 2 and get_args(choice)[1] is ...:
            found += records_of(get_args(choice)[0])
    return tuple(found)


def mapping_of(hint: Any) -> tuple[Any, Any] | None:
    for choice in choices_of(hint):
        if get_origin(choice) is Mapping:
            return get_args(choice)
    return None


# -- writing ------------------------------------------------------------------------------------------------------


def _lines_of(name: str, value: Any, depth: int, *, head: str = "") -> Iterator[str]:
    """A dataclass as a line and what is indented below it."""
    kind: Any = type(value)
    own, below = [], []
    for one in fields_of(kind):
        held, hint = getattr(value, one.name), hints_of(kind)[one.name]
        if held == default_of(one):
            continue
        if is_plain(one.name, hint):
            own.append(f"{one.name}={_text(one.name, held)}")
        else:
            below += list(_field_lines(value, one.name, hint, depth + 1))
    yield "  " * depth + " ".join([name, *([head] if head else []), *own])
    yield from below


def is_plain(name: str, hint: Any) -> bool:
    return name in DAY_SETS or not (name in MASKS or records_of(hint) or mapping_of(hint))


def _field_lines(owner: Any, name: str, hint: Any, depth: int) -> Iterator[str]:
    value: Any = getattr(owner, name)
    pad = "  " * depth
    if name in MASKS:
        before = getattr(owner, SAME_AS[name]) if name in SAME_AS and hasattr(owner, SAME_AS[name]) else None
        yield from (f"{pad}{name} {rest}" for rest in _mask_lines(value, before))
        return
    if value is None or (not is_dataclass(value) and not value):
        yield f"{pad}{name} {'none' if value is None else 'nothing'}"
        return
    kinds = records_of(hint)
    if kinds:
        for one in value if isinstance(value, tuple) else (value,):
            yield from _lines_of(name, one, depth, head=f"@{type(one).__name__}" if len(kinds) > 1 else "")
        return
    for key, held in cast("Mapping[Any, Any]", value).items():
        if is_dataclass(held):
            yield from _lines_of(name, held, depth, head=_text("", key))
        else:
            yield f"{pad}{name} {_text('', key)} {_text('', held)}"


def _mask_lines(value: Masks | None, before: Masks | None) -> Iterator[str]:
    """Days with the same slots together: `0..4,7 96-138 144-240`."""
    if value is None or value == before:
        yield "none" if value is None else "same"
        return
    days: dict[int, list[int]] = {}
    for day, mask in enumerate(value):
        days.setdefault(mask, []).append(day)
    yield f"days={len(value)}"
    for mask, own in days.items():
        if mask:
            slots = " ".join(f"{start}-{end}" for start, end in runs(mask))
            yield f"{_ranges(own)} {slots}"


def _ranges(days: list[int]) -> str:
    bits = sum(1 << day for day in days)
    return ",".join(str(a) if b == a + 1 else f"{a}..{b - 1}" for a, b in runs(bits))


def _text(name: str, value: Any) -> str:
    if name in DAY_SETS and isinstance(value, int):
        return _ranges([d for d in range(value.bit_length()) if value >> d & 1]) or "nothing"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, int | date):
        return str(value)
    if isinstance(value, str):
        bare = BARE.fullmatch(value) and value not in RESERVED
        return value if bare else json.dumps(value, ensure_ascii=False)
    if isinstance(value, frozenset):
        return ",".join(sorted(_text("", v) for v in value)) or "nothing"
    if isinstance(value, tuple):
        if value and all(isinstance(v, bool) for v in value):
            return "".join("1" if v else "0" for v in value)
        return ",".join(_text("", v) for v in value) or "nothing"
    raise TypeError(f"{type(value).__name__} has no text")
