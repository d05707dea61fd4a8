"""The outbox: one row is one thing to tell one person through one channel, at a due time.

Rows are written in the transaction of what they tell about, so what is pending is true. Nothing is deleted: a message
that is no longer wanted is withdrawn and keeps its reason.
"""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from clinic.models import Clinic, Patient
from notifications import snapshots


class Message(models.Model):
    """One thing to tell one person.

    `subject` is what it is about: a visit's uid, or the key of a summary. `revision` is the visit's sequence.
    `due_at` is when it should go; `next_attempt_at` is when it may be claimed next: later than `due_at` after a
    temporary failure, and the end of the lease while it is leased. `claimed_at` is when it was first claimed for
    sending: from then on the recipient may have it, whatever became of the worker. `snapshot` holds the visit, or
    the visits of a summary, as `VisitSnapshot.to_json` writes them, and the address of the sender.
    """

    class Kind(models.TextChoices):
        SUMMARY = "summary", _("summary of visits")
        INVITATION = "invitation", _("invitation")
        CHANGE = "change", _("change")
        CANCELLATION = "cancellation", _("cancellation")
        REMINDER = "reminder", _("reminder")

    class Channel(models.TextChoices):
        EMAIL = snapshots.EMAIL, _("e-mail")
        CALL = snapshots.CALL, _("telephone")

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        LEASED = "leased", _("being sent")
        SENT = "sent", _("sent")
        WITHDRAWN = "withdrawn", _("withdrawn")
        DEAD = "dead", _("refused")

    class Outcome(models.TextChoices):
        REACHED = "reached", _("reached")
        CONFIRMED = "confirmed", _("confirmed")
        NOT_REACHED = "not_reached", _("not reached")

    UNSENT = (Status.PENDING, Status.LEASED)
    NEWS = (Kind.INVITATION, Kind.CHANGE, Kind.CANCELLATION)

    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="messages")
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="messages")
    subject = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=Kind)
    offset = models.PositiveSmallIntegerField(null=True, blank=True, help_text=_("hours before the visit"))
    recipient = models.CharField(max_length=100)
    channel = models.CharField(max_length=8, choices=Channel)
    revision = models.PositiveIntegerField(default=0)

    language = models.CharField(max_length=8)
    snapshot = models.JSONField()
    address = models.EmailField(blank=True, help_text=_("where it went, or must go; empty: the patient's address then"))
    message_id = models.CharField(max_length=200, blank=True)

    status = models.CharField(max_length=16, choices=Status, default=Status.PENDING)
    outcome = models.CharField(max_length=16, choices=Outcome, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    lease = models.UUIDField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["due_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "kind", "offset", "recipient", "channel", "revision"],
                nulls_distinct=False,
                name="message_once",
            ),
            models.CheckConstraint(
                name="message_sent_has_its_time", condition=~models.Q(status="sent") | models.Q(sent_at__isnull=False)
            ),
            models.CheckConstraint(
                name="message_lease_while_leased",
                condition=models.Q(status="leased", lease__isnull=False)
                | ~models.Q(status="leased") & models.Q(lease=None),
            ),
        ]
        indexes = [
            models.Index(
                fields=["channel", "next_attempt_at", "id"],
                condition=models.Q(status__in=["pending", "leased"]),
                name="message_unsent",
            ),
            models.Index(
                fields=["subject", "recipient", "revision"],
                condition=models.Q(status__in=["pending", "leased"]),
                name="message_unsent_subject",
            ),
            models.Index(fields=["message_id"], condition=~models.Q(message_id=""), name="message_by_message_id"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def may_have_reached(self) -> bool:
        """Whether its recipient may know of it: claimed for sending and not refused, or told by telephone."""
        if self.channel == self.Channel.CALL:
            return self.outcome in (self.Outcome.REACHED, self.Outcome.CONFIRMED)
        return self.claimed_at is not None and self.status != self.Status.DEAD

    def visits_by_uid(self) -> dict[str, snapshots.VisitSnapshot]:
        return {value["uid"]: snapshots.VisitSnapshot.from_json(value) for value in self.snapshot["visits"]}

    def visits(self) -> list[snapshots.VisitSnapshot]:
        """The visits it tells about: one, or those of a summary, in order of time."""
        return sorted(self.visits_by_uid().values(), key=lambda visit: visit.starts_at)
