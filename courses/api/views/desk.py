"""Tasks and messages: what waits for a person, and what patients were told."""

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import settling
from clinic.models import Task
from clinic.permissions import Permission
from courses.api import filters
from courses.api.serializers import desk as serializers
from courses.api.serializers.courses import EmptyBody
from courses.api.viewsets import Shelf
from courses.booking import access
from notifications.models import Message


class TaskViews(Shelf):
    queryset = Task.objects.all()
    serializer_class = serializers.TaskSerializer
    filterset_class = filters.TaskFilters
    required_permission = {
        "list": Permission.SEE_TASKS,
        "retrieve": Permission.SEE_TASKS,
        "done": Permission.SEE_TASKS,
    }

    @extend_schema(request=EmptyBody, responses=serializers.TaskSerializer)
    @action(detail=True, methods=["post"])
    def done(self, request: Request, pk: str) -> Response:
        """Somebody has seen to it."""
        self.read(EmptyBody, request)
        task = access.task_for(self.by, self.required_permission[self.action], int(pk))
        settled = settling.settle_task(task=task, by=self.by, now=self.now)
        return Response(serializers.TaskSerializer(settled).data)


class MessageViews(Shelf):
    queryset = Message.objects.all()
    serializer_class = serializers.MessageSerializer
    filterset_class = filters.MessageFilters
    required_permission = {"list": Permission.SEE_MESSAGES, "retrieve": Permission.SEE_MESSAGES}
