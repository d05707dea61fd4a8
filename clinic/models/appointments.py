"""Appointments and reservations: the guard that makes a double booking impossible in the database.

Therapists, rooms, devices, hands and patients meet in the one table Reservation. Its exclusion constraint
refuses two live reservations of the same place of the same resource at the same time; triggers hold places
within capacity, refuse absences, and hold appointments and reservations to each other at commit.
"""

import pghistory
import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, IntegerRangeField, RangeOperators
from django.db import models
from django.db.models import Deferrable, F, Func, Q
from django.utils.translation import gettext_lazy as _

from clinic.models.resources import Resource
from clinic.models.sites import Clinic
from clinic.models.versions import patients_bookings_raise_version

# Whoever breaks the guard gets a name to tell the refusals apart, as with a declared constraint.
_REFUSE = "RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = '{name}', MESSAGE = '{name}'"


def refuse(name: str) -> str:
    """PL/pgSQL that aborts with a check violation named like a constraint."""
    return _REFUSE.format(name=name)


_PLACES_AND_TIMES = f"""
    IF NOT NEW.live THEN
        RETURN NEW;
    END IF;
    -- Shared with other reservations, but not with a change of capacity that is about to commit.
    SELECT r.capacity, r.kind, a.override_reason, a.clinic_id INTO capacity, kind, override_reason, clinic
        FROM clinic_resource r, clinic_appointment a WHERE r.id = NEW.resource_id AND a.id = NEW.appointment_id
        FOR SHARE OF r;
    IF kind = 'patient' AND EXISTS (
        SELECT 1 FROM clinic_patient p WHERE p.resource_id = NEW.resource_id AND p.merged_into_id IS NOT NULL
    ) THEN
        {refuse("merged_card_takes_nothing")};
    END IF;
    IF lower_inf(NEW.places) OR lower(NEW.places) < 1
       OR (upper_inf(NEW.places) AND lower(NEW.places) <> 1)
       OR (NOT upper_inf(NEW.places) AND upper(NEW.places) - 1 > capacity) THEN
        {refuse("reservation_within_capacity")};
    END IF;
    -- What a card had is handed over as it stands when it is merged into another: absences are no patient's matter.
    IF override_reason <> '' OR (TG_OP = 'UPDATE' AND OLD.live
       AND (OLD.resource_id = NEW.resource_id OR kind = 'patient')
       AND OLD.appointment_id = NEW.appointment_id AND OLD.starts_at = NEW.starts_at AND OLD.ends_at = NEW.ends_at) THEN
        RETURN NEW;
    END IF;
    IF EXISTS (SELECT 1 FROM clinic_absence x WHERE x.therapist_id = NEW.resource_id
               AND tstzrange(x.starts_at, x.ends_at) && tstzrange(NEW.starts_at, NEW.ends_at)) THEN
        {refuse("reservation_outside_absence")};
    END IF;
    IF EXISTS (SELECT 1 FROM clinic_outage x WHERE x.resource_id = NEW.resource_id
               AND tstzrange(x.starts_at, x.ends_at) && tstzrange(NEW.starts_at, NEW.ends_at)) THEN
        {refuse("reservation_outside_outage")};
    END IF;
    IF EXISTS (SELECT 1 FROM clinic_closure x WHERE x.clinic_id = clinic
               AND tstzrange(x.starts_at, x.ends_at) && tstzrange(NEW.starts_at, NEW.ends_at)) THEN
        {refuse("reservation_outside_closure")};
    END IF;
    RETURN NEW;
"""

_AGREEMENT = f"""
    FOR appointment IN SELECT * FROM clinic_appointment WHERE id = ANY (touched) LOOP
        SELECT count(*),
               count(*) FILTER (WHERE k.kind = 'patient'),
               count(*) FILTER (WHERE k.kind <> 'hands'
                                AND NOT (r.starts_at <= appointment.starts_at AND r.ends_at >= appointment.ends_at))
            INTO held, patients, uncovered
            FROM clinic_reservation r JOIN clinic_resource k ON k.id = r.resource_id
            WHERE r.appointment_id = appointment.id AND r.live;
        IF appointment.live AND (held = 0 OR uncovered > 0) THEN
            {refuse("reservations_cover_appointment")};
        END IF;
        IF appointment.live AND appointment.kind = 'treatment' AND patients <> 1 THEN
            {refuse("treatment_has_its_patient")};
        END IF;
        IF NOT appointment.live AND held > 0 THEN
            {refuse("dead_appointment_holds_nothing")};
        END IF;
    END LOOP;
    RETURN NULL;
"""

_AGREEMENT_VARIABLES = [
    ("appointment", "clinic_appointment%ROWTYPE"),
    ("touched", "bigint[]"),
    ("held", "integer"),
    ("patients", "integer"),
    ("uncovered", "integer"),
]


@pghistory.track()
class Appointment(models.Model):
    """A treatment, or one meeting of a class with `seats`. Cancelling sets `live` to false and deletes nothing."""

    class Kind(models.TextChoices):
        TREATMENT = "treatment", _("treatment")
        CLASS_MEETING = "class_meeting", _("class meeting")

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="appointments")
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.TREATMENT)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    live = models.BooleanField(default=True)
    seats = models.PositiveSmallIntegerField(null=True, blank=True)
    override_reason = models.CharField(max_length=300, blank=True, default="", db_default="")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["clinic", "starts_at"], name="appointment_by_clinic")]
        constraints = [
            models.CheckConstraint(name="appointment_ends_after_start", condition=Q(starts_at__lt=F("ends_at"))),
            models.CheckConstraint(
                name="class_meeting_has_seats",
                condition=Q(kind="treatment", seats=None) | Q(kind="class_meeting", seats__isnull=False, seats__gte=1),
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="agrees_with_reservations",
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("starts_at", "ends_at", "live", "kind"),
                timing=pgtrigger.Deferred,
                declare=_AGREEMENT_VARIABLES,
                func="touched := ARRAY[NEW.id];" + _AGREEMENT,
            ),
            pgtrigger.Trigger(
                name="keeps_override_reason",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("override_reason"),
                condition=pgtrigger.Condition("OLD.override_reason <> '' AND NEW.override_reason = ''"),
                func=refuse("override_reason_is_kept") + ";",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.starts_at:%Y-%m-%d %H:%M}"


class Reservation(models.Model):
    """Places of one resource, taken by one appointment, for one period, in UTC.

    One place is `[k,k+1)`; a whole resource is `[1,)`, which also covers places added later.
    A hold is the final row with `held_until`; readers ignore it once that has passed.
    """

    appointment = models.ForeignKey(Appointment, on_delete=models.PROTECT, related_name="reservations")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="reservations", db_index=False)
    places = IntegerRangeField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    live = models.BooleanField(default=True)
    held_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["resource", "starts_at"],
                include=["ends_at", "held_until", "places"],
                condition=Q(live=True),
                name="reservation_calendar",
            ),
        ]
        constraints = [
            models.CheckConstraint(name="reservation_ends_after_start", condition=Q(starts_at__lt=F("ends_at"))),
            models.CheckConstraint(name="reservation_has_places", condition=Q(places__isempty=False)),
            ExclusionConstraint(
                name="nothing_is_in_two_places",
                index_type="gist",
                expressions=[
                    ("resource", RangeOperators.EQUAL),
                    ("places", RangeOperators.OVERLAPS),
                    (
                        Func("starts_at", "ends_at", function="TSTZRANGE", output_field=DateTimeRangeField()),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                condition=Q(live=True),
                deferrable=Deferrable.IMMEDIATE,
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="fits_places_and_times",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update,
                declare=[
                    ("capacity", "integer"),
                    ("kind", "text"),
                    ("override_reason", "text"),
                    ("clinic", "bigint"),
                ],
                func=_PLACES_AND_TIMES,
            ),
            pgtrigger.Trigger(
                name="agrees_with_appointment",
                when=pgtrigger.After,
                operation=pgtrigger.Insert
                | pgtrigger.UpdateOf("starts_at", "ends_at", "live", "resource_id", "appointment_id")
                | pgtrigger.Delete,
                timing=pgtrigger.Deferred,
                declare=_AGREEMENT_VARIABLES,
                func="touched := ARRAY[OLD.appointment_id, NEW.appointment_id];" + _AGREEMENT,
            ),
            *patients_bookings_raise_version(),
        ]

    def __str__(self) -> str:
        return f"{self.resource_id} {self.places} {self.starts_at:%Y-%m-%d %H:%M}"
