"""When resources work and when they do not. None of these rows is a reservation: they may overlap bookings."""

import pghistory
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from clinic.models.resources import Resource, Therapist
from clinic.models.sites import Clinic
from clinic.models.versions import ROOMS_OF_CLINIC, raises_version


def validate_rrule(text: str) -> None:
    """Accept an RFC 5545 recurrence rule in floating local time."""
    from dateutil.rrule import rrulestr

    try:
        rrulestr(text.removeprefix("RRULE:"), ignoretz=True)
    except (ValueError, KeyError, TypeError) as error:
        raise ValidationError(_("“%(rule)s” is not a recurrence rule."), params={"rule": text}) from error


@pghistory.track()
class Shift(models.Model):
    """Working hours of a therapist at a clinic: local wall times on the dates of a recurrence rule."""

    therapist = models.ForeignKey(Therapist, on_delete=models.CASCADE, related_name="shifts")
    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="shifts")
    name = models.CharField(max_length=100, blank=True)
    starts_on = models.DateField(help_text=_("date of the first shift: DTSTART"))
    ends_on = models.DateField(null=True, blank=True, help_text=_("last date, besides UNTIL of the rule"))
    start_time = models.TimeField()
    end_time = models.TimeField()
    break_from = models.TimeField(null=True, blank=True)
    break_until = models.TimeField(null=True, blank=True)
    rrule = models.CharField(max_length=500, validators=[validate_rrule])
    exdates = ArrayField(models.DateField(), default=list, blank=True)

    class Meta:
        ordering = ["therapist", "starts_on", "pk"]
        constraints = [
            models.CheckConstraint(name="shift_ends_after_start", condition=Q(start_time__lt=F("end_time"))),
            models.CheckConstraint(
                name="shift_break_inside",
                condition=Q(break_from=None, break_until=None)
                | Q(
                    break_from__isnull=False,
                    break_until__isnull=False,
                    break_from__lt=F("break_until"),
                    break_from__gte=F("start_time"),
                    break_until__lte=F("end_time"),
                ),
            ),
        ]
        triggers = [raises_version("r.id = ROW.therapist_id")]

    def __str__(self) -> str:
        return f"{self.name or self.rrule} {self.start_time:%H:%M}–{self.end_time:%H:%M}"


@pghistory.track()
class Absence(models.Model):
    """A therapist does not work in this time; `ends_at` empty means until further notice."""

    class Kind(models.TextChoices):
        LEAVE = "leave", _("leave")
        SICK = "sick", _("illness")
        TRAINING = "training", _("training")
        OTHER = "other", _("other")

    therapist = models.ForeignKey(Therapist, on_delete=models.CASCADE, related_name="absences")
    kind = models.CharField(max_length=16, choices=Kind)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["starts_at", "pk"]
        constraints = [
            models.CheckConstraint(
                name="absence_ends_after_start", condition=Q(ends_at=None) | Q(starts_at__lt=F("ends_at"))
            )
        ]
        indexes = [models.Index(fields=["therapist", "starts_at"], name="absence_by_therapist")]
        triggers = [raises_version("r.id = ROW.therapist_id")]

    def __str__(self) -> str:
        return f"{self.therapist} {self.get_kind_display()}"


@pghistory.track()
class Outage(models.Model):
    """A room or a device cannot be used in this time; `ends_at` empty means until further notice."""

    resource = models.ForeignKey(
        Resource, on_delete=models.CASCADE, related_name="outages", limit_choices_to={"kind__in": ["room", "equipment"]}
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["starts_at", "pk"]
        constraints = [
            models.CheckConstraint(
                name="outage_ends_after_start", condition=Q(ends_at=None) | Q(starts_at__lt=F("ends_at"))
            )
        ]
        indexes = [models.Index(fields=["resource", "starts_at"], name="outage_by_resource")]
        triggers = [raises_version("r.id = ROW.resource_id")]

    def __str__(self) -> str:
        return self.reason or f"{self.resource}"


@pghistory.track()
class Closure(models.Model):
    """A clinic is shut for part of a day or for days, beyond its calendar days."""

    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="closures")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["starts_at", "pk"]
        constraints = [models.CheckConstraint(name="closure_ends_after_start", condition=Q(starts_at__lt=F("ends_at")))]
        triggers = [raises_version(ROOMS_OF_CLINIC)]

    def __str__(self) -> str:
        return self.reason
