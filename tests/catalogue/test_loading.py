"""Loading the catalogue: repeatable, and never against the clinic."""

import dataclasses
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from clinic.errors import NotAllowed, NotFound
from clinic.models import Clinic
from clinic.permissions import Role
from courses.catalogue.entries import CatalogueEntry, Figure, RequirementEntry, VariantEntry, catalogue
from courses.catalogue.loading import Loading, load_catalogue
from courses.models import Procedure
from tests.factories import NOW, ClinicFactory, ProcedureFactory, user_with_role


@pytest.fixture
def clinic(db: None) -> Clinic:
    return ClinicFactory()


@pytest.fixture
def load(clinic: Clinic) -> Callable[..., Loading]:
    def run(entries: list[CatalogueEntry] | None = None) -> Loading:
        return load_catalogue(clinic=clinic, by=None, now=NOW, entries=entries)

    return run


def entry(code: str = "MASSAGE", figures: dict[str, Any] | None = None, **changes: Any) -> CatalogueEntry:
    """An entry of the catalogue, as a newer one might have it."""
    old = next(one for one in catalogue() if one.code == code)
    newer = {name: Figure(value, "a newer trial", "WELL") for name, value in (figures or {}).items()}
    return dataclasses.replace(old, figures=MappingProxyType(dict(old.figures) | newer), **changes)


def get(code: str = "MASSAGE") -> Procedure:
    return Procedure.objects.get(code=code)


def test_everything_arrives_with_its_sources_and_waits(load: Callable[..., Loading], clinic: Clinic) -> None:
    assert sorted(load().created) == sorted(one.code for one in catalogue())
    for one in catalogue():
        procedure = get(one.code)
        assert not procedure.is_active
        assert procedure.clinic == clinic
        assert {name: getattr(procedure, name) for name in one.figures} == {
            name: figure.value for name, figure in one.figures.items()
        }
        for name, figure in one.figures.items():
            assert procedure.sources[name] == {"source": figure.source, "confidence": figure.confidence}
        assert {(need.role, need.type_code) for need in procedure.requirements.all()} == {
            (need.role, need.type_code) for need in one.requirements
        }
    massage = get()
    assert (massage.name_ru, massage.short_code_ru, massage.category) == ("Массаж", "МАС", "MS")
    assert {row.area: str(row.units) for row in massage.variants.all()}["spine"] == "2.5"
    assert all(row.minutes is None for row in massage.variants.all())


def test_again_it_changes_nothing(load: Callable[..., Loading], django_assert_max_num_queries: Callable) -> None:
    load()
    before = list(Procedure.objects.order_by("pk").values())
    with django_assert_max_num_queries(10):
        again = load()
    assert (again.created, again.changed, again.kept) == ([], [], [])
    assert list(Procedure.objects.order_by("pk").values()) == before


def test_a_procedure_without_minutes_cannot_be_activated(load: Callable[..., Loading]) -> None:
    load()
    with pytest.raises(IntegrityError, match="active_procedure_has_minutes"), transaction.atomic():
        Procedure.objects.filter(code="AMPLIPULSE").update(is_active=True)
    Procedure.objects.filter(code="LASER").update(is_active=True)


def test_a_newer_catalogue_reaches_what_nobody_touched(load: Callable[..., Loading]) -> None:
    load()
    lying = entry(figures={"minutes": 25}, name_en="Massage", requirements=(RequirementEntry("therapist"),))
    done = load([lying])
    assert set(done.changed) == {("MASSAGE", "minutes"), ("MASSAGE", "name_en"), ("MASSAGE", "requirements")}
    massage = get()
    assert (massage.minutes, massage.name_en) == (25, "Massage")
    assert massage.sources["minutes"] == {"source": "a newer trial", "confidence": "WELL"}
    assert [need.role for need in massage.requirements.all()] == ["therapist"]


EDITS: dict[str, Any] = {
    "minutes": 40,
    "name_ru": "Массаж спины",
    "tags": ["thermal"],
    "therapist_change_cost": 7,
    "requires_referral": False,
    "sessions_max": 20,
    "note": "",
}


@pytest.mark.parametrize(("name", "value"), EDITS.items())
def test_what_the_clinic_changed_stays(load: Callable[..., Loading], name: str, value: Any) -> None:
    load()
    Procedure.objects.filter(code="MASSAGE").update(**{name: value})
    newer = entry(
        figures={"minutes": 25, "sessions_min": 11, "sessions_max": 16},
        name_ru="Ручной массаж",
        tags=("cold",),
        therapist_change_cost=41,
        requires_referral=True,
        note="newer",
    )
    for _ in range(2):
        done = load([newer])
        assert ("MASSAGE", name) in done.kept
        assert getattr(get(), name) == value
    assert get().minutes == (40 if name == "minutes" else 25)
    # What belongs together stays together.
    assert get().sessions_min == (10 if name == "sessions_max" else 11)


def test_a_figure_taken_away_stays_away(load: Callable[..., Loading]) -> None:
    load()
    Procedure.objects.filter(code="MASSAGE").update(minutes=None)
    assert ("MASSAGE", "minutes") in load().kept
    assert get().minutes is None


def test_figures_of_an_active_procedure_are_confirmed(load: Callable[..., Loading]) -> None:
    load()
    Procedure.objects.filter(code="MASSAGE").update(is_active=True)
    newer = entry(figures={"minutes": None}, name_en="Massage", requirements=(RequirementEntry("therapist"),))
    done = load([newer])
    assert set(done.kept) == {("MASSAGE", "minutes"), ("MASSAGE", "requirements")}
    assert (get().minutes, get().name_en, get().is_active) == (20, "Massage", True)


def test_requirements_the_clinic_changed_stay(load: Callable[..., Loading]) -> None:
    load()
    get().requirements.filter(role="room").update(type_code="spa")
    assert ("MASSAGE", "requirements") in load().kept
    get("LASER").requirements.all().delete()
    assert ("LASER", "requirements") in load().kept
    assert not get("LASER").requirements.exists()
    assert get().requirements.filter(type_code="spa").exists()


def test_variants(load: Callable[..., Loading]) -> None:
    load()
    get().variants.filter(area="spine").update(minutes=50)
    get().variants.filter(area="chest").delete()
    newer = [
        dataclasses.replace(
            old, figures=MappingProxyType({"minutes": Figure(15, "a trial", "WELL"), "units": Figure()})
        )
        for old in (*entry().variants, VariantEntry("foot", {}))
    ]
    done = load([entry(variants=tuple(newer))])
    minutes = dict(get().variants.values_list("area", "minutes"))
    assert minutes["spine"] == 50
    assert "chest" not in minutes
    assert minutes["back"] == minutes["foot"] == 15
    assert {("MASSAGE", "variant spine"), ("MASSAGE", "variant chest")} <= set(done.kept)
    assert load([entry(variants=tuple(newer))]).changed == []


def test_a_procedure_of_the_clinics_own_files_is_only_completed(load: Callable[..., Loading], clinic: Clinic) -> None:
    ProcedureFactory(
        clinic=clinic, code="LASER", minutes=15, name_en="", sessions_default=None, gap_min=None, gap_max=None
    )
    done = load()
    laser = get("LASER")
    assert (laser.minutes, laser.name_en, laser.is_active) == (15, "Low-level laser therapy", True)
    assert laser.sessions_default is None  # active: what is empty was left so
    assert ("LASER", "minutes") in done.kept
    assert laser.letters == "MAS"


def test_a_deleted_procedure_is_not_brought_back(load: Callable[..., Loading]) -> None:
    load()
    get().delete()
    assert load().kept == [("MASSAGE", "deleted")]
    assert not Procedure.objects.filter(code="MASSAGE").exists()


def test_another_clinic_is_left_alone(load: Callable[..., Loading]) -> None:
    load()
    hillside = ClinicFactory(name="Hillside")
    get().delete()
    assert len(load_catalogue(clinic=hillside, by=None, now=NOW).created) == len(catalogue())
    assert {procedure.clinic_id for procedure in Procedure.objects.filter(code="MASSAGE")} == {hillside.pk}


def test_only_its_manager_loads(clinic: Clinic) -> None:
    alice, bob = user_with_role(Role.MANAGER, clinic), user_with_role(Role.DOCTOR, clinic)
    charlie = user_with_role(Role.MANAGER, ClinicFactory(name="Hillside"))
    for who, refusal in ((bob, NotAllowed), (charlie, NotFound)):
        with pytest.raises(refusal):
            load_catalogue(clinic=clinic, by=who, now=NOW)
    assert load_catalogue(clinic=clinic, by=alice, now=NOW).created


def test_the_command_says_what_it_did(clinic: Clinic, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("load_catalogue", str(clinic.pk))
    first = capsys.readouterr().out
    assert "14 new, 0 changed, 0 kept" in first
    assert "AMPLIPULSE: to be confirmed by the clinic: minutes, sessions_min" in first
    Procedure.objects.filter(code="MASSAGE").update(minutes=45)
    call_command("load_catalogue", str(clinic.pk))
    assert "kept     MASSAGE: minutes (the clinic's own)" in capsys.readouterr().out
    with pytest.raises(CommandError, match=f"There is no clinic 0. Clinics: {clinic.pk} Riverside"):
        call_command("load_catalogue", "0")
