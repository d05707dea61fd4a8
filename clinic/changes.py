"""Two people at one form: what the second one had before them is told from what the first one made of it.

A form carries the token of the rows that it shows. The service that saves compares it under lock.
"""

import datetime as dt
import hashlib

from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.errors import Conflict
from clinic.models import User

# Bookings raise the one, signing in the other; no form shows them.
_UNSEEN = frozenset({"version", "last_login", "password"})


class RowChanged(Conflict):
    """`details`: `by`, a name or empty, `at`, ISO 8601 or None, and `token`, that of the rows as they are now."""

    code = "row_changed"
    sentence = gettext_lazy("This changed meanwhile. Check, then repeat.")


def token_of(*rows: Model) -> str:
    """Differs whenever one of the rows, as read from the database, differs in a field that people edit."""
    told = [
        f"{row._meta.label}:{row.pk}:{field.attname}={field.value_to_string(row)}"
        for row in rows
        for field in row._meta.concrete_fields
        if field.name not in _UNSEEN
    ]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


def require_unchanged(seen: str | None, *rows: Model) -> None:
    """Raises RowChanged where the locked rows are not those of the token `seen`; None asks for nothing."""
    if seen is None or seen == (token := token_of(*rows)):
        return
    at, by = last_change(*rows)
    if at is None:
        raise RowChanged(details={"by": "", "at": None, "token": token})
    words = {"name": by or _("The program"), "time": f"{timezone.localtime(at):%H:%M}"}
    raise RowChanged(
        _("%(name)s changed this at %(time)s. Check, then repeat.") % words,
        details={"by": by, "at": at.isoformat(), "token": token},
    )


def last_change(*rows: Model) -> tuple[dt.datetime | None, str]:
    """When one of the rows was last changed, and by whom; the name is empty where a program did it."""
    latest = None
    for row in rows:
        for events in {*row.pgh_event_models.values()}:  # type: ignore[attr-defined]
            event = events.objects.filter(pgh_obj_id=row.pk).select_related("pgh_context").order_by("-pgh_id").first()
            if event is not None and (latest is None or event.pgh_created_at > latest.pgh_created_at):
                latest = event
    if latest is None:
        return None, ""
    key = (latest.pgh_context.metadata if latest.pgh_context else {}).get("user")
    user = User.objects.filter(pk=key).first() if key else None
    return latest.pgh_created_at, str(user or "")
