"""The command: what it prints, what it writes, and how it refuses."""

import csv
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from clinic.models import Clinic, Patient
from tests.importing.scenes import FILES, FRONT_DESK, write_files


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("import_clinic", *map(str, arguments), stdout=out, stderr=StringIO(), no_color=True)
    return out.getvalue()


def test_a_dry_run_reports_everything_and_touches_no_database(tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    printed = run(FRONT_DESK, "--mapping", "front_desk_ru", "--dry-run", "--report", report)
    with report.open(encoding="utf-8", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 134
    assert "reject · overlap_room · 1" in printed
    assert "seansy.csv, record 374, line 376, Кабинет, see record 373: каб. 1" in printed
    assert "Room is already taken at this time. Move one of the two sessions and import again." in printed
    assert "Nothing was written." in printed


@pytest.mark.django_db
def test_good_rows_are_loaded_and_bad_ones_named(tmp_path: Path) -> None:
    patients = FILES["patients.csv"] + "P4,Ida Omega,1990-02-30,+48225555555,true\n"
    write_files(tmp_path, patients=patients)
    printed = run(tmp_path)
    assert "patients.csv, record 4, line 5, birth_date: 1990-02-30" in printed
    assert "1 record left out." in printed
    assert (Clinic.objects.count(), Patient.objects.count()) == (1, 3)
    assert "Test: nothing new" in run(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["/nowhere"], "not a directory"),
        ([".", "--mapping", "no_such_mapping"], "no_such_mapping"),
        (["."], r"clinic\.toml"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)


def test_a_report_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path)
    with pytest.raises(CommandError, match="report"):
        run(tmp_path, "--dry-run", "--report", tmp_path / "no" / "report.csv")
