"""Plurals and dates in Russian, as ui.md lists them."""

import datetime as dt

import pytest
from django.utils import translation
from django.utils.translation import ngettext

from courses import dates

_NUMBERS = (0, 1, 2, 5, 11, 21, 112)


@pytest.mark.parametrize(
    ("one", "many", "expected"),
    [
        (
            "%(n)d session booked",
            "%(n)d sessions booked",
            [
                "Записано 0 сеансов",
                "Записан 1 сеанс",
                "Записаны 2 сеанса",
                "Записано 5 сеансов",
                "Записано 11 сеансов",
                "Записан 21 сеанс",
                "Записано 112 сеансов",
            ],
        ),
        (
            "%(n)s place free",
            "%(n)s places free",
            [
                "Свободно 0 мест",
                "Свободно 1 место",
                "Свободно 2 места",
                "Свободно 5 мест",
                "Свободно 11 мест",
                "Свободно 21 место",
                "Свободно 112 мест",
            ],
        ),
    ],
)
def test_plurals(one: str, many: str, expected: list[str]) -> None:
    with translation.override("ru"):
        assert [ngettext(one, many, n) % {"n": n} for n in _NUMBERS] == expected


def test_durations_and_ages() -> None:
    with translation.override("ru"):
        assert [dates.minutes_text(n) for n in (1, 2, 5, 21)] == ["1 минута", "2 минуты", "5 минут", "21 минута"]
        assert dates.years_text(dt.date(1984, 3, 4), dt.date(2026, 3, 3)) == "41 год"
        assert dates.years_text(dt.date(1984, 3, 3), dt.date(2026, 3, 3)) == "42 года"


@pytest.mark.parametrize(
    ("language", "expected"), [("en", "Tue 24 Nov 2026, 17:30"), ("ru", "вт, 24 ноября 2026, 17:30")]
)
def test_dates_are_written_as_people_write_them(language: str, expected: str) -> None:
    with translation.override(language):
        assert dates.moment_text(dt.datetime(2026, 11, 24, 17, 30, tzinfo=dt.UTC)) == expected


def test_weekdays_begin_on_monday() -> None:
    with translation.override("ru"):
        assert dates.weekdays_text([3, 1]) == "пн, ср"
