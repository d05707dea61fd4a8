"""Tasks and messages."""

from rest_framework import serializers

from clinic.models import Task
from courses.api.fields import MomentField
from notifications.models import Message


class TaskSerializer(serializers.ModelSerializer[Task]):
    due_at = MomentField(allow_null=True)
    created_at = MomentField()
    done_at = MomentField(allow_null=True)

    class Meta:
        model = Task
        fields = [
            "id",
            "clinic",
            "kind",
            "patient",
            "subject",
            "text",
            "urgent",
            "due_at",
            "created_at",
            "done_at",
            "done_by",
        ]


class MessageSerializer(serializers.ModelSerializer[Message]):
    created_at = MomentField()
    due_at = MomentField()
    next_attempt_at = MomentField()
    expires_at = MomentField(allow_null=True)
    sent_at = MomentField(allow_null=True)

    class Meta:
        model = Message
        fields = [
            "id",
            "clinic",
            "patient",
            "subject",
            "kind",
            "offset",
            "recipient",
            "channel",
            "revision",
            "language",
            "status",
            "outcome",
            "reason",
            "attempts",
            "created_at",
            "due_at",
            "next_attempt_at",
            "expires_at",
            "sent_at",
        ]
