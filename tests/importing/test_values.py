"""Values of cells, one by one."""

from datetime import date, time

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from courses.importing.values import (
    UnreadableError,
    is_same_name,
    parse_birth_date,
    parse_date,
    parse_email,
    parse_icd10,
    parse_name,
    parse_number,
    parse_phones,
    parse_position,
    parse_time,
    parse_time_range,
    unmix_scripts,
)
from tests.importing.scenes import TODAY


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y"])
@given(day=st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 12, 31)))
def test_every_date_is_read_in_every_form(form: str, day: date) -> None:
    assert parse_date(day.strftime(form)) == (day, False)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("31.02.2026", "impossible_date"),
        ("2026-13-01", "impossible_date"),
        ("soon", "date_format"),
        ("", "date_format"),
    ],
)
def test_what_is_no_date(text: str, kind: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        parse_date(text)
    assert caught.value.kind == kind


@pytest.mark.parametrize(("text", "year"), [("26.10.95", 1995), ("21.11.38", 1938), ("01.02.10", 2010)])
def test_birth_year_of_two_digits_belongs_to_someone_alive(text: str, year: int) -> None:
    born, kinds = parse_birth_date(text, today=TODAY)
    assert (born.year, kinds) == (year, ("two_digit_year",))


def test_nobody_is_born_tomorrow() -> None:
    with pytest.raises(UnreadableError, match="birth_in_future"):
        parse_birth_date("12.05.2062", today=TODAY)
    assert parse_birth_date("22.11.2026", today=TODAY) == (TODAY, ())


@given(st.times())
def test_every_time_is_read_and_its_odd_forms_told(moment: time) -> None:
    moment = moment.replace(second=0, microsecond=0)
    assert parse_time(f"{moment:%H:%M}") == (moment, ())
    for odd in (f"{moment:%H.%M}", f"{moment:%H-%M}", f"{moment:%H:%M:%S}"):
        assert parse_time(odd) == (moment, ("time_format",))


@pytest.mark.parametrize("text", ["24:00", "9", "noon", "12:60", ""])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UnreadableError, match="impossible_time"):
        parse_time(text)


def test_time_ranges() -> None:
    assert parse_time_range("11:00 – 11:30") == (time(11), time(11, 30))
    with pytest.raises(UnreadableError, match="end_before_start"):
        parse_time_range("11:30-11:00")


@pytest.mark.parametrize("text", ["8 (927) 555-12-34", "+79275551234", "8-927-555-12-34", "+7 927 555 12 34"])
def test_phone_forms_are_one_number(text: str) -> None:
    phones, kinds = parse_phones(text, country="RU")
    assert ([phone.number for phone in phones], kinds) == (["+79275551234"], ())


@pytest.mark.parametrize("between", ["; ", ", ", " / ", " и ", "\n"])
def test_two_phones_in_a_cell(between: str) -> None:
    phones, kinds = parse_phones(f"+79275551234{between}8 927 555-12-35 (дочь)", country="RU", separators=["и"])
    assert [(phone.number, phone.owner) for phone in phones] == [("+79275551234", ""), ("+79275551235", "дочь")]
    assert kinds == ("phone_two",)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("", "phone_empty"), ("+7 937 555 4", "phone_bad"), ("555-14-05", "phone_bad"), ("ask", "phone_bad")],
)
def test_no_phone(text: str, kind: str) -> None:
    assert parse_phones(text, country="RU") == ((), (kind,))


@given(st.text(max_size=40))
def test_whatever_is_taken_for_a_phone_can_be_dialled(text: str) -> None:
    for phone in parse_phones(text, country="PL")[0]:
        assert phonenumbers.is_possible_number(phonenumbers.parse(phone.number))


@pytest.mark.parametrize(
    ("text", "parts", "kinds"),
    [
        ("Ефимов Борис Ермилович", ("Ефимов", "Борис", "Ермилович"), ()),
        ("ЕФИМОВ БОРИС ЕРМИЛОВИЧ", ("Ефимов", "Борис", "Ермилович"), ("upper_case",)),
        ("Mолчанов Николай Харлампович", ("Молчанов", "Николай", "Харлампович"), ("mixed_script",)),
        ("Элеонора Ниловна Евдокимова", ("Евдокимова", "Элеонора", "Ниловна"), ()),
        ("Нгуен Лан", ("Нгуен", "Лан", ""), ("no_patronymic",)),
        ("Алиев Тофик Гейдар оглы", ("Алиев", "Тофик", "Гейдар оглы"), ("four_part_name",)),
        ("Гусев К.А.", ("Гусев", "К.", "А."), ("initials_only",)),
        ("Гусев К. А.", ("Гусев", "К.", "А."), ("initials_only",)),
        ("Мадонна", ("Мадонна", "", ""), ()),
    ],
)
def test_names_with_patronymics(text: str, parts: tuple[str, str, str], kinds: tuple[str, ...]) -> None:
    name, found = parse_name(text, patronymics=True)
    assert (name.family, name.given, name.patronymic) == parts
    assert found == kinds


def test_names_without_patronymics_are_not_judged_by_their_parts() -> None:
    name, kinds = parse_name("Zofia Maria Czarnecka-Lis", patronymics=False)
    assert (name.family, name.given, kinds) == ("Czarnecka-Lis", "Zofia Maria", ())
    assert parse_name("夏静", patronymics=False)[1] == ()


@given(st.text("АаВЕКМНОРСТХабвгд ёЁ-", min_size=1, max_size=20))
def test_pure_scripts_are_left_alone(text: str) -> None:
    assert unmix_scripts(text) == text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Устинова Фёкла Романовна", "устинова  фекла РОМАНОВНА", True),
        ("Элеонора Ниловна Евдокимова", "Евдокимова Элеонора Ниловна", True),
        ("Гусев К.А.", "Гусев Кирилл Андреевич", True),
        ("Якушево Раиса Георгиевна", "Якушева Раиса Георгиевна", False),
        ("Гусев К.А.", "Гусев Пётр Андреевич", False),
    ],
)
def test_same_names(one: str, other: str, same: bool) -> None:
    assert is_same_name(one, other) is same
    assert is_same_name(other, one) is same


@pytest.mark.parametrize(
    ("text", "code", "kinds"),
    [
        ("M54.5", "M54.5", ()),
        ("М54.5", "M54.5", ("icd_cyrillic",)),
        ("M51,1", "M51.1", ("icd_comma",)),
        ("м51,1", "M51.1", ("icd_cyrillic", "icd_comma")),
        ("back pain", "", ("icd_bad",)),
        ("", "", ()),
    ],
)
def test_icd10(text: str, code: str, kinds: tuple[str, ...]) -> None:
    assert parse_icd10(text) == (code, kinds)


def test_emails() -> None:
    assert parse_email(" a@example.com ") == ("a@example.com", ())
    assert parse_email("petrov.example.ru") == ("", ("email_bad",))
    assert parse_email("") == ("", ())


@given(st.integers(1, 60))
def test_numbers(number: int) -> None:
    assert parse_number(f" {number} ", low=1, high=60) == number


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1О", "not_a_number"),
        ("١٠", "not_a_number"),
        ("-1", "not_a_number"),
        ("61", "out_of_range"),
        ("9" * 400, "out_of_range"),
    ],
)
def test_what_is_no_number(text: str, kind: str) -> None:
    with pytest.raises(UnreadableError, match=kind):
        parse_number(text, low=1, high=60)


@given(st.integers(1, 99), st.integers(1, 99))
def test_positions(number: int, total: int) -> None:
    assume(number <= total)
    assert parse_position(f"{number} из {total}") == parse_position(f"{number}/{total}") == (number, total)
    if number < total:
        with pytest.raises(UnreadableError, match="bad_position"):
            parse_position(f"{total} из {number}")
