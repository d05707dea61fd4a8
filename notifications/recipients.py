"""Whom a message goes to, in which language and by which channel."""

from clinic.models import Clinic, Patient
from notifications import texts
from notifications.models import Message
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


def move_messages(*, patient: Patient, to: Patient) -> None:
    """Hand all messages about one card's visits over to another card of the same person, inside a transaction.

    What is still to be said is said in the language of the card that stays; its address and consents are looked at when
    it is sent, as always.
    """
    rows = Message.objects.filter(patient=patient).select_for_update(of=("self",), no_key=True).order_by("pk")
    clinics = {message.pk: message.clinic_id for message in rows}
    Message.objects.filter(pk__in=clinics).update(patient=to)
    for clinic in Clinic.objects.filter(pk__in=set(clinics.values())):
        recipient = recipient_of(to, clinic)
        moved = Message.objects.filter(pk__in=[key for key, pk in clinics.items() if pk == clinic.pk])
        moved.update(recipient=recipient.key)
        moved.filter(status__in=Message.UNSENT).update(language=recipient.language)
