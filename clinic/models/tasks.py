"""Things a person must see to."""

import pghistory
from django.db import models
from django.utils.translation import gettext_lazy as _

from clinic.models.people import User
from clinic.models.resources import Patient
from clinic.models.sites import Clinic


@pghistory.track()
class Task(models.Model):
    """Something a person must see to. `subject` names what it is about, as `session:17` or `message:4`."""

    class Kind(models.TextChoices):
        UNPLACED = "unplaced", _("session without a time")
        TO_REPLACE = "to_replace", _("session to re-place")
        BOUNCE = "bounce", _("message not delivered")
        DECLINED = "declined", _("invitation declined")
        CALL = "call", _("patient to call")
        DUPLICATE = "duplicate", _("cards that may be one person")
        RED_FLAG = "red_flag", _("urgent: a doctor must look")
        MISSED = "missed", _("visits missed")
        OTHER = "other", _("other")

    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="tasks")
    kind = models.CharField(max_length=16, choices=Kind)
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, null=True, blank=True, related_name="tasks")
    subject = models.CharField(max_length=100, blank=True)
    text = models.CharField(max_length=500, blank=True)
    urgent = models.BooleanField(default=False)
    due_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-urgent", "due_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["clinic", "kind", "subject"],
                condition=models.Q(done_at=None) & ~models.Q(subject=""),
                name="task_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject}"
