"""What is prescribed: referrals and the programmes that follow from them."""

import pghistory
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from clinic.models import Clinic, Patient, Therapist, User


@pghistory.track()
class Referral(models.Model):
    """A clinician's or an outside paper's order (prescription)."""

    class Origin(models.TextChoices):
        OWN = "own", _("own doctor")
        OUTSIDE = "outside", _("outside paper")
        IMPORTED = "imported", _("imported")

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="referrals")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="referrals")
    number = models.CharField(max_length=50, blank=True)
    origin = models.CharField(max_length=16, choices=Origin, default=Origin.OWN)
    prescriber = models.ForeignKey(Therapist, on_delete=models.PROTECT, null=True, blank=True, related_name="referrals")
    prescribed_on = models.DateField()
    icd10 = models.CharField(max_length=8, blank=True)
    diagnosis = models.CharField(max_length=300, blank=True)
    start_from = models.DateField(null=True, blank=True)
    finish_by = models.DateField(null=True, blank=True)
    combine_visits = models.BooleanField(default=False)
    expires_on = models.DateField(null=True, blank=True, help_text=_("last day for the first visit"))
    comment = models.TextField(blank=True)
    signed_at = models.DateTimeField(null=True, blank=True)
    signed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-prescribed_on", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="referral_window_ordered",
                condition=Q(start_from=None) | Q(finish_by=None) | Q(start_from__lte=models.F("finish_by")),
            )
        ]

    def __str__(self) -> str:
        return self.number or f"#{self.pk}"


@pghistory.track()
class Programme(models.Model):
    """All a patient is treated with for one problem: its courses are planned together."""

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="programmes")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="programmes")
    referral = models.ForeignKey(Referral, on_delete=models.PROTECT, null=True, blank=True, related_name="programmes")
    combine_visits = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"#{self.pk}"
