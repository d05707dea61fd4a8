"""The shipped catalogue: complete, every figure with a source, and found by whatever a clinic calls a procedure."""

from pathlib import Path

import pytest

from courses.catalogue.entries import DATA, CatalogueEntry, catalogue, catalogue_entry_for, read_entry

PROCEDURES = {
    "MASSAGE": ("МАС", "MS", 40),
    "AMPLIPULSE": ("СМТ", "PT", 5),
    "DIADYNAMIC": ("ДДТ", "PT", 5),
    "PHONOPHORESIS": ("УЗ", "PT", 5),
    "DARSONVAL": ("ДАР", "PT", 5),
    "LASER": ("ЛАЗ", "PT", 5),
    "MAGNET": ("МАГ", "PT", 5),
    "LFK_GROUP": ("ЛФК-Г", "EX", 15),
    "LFK_IND": ("ЛФК", "EX", 15),
    "MANUAL": ("МАН", "MT", 60),
    "ACUPUNCTURE": ("ИРТ", "AC", 40),
    "TRACTION": ("ВЫТ", "TR", 10),
    "HEAT": ("ТЕП", "PT", 5),
    "CONSULT": ("КОН", "", 5),
}
UNSOURCED_MINUTES = {"AMPLIPULSE", "DARSONVAL", "MAGNET", "CONSULT"}


def test_every_procedure_that_a_clinic_books_is_there() -> None:
    found = {entry.code: (entry.short_code_ru, entry.category, entry.therapist_change_cost) for entry in catalogue()}
    assert found == PROCEDURES


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.code)
def test_an_entry_is_whole(entry: CatalogueEntry) -> None:
    assert all([entry.name_en, entry.name_ru, entry.name_pl, entry.short_code, entry.requirements])
    assert {"therapist", "room"} <= {requirement.role for requirement in entry.requirements}
    assert ("needs_device" in entry.tags) == any(needed.role == "equipment" for needed in entry.requirements)
    assert len({entry.short_code for entry in catalogue()}) == len(catalogue())


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.code)
def test_a_figure_has_a_source_or_is_empty(entry: CatalogueEntry) -> None:
    figures = [*entry.figures.values(), *(f for variant in entry.variants for f in variant.figures.values())]
    for figure in figures:
        assert (figure.value is None) == (figure.source == "") == (figure.confidence == "PRACTICE")


def test_minutes_nobody_published_are_left_to_the_clinic() -> None:
    assert {entry.code for entry in catalogue() if entry.figures["minutes"].value is None} == UNSOURCED_MINUTES
    assert all((entry.figures["minutes"].value or 0) % 5 == 0 for entry in catalogue())


@pytest.mark.parametrize(
    ("code", "names", "expected"),
    [
        ("MASSAGE", [], "MASSAGE"),
        ("Массаж", [], "MASSAGE"),
        ("ДДТ", [], "DIADYNAMIC"),
        ("ЛФК в группе", [], "LFK_GROUP"),
        ("ЛФК индивидуально", [], "LFK_IND"),
        ("lfk-ind", [], "LFK_IND"),
        ("Консультация врача", [], "CONSULT"),
        ("P-17", ["", "Masaż klasyczny"], "MASSAGE"),
        ("P-18", ["something of our own", "Амплипульстерапия (СМТ)"], "AMPLIPULSE"),
        ("12", ["Приём врача"], "CONSULT"),
        ("12", ["Прием врача"], "CONSULT"),
    ],
)
def test_a_clinics_own_words_find_the_entry(code: str, names: list[str], expected: str) -> None:
    entry = catalogue_entry_for(code, names)
    assert entry is not None
    assert entry.code == expected


@pytest.mark.parametrize("code", ["", "Масаж", "mud bath", "SM"])
def test_what_is_not_in_the_catalogue_finds_nothing(code: str) -> None:
    assert catalogue_entry_for(code, [code]) is None


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('confidence = "WELL"', 'confidence = "SURE"', "minutes has a value but no source"),
        ("[figures.minutes]", "[figures.hours]", "unknown figures"),
        ("[[requirements]]", "[[needs]]", "requirements"),
        ('name_en = "Spinal traction"', 'nome_en = "Spinal traction"', "nome_en"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    text = (DATA / "traction.toml").read_text(encoding="utf-8")
    assert old in text
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"wrong\.toml: .*{complaint}"):
        read_entry(wrong)
