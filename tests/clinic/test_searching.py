"""Patients are found by whatever the person at the desk types."""

import datetime as dt
import random
from collections.abc import Callable

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from clinic.models import Patient, Resource
from clinic.searching import fold, refresh_search_text, search_patients, search_text_for
from tests.factories import ClinicFactory, PatientFactory, PatientPhoneFactory, booked_session


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ковтун", "Kovtun"),
        ("Ковтун", "KOWTUN"),
        ("Пётр", "Петр"),
        ("Щербаков", "Shcherbakov"),
        ("Щербаков", "Szczerbakow"),
        ("Юлия Яковлева", "Yuliya Iakovleva"),
        ("Юлия", "Julia"),
        ("Кузнецов", "Kuznetsov"),
        ("Дмитрий", "Dmitry"),
        ("Хромов", "Khromov"),
        ("Łukasz Żółć", "lukasz zolc"),
        ("Müller", "MULLER"),
        ("Кирилл", "Kiril"),
        ("Солов’йов", "Соловйов"),
        ("Александр", "Alexandr"),
        ("Nowak-Kowalska", "nowak kowalska"),
    ],
)
def test_spellings_of_one_name_fold_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other) != ""


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert fold(text) == fold(text).strip()
    assert all(letter.isascii() and (letter.isalnum() or letter == " ") for letter in fold(text))


def test_digits_of_a_card_are_not_collapsed() -> None:
    assert fold("C00112") == "c00112"


@pytest.fixture
def card(db: None) -> Callable[..., Patient]:
    def make(full_name: str, *phones: str, **fields: object) -> Patient:
        family, *rest = full_name.split()
        patient = PatientFactory(
            full_name=full_name,
            family_name=family,
            given_name=" ".join(rest[:1]),
            patronymic=" ".join(rest[1:]),
            **fields,
        )
        for position, number in enumerate(phones):
            PatientPhoneFactory(patient=patient, number=number, is_main=position == 0)
        refresh_search_text(patient)
        return patient

    return make


@pytest.fixture
def kovtun(card: Callable[..., Patient]) -> Patient:
    card("Ковалёв Иван Петрович", "+79031110000", card_number="A-17")
    card("Nowak Anna", "+48501000111", card_number="B-2")
    return card(
        "Ковтун Мария Ивановна", "+79035551267", "+48600700800", card_number="К-10452", birth_date=dt.date(1961, 2, 3)
    )


@pytest.mark.parametrize(
    "text",
    [
        "Ковтун",
        "ковтун мария",
        "Мария Ковтун",
        "Kovtun",
        "kowtun",
        "Rjdney",  # Ковтун, typed with the English layout on
        "Лщмегт",  # Kovtun, typed with the Russian layout on
        "Ковт",
        "ков мар",
        "Ковтон",
        "Квотун",
        "Kovtnun",
        "Мраия",
        "Мапия Ковтун",
        "Marija Kovtun",
        "1267",
        "555-12-67",
        "8 903 555 12 67",
        "+7 (903) 555-12-67",
        "600700800",
        "0048600700800",
        "К-10452",
        "K-10452",
        "10452",
        "ковтун 1267",
        "03.02.1961",
        "1961-02-03",
    ],
)
def test_a_patient_is_found_first(kovtun: Patient, text: str) -> None:
    assert search_patients(text)[0] == kovtun


@pytest.mark.parametrize(
    "text", ["", "   ", "--", "Филимонов", "7777", "31.02.1961", "%", "ковтун 9999", "\\", "Мария Филимонова"]
)
def test_nobody_is_found(kovtun: Patient, text: str) -> None:
    assert search_patients(text) == []


def test_the_exact_name_comes_before_its_likes(card: Callable[..., Patient]) -> None:
    likely = card("Ivanova Olga")
    exact = card("Ivanov Oleg")
    inside = card("Petrova Ivanna")
    assert search_patients("ivanov") == [exact, likely, inside]
    assert search_patients("ivanov", limit=1) == [exact]


def test_a_merged_card_leads_to_the_survivor(card: Callable[..., Patient]) -> None:
    survivor = card("Petrova Olga")
    married = card("Sidorova Olga", merged_into=survivor)
    card("Fedorova Olga", merged_into=married)
    assert search_patients("Fedorova") == [survivor]
    assert search_patients("Olga") == [survivor]


def test_other_clinics_patients_can_be_left_out(card: Callable[..., Patient]) -> None:
    here, elsewhere, nowhere = (card(f"Lebedev {name}") for name in ("Adam", "Boris", "Viktor"))
    ours, theirs = ClinicFactory(), ClinicFactory(name="Hillside")
    booked_session(patient=here, clinic=ours)
    booked_session(patient=elsewhere, clinic=theirs)
    assert search_patients("lebedev", clinic_ids=[ours.pk]) == [here, nowhere]
    assert search_patients("lebedev") == [here, elsewhere, nowhere]


def test_the_number_of_queries_does_not_grow(card: Callable[..., Patient], django_assert_num_queries: Callable) -> None:
    for number in range(12):
        card(f"Sokolov{number} Ivan", f"+4850100{number:04}")
    with django_assert_num_queries(2):  # patients and their phones
        assert len(list(search_patients("sokolov"))) == 12


def test_a_search_reads_the_index_and_not_the_table(db: None) -> None:
    letters = random.Random(7)
    resources = Resource.objects.bulk_create([Resource(kind="patient") for _ in range(3_000)])
    patients = []
    for resource in resources:
        family, given = ("".join(letters.choices("abcdefghiklmnoprstuv", k=7)).title() for _ in range(2))
        patient = Patient(resource=resource, full_name=f"{given} {family}", family_name=family, given_name=given)
        patient.search_text = search_text_for(patient, [f"+79{letters.randrange(10**9):09}"])
        patients.append(patient)
    Patient.objects.bulk_create(patients)
    with connection.cursor() as cursor:
        cursor.execute("SELECT gin_clean_pending_list('patient_search')")  # as a vacuum would
        cursor.execute("ANALYZE clinic_patient")
    for text in (patients[17].family_name[:-1] + "x", patients[17].search_text.split()[-1][-4:]):
        with PlansOfQueries() as plans:
            assert patients[17] in search_patients(text)
        assert any("patient_search" in plan for plan in plans.texts), plans.texts
        assert not any("Seq Scan on clinic_patient" in plan for plan in plans.texts), plans.texts


class PlansOfQueries:
    """Collects EXPLAIN of every query on patients that runs inside."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __enter__(self) -> "PlansOfQueries":
        self._wrapping = connection.execute_wrapper(self._explain)
        self._wrapping.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._wrapping.__exit__(*error)  # type: ignore[arg-type]

    def _explain(self, execute: Callable, sql: str, params: object, many: bool, context: dict) -> object:
        if sql.startswith("SELECT") and 'FROM "clinic_patient"' in sql:
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {sql}", params)
                self.texts.append("\n".join(row[0] for row in cursor.fetchall()))
        return execute(sql, params, many, context)
