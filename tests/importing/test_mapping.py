"""Mappings, days in words and wishes in free text."""

from datetime import date, datetime, time
from pathlib import Path

import pytest

from courses.importing.mapping import MappingError, build_mapping, load_mapping
from courses.importing.timetable import build_rule, find_first, list_dates, parse_days, parse_rule
from courses.importing.values import UnreadableError
from courses.importing.wishes import Wish, read_wish
from tests.importing.scenes import FRONT_DESK_MAPPING, kinds, read, write_files

RUSSIAN = load_mapping(FRONT_DESK_MAPPING)
WEEK = RUSSIAN.words["weekday"]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("пн-пт", ("MO", "TU", "WE", "TH", "FR")),
        ("пн,ср,пт", ("MO", "WE", "FR")),
        ("Пн – Ср; сб", ("MO", "TU", "WE", "SA")),
        ("сб-пн", ("MO", "SA", "SU")),
        ("mon wed", ("MO", "WE")),
    ],
)
def test_days_in_words(text: str, days: tuple[str, ...]) -> None:
    assert parse_days(text, WEEK) == days


def test_days_that_are_none() -> None:
    for text in ("по будням", "", "пн-завтра"):
        with pytest.raises(UnreadableError, match="unknown_days"):
            parse_days(text, WEEK)


def test_even_dates_are_weekdays_with_even_numbers() -> None:
    rule = build_rule("Чётные", weekdays=WEEK, dates=RUSSIAN.words["dates"], until=date(2026, 12, 10))
    start = find_first(rule, earliest=date(2026, 12, 1), at=time(8))
    assert start == datetime.combine(date(2026, 12, 2), time(8))
    days = list_dates(
        rule, dtstart=start, first=date(2026, 12, 1), last=date(2026, 12, 31), exdates={date(2026, 12, 8)}
    )
    assert [day.day for day in days] == [2, 4, 10]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=WEEKLY;INTERVAL=0",
        "FREQ=WEEKLY;BYDAY=XX",
        "",
        "RRULE",
        "FREQ=WEEKLY;UNTIL=20261211T000000Z",
    ],
)
def test_rules_that_no_shift_has(rule: str) -> None:
    with pytest.raises(UnreadableError, match="bad_rule"):
        parse_rule(rule, dtstart=datetime.combine(date(2026, 11, 2), time(8)))


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("утро", Wish(latest=time(12))),
        ("после 17:00", Wish(earliest=time(17))),
        ("не раньше 10", Wish(earliest=time(10))),
        ("с 9 до 11:30", Wish(earliest=time(9), latest=time(11, 30))),
        ("кроме пятницы", Wish(days=("MO", "TU", "WE", "TH", "SA", "SU"))),
        ("пн, ср, пт", Wish(days=("MO", "WE", "FR"))),
        ("утро; кроме среды; любимый зал", Wish(("MO", "TU", "TH", "FR", "SA", "SU"), None, time(12), "любимый зал")),
        ("утро; после 17", Wish(latest=time(12), rest="после 17")),
        ("после 99", Wish(rest="после 99")),
        ("тихо", Wish(rest="тихо")),
    ],
)
def test_wishes_are_understood_or_left_as_text(text: str, wish: Wish) -> None:
    assert read_wish(text, RUSSIAN) == wish


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"file": {}}, "file"),
        ({"files": {"cats": {}}}, "cats"),
        ({"files": {"staff": {"columns": {"colour": "x"}}}}, "colour"),
        ({"files": {"staff": {"columns": {"staff_id": 1}}}}, "staff_id"),
        ({"words": {"gender": {"х": "X"}}}, "words.gender"),
        ({"wishes": [{"from": "10"}]}, "phrase"),
        ({"wishes": 5}, "wishes"),
        ({"names": {"patronymics": "no"}}, "patronymics"),
        ({"rows": {"footer": "total"}}, "footer"),
    ],
)
def test_a_wrong_mapping_is_named(data: dict[str, object], key: str) -> None:
    with pytest.raises(MappingError, match=key):
        build_mapping(data)


def test_a_mapping_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"none\.toml"):
        load_mapping(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[names", encoding="utf-8")
    with pytest.raises(MappingError, match=r"bad\.toml"):
        load_mapping(tmp_path / "bad.toml")


def test_headings_and_words_of_ones_own(tmp_path: Path) -> None:
    mapping = build_mapping(
        {
            "files": {
                "rooms": {
                    "file": "salas.csv",
                    "columns": {"room_id": "Sala", "room_type": "Tipo", "capacity": "Plazas"},
                }
            },
            "words": {"boolean": {"sí": True}},
        }
    )
    write_files(
        tmp_path, rooms="", patients="patient_id,full_name,phone,consent_data_processing\nP1,Ana Gil,+34911111111,SÍ\n"
    )
    (tmp_path / "salas.csv").write_text("Plazas;Tipo;SALA\n2;massage;S1\n", encoding="utf-8")
    files = read(tmp_path, mapping)
    assert [(room.room_id, room.capacity) for room in files.rooms] == [("S1", 2)]
    assert files.patients[0].consent_data_processing
    assert kinds(files, "salas.csv") == []
