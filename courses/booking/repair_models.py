"""Repairs as they are stored: what fell out, and where each session concerned is to go."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from clinic.models import Absence, Clinic, Closure, Outage, Therapist, User
from courses.catalogue.models import Qualification

CAUSES = ("absence", "outage", "closure", "qualification")


class Repair(models.Model):
    """A stored proposal for the sessions of many patients that lost their therapist, room, device or clinic.

    It answers one cause, or goes over the sessions of `therapist` in a period: all that wait to be re-placed there, or,
    where the shift is handed over to `substitute` or swapped with theirs, all that are planned. `items` holds one object
    per session:

    `{"session", "course", "patient", "change", "lost", "marked", "from", "to", "reason", "params", "applied"}` — keys;
    a `Change`, or "unplaced" with the `Obstacle` in `reason` and `to` null; whether it fell out itself or is one of the
    rest of its course; whether it was marked to re-place. `from` and `to` are as the items of a plan, `from` with its
    appointment in place of what it takes.
    """

    class Kind(models.TextChoices):
        REPLACE = "replace", _("re-place")
        HANDOVER = "handover", _("hand over the shift")
        SWAP = "swap", _("swap shifts")

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("being worked out")
        PROPOSED = "proposed", _("proposed")
        APPLIED = "applied", _("applied")
        PARTLY_APPLIED = "partly_applied", _("partly applied")
        DROPPED = "dropped", _("dropped")
        FAILED = "failed", _("failed")

    class Step(models.TextChoices):
        WAITING = "waiting", _("waiting for its turn")
        READING = "reading", _("reading calendars")
        SOLVING = "solving", _("looking for times")
        DONE = "done", _("done")

    OPEN = (Status.PROPOSED, Status.PARTLY_APPLIED)
    UNDER_WAY = (Status.QUEUED, Status.RUNNING)

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="repairs")
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.REPLACE)
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    absence = models.ForeignKey(Absence, on_delete=models.PROTECT, null=True, related_name="repairs")
    outage = models.ForeignKey(Outage, on_delete=models.PROTECT, null=True, related_name="repairs")
    closure = models.ForeignKey(Closure, on_delete=models.PROTECT, null=True, related_name="repairs")
    qualification = models.ForeignKey(Qualification, on_delete=models.PROTECT, null=True, related_name="repairs")
    therapist = models.ForeignKey(Therapist, on_delete=models.PROTECT, null=True, related_name="repairs")
    substitute = models.ForeignKey(Therapist, on_delete=models.PROTECT, null=True, related_name="+")
    starts_at = models.DateTimeField(null=True, help_text=_("of the period, where there is no cause"))
    ends_at = models.DateTimeField(null=True)
    their_starts_at = models.DateTimeField(null=True, help_text=_("of the shifts that the substitute gives in a swap"))
    their_ends_at = models.DateTimeField(null=True)
    moves_rest = models.BooleanField(default=True, help_text=_("move later sessions where that saves one"))

    step = models.CharField(max_length=16, choices=Step, default=Step.WAITING)
    progress = models.FloatField(default=0, help_text=_("share of the work done"))
    attempts = models.PositiveSmallIntegerField(default=0)
    seen_at = models.DateTimeField(help_text=_("last sign of life"))

    items = models.JSONField(default=list)
    versions = models.JSONField(default=dict, help_text=_("versions of the resources when it was made"))
    cost = models.IntegerField(null=True)
    bound = models.IntegerField(null=True)
    unplaced_bound = models.PositiveIntegerField(null=True)
    proven = models.BooleanField(default=False)
    solve_ms = models.FloatField(default=0)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    asked_at = models.DateTimeField(help_text=_("the moment it is worked out for"))
    finished_at = models.DateTimeField(null=True)
    applied_at = models.DateTimeField(null=True)
    applied_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["seen_at"], condition=Q(status__in=["queued", "running"]), name="repairs_under_way")
        ]
        constraints = [
            models.CheckConstraint(
                name="repair_has_one_cause",
                condition=Q(
                    *[(f"{cause}__isnull", True) for cause in CAUSES], therapist__isnull=False, starts_at__isnull=False
                )
                | Q(
                    therapist=None,
                    absence__isnull=False,
                    outage=None,
                    closure=None,
                    qualification=None,
                )
                | Q(therapist=None, absence=None, outage__isnull=False, closure=None, qualification=None)
                | Q(therapist=None, absence=None, outage=None, closure__isnull=False, qualification=None)
                | Q(therapist=None, absence=None, outage=None, closure=None, qualification__isnull=False),
            ),
            models.CheckConstraint(
                name="repair_progress_is_a_share", condition=Q(progress__gte=0) & Q(progress__lte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def cause(self) -> Absence | Outage | Closure | Qualification | None:
        return self.absence or self.outage or self.closure or self.qualification

    @property
    def open_items(self) -> list[dict[str, Any]]:
        """Those that have a place to go to and have not gone."""
        return [item for item in self.items if item["to"] is not None and not item["applied"]]

    @property
    def gap(self) -> float | None:
        """How far the change is at most from the least, as a share of the bound; None before there is an answer."""
        if self.cost is None or self.bound is None:
            return None
        return max(0.0, (self.cost - self.bound) / max(self.bound, 1))
