"""A clinic's own settings: how it is reached, when it opens, and how it treats messages, holds and late changes."""

import datetime as dt
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from clinic.changes import require_unchanged
from clinic.errors import Invalid
from clinic.locking import writing
from clinic.models import Clinic, Room, User
from courses.managing.rights import require_manager
from courses.managing.stranding import at_clinic, watching

# Neither zone nor country: hours, holidays and every booked moment were understood in them.
FIELDS = (
    "name",
    "language",
    "address",
    "phone",
    "email",
    "opening_weekdays",
    "book_until",
    "quiet_from",
    "quiet_until",
    "settle_minutes",
    "reminder_offsets",
    "hold_minutes",
    "late_cancel_hours",
    "room_change_minutes",
)
_MOST = {"settle_minutes": 120, "hold_minutes": 120, "late_cancel_hours": 24 * 14, "room_change_minutes": 60}
_MOST_REMINDERS, _EARLIEST_REMINDER = 5, 24 * 30


def edit_clinic(
    *,
    clinic: Clinic,
    by: User | None,
    now: dt.datetime,
    accepted: bool = False,
    seen: str | None = None,
    **fields: Any,
) -> Clinic:
    """Change settings, those of FIELDS. Reminder offsets are hours before a visit.

    Raises SessionsOutside, unless `accepted`, for sessions on weekdays no longer open; RowChanged; Invalid naming the
    wrong fields; NotAllowed; NotFound.
    """
    require_manager(clinic, by)
    if unknown := sorted(set(fields) - set(FIELDS)):
        raise TypeError(f"a clinic's settings have no {', '.join(unknown)}")
    _check(fields)
    weekdays = fields.get("opening_weekdays", clinic.opening_weekdays)
    opens_less = bool(set(clinic.opening_weekdays) - set(weekdays))
    scope = at_clinic(clinic, clinic.local_date(now), None, now)
    rooms = list(Room.objects.filter(clinic=clinic).values_list("pk", flat=True)) if opens_less else []
    with writing(), watching(scope if opens_less else scope.none(), resources=rooms, accepted=accepted, now=now):
        row = Clinic.objects.select_for_update(no_key=True, of=("self",)).get(pk=clinic.pk)
        require_unchanged(seen, row)
        for name, value in fields.items():
            setattr(row, name, value)
        try:
            row.full_clean()
        except ValidationError as error:
            raise Invalid(details=error.message_dict) from error
        row.save(update_fields=[*fields])
    return row


def _check(fields: dict[str, Any]) -> None:
    wrong: dict[str, list[Any]] = {}
    days = fields.get("opening_weekdays")
    if days is not None and (not days or not set(days) <= set(range(1, 8))):
        wrong["opening_weekdays"] = [_("Choose at least one day.")]
    for name, most in _MOST.items():
        if name in fields and not 0 <= fields[name] <= most:
            wrong[name] = [_("Between 0 and %(most)s.") % {"most": most}]
    if fields.get("hold_minutes") == 0:
        wrong["hold_minutes"] = [_("At least one minute.")]
    offsets = fields.get("reminder_offsets")
    if offsets is not None:
        if len(offsets) > _MOST_REMINDERS or any(not 1 <= hours <= _EARLIEST_REMINDER for hours in offsets):
            wrong["reminder_offsets"] = [_("At most five, each between 1 and 720 hours before the visit.")]
        else:
            fields["reminder_offsets"] = sorted(set(offsets), reverse=True)
    if any("\0" in value for value in fields.values() if isinstance(value, str)):
        wrong.setdefault("name", []).append(_("Null characters are not allowed."))
    if wrong:
        raise Invalid(details=wrong)
