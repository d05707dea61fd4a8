"""Texts to patients, as data: one TOML file per language beside this module. A new language is a new file.

Sentences name no one and nothing in an inflected form (a clinic's or a person's name stands after a colon), and no verb
tells the reader's gender. No clinical word appears in them: what a mail shows, a locked screen shows too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

FALLBACK = "en"
FOLDER = Path(__file__).parent


def _english(n: int) -> str:
    return "one" if n == 1 else "other"


def _russian(n: int) -> str:
    if n % 10 == 1 and n % 100 != 11:
        return "one"
    if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14):
        return "few"
    return "many"


def _polish(n: int) -> str:
    if n == 1:
        return "one"
    if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14):
        return "few"
    return "many"


# CLDR's plural rules for whole numbers; a language's file names the one it follows.
PLURALS: dict[str, Callable[[int], str]] = {"english": _english, "russian": _russian, "polish": _polish}


@dataclass(frozen=True)
class Language:
    """All texts of one language."""

    code: str
    texts: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.texts[key]

    def count(self, key: str, n: int) -> str:
        """`n` with the noun `key` in the form that goes with it: 5 визитов."""
        form = PLURALS[self.texts["plural_rule"]](n)
        return f"{n} {self.texts['nouns'][key][form]}"

    def long_date(self, day: date) -> str:
        """Tuesday, 1 December 2026."""
        return str(self.texts["dates"]["long"]).format(**self._parts(day))

    def short_date(self, day: date) -> str:
        """Tue 1 Dec."""
        return str(self.texts["dates"]["short"]).format(**self._parts(day))

    def time(self, moment: datetime) -> str:
        return f"{moment:%H:%M}"

    def _parts(self, day: date) -> dict[str, Any]:
        dates = self.texts["dates"]
        return {
            "day": day.day,
            "year": day.year,
            "month": dates["months"][day.month - 1],
            "weekday": dates["weekdays"][day.weekday()],
            "short_month": dates["short_months"][day.month - 1],
            "short_weekday": dates["short_weekdays"][day.weekday()],
        }


@cache
def languages() -> frozenset[str]:
    """Codes of the languages that have texts."""
    return frozenset(path.stem for path in FOLDER.glob("*.toml"))


@cache
def load_language(code: str) -> Language:
    """The texts of `code`, which must be one of `languages()`."""
    return Language(code, tomllib.loads((FOLDER / f"{code}.toml").read_text(encoding="utf-8")))


def choose_language(*wanted: str) -> str:
    """The first wanted language that has texts, else English. `pl-PL` and `pl_PL` count as `pl`."""
    for code in wanted:
        base = code.replace("_", "-").partition("-")[0].lower()
        if base in languages():
            return base
    return FALLBACK
