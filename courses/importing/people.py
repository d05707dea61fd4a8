"""Patients of the files: cards, phones, contacts, and a task for every pair of cards that may be one person."""

from django.utils.translation import gettext as _

from clinic.models import Clinic, ContactPerson, Patient, PatientPhone, Resource, ResourceKind, Task
from clinic.searching import search_text_for
from courses.importing.issues import Issue, make_issue
from courses.importing.keys import ImportedKeys
from courses.importing.records import ClinicFiles, PatientRow
from courses.importing.sites import in_language_of

_BATCH = 500


def load_people(clinic: Clinic, files: ClinicFiles, keys: ImportedKeys) -> list[Issue]:
    """Patients that are not there yet; returns what the database knows and the files could not."""
    rows = keys.sift("patient", files.patients, lambda row: row.patient_id)
    taken = set(
        Patient.objects.filter(card_number__in=[row.patient_id for row in rows]).values_list("card_number", flat=True)
    )
    resources = Resource.objects.bulk_create((Resource(kind=ResourceKind.PATIENT) for _row in rows), batch_size=_BATCH)
    patients = [
        _patient(resource, row, card_number="" if row.patient_id in taken else row.patient_id)
        for row, resource in zip(rows, resources, strict=True)
    ]
    Patient.objects.bulk_create(patients, batch_size=_BATCH)
    phones, contacts = [], []
    for row, patient in zip(rows, patients, strict=True):
        keys.remember("patient", row.patient_id, patient.pk, row)
        numbers = dict.fromkeys(phone.number for phone in row.phones)
        owners = {phone.number: phone.owner for phone in reversed(row.phones)}
        phones += [
            PatientPhone(patient=patient, number=number, owner=owners[number][:100], is_main=place == 0)
            for place, number in enumerate(numbers)
        ]
        if row.contact_name:
            contacts.append(
                ContactPerson(
                    patient=patient, name=row.contact_name, relation=row.contact_relation, phone=row.contact_phone
                )
            )
    PatientPhone.objects.bulk_create(phones, batch_size=_BATCH)
    ContactPerson.objects.bulk_create(contacts, batch_size=_BATCH)
    _propose_merging(clinic, files, rows, keys)
    return [
        make_issue(
            "card_taken",
            file=row.origin.file,
            record=row.origin.record,
            line=row.origin.line,
            raw_value=row.patient_id,
        )
        for row in rows
        if row.patient_id in taken
    ]


def _patient(resource: Resource, row: PatientRow, *, card_number: str) -> Patient:
    patient = Patient(
        resource=resource,
        card_number=card_number,
        full_name=row.full_name,
        family_name=row.family_name[:100],
        given_name=row.given_name[:100],
        patronymic=row.patronymic[:100],
        sex=row.sex,
        birth_date=row.birth_date,
        language=row.language,
        email=row.email,
        consent_data=row.consent_data_processing,
        consent_email=row.consent_email,
        consent_sms=row.consent_sms,
        consent_marketing=row.consent_marketing,
        consent_date=row.consent_date,
        registered_on=row.registered_on,
        note=row.note,
    )
    patient.search_text = search_text_for(patient, [phone.number for phone in row.phones])
    return patient


def _propose_merging(clinic: Clinic, files: ClinicFiles, rows: list[PatientRow], keys: ImportedKeys) -> None:
    by_record = {row.origin.record: row for row in files.patients}
    with in_language_of(clinic):
        tasks = [
            Task(
                clinic=clinic,
                kind=Task.Kind.DUPLICATE,
                patient_id=keys["patient", row.patient_id],
                subject=f"patient:{keys['patient', row.patient_id]}",
                text=_("Card %(card)s may be the same person as card %(other)s: same phone and birth date.")
                % {"card": row.patient_id, "other": by_record[row.duplicate_of].patient_id},
            )
            for row in rows
            if row.duplicate_of is not None
        ]
    Task.objects.bulk_create(tasks)
