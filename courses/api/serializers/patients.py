"""Patients' cards."""

from phonenumber_field.serializerfields import PhoneNumberField
from rest_framework import serializers

from clinic.models import ContactPerson, Patient, PatientPhone
from clinic.models.resources import Sex
from courses.api.fields import Body, DayField

LANGUAGES = ["en", "ru", "pl", "uk"]


class PhoneSerializer(serializers.ModelSerializer[PatientPhone]):
    number = PhoneNumberField()

    class Meta:
        model = PatientPhone
        fields = ["number", "owner", "is_main"]


class ContactSerializer(serializers.ModelSerializer[ContactPerson]):
    phone = PhoneNumberField(required=False, allow_blank=True)

    class Meta:
        model = ContactPerson
        fields = ["name", "relation", "phone", "is_guardian"]


class PatientSerializer(serializers.ModelSerializer[Patient]):
    id = serializers.IntegerField(source="pk")
    phones = PhoneSerializer(many=True)
    contacts = ContactSerializer(many=True)

    class Meta:
        model = Patient
        fields = [
            "id",
            "card_number",
            "full_name",
            "family_name",
            "given_name",
            "patronymic",
            "sex",
            "birth_date",
            "language",
            "email",
            "phones",
            "contacts",
            "consent_data",
            "consent_email",
            "consent_sms",
            "consent_marketing",
            "consent_date",
            "registered_on",
            "note",
            "merged_into",
        ]


class PhoneBody(Body):
    number = serializers.CharField(max_length=40, help_text="Without a country's code it is one of the clinic's.")
    owner = serializers.CharField(max_length=100, required=False, allow_blank=True)
    is_main = serializers.BooleanField(required=False)


class ContactBody(Body):
    name = serializers.CharField(max_length=200)
    relation = serializers.CharField(max_length=100, required=False, allow_blank=True)
    phone = serializers.CharField(max_length=40, required=False, allow_blank=True)
    is_guardian = serializers.BooleanField(required=False)


class PatientBody(Body):
    full_name = serializers.CharField(max_length=200)
    family_name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    given_name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    patronymic = serializers.CharField(max_length=100, required=False, allow_blank=True)
    card_number = serializers.CharField(max_length=50, required=False, allow_blank=True)
    sex = serializers.ChoiceField(Sex.choices, required=False)
    birth_date = DayField(required=False, allow_null=True)
    language = serializers.ChoiceField(LANGUAGES, required=False)
    email = serializers.EmailField(required=False, allow_blank=True)
    phones = PhoneBody(many=True, required=False, max_length=10)  # type: ignore[call-arg]
    contacts = ContactBody(many=True, required=False, max_length=10)  # type: ignore[call-arg]
    consent_data = serializers.BooleanField(required=False)
    consent_email = serializers.BooleanField(required=False)
    consent_sms = serializers.BooleanField(required=False)
    consent_marketing = serializers.BooleanField(required=False)
    note = serializers.CharField(max_length=10_000, required=False, allow_blank=True)
    duplicates_checked = serializers.BooleanField(
        required=False, help_text="Somebody has looked at the cards named by `possible_duplicate` and this is another."
    )


class PatientChangeBody(Body):
    """Only what is named changes; phones and contacts, when named, replace those there are."""

    full_name = serializers.CharField(max_length=200, required=False)
    family_name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    given_name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    patronymic = serializers.CharField(max_length=100, required=False, allow_blank=True)
    card_number = serializers.CharField(max_length=50, required=False, allow_blank=True)
    sex = serializers.ChoiceField(Sex.choices, required=False)
    birth_date = DayField(required=False, allow_null=True)
    language = serializers.ChoiceField(LANGUAGES, required=False)
    email = serializers.EmailField(required=False, allow_blank=True)
    phones = PhoneBody(many=True, required=False, max_length=10)  # type: ignore[call-arg]
    contacts = ContactBody(many=True, required=False, max_length=10)  # type: ignore[call-arg]
    note = serializers.CharField(max_length=10_000, required=False, allow_blank=True)


class MergeBody(Body):
    other = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, help_text="The card that will point to this one."
    )


class ConsentsBody(Body):
    """Only what is named changes; today becomes the date of the consents."""

    consent_data = serializers.BooleanField(required=False)
    consent_email = serializers.BooleanField(required=False)
    consent_sms = serializers.BooleanField(required=False)
    consent_marketing = serializers.BooleanField(required=False)
