"""What was done and found in a session. Signed text never changes; corrections are amendments."""

import pghistory
import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from clinic.models import User
from clinic.models.appointments import refuse
from courses.booking.models import Session


@pghistory.track(exclude=["subjective", "objective", "done", "reaction", "plan"])
class Record(models.Model):
    """A session's note. Entry time stands beside treatment time (the session's own)."""

    session = models.OneToOneField(Session, on_delete=models.PROTECT, related_name="record")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    entered_at = models.DateTimeField()
    subjective = models.TextField(_("complaints"), blank=True)
    objective = models.TextField(_("findings"), blank=True)
    done = models.TextField(_("done"), blank=True)
    reaction = models.TextField(_("reaction"), blank=True)
    plan = models.TextField(_("plan for next time"), blank=True)
    signed_at = models.DateTimeField(null=True, blank=True)
    signed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="record_signed_by_someone",
                condition=Q(signed_at=None, signed_by=None) | Q(signed_at__isnull=False, signed_by__isnull=False),
            )
        ]
        triggers = [
            pgtrigger.Trigger(
                name="signed_record_is_final",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=pgtrigger.Condition("OLD.signed_at IS NOT NULL"),
                func=refuse("signed_record_is_final") + ";",
            )
        ]

    def __str__(self) -> str:
        return f"record of session {self.session_id}"


@pghistory.track(exclude=["text"])
class RecordAmendment(models.Model):
    """A dated correction of a signed record, which stays visible beside it. Never changed or deleted."""

    record = models.ForeignKey(Record, on_delete=models.PROTECT, related_name="amendments")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField()
    reason = models.CharField(max_length=300)
    text = models.TextField()

    class Meta:
        ordering = ["written_at", "pk"]
        constraints = [models.CheckConstraint(name="amendment_has_reason", condition=~Q(reason=""))]
        triggers = [
            pgtrigger.Trigger(
                name="amendment_is_final",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func=refuse("amendment_is_final") + ";",
            )
        ]

    def __str__(self) -> str:
        return f"amendment of {self.record}"
