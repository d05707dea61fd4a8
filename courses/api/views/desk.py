"""Tasks and messages: what waits for a person, and what patients were told."""

from clinic.models import Task
from clinic.permissions import Permission
from courses.api import filters
from courses.api.serializers import desk as serializers
from courses.api.viewsets import Shelf
from notifications.models import Message


class TaskViews(Shelf):
    queryset = Task.objects.all()
    serializer_class = serializers.TaskSerializer
    filterset_class = filters.TaskFilters
    required_permission = {"list": Permission.SEE_TASKS, "retrieve": Permission.SEE_TASKS}


class MessageViews(Shelf):
    queryset = Message.objects.all()
    serializer_class = serializers.MessageSerializer
    filterset_class = filters.MessageFilters
    required_permission = {"list": Permission.SEE_MESSAGES, "retrieve": Permission.SEE_MESSAGES}
