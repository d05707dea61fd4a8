"""Whatever can be reserved: therapists, rooms, devices, a nurse's hands, patients.

Subtypes hang on Resource by a one-to-one primary key rather than by multi-table inheritance, which
`bulk_create` refuses. Triggers raise `Resource.version` with every change of shifts, absences, outages, closures and
calendar days, and a patient's with every booking, so that a plan made before such a change can be told stale without
reading calendars again.
"""

import pghistory
import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.utils.translation import gettext_lazy as _
from phonenumber_field.modelfields import PhoneNumberField

from clinic.models.sites import Clinic


class ResourceKind(models.TextChoices):
    THERAPIST = "therapist", _("specialist")
    ROOM = "room", _("room")
    EQUIPMENT = "equipment", _("device")
    HANDS = "hands", _("hands")
    PATIENT = "patient", _("patient")


class Sex(models.TextChoices):
    FEMALE = "F", _("female")
    MALE = "M", _("male")


@pghistory.track(exclude=["version"])
class Resource(models.Model):
    """Anything that can be reserved; `capacity` places are numbered 1…capacity."""

    kind = models.CharField(max_length=16, choices=ResourceKind)
    capacity = models.PositiveSmallIntegerField(default=1)
    version = models.BigIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(name="resource_has_a_place", condition=models.Q(capacity__gte=1)),
            models.CheckConstraint(
                name="patient_and_hands_are_single",
                condition=~models.Q(kind__in=["patient", "hands"]) | models.Q(capacity=1),
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="capacity_holds_bookings",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("capacity"),
                condition=pgtrigger.Condition("NEW.capacity < OLD.capacity"),
                func="""
                    IF EXISTS (SELECT 1 FROM clinic_reservation r WHERE r.resource_id = NEW.id AND r.live
                               AND r.ends_at > now() AND NOT upper_inf(r.places)
                               AND upper(r.places) - 1 > NEW.capacity) THEN
                        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'capacity_holds_bookings',
                            MESSAGE = 'capacity_holds_bookings';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Trigger(
                name="kind_never_changes",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("kind"),
                condition=pgtrigger.Condition("NEW.kind <> OLD.kind"),
                func="""
                    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'kind_never_changes',
                        MESSAGE = 'kind_never_changes';
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


def _resource() -> "models.OneToOneField[Resource, Resource]":
    return models.OneToOneField(Resource, on_delete=models.PROTECT, primary_key=True, related_name="%(class)s")


@pghistory.track()
class Therapist(models.Model):
    """Staff who treat or prescribe. `hands` are a resource of their own, taken only in hands-on minutes; a trigger
    makes them with the row."""

    resource = _resource()
    user = models.OneToOneField("clinic.User", on_delete=models.SET_NULL, null=True, blank=True)
    full_name = models.CharField(max_length=200)
    short_name = models.CharField(max_length=100, blank=True)
    title = models.CharField(_("position"), max_length=100, blank=True)
    staff_group = models.CharField(max_length=50, blank=True)
    gender = models.CharField(max_length=1, choices=Sex, blank=True)
    languages = ArrayField(models.CharField(max_length=8), default=list, blank=True)
    is_prescriber = models.BooleanField(default=False)
    email = models.EmailField(blank=True)
    hands = models.OneToOneField(Resource, on_delete=models.PROTECT, null=True, blank=True, related_name="hands_of")
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["full_name", "pk"]
        triggers = [
            pgtrigger.Trigger(
                name="has_hands",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.hands_id IS NULL"),
                func="""
                    INSERT INTO clinic_resource (kind, capacity) VALUES ('hands', 1) RETURNING id INTO NEW.hands_id;
                    RETURN NEW;
                """,
            )
        ]

    def __str__(self) -> str:
        return self.short_name or self.full_name


@pghistory.track()
class Room(models.Model):
    resource = _resource()
    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="rooms")
    name = models.CharField(max_length=100)
    room_type = models.CharField(max_length=50)
    floor = models.CharField(max_length=16, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


@pghistory.track()
class Equipment(models.Model):
    """One physical device, standing in a room."""

    resource = _resource()
    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="equipment")
    room = models.ForeignKey(Room, on_delete=models.PROTECT, related_name="equipment")
    name = models.CharField(max_length=100)
    equipment_type = models.CharField(max_length=50)
    inventory_number = models.CharField(max_length=50, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name", "pk"]
        verbose_name_plural = "equipment"

    def __str__(self) -> str:
        return self.name


@pghistory.track()
class Patient(models.Model):
    """A patient's card. `search_text` is what `clinic.searching` matches: folded names and digits."""

    resource = _resource()
    card_number = models.CharField(max_length=50, blank=True)
    full_name = models.CharField(_("name as the person writes it"), max_length=200)
    family_name = models.CharField(max_length=100, blank=True)
    given_name = models.CharField(max_length=100, blank=True)
    patronymic = models.CharField(max_length=100, blank=True)
    sex = models.CharField(max_length=1, choices=Sex, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    language = models.CharField(max_length=8, blank=True)
    email = models.EmailField(blank=True)
    consent_data = models.BooleanField(_("consent to data processing"), default=False)
    consent_email = models.BooleanField(default=False)
    consent_sms = models.BooleanField(default=False)
    consent_marketing = models.BooleanField(default=False)
    consent_date = models.DateField(null=True, blank=True)
    registered_on = models.DateField(null=True, blank=True)
    note = models.TextField(blank=True)
    merged_into = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="merged")
    search_text = models.TextField(editable=False, default="")

    class Meta:
        ordering = ["full_name", "pk"]
        indexes = [
            GinIndex(OpClass("search_text", name="gin_trgm_ops"), name="patient_search"),
            models.Index(fields=["birth_date"], name="patient_birth_date"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["card_number"], condition=~models.Q(card_number=""), name="patient_card_number_once"
            ),
            models.CheckConstraint(
                name="patient_not_merged_into_self", condition=~models.Q(merged_into=models.F("resource"))
            ),
        ]

    def __str__(self) -> str:
        return self.full_name


@pghistory.track()
class PatientPhone(models.Model):
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="phones")
    number = PhoneNumberField()
    owner = models.CharField(_("whose phone, if not the patient's"), max_length=100, blank=True)
    is_main = models.BooleanField(default=False)

    class Meta:
        ordering = ["-is_main", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["patient", "number"], name="patient_phone_once"),
            models.UniqueConstraint(
                fields=["patient"], condition=models.Q(is_main=True), name="patient_has_one_main_phone"
            ),
        ]

    def __str__(self) -> str:
        return str(self.number)


@pghistory.track()
class ContactPerson(models.Model):
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="contacts")
    name = models.CharField(max_length=200)
    relation = models.CharField(max_length=100, blank=True)
    phone = PhoneNumberField(blank=True)
    is_guardian = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name
