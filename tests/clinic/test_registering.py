"""Cards of patients: what is accepted, what is refused with which sentence, and who is noticed as known already."""

import datetime as dt
from typing import Any

import pytest

from clinic.errors import Conflict, Invalid, NotAllowed
from clinic.models import Clinic, Patient, User
from clinic.permissions import Role
from clinic.registering import create_patient, possible_duplicates, record_consent, update_patient
from clinic.searching import search_patients
from tests.factories import NOW, ClinicFactory, PatientFactory, PatientPhoneFactory, user_with_role

BORN = dt.date(1961, 2, 3)


@pytest.fixture
def clinic(db: None) -> Clinic:
    return ClinicFactory()


@pytest.fixture
def alice(clinic: Clinic) -> User:
    return user_with_role(Role.RECEPTION, clinic)


def register(by: User | None, full_name: str = "Kovtun Maria", **fields: Any) -> Patient:
    return create_patient(full_name=full_name, by=by, now=NOW, **fields)


def test_a_card_keeps_what_it_was_given(alice: User) -> None:
    made = register(
        alice,
        "  Ковтун   Мария ",
        card_number="K-1",
        birth_date=BORN,
        phones=["501 234 567", {"number": "+79031234567", "owner": "daughter"}, "+48501234567"],
        contacts=[{"name": "Olga", "phone": "502345678", "is_guardian": True}],
        consent_data=True,
    )
    patient = Patient.objects.get(pk=made.pk)
    assert patient.full_name == "Ковтун Мария"
    assert patient.resource.kind == "patient"
    assert patient.language == "en"  # the clinic's
    assert patient.registered_on == patient.consent_date == NOW.date()
    assert [(str(phone.number), phone.owner, phone.is_main) for phone in patient.phones.all()] == [
        ("+48501234567", "", True),
        ("+79031234567", "daughter", False),
    ]
    assert [str(contact.phone) for contact in patient.contacts.all()] == ["+48502345678"]
    assert search_patients("kovtun 4567") == [patient]


def test_the_name_may_come_in_parts(alice: User) -> None:
    patient = register(alice, "", family_name="Ковтун", given_name="Мария", patronymic="Ивановна")
    assert patient.full_name == "Ковтун Мария Ивановна"


def test_a_consent_has_a_date_only_if_there_is_one(alice: User) -> None:
    patient = register(alice)
    assert patient.consent_date is None
    later = NOW + dt.timedelta(days=3)
    changed = record_consent(patient=patient, data=True, email=True, by=alice, now=later)
    assert (changed.consent_data, changed.consent_email, changed.consent_sms) == (True, True, False)
    assert changed.consent_date == later.date()
    assert not record_consent(patient=patient, email=False, by=alice, now=later).consent_email


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"full_name": "  "}, {"full_name"}),
        ({"full_name": "12345"}, {"full_name"}),
        ({"full_name": "Анна\x00"}, {"full_name"}),
        ({"full_name": "a" * 201}, {"full_name"}),
        ({"family_name": "a" * 101}, {"family_name"}),
        ({"birth_date": NOW.date() + dt.timedelta(days=1)}, {"birth_date"}),
        ({"birth_date": dt.date(1899, 12, 31)}, {"birth_date"}),
        ({"birth_date": "yesterday"}, {"birth_date"}),
        ({"email": "nobody"}, {"email"}),
        ({"sex": "X"}, {"sex"}),
        ({"language": "Polish!"}, {"language"}),
        ({"phones": ["12"]}, {"phones"}),
        ({"phones": ["+48 501 234 56"]}, {"phones"}),
        ({"phones": [f"+4850100{n:04}" for n in range(11)]}, {"phones"}),
        ({"contacts": [{"name": ""}]}, {"contacts"}),
        ({"contacts": [{"name": "Olga", "phone": "1"}]}, {"contacts"}),
        ({"email": "nobody", "phones": ["12"], "birth_date": dt.date(2999, 1, 1)}, {"email", "phones", "birth_date"}),
    ],
)
def test_wrong_entries_are_named_together_and_nothing_is_written(alice: User, fields: dict, wrong: set) -> None:
    with pytest.raises(Invalid) as refused:
        register(alice, **fields)
    assert set(refused.value.details) == wrong
    assert all(str(sentence) for sentences in refused.value.details.values() for sentence in sentences)
    assert not Patient.objects.exists()


def test_born_today_is_not_in_the_future(alice: User) -> None:
    assert register(alice, birth_date=NOW.date()).birth_date == NOW.date()


def test_a_card_number_is_given_once(alice: User) -> None:
    register(alice, card_number="K-1")
    with pytest.raises(Invalid) as refused:
        register(alice, "Nowak Anna", card_number="K-1")
    assert set(refused.value.details) == {"card_number"}
    assert Patient.objects.count() == 1


def test_only_those_who_may_edit_patients_do(clinic: Clinic) -> None:
    bob = user_with_role(Role.THERAPIST, clinic)
    with pytest.raises(NotAllowed):
        register(bob)
    patient = register(None)
    for refused in (update_patient, record_consent):
        with pytest.raises(NotAllowed):
            refused(patient=patient, by=bob, now=NOW)


def test_a_change_changes_what_it_names(alice: User) -> None:
    patient = register(alice, phones=["+48501234567", "+48502345678"], birth_date=BORN)
    update_patient(
        patient=patient,
        full_name="Nowak Maria",
        phones=["+48503333333", {"number": "502345678", "is_main": True}],
        by=alice,
        now=NOW,
    )
    patient = Patient.objects.get(pk=patient.pk)
    assert (patient.full_name, patient.birth_date) == ("Nowak Maria", BORN)
    assert {str(phone.number): phone.is_main for phone in patient.phones.all()} == {
        "+48502345678": True,
        "+48503333333": False,
    }
    assert search_patients("3333") == search_patients("nowak") == [patient]
    assert search_patients("501234567") == search_patients("kovtun") == []


def test_a_change_is_checked_as_a_new_card_is(alice: User) -> None:
    patient = register(alice)
    with pytest.raises(Invalid) as refused:
        update_patient(patient=patient, full_name=" ", phones=["12"], consent_data=True, by=alice, now=NOW)
    assert set(refused.value.details) == {"full_name", "phones", "consent_data"}
    other = register(alice, "Nowak Anna", card_number="K-2")
    with pytest.raises(Invalid):
        update_patient(patient=patient, card_number=other.card_number, by=alice, now=NOW)


def test_a_merged_card_is_left_alone(alice: User) -> None:
    survivor = register(alice)
    merged = PatientFactory(merged_into=survivor)
    with pytest.raises(Conflict) as refused:
        update_patient(patient=merged, full_name="Nowak Anna", by=alice, now=NOW)
    assert refused.value.details == {"patient": survivor.pk}


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({"full_name": "Ковтун Мария Ивановна"}, True),
        ({"full_name": "Maria Kovtun"}, True),
        ({"full_name": "Ковтун Мария", "birth_date": BORN}, True),
        ({"full_name": "Ковтон Мария", "birth_date": BORN}, True),
        ({"full_name": "Ковтон Мария", "phones": ["+79035551267"]}, True),
        ({"full_name": "Петрова Мария", "birth_date": BORN, "phones": ["+79035551267"]}, True),
        ({"full_name": "Ковтун Мария", "birth_date": dt.date(1990, 1, 1)}, False),
        ({"full_name": "Ковтун Олег", "phones": ["+79035551267"]}, False),  # a family shares a phone
        ({"full_name": "Петрова Анна", "birth_date": BORN}, False),
        ({"full_name": "Мария"}, False),
    ],
)
def test_a_person_who_has_a_card_is_noticed(alice: User, fields: dict, known: bool) -> None:
    card = register(alice, "Ковтун Мария Ивановна", birth_date=BORN, phones=["+79035551267"])
    if not known:
        assert register(alice, **fields).pk != card.pk
        return
    with pytest.raises(Conflict) as refused:
        register(alice, **fields)
    assert refused.value.code == "possible_duplicate"
    assert refused.value.details["patients"] == [
        {"id": card.pk, "full_name": card.full_name, "birth_date": BORN.isoformat(), "card_number": ""}
    ]
    assert register(alice, **fields, duplicates_checked=True).pk != card.pk


def test_the_surest_duplicate_comes_first(alice: User) -> None:
    namesake = PatientFactory(full_name="Anna Nowak", birth_date=None, search_text=" ana novak ")
    twice = PatientFactory(full_name="Anna Nowak", birth_date=BORN, search_text=" ana novak ")
    PatientPhoneFactory(patient=twice, number="+48501234567")
    PatientFactory(full_name="Anna Nowak", birth_date=BORN, merged_into=twice, search_text=" ana novak ")
    question = {"full_name": "Anna Nowak", "birth_date": BORN, "phones": ["+48501234567"]}
    assert possible_duplicates(**question) == [twice, namesake]
    assert possible_duplicates(**question, besides=twice) == [namesake]
