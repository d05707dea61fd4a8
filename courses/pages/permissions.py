"""Who may open a page: declared at each view, checked before it runs, and readable by a test that walks every URL."""

import datetime as dt
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clinic.errors import NotAllowed, NotFound
from clinic.models import Clinic, User
from clinic.permissions import Permission

CLINIC_IN_SESSION = "clinic"
# What a view declares instead of a permission of a role.
ANYONE = "anyone"
MEMBER = "member"


class PageRequest(HttpRequest):
    """A request of a signed-in member of staff, as views behind `page` get it.

    `clinic` is where the user works now, `now` the one moment that the whole request takes for the present.
    """

    user: User
    clinic: Clinic
    now: dt.datetime


View = Callable[..., HttpResponseBase]


def page(permission: Permission | str, *, methods: tuple[str, ...] = ("GET", "HEAD")) -> Callable[[View], View]:
    """Let a view run for members of staff who hold `permission` (MEMBER: any role) in a clinic, in that clinic's zone.

    Raises NotFound for users without any role, NotAllowed for those whose roles lack the permission.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: PageRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            request.clinic = current_clinic(request, permission)
            request.now = timezone.now()
            with timezone.override(request.clinic.tz):
                return view(request, *args, **kwargs)

        guarded = never_cache(require_http_methods(list(methods))(checked))
        guarded.required_permission = permission  # type: ignore[attr-defined]
        return guarded

    return decorate


def open_page(view: View) -> View:
    """Let anyone open a page, signed in or not."""
    opened = login_not_required(view)
    opened.required_permission = ANYONE  # type: ignore[attr-defined]
    return opened


def current_clinic(request: HttpRequest, permission: Permission | str = MEMBER) -> Clinic:
    """The clinic the user chose, if the permission is held there, else the first one where it is."""
    user = cast(User, request.user)  # LoginRequiredMiddleware lets nobody else come this far
    own = {m.clinic_id: m.clinic for m in user.cached_memberships()}
    if not own:
        raise NotFound
    wanted = None if permission == MEMBER else Permission(permission)
    allowed = [clinic_id for clinic_id in own if wanted is None or user.may(wanted, clinic_id)]
    if not allowed:
        raise NotAllowed
    chosen = request.session.get(CLINIC_IN_SESSION)
    return own[chosen] if chosen in allowed else own[min(allowed, key=lambda pk: (own[pk].name, pk))]
