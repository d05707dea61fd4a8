"""What a clinic offers, what each procedure needs, and who is qualified for it."""

import pghistory
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from clinic.models import Clinic, ResourceKind, Therapist


class GapUnit(models.TextChoices):
    OPENING = "opening", _("opening days")
    CALENDAR = "calendar", _("calendar days")


@pghistory.track()
class Procedure(models.Model):
    """A clinic's own copy of a catalogue item. Empty figures mean “to be confirmed by the clinic”.

    `sources` maps a field's name to `{"source": …, "confidence": SEED|WELL|WEAK|PRACTICE|MEMORY|CLINIC}`.
    `minutes` is the patient's time; turn-over and rests belong to the requirements.
    """

    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="procedures")
    code = models.CharField(max_length=50)
    short_code = models.CharField(max_length=8, blank=True)
    short_code_ru = models.CharField(max_length=8, blank=True)
    name_en = models.CharField(max_length=200, blank=True)
    name_ru = models.CharField(max_length=200, blank=True)
    name_pl = models.CharField(max_length=200, blank=True)
    category = models.CharField(max_length=32, blank=True, help_text=_("tint on the board: MS PT EX MT AC TR"))
    tags = ArrayField(models.CharField(max_length=32), default=list, blank=True)
    minutes = models.PositiveSmallIntegerField(null=True, blank=True)
    sessions_default = models.PositiveSmallIntegerField(null=True, blank=True)
    sessions_min = models.PositiveSmallIntegerField(null=True, blank=True)
    sessions_max = models.PositiveSmallIntegerField(null=True, blank=True)
    gap_min = models.PositiveSmallIntegerField(null=True, blank=True)
    gap_max = models.PositiveSmallIntegerField(null=True, blank=True)
    gap_unit = models.CharField(max_length=16, choices=GapUnit, default=GapUnit.OPENING)
    per_week = models.PositiveSmallIntegerField(null=True, blank=True)
    therapist_change_cost = models.PositiveSmallIntegerField(
        default=5, help_text=_("what another specialist within a course costs a plan, in plan points")
    )
    is_group = models.BooleanField(default=False)
    requires_referral = models.BooleanField(default=True)
    is_active = models.BooleanField(default=False)
    sources = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)
    not_same_day_with = models.ManyToManyField("self", blank=True)

    class Meta:
        ordering = ["clinic", "code"]
        constraints = [
            models.UniqueConstraint(fields=["clinic", "code"], name="procedure_code_once"),
            models.CheckConstraint(
                name="active_procedure_has_minutes",
                condition=Q(is_active=False) | Q(minutes__isnull=False, minutes__gte=5),
            ),
            models.CheckConstraint(
                name="procedure_gaps_ordered",
                condition=Q(gap_min=None) | Q(gap_max=None) | Q(gap_min__lte=F("gap_max")),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language, else English, else the code."""
        return getattr(self, f"name_{(get_language() or 'en')[:2]}", "") or self.name_en or self.name_ru or self.code

    @property
    def letters(self) -> str:
        """Short code for the board."""
        own = self.short_code_ru if (get_language() or "en").startswith("ru") else self.short_code
        return own or self.short_code or self.code[:3]


@pghistory.track(obj_field=None)
class ProcedureSeparation(Procedure.not_same_day_with.through):  # type: ignore[name-defined]
    """Two procedures not given on one day, as rows of their own, so that a change of them leaves a trail."""

    class Meta:
        proxy = True


@pghistory.track()
class Requirement(models.Model):
    """What a procedure needs: a role filled by one resource of a type, with minutes before and after.

    On the patient, minutes after are rest. Hands-on minutes are a therapist's, at start and end: with them
    a nurse's hands, a resource of capacity 1, are taken only then.
    """

    procedure = models.ForeignKey(Procedure, on_delete=models.CASCADE, related_name="requirements")
    role = models.CharField(max_length=16, choices=ResourceKind)
    type_code = models.CharField(max_length=50, blank=True, help_text=_("room type or device type"))
    count = models.PositiveSmallIntegerField(default=1)
    minutes_before = models.PositiveSmallIntegerField(default=0)
    minutes_after = models.PositiveSmallIntegerField(default=0)
    hands_on_start = models.PositiveSmallIntegerField(default=0)
    hands_on_end = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["procedure", "role", "type_code"], name="requirement_once"),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.type_code}"


@pghistory.track()
class ProcedureVariant(models.Model):
    """A body area's own minutes and units."""

    procedure = models.ForeignKey(Procedure, on_delete=models.CASCADE, related_name="variants")
    area = models.CharField(max_length=64)
    minutes = models.PositiveSmallIntegerField(null=True, blank=True)
    units = models.DecimalField(max_digits=4, decimal_places=1, null=True, blank=True)
    sources = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["procedure", "area"], name="procedure_variant_once")]

    def __str__(self) -> str:
        return f"{self.procedure} · {self.area}"


@pghistory.track()
class Qualification(models.Model):
    """A therapist may give a procedure, from and until dates that are both included."""

    therapist = models.ForeignKey(Therapist, on_delete=models.CASCADE, related_name="qualifications")
    procedure = models.ForeignKey(Procedure, on_delete=models.CASCADE, related_name="qualifications")
    valid_from = models.DateField(null=True, blank=True)
    valid_until = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["therapist", "procedure", "valid_from"], nulls_distinct=False, name="qualification_once"
            ),
            models.CheckConstraint(
                name="qualification_dates_ordered",
                condition=Q(valid_from=None) | Q(valid_until=None) | Q(valid_from__lte=F("valid_until")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.therapist} · {self.procedure}"
