"""Patients' cards: making, correcting, and noticing that a card for the same person is already there.

A card belongs to the whole organisation, not to one clinic. Only people with EDIT_PATIENTS write; `by=None` stands for
the program itself (an import).
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from rapidfuzz import fuzz

from clinic.errors import Conflict, Invalid, NotAllowed
from clinic.locking import writing
from clinic.models import Clinic, ContactPerson, Patient, PatientPhone, Resource, ResourceKind, User
from clinic.models.resources import Sex
from clinic.permissions import Permission
from clinic.searching import fold, refresh_search_text, search_text_for

CONSENTS = ("consent_data", "consent_email", "consent_sms", "consent_marketing")
_NAMES = ("full_name", "family_name", "given_name", "patronymic")
_TEXTS = (*_NAMES, "card_number", "sex", "language", "email", "note")
_FIELDS = (*_TEXTS, "birth_date", *CONSENTS)

_OLDEST = dt.date(1900, 1, 1)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")
_MOST_PHONES = 10
_MOST_NOTE = 10_000
# One letter wrong in a word of six; Olga and Oleg are less alike.
_SIMILAR_NAME = 80


@dataclass(frozen=True, slots=True)
class Phone:
    """A number in E.164 with its owner, if that is not the patient."""

    number: str
    owner: str = ""
    is_main: bool = False


def create_patient(
    *,
    full_name: str = "",
    by: User | None,
    now: dt.datetime,
    clinic: Clinic | None = None,
    phones: Iterable[str | Mapping[str, Any]] = (),
    contacts: Iterable[Mapping[str, Any]] = (),
    duplicates_checked: bool = False,
    ask_about_phones: bool = False,
    **fields: Any,
) -> Patient:
    """Make a card, with its phones and contact persons.

    `fields` are family_name, given_name, patronymic, card_number, sex, birth_date, language, email, note and the four
    consents; `full_name` is made of the parts of the name when it is empty. A phone is a number or a mapping with
    number, owner and is_main; without a country code it is read as one of `clinic`'s country. Language is the
    clinic's unless given. Contacts are mappings with name, relation, phone, is_guardian.

    Raises Invalid naming each wrong field, NotAllowed, and, unless `duplicates_checked`, Conflict with the code
    "possible_duplicate" and `details["patients"]`, a list of {"id", "full_name", "birth_date", "card_number"}. With
    `ask_about_phones` a shared phone alone is such a question too.
    """
    _require_permission(by)
    clinic = clinic or _usual_clinic(by)
    today = clinic.local_date(now) if clinic else now.date()
    country = clinic.country if clinic else ""
    errors: dict[str, list[Any]] = {}
    values = _clean(
        {"full_name": full_name, "language": clinic.language if clinic else "", **fields}, errors, today=today
    )
    if not values.get("full_name") and "full_name" not in errors:
        parts = (values.get(name, "") for name in ("family_name", "given_name", "patronymic"))
        values["full_name"] = " ".join(part for part in parts if part)
        if not values["full_name"]:
            errors["full_name"] = [_("Enter the name.")]
    numbers = _clean_phones(phones, errors, country=country)
    people = _clean_contacts(contacts, errors, country=country)
    if errors:
        raise Invalid(details=errors)
    if not duplicates_checked:
        _refuse_duplicates(values, numbers, ask_about_phones=ask_about_phones)
    if any(values.get(consent) for consent in CONSENTS):
        values["consent_date"] = today
    with writing(), _card_number_once():
        patient = Patient(resource=Resource.objects.create(kind=ResourceKind.PATIENT), registered_on=today, **values)
        patient.search_text = search_text_for(patient, [phone.number for phone in numbers])
        patient.save(force_insert=True)
        _write_phones(patient, numbers)
        ContactPerson.objects.bulk_create(ContactPerson(patient=patient, **person) for person in people)
    return patient


def update_patient(
    *,
    patient: Patient,
    by: User | None,
    now: dt.datetime,
    clinic: Clinic | None = None,
    phones: Iterable[str | Mapping[str, Any]] | None = None,
    contacts: Iterable[Mapping[str, Any]] | None = None,
    **fields: Any,
) -> Patient:
    """Correct a card: only what is named changes. `phones` and `contacts`, when given, replace the old ones.

    Consents are for `record_consent`, which dates them. Raises Invalid, NotAllowed; Conflict for a merged card.
    """
    _require_permission(by)
    clinic = clinic or _usual_clinic(by)
    errors: dict[str, list[Any]] = {
        consent: [_("Consent is recorded by itself, with its date.")]
        for consent in CONSENTS
        if fields.pop(consent, None) is not None
    }
    values = _clean(fields, errors, today=clinic.local_date(now) if clinic else now.date())
    if "full_name" in values and not values["full_name"]:
        errors.setdefault("full_name", [_("Enter the name.")])
    country = clinic.country if clinic else ""
    numbers = None if phones is None else _clean_phones(phones, errors, country=country)
    people = None if contacts is None else _clean_contacts(contacts, errors, country=country)
    if errors:
        raise Invalid(details=errors)
    with writing(), _card_number_once():
        locked = _lock(patient)
        for name, value in values.items():
            setattr(locked, name, value)
        locked.save(update_fields=list(values) or None)
        if numbers is not None:
            # Deleted first: the main phone is unique, and so is each number.
            locked.phones.exclude(number__in=[phone.number for phone in numbers]).delete()
            locked.phones.update(is_main=False)
            _write_phones(locked, numbers)
        if people is not None:
            _write_contacts(locked, people)
        refresh_search_text(locked)
    return locked


def record_consent(
    *,
    patient: Patient,
    by: User | None,
    now: dt.datetime,
    data: bool | None = None,
    email: bool | None = None,
    sms: bool | None = None,
    marketing: bool | None = None,
) -> Patient:
    """Record what the patient agrees to or withdraws; None leaves a consent as it is. Today becomes its date."""
    _require_permission(by)
    given = dict(zip(CONSENTS, (data, email, sms, marketing), strict=True))
    changed = {name: value for name, value in given.items() if value is not None}
    clinic = _usual_clinic(by)
    with writing():
        locked = _lock(patient)
        for name, value in changed.items():
            setattr(locked, name, value)
        locked.consent_date = clinic.local_date(now) if clinic else now.date()
        locked.save(update_fields=[*changed, "consent_date"])
    return locked


def possible_duplicates(
    *,
    full_name: str = "",
    birth_date: dt.date | None = None,
    phones: Iterable[str] = (),
    besides: Patient | None = None,
    limit: int = 5,
) -> list[Patient]:
    """Cards that may be this person's: two of phone, birth date and similar name agree, or the same name stands
    there and no birth date speaks against it. Most agreement first. Phones in E.164; merged cards do not count.

    A shared phone alone is no sign: families share phones.
    """
    numbers = set(phones)
    name = fold(full_name)
    near = Q(phones__number__in=numbers)
    if birth_date is not None:
        near |= Q(birth_date=birth_date)
    for words in {name, " ".join(reversed(name.split()))} - {""}:
        near |= Q(search_text__contains=f" {words} ")
    cards = Patient.objects.filter(near, merged_into=None).prefetch_related("phones").distinct().order_by("pk")
    if besides is not None:
        cards = cards.exclude(pk=besides.pk)
    found = []
    for card in cards:
        likeness = _likeness(name.split(), fold(card.full_name).split())
        same_birth = birth_date is not None and card.birth_date == birth_date
        other_birth = birth_date is not None and card.birth_date is not None and not same_birth
        same_phone = any(str(phone.number) in numbers for phone in card.phones.all())
        agreements = same_phone + same_birth + (likeness >= _SIMILAR_NAME)
        if agreements >= 2 or (likeness == 100 and not other_birth):
            found.append((-agreements, -likeness, card.pk, card))
    return [card for *_order, card in sorted(found, key=lambda hit: hit[:3])][:limit]


def _likeness(one: list[str], other: list[str]) -> float:
    """How alike two names are, 0 to 100: their least alike words, in any order; a patronymic may be left out."""
    fewer, more = sorted((one, other), key=len)
    if len(fewer) < 2:
        return 0
    return min(max(fuzz.ratio(word, candidate) for candidate in more) for word in fewer)


# --- What is accepted -----------------------------------------------------------------------------------------------


def _clean(fields: Mapping[str, Any], errors: dict[str, list[Any]], *, today: dt.date) -> dict[str, Any]:
    if unknown := sorted(set(fields) - set(_FIELDS)):
        raise TypeError(f"a patient's card has no {', '.join(unknown)}")
    values = dict(fields)
    for name in set(_TEXTS) & set(fields):
        values[name] = _clean_text(name, fields[name] or "", errors)
    for name in set(_NAMES) & set(fields):
        if values[name] and not any(letter.isalpha() for letter in values[name]):
            errors.setdefault(name, [_("A name has letters. Correct it.")])
    if values.get("sex") and values["sex"] not in Sex.values:
        errors.setdefault("sex", [_("Choose female or male, or leave it empty.")])
    if values.get("language") and not _LANGUAGE.fullmatch(values["language"]):
        errors.setdefault("language", [_("Enter a language code, like pl.")])
    if values.get("email"):
        try:
            validate_email(values["email"])
        except ValidationError:
            errors.setdefault("email", [_("Enter an e-mail address, like name@example.org.")])
    _check_birth_date(values.get("birth_date"), errors, today=today)
    return values


def _clean_text(name: str, value: Any, errors: dict[str, list[Any]]) -> str:
    text = unicodedata.normalize("NFC", str(value))
    if name != "note":
        text = " ".join(text.split())
    if any(unicodedata.category(letter) == "Cc" and letter not in "\n\r\t" for letter in text):
        errors.setdefault(name, [_("Remove the characters that cannot be seen.")])
    longest = getattr(Patient._meta.get_field(name), "max_length", None) or _MOST_NOTE
    if len(text) > longest:
        errors.setdefault(name, [_("At most %(limit)s characters.") % {"limit": longest}])
    return text


def _check_birth_date(value: Any, errors: dict[str, list[Any]], *, today: dt.date) -> None:
    if value is None:
        return
    if not isinstance(value, dt.date):
        errors["birth_date"] = [_("Enter a date.")]
    elif value > today:
        errors["birth_date"] = [_("The birth date lies in the future. Check the year.")]
    elif value < _OLDEST:
        errors["birth_date"] = [_("The birth date is before 1900. Check the year.")]


def _clean_phones(
    phones: Iterable[str | Mapping[str, Any]], errors: dict[str, list[Any]], *, country: str
) -> list[Phone]:
    found: dict[str, Phone] = {}
    for given in phones:
        phone = given if isinstance(given, Mapping) else {"number": given}
        text = str(phone.get("number") or "").strip()
        if not text:
            continue
        number = _e164(text, country)
        owner = " ".join(str(phone.get("owner") or "").split())
        if number is None:
            errors.setdefault("phones", []).append(_number_sentence(text))
        elif len(owner) > 100 or "\0" in owner:
            errors.setdefault("phones", []).append(_("At most %(limit)s characters.") % {"limit": 100})
        else:
            found.setdefault(number, Phone(number, owner, bool(phone.get("is_main"))))
    if len(found) > _MOST_PHONES:
        errors.setdefault("phones", []).append(_("At most %(limit)s numbers.") % {"limit": _MOST_PHONES})
    return _with_one_main(list(found.values()))


def _with_one_main(phones: Sequence[Phone]) -> list[Phone]:
    main = next((phone for phone in phones if phone.is_main), phones[0] if phones else None)
    return [Phone(phone.number, phone.owner, is_main=phone is main) for phone in phones]


def _e164(text: str, country: str) -> str | None:
    try:
        number = phonenumbers.parse(text, country or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _number_sentence(text: str) -> Any:
    return _("“%(number)s” is not a phone number. Write it with the country code, like +48 22 123 45 67.") % {
        "number": text[:40]
    }


def _clean_contacts(
    contacts: Iterable[Mapping[str, Any]], errors: dict[str, list[Any]], *, country: str
) -> list[dict[str, Any]]:
    people = []
    for contact in contacts:
        name = " ".join(str(contact.get("name") or "").split())
        relation = " ".join(str(contact.get("relation") or "").split())
        phone = str(contact.get("phone") or "").strip()
        number = _e164(phone, country) if phone else ""
        if not name or len(name) > 200 or len(relation) > 100 or "\0" in name + relation:
            errors.setdefault("contacts", []).append(_("Enter the contact person's name, at most 200 characters."))
        if number is None:
            errors.setdefault("contacts", []).append(_number_sentence(phone))
        people.append(
            {
                "name": name,
                "relation": relation,
                "phone": number or "",
                "is_guardian": bool(contact.get("is_guardian")),
            }
        )
    return people


# --- Reading and writing --------------------------------------------------------------------------------------------


def _require_permission(by: User | None) -> None:
    if by is not None and not by.may(Permission.EDIT_PATIENTS):
        raise NotAllowed()


def _usual_clinic(by: User | None) -> Clinic | None:
    """The clinic whose country, zone and language count where none is named: the writer's first, else the first."""
    ids = by.clinic_ids(Permission.EDIT_PATIENTS) if by is not None else []
    return Clinic.objects.filter(pk__in=ids[:1]).first() if ids else Clinic.objects.order_by("pk").first()


def _refuse_duplicates(values: Mapping[str, Any], phones: Sequence[Phone], *, ask_about_phones: bool) -> None:
    cards = possible_duplicates(
        full_name=values["full_name"],
        birth_date=values.get("birth_date"),
        phones=[phone.number for phone in phones],
    )
    if ask_about_phones:
        known = {card.pk for card in cards}
        sharing = [card for phone in phones for card in _cards_with_number(phone.number) if card.pk not in known]
        cards += list(dict.fromkeys(sharing))
    if cards:
        raise Conflict(
            _("There may be a card of this person already. Open it, or confirm that this is someone else."),
            code="possible_duplicate",
            details={
                "patients": [
                    {
                        "id": card.pk,
                        "full_name": card.full_name,
                        "birth_date": card.birth_date.isoformat() if card.birth_date else None,
                        "card_number": card.card_number,
                    }
                    for card in cards
                ]
            },
        )


@contextmanager
def _card_number_once() -> Iterator[None]:
    """Turns the database's refusal of a card number that is taken into a sentence about that field."""
    try:
        yield
    except IntegrityError as error:
        if "patient_card_number_once" not in str(error):
            raise
        raise Invalid(details={"card_number": [_("Another card has this number.")]}) from error


def _lock(patient: Patient) -> Patient:
    """The card as it is now, locked. Raises Conflict when it was merged into another."""
    locked = Patient.objects.select_for_update(no_key=True, of=("self",)).get(pk=patient.pk)
    if locked.merged_into_id is not None:
        raise Conflict(
            _("This card was merged into another. Open that one."), details={"patient": locked.merged_into_id}
        )
    return locked


def _write_phones(patient: Patient, phones: Sequence[Phone]) -> None:
    PatientPhone.objects.bulk_create(
        [
            PatientPhone(patient=patient, number=phone.number, owner=phone.owner, is_main=phone.is_main)
            for phone in phones
        ],
        update_conflicts=True,
        unique_fields=["patient", "number"],
        update_fields=["owner", "is_main"],
    )


def _write_contacts(patient: Patient, people: Sequence[Mapping[str, Any]]) -> None:
    """Those named as before keep their row, so that the trail tells a correction from a new person."""
    known = {contact.name: contact for contact in patient.contacts.all()}
    for person in people:
        contact = known.get(person["name"]) or ContactPerson(patient=patient)
        for name, value in person.items():
            setattr(contact, name, value)
        contact.save()
    patient.contacts.exclude(name__in=[person["name"] for person in people]).delete()


def cards_with_phone(number: str, *, clinic: Clinic | None) -> list[Patient]:
    """Cards with this number, written in any way: relatives share phones, so it is a question, not an error."""
    e164 = _e164(number, clinic.country if clinic else "")
    return [] if e164 is None else _cards_with_number(e164)


def _cards_with_number(number: str) -> list[Patient]:
    return list(Patient.objects.filter(phones__number=number, merged_into=None).distinct()[:5])
