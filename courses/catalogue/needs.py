"""What a procedure needs, what it takes per body area, and what is not given on the same day: the clinic's own lists.

Each verb replaces the whole list; rows that stay as they are keep their place in the history.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from clinic.changes import require_unchanged
from clinic.errors import Invalid, NotAllowed, NotFound
from clinic.locking import writing
from clinic.models import ResourceKind, User
from clinic.permissions import Permission
from courses.catalogue.models import Procedure, ProcedureVariant, Requirement

FIGURES_OF_NEED = ("count", "minutes_before", "minutes_after", "hands_on_start", "hands_on_end")
_TYPED = frozenset({ResourceKind.ROOM, ResourceKind.EQUIPMENT})
ROLES = (ResourceKind.THERAPIST, ResourceKind.ROOM, ResourceKind.EQUIPMENT, ResourceKind.PATIENT)
MOST_LINES = 20


def set_requirements(
    *,
    procedure: Procedure,
    requirements: Sequence[Mapping[str, Any]],
    by: User | None,
    now: dt.datetime,
    seen: str | None = None,
) -> list[Requirement]:
    """Let these be what it needs: mappings with role, type_code (of rooms and devices) and FIGURES_OF_NEED.

    Sessions booked before stay as they are. Raises Invalid with details by "line.field", counted from 1; RowChanged.
    """
    wrong: dict[str, list[Any]] = {}
    rows: list[Requirement] = []
    for number, given in enumerate(requirements, 1):
        row = Requirement(procedure=procedure, **given)
        _check_need(row, number, rows, wrong)
        rows.append(row)
    if len(rows) > MOST_LINES:
        wrong["body"] = [_("At most %(most)s lines.") % {"most": MOST_LINES}]
    _refuse(wrong)
    _require_manager(procedure, by)
    with writing():
        locked = _lock(procedure)
        standing = {(r.role, r.type_code): r for r in locked.requirements.select_for_update(of=("self",))}
        require_unchanged(seen, *sorted(standing.values(), key=lambda r: r.pk))
        for row in rows:
            old = standing.pop((row.role, row.type_code), None)
            if old is not None:
                row.pk, row._state.adding = old.pk, False
            row.save()
        Requirement.objects.filter(pk__in=[r.pk for r in standing.values()]).delete()
    return rows


def set_variants(
    *,
    procedure: Procedure,
    variants: Iterable[Mapping[str, Any]],
    by: User | None,
    now: dt.datetime,
    seen: str | None = None,
) -> list[ProcedureVariant]:
    """Let these be the body areas with figures of their own: mappings with area, minutes and units, either empty.

    Raises Invalid with details by "line.field", counted from 1; RowChanged.
    """
    wrong: dict[str, list[Any]] = {}
    rows: list[ProcedureVariant] = []
    for number, given in enumerate(variants, 1):
        row = ProcedureVariant(procedure=procedure, **given)
        if any(other.area == row.area for other in rows):
            wrong[f"{number}.area"] = [_("This area is there already.")]
        if row.minutes is not None and (row.minutes < 5 or row.minutes > 480):
            wrong[f"{number}.minutes"] = [_("Between 5 and 480 minutes.")]
        _clean(row, number, wrong)
        rows.append(row)
    _refuse(wrong)
    _require_manager(procedure, by)
    with writing():
        locked = _lock(procedure)
        standing = {v.area: v for v in locked.variants.select_for_update(of=("self",))}
        require_unchanged(seen, *sorted(standing.values(), key=lambda v: v.pk))
        for row in rows:
            old = standing.pop(row.area, None)
            row.sources = _sources(row, old)
            if old is not None:
                row.pk, row._state.adding = old.pk, False
            row.save()
        ProcedureVariant.objects.filter(pk__in=[v.pk for v in standing.values()]).delete()
    return rows


def set_separations(
    *, procedure: Procedure, others: Iterable[Procedure], by: User | None, now: dt.datetime
) -> Procedure:
    """Let these be the procedures of the clinic that a patient does not get on the same day. What is booked stays."""
    _require_manager(procedure, by)
    wanted = {other for other in others if other.pk != procedure.pk}
    if any(other.clinic_id != procedure.clinic_id for other in wanted):
        raise Invalid(details={"not_same_day_with": [_("This clinic has no such procedure.")]})
    with writing():
        locked = _lock(procedure)
        locked.not_same_day_with.set(wanted)
    return locked


def _check_need(row: Requirement, number: int, before: Sequence[Requirement], wrong: dict[str, list[Any]]) -> None:
    if row.role not in ROLES:
        wrong[f"{number}.role"] = [_("Choose what is needed.")]
        return
    if row.role in _TYPED and not row.type_code:
        wrong[f"{number}.type_code"] = [_("Say which type of room or device.")]
    if row.role not in _TYPED:
        row.type_code = ""
    if any((other.role, other.type_code) == (row.role, row.type_code) for other in before):
        wrong[f"{number}.role"] = [_("This is there already.")]
    for name in FIGURES_OF_NEED:
        value = getattr(row, name)
        if name != "count" and (not 0 <= value <= 240 or value % 5):
            wrong[f"{number}.{name}"] = [_("Minutes are multiples of five, at most 240.")]
    if row.count != 1:
        wrong[f"{number}.count"] = [_("One of each: count more by another type.")]
    if row.role != ResourceKind.THERAPIST and (row.hands_on_start or row.hands_on_end):
        wrong[f"{number}.hands_on_start"] = [_("Only a specialist has hands.")]
    _clean(row, number, wrong)


def _clean(row: Requirement | ProcedureVariant, number: int, wrong: dict[str, list[Any]]) -> None:
    try:
        row.clean_fields(exclude=["procedure"])
    except ValidationError as error:
        for name, sentences in error.message_dict.items():
            wrong.setdefault(f"{number}.{name}", []).extend(sentences)


def _sources(row: ProcedureVariant, old: ProcedureVariant | None) -> dict[str, Any]:
    """A figure that is not what it was is the clinic's."""
    sources = dict(old.sources) if old is not None else {}
    for name in ("minutes", "units"):
        before: int | Decimal | None = getattr(old, name, None)
        if getattr(row, name) != before:
            sources[name] = {"source": "", "confidence": "CLINIC"}
    return sources


def _refuse(wrong: dict[str, list[Any]]) -> None:
    if wrong:
        raise Invalid(details=wrong)


def _require_manager(procedure: Procedure, by: User | None) -> None:
    if by is not None and not by.may(Permission.MANAGE_CLINIC, procedure.clinic_id):
        raise NotAllowed() if procedure.clinic_id in by.clinic_ids() else NotFound()


def _lock(procedure: Procedure) -> Procedure:
    return Procedure.objects.select_for_update(no_key=True, of=("self",)).get(pk=procedure.pk)
