"""A clinic's own figures: what is confirmed, what still waits to be, and making a procedure bookable."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from clinic.changes import require_unchanged
from clinic.errors import Conflict, Invalid, NotAllowed, NotFound
from clinic.locking import writing
from clinic.models import Clinic, User
from clinic.permissions import Permission
from courses.catalogue.entries import FIGURES
from courses.catalogue.loading import MARK
from courses.catalogue.models import Procedure

TO_BE_CONFIRMED = _("to be confirmed by the clinic")
_LABELS = {
    "minutes": _("Minutes"),
    "sessions_default": _("Sessions, usual"),
    "sessions_min": _("Sessions, least"),
    "sessions_max": _("Sessions, most"),
    "gap_min": _("Least gap"),
    "gap_max": _("Greatest gap"),
    "per_week": _("Most in a week"),
}
_EDITABLE = frozenset(
    {*FIGURES, "gap_unit", "short_code", "short_code_ru", "name_en", "name_ru", "name_pl", "category", "tags"}
    | {"therapist_change_cost", "is_group", "requires_referral", "note"}
)


@dataclass(frozen=True)
class ShownFigure:
    """A figure as people read it. `confidence` is CLINIC for the clinic's own, PRACTICE where there is no source."""

    name: str
    label: Any
    value: int | None
    source: str
    confidence: str

    @property
    def text(self) -> Any:
        return TO_BE_CONFIRMED if self.value is None else str(self.value)


def figures_of(procedure: Procedure) -> list[ShownFigure]:
    """All figures of a procedure. A value other than the loaded one, or without a source, is the clinic's."""
    loaded = procedure.sources.get(MARK, {}).get("loaded", {})
    return [_shown(procedure, name, loaded) for name in FIGURES]


def _shown(procedure: Procedure, name: str, loaded: dict[str, Any]) -> ShownFigure:
    value = getattr(procedure, name)
    source = procedure.sources.get(name, {})
    if value is None:
        return ShownFigure(name, _LABELS[name], None, "", "PRACTICE")
    if loaded.get(name, value) != value:
        return ShownFigure(name, _LABELS[name], value, "", "CLINIC")
    return ShownFigure(name, _LABELS[name], value, source.get("source", ""), source.get("confidence", "CLINIC"))


def create_procedure(*, clinic: Clinic, code: str, by: User | None, now: dt.datetime, **fields: Any) -> Procedure:
    """A procedure of the clinic's own, which waits to be activated. `code` cannot be changed later.

    Raises Invalid naming the wrong fields, NotAllowed, NotFound.
    """
    procedure = Procedure(clinic=clinic, code=code.strip().upper(), is_active=False)
    _require_manager(procedure, by)
    if unknown := sorted(set(fields) - _EDITABLE):
        raise TypeError(f"a procedure has no {', '.join(unknown)}")
    for name, value in fields.items():
        setattr(procedure, name, value)
        if name in FIGURES and value is not None:
            procedure.sources[name] = {"source": "", "confidence": "CLINIC"}
    with writing():
        _clean(procedure)
        procedure.save()
    return procedure


def edit_procedure(
    *, procedure: Procedure, by: User | None, now: dt.datetime, seen: str | None = None, **fields: Any
) -> Procedure:
    """Change figures and descriptions of a procedure; the next loading of the catalogue leaves them alone.

    Raises Invalid naming the wrong fields, NotAllowed, NotFound, RowChanged where `seen` is of an older row, and
    Conflict for an active one left without minutes.
    """
    _require_manager(procedure, by)
    if unknown := sorted(set(fields) - _EDITABLE):
        raise TypeError(f"a procedure has no {', '.join(unknown)}")
    with writing():
        locked = _lock(procedure)
        require_unchanged(seen, locked)
        for name, value in fields.items():
            setattr(locked, name, value)
            if name in FIGURES:
                locked.sources[name] = {"source": "", "confidence": "CLINIC"}
        if locked.is_active:
            _require_minutes(locked)
        _clean(locked)
        locked.save(update_fields=[*fields, "sources"])
    return locked


def activate_procedure(*, procedure: Procedure, by: User | None, now: dt.datetime) -> Procedure:
    """Let the procedure be prescribed and booked: its figures count as confirmed. Raises Conflict without minutes."""
    _require_manager(procedure, by)
    with writing():
        locked = _lock(procedure)
        _require_minutes(locked)
        locked.is_active = True
        locked.save(update_fields=["is_active"])
    return locked


def deactivate_procedure(*, procedure: Procedure, by: User | None, now: dt.datetime) -> Procedure:
    """Offer the procedure no longer. Courses of it go on."""
    _require_manager(procedure, by)
    with writing():
        locked = _lock(procedure)
        locked.is_active = False
        locked.save(update_fields=["is_active"])
    return locked


def _require_manager(procedure: Procedure, by: User | None) -> None:
    if by is not None and not by.may(Permission.MANAGE_CLINIC, procedure.clinic_id):
        raise NotAllowed() if procedure.clinic_id in by.clinic_ids() else NotFound()


def _clean(procedure: Procedure) -> None:
    try:
        procedure.full_clean()
    except ValidationError as error:
        raise Invalid(details=error.message_dict) from error


def _require_minutes(procedure: Procedure) -> None:
    if procedure.minutes is None:
        raise Conflict(
            _("How many minutes it takes is to be confirmed by the clinic. Enter the minutes first."),
            code="minutes_to_be_confirmed",
        )


def _lock(procedure: Procedure) -> Procedure:
    return Procedure.objects.select_for_update(no_key=True, of=("self",)).get(pk=procedure.pk)
