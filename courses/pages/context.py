"""What every page shows around its own content: where the user works, the menu, the languages."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from clinic.models import User
from clinic.permissions import Permission


@dataclass(frozen=True)
class MenuItem:
    name: str
    url: str
    is_here: bool


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `clinic`, `clinics` and `menu` of the signed-in user; empty for others."""
    return {
        "clinic": getattr(request, "clinic", None),
        "clinics": SimpleLazyObject(lambda: _clinics(request)),
        "menu": SimpleLazyObject(lambda: _menu(request)),
        "sections": SimpleLazyObject(lambda: _sections(request)),
        "languages": settings.LANGUAGES,
        "now": getattr(request, "now", None),
    }


def _clinics(request: HttpRequest) -> list[Any]:
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return []
    found = {m.clinic_id: m.clinic for m in user.cached_memberships()}
    return sorted(found.values(), key=lambda clinic: (clinic.name, clinic.pk))


def _menu(request: HttpRequest) -> list[MenuItem]:
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return []
    entries = [
        (_("Desk"), "desk", Permission.VIEW_CALENDAR),
        (_("Board"), "board", Permission.VIEW_CALENDAR),
        (_("Patients"), "patients", Permission.VIEW_PATIENTS),
        (_("Calls"), "calls", Permission.SEE_MESSAGES),
    ]
    entries.append((_("Management"), "manage-staff", Permission.MANAGE_CLINIC))
    if settings.MAIL_SINK_DIRECTORY:
        entries.append((_("Mails"), "mails", Permission.SEE_MESSAGES))
    return [
        MenuItem(name=name, url=url, is_here=request.path.startswith(url) and (url != "/" or request.path == "/"))
        for name, url in ((name, reverse(view)) for name, view, permission in entries if user.may(permission))
    ]


def _sections(request: HttpRequest) -> list[MenuItem]:
    """What a manager keeps in order, as tabs."""
    entries = [
        (_("Staff"), "manage-staff", ("staff", "skills", "shifts")),
        (_("Roster"), "manage-roster", ("roster",)),
        (_("Rooms and devices"), "manage-rooms", ("rooms", "devices", "places", "outages")),
        (_("Calendar"), "manage-calendar", ("calendar", "closures")),
        (_("Catalogue"), "manage-catalogue", ("catalogue",)),
        (_("Settings"), "manage-clinic", ("clinic",)),
        (_("Accounts"), "manage-accounts", ("accounts",)),
        (_("Import"), "manage-imports", ("imports",)),
    ]
    noun = request.path.removeprefix("/manage/").partition("/")[0] or "staff"
    return [MenuItem(name=name, url=reverse(view), is_here=noun in nouns) for name, view, nouns in entries]
