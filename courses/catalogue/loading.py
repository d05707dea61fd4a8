"""Copying the shipped catalogue into a clinic, as often as one likes, without ever undoing what the clinic decided.

`Procedure.sources["catalogue"]["loaded"]` remembers what the last loading wrote. What still stands as it was written
may follow a newer catalogue; whatever differs is the clinic's own. Figures that belong together move together, those
of an active procedure are confirmed and stay, and what the clinic deleted is not brought back.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

import pghistory

from clinic.errors import NotAllowed, NotFound
from clinic.locking import writing
from clinic.models import Clinic, User
from clinic.permissions import Permission
from courses.catalogue.entries import FIGURES, CatalogueEntry, RequirementEntry, VariantEntry, catalogue
from courses.catalogue.models import Procedure, ProcedureVariant, Requirement

MARK = "catalogue"
_DESCRIPTIONS = (
    "short_code",
    "short_code_ru",
    "name_en",
    "name_ru",
    "name_pl",
    "category",
    "tags",
    "therapist_change_cost",
    "is_group",
    "requires_referral",
    "note",
)
# A least number of sessions from the clinic beside a most from the catalogue would be nobody's opinion.
_TOGETHER: tuple[tuple[str, ...], ...] = (
    *((name,) for name in _DESCRIPTIONS),
    ("minutes",),
    ("sessions_default", "sessions_min", "sessions_max"),
    ("gap_min", "gap_max", "per_week"),
)
_NEEDS = ("role", "type_code", "count", "minutes_before", "minutes_after", "hands_on_start", "hands_on_end")


@dataclass
class Loading:
    """What a loading did. `changed` and `kept` name a procedure's code and what of it; `kept` is the clinic's own."""

    created: list[str] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)


def load_catalogue(
    *, clinic: Clinic, by: User | None, now: dt.datetime, entries: Iterable[CatalogueEntry] | None = None
) -> Loading:
    """Load the shipped catalogue (or `entries`) into the clinic. New procedures wait to be activated.

    Raises NotFound for a user without a role in the clinic and NotAllowed for one who may not manage it.
    """
    if by is not None and not by.may(Permission.MANAGE_CLINIC, clinic):
        raise NotAllowed() if clinic.pk in by.clinic_ids() else NotFound()
    done = Loading()
    with pghistory.context(source="catalogue", user=by.pk if by else None), writing():
        rows = Procedure.objects.filter(clinic=clinic).order_by("pk").select_for_update(no_key=True, of=("self",))
        standing = {procedure.code: procedure for procedure in rows.prefetch_related("requirements", "variants")}
        deleted = _deleted_codes(clinic) - standing.keys()
        for entry in catalogue() if entries is None else entries:
            if entry.code in standing:
                _renew(standing[entry.code], entry, done)
            elif entry.code in deleted:
                done.kept.append((entry.code, "deleted"))
            else:
                _create(clinic, entry, done)
    return done


def _deleted_codes(clinic: Clinic) -> set[str]:
    trail = Procedure.pgh_event_models["delete"]  # type: ignore[attr-defined]
    return set(trail.objects.filter(clinic=clinic, pgh_label="delete").values_list("code", flat=True))


def _create(clinic: Clinic, entry: CatalogueEntry, done: Loading) -> None:
    values = _values(entry)
    loaded = values | {"requirements": _needed(entry.requirements), "variants": _areas(entry.variants)}
    procedure = Procedure.objects.create(
        clinic=clinic, code=entry.code, is_active=False, sources=_sources(entry) | {MARK: {"loaded": loaded}}, **values
    )
    _write_requirements(procedure, entry.requirements)
    for variant in entry.variants:
        _write_variant(procedure, variant)
    done.created.append(entry.code)


def _renew(procedure: Procedure, entry: CatalogueEntry, done: Loading) -> None:
    loaded = dict(procedure.sources.get(MARK, {}).get("loaded", {}))
    wanted = _values(entry)
    changed = False
    for group in _TOGETHER:
        if all(getattr(procedure, name) == wanted[name] for name in group):
            loaded |= {name: wanted[name] for name in group}
        elif _is_the_clinics(procedure, group, loaded):
            done.kept += [(entry.code, name) for name in group if getattr(procedure, name) != wanted[name]]
        else:
            for name in group:
                if getattr(procedure, name) != wanted[name]:
                    setattr(procedure, name, wanted[name])
                    done.changed.append((entry.code, name))
                loaded[name] = wanted[name]
            procedure.sources |= {name: source for name, source in _sources(entry).items() if name in group}
            changed = True
    changed |= _renew_requirements(procedure, entry, loaded, done)
    changed |= _renew_variants(procedure, entry, loaded, done)
    if changed or loaded != procedure.sources.get(MARK, {}).get("loaded", {}):
        procedure.sources |= {MARK: {"loaded": loaded}}
        procedure.save()


def _is_the_clinics(procedure: Procedure, group: tuple[str, ...], loaded: Mapping[str, Any]) -> bool:
    if procedure.is_active and group[0] in FIGURES:
        return True
    return any(
        getattr(procedure, name) != loaded[name] if name in loaded else getattr(procedure, name) not in (None, "", [])
        for name in group
    )


def _renew_requirements(procedure: Procedure, entry: CatalogueEntry, loaded: dict[str, Any], done: Loading) -> bool:
    wanted = _needed(entry.requirements)
    standing = sorted(
        ({name: getattr(row, name) for name in _NEEDS} for row in procedure.requirements.all()), key=_need_order
    )
    if standing == wanted:
        loaded["requirements"] = wanted
        return False
    if procedure.is_active or standing != loaded.get("requirements", []):
        done.kept.append((entry.code, "requirements"))
        return False
    procedure.requirements.all().delete()
    _write_requirements(procedure, entry.requirements)
    loaded["requirements"] = wanted
    done.changed.append((entry.code, "requirements"))
    return True


def _renew_variants(procedure: Procedure, entry: CatalogueEntry, loaded: dict[str, Any], done: Loading) -> bool:
    standing = {row.area: row for row in procedure.variants.all()}
    before = dict(loaded.get("variants", {}))
    after = dict(before)
    changed = False
    for variant in entry.variants:
        wanted = _areas([variant])[variant.area]
        row = standing.get(variant.area)
        now = None if row is None else {"minutes": row.minutes, "units": _plain(row.units)}
        if now == wanted:
            after[variant.area] = wanted
        elif now == before.get(variant.area):  # both None: a new area; else untouched since it was loaded
            _write_variant(procedure, variant, row)
            after[variant.area] = wanted
            changed = True
            done.changed.append((entry.code, f"variant {variant.area}"))
        else:
            done.kept.append((entry.code, f"variant {variant.area}"))
    loaded["variants"] = after
    return changed


# --- What an entry says, as it is stored -----------------------------------------------------------------------------


def _values(entry: CatalogueEntry) -> dict[str, Any]:
    said = {name: getattr(entry, name) for name in _DESCRIPTIONS} | {"tags": list(entry.tags)}
    return said | {name: entry.figures[name].value for name in FIGURES}


def _sources(entry: CatalogueEntry) -> dict[str, Any]:
    return {name: _source(figure) for name, figure in entry.figures.items()}


def _source(figure: Any) -> dict[str, str]:
    return {"source": figure.source, "confidence": figure.confidence}


def _needed(requirements: Iterable[RequirementEntry]) -> list[dict[str, Any]]:
    return sorted(map(asdict, requirements), key=_need_order)


def _need_order(need: Mapping[str, Any]) -> tuple[str, str]:
    return need["role"], need["type_code"]


def _areas(variants: Iterable[VariantEntry]) -> dict[str, dict[str, Any]]:
    return {
        variant.area: {name: _plain(figure.value) for name, figure in variant.figures.items()} for variant in variants
    }


def _plain(value: Any) -> Any:
    """As JSON holds it: 1.0 units are "1.0", in whichever way they were written."""
    return f"{value:.1f}" if isinstance(value, Decimal) else value


def _write_requirements(procedure: Procedure, requirements: Iterable[RequirementEntry]) -> None:
    Requirement.objects.bulk_create(Requirement(procedure=procedure, **asdict(needed)) for needed in requirements)


def _write_variant(procedure: Procedure, variant: VariantEntry, row: ProcedureVariant | None = None) -> None:
    row = row or ProcedureVariant(procedure=procedure, area=variant.area)
    for name, figure in variant.figures.items():
        setattr(row, name, figure.value)
    row.sources = {name: _source(figure) for name, figure in variant.figures.items()}
    row.save()
