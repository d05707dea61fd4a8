"""What the views of the API have in common."""

import datetime as dt
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from clinic.models import User
from clinic.permissions import Permission
from courses.api.idempotency import IdempotentPosts
from courses.api.permissions import required_for


class Verbs(IdempotentPosts, viewsets.GenericViewSet):
    """Rows of the clinics in which the user holds the permission declared for the action; others are not found.

    `required_permission` maps every action to its permission; `clinic_field` leads from the row to its clinic, and is
    empty for what belongs to the whole organisation.
    """

    required_permission: ClassVar[Mapping[str, Permission]] = {}
    clinic_field: ClassVar[str] = "clinic"
    lookup_value_regex = "[0-9]{1,18}"
    http_method_names = ["get", "head", "post", "options"]

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows.none()
        return self.visible(rows, self.clinic_ids) if self.clinic_field else rows

    def visible(self, rows: QuerySet[Any], clinic_ids: list[int]) -> QuerySet[Any]:
        return rows.filter(**{f"{self.clinic_field}__in": clinic_ids})

    @property
    def clinic_ids(self) -> list[int]:
        required = required_for(self)
        return self.by.clinic_ids(required) if isinstance(required, Permission) else []

    @property
    def by(self) -> User:
        user = self.request.user
        assert isinstance(user, User)  # noqa: S101 - permissions were checked before any action
        return user

    @cached_property
    def now(self) -> dt.datetime:
        """The moment of this request: the clock is read once, and in a demonstration stops when its files end."""
        moment = timezone.now()
        return min(moment, dt.datetime.fromisoformat(settings.DEMO_NOW)) if settings.DEMO_NOW else moment

    def read(self, serializer: type[Serializer[Any]], request: Request) -> dict[str, Any]:
        """The validated body."""
        body = serializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)


class Shelf(mixins.ListModelMixin, mixins.RetrieveModelMixin, Verbs):
    """A noun that can be listed and looked at."""
