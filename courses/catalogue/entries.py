"""The catalogue that ships with the project: procedures as data files, one TOML file each, read once and never changed.

A figure without a value has no source: the clinic confirms it. Nothing here touches the database.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

DATA = Path(__file__).parent / "data"

# The figures of a procedure, by the names of the model's fields. Each has a source, or is empty.
FIGURES = ("minutes", "sessions_default", "sessions_min", "sessions_max", "gap_min", "gap_max", "per_week")
VARIANT_FIGURES = ("minutes", "units")
CONFIDENCES = frozenset({"SEED", "WELL", "WEAK", "PRACTICE", "MEMORY", "CLINIC"})


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with where it comes from. Without a value the source is empty and the confidence PRACTICE."""

    value: int | Decimal | None = None
    source: str = ""
    confidence: str = "PRACTICE"


@dataclass(frozen=True, slots=True)
class RequirementEntry:
    """One resource of a type that the procedure needs. `role` is a ResourceKind; minutes are turn-over."""

    role: str
    type_code: str = ""
    count: int = 1
    minutes_before: int = 0
    minutes_after: int = 0
    hands_on_start: int = 0
    hands_on_end: int = 0


@dataclass(frozen=True, slots=True)
class VariantEntry:
    """A body area's own figures, by the names in VARIANT_FIGURES."""

    area: str
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A procedure of the shipped catalogue. `figures` has every name of FIGURES; `aliases` are as people write them."""

    code: str
    short_code: str
    short_code_ru: str
    name_en: str
    name_ru: str
    name_pl: str
    category: str
    tags: tuple[str, ...]
    therapist_change_cost: int
    is_group: bool
    requires_referral: bool
    note: str
    figures: Mapping[str, Figure]
    requirements: tuple[RequirementEntry, ...]
    variants: tuple[VariantEntry, ...]
    aliases: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name_en, self.name_ru, self.name_pl)


@cache
def catalogue() -> tuple[CatalogueEntry, ...]:
    """All entries, by code. Raises ValueError when a data file is wrong: the files are part of the program."""
    return tuple(sorted((read_entry(path) for path in DATA.glob("*.toml")), key=lambda entry: entry.code))


def catalogue_entry_for(code: str, names: Iterable[str] = ()) -> CatalogueEntry | None:
    """The entry a clinic means by its own code or names of a procedure, in any of the languages, or None.

    Only what is written as one of the known names counts, apart from case, punctuation and ё: a wrong short code on
    the board is worse than none. The code decides; if it says nothing, the first name that does.
    """
    index = _index()
    return next((index[key] for key in map(_key, (code, *names)) if key in index), None)


@cache
def _index() -> Mapping[str, CatalogueEntry]:
    index: dict[str, CatalogueEntry] = {}
    for entry in catalogue():
        for text in (entry.code, *entry.names, *entry.aliases):
            other = index.setdefault(_key(text), entry)
            if other is not entry:
                raise ValueError(f"“{text}” names both {other.code} and {entry.code}")
    return MappingProxyType(index)


def _key(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold().replace("ё", "е").replace("_", " ")))


def read_entry(path: Path) -> CatalogueEntry:
    """Read one data file. Raises ValueError naming the file and what is wrong in it."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        return _entry(raw)
    except (TypeError, KeyError, ValueError, ArithmeticError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def _entry(raw: dict[str, Any]) -> CatalogueEntry:
    return CatalogueEntry(
        figures=_figures(raw.pop("figures", {}), FIGURES),
        requirements=tuple(RequirementEntry(**requirement) for requirement in raw.pop("requirements")),
        variants=tuple(
            VariantEntry(area=variant.pop("area"), figures=_figures(variant, VARIANT_FIGURES))
            for variant in raw.pop("variants", [])
        ),
        tags=tuple(raw.pop("tags")),
        aliases=tuple(raw.pop("aliases")),
        is_group=raw.pop("is_group", False),
        **raw,
    )


def _figures(raw: dict[str, Any], names: Iterable[str]) -> Mapping[str, Figure]:
    known = tuple(names)
    if unknown := set(raw) - set(known):
        raise ValueError(f"unknown figures {sorted(unknown)}")
    return MappingProxyType({name: _figure(name, raw[name]) if name in raw else Figure() for name in known})


def _figure(name: str, raw: dict[str, Any]) -> Figure:
    value = raw["value"]
    figure = Figure(
        value=Decimal(value) if isinstance(value, str) else value, source=raw["source"], confidence=raw["confidence"]
    )
    if not figure.source or figure.confidence not in CONFIDENCES - {"PRACTICE", "CLINIC"}:
        raise ValueError(f"{name} has a value but no source with a confidence")
    return figure
