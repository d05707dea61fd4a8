"""Default deny: what a view does not declare in `required_permission`, nobody may do."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from clinic.errors import NotAllowed, NotFound
from clinic.models import User
from clinic.permissions import Permission


class Open(Enum):
    """Declared in place of a permission by what shows nothing of any clinic: the API's own description."""

    TO_ALL = "to_all"


Required = Permission | Open


class RolePermission(BasePermission):
    """Allows an action to users one of whose roles carries the permission that the view declares for it.

    In which clinic the role is held is checked with the row itself: rows of other clinics are not found. To a user
    without any role nothing exists.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method == "OPTIONS" or getattr(view, "action", "") is None:
            return True  # a method that the view does not have: it answers 405 by itself
        required = required_for(view)
        if required is Open.TO_ALL:
            return True
        user = request.user
        if not isinstance(user, User):
            return False
        if not user.cached_memberships():
            raise NotFound
        if not isinstance(required, Permission) or not user.may(required):
            raise NotAllowed
        return True


def required_for(view: Any) -> Required | None:
    declared = getattr(view, "required_permission", None)
    return declared.get(getattr(view, "action", None)) if isinstance(declared, Mapping) else declared
