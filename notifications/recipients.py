"""Whom a message goes to, in which language and by which channel."""

from clinic.models import Clinic, Patient
from notifications import texts
from notifications.snapshots import CALL, EMAIL, Recipient


def recipient_of(patient: Patient, clinic: Clinic) -> Recipient:
    """A patient without e-mail, or who has not agreed to it or to the keeping of data, is called instead."""
    email = writable_address(patient)
    return Recipient(
        patient_id=patient.pk,
        name=patient.full_name,
        language=texts.choose_language(patient.language, clinic.language),
        email=email,
        channel=EMAIL if email else CALL,
    )


def writable_address(patient: Patient) -> str | None:
    """The address mails may go to now, or None."""
    if patient.email and patient.consent_email and patient.consent_data:
        return patient.email
    return None
