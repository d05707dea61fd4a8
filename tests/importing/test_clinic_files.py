"""The two exports as wholes: what is accepted, and every defect by place, kind and outcome."""

import csv
import shutil
from collections import Counter
from datetime import time
from pathlib import Path

import pytest

from courses.importing.clinic_files import FilesError
from courses.importing.issues import REPORT_COLUMNS, write_report
from courses.importing.mapping import load_mapping
from courses.importing.records import ClinicFiles
from tests.importing.scenes import DATA, DEMO_CLINIC, FILES, FRONT_DESK, FRONT_DESK_MAPPING, read, write_files

COMPARED = ("file", "record", "line", "column", "kind", "related_record", "expected")


@pytest.fixture(scope="module")
def demo() -> ClinicFiles:
    return read(DEMO_CLINIC)


@pytest.fixture(scope="module")
def front_desk() -> ClinicFiles:
    return read(FRONT_DESK, load_mapping(FRONT_DESK_MAPPING))


def read_report(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_demo_clinic_loses_nothing(demo: ClinicFiles) -> None:
    assert Counter(issue.kind for issue in demo.issues) == {"phone_empty": 21, "shared_phone": 6}
    assert len(demo.patients) == 600
    assert len(demo.sessions) == 2500
    assert len(demo.enrolments) == 48
    assert (len(demo.prescriptions), len(demo.prescription_lines)) == (60, 88)


def test_front_desk_report_equals_the_expected_one(front_desk: ClinicFiles, tmp_path: Path) -> None:
    write_report(tmp_path / "report.csv", front_desk.issues)
    found, expected = read_report(tmp_path / "report.csv"), read_report(DATA / "front_desk_issues.csv")
    compared = [[[row[column] for column in COMPARED] for row in rows] for rows in (found, expected)]
    assert compared[0] == compared[1]
    assert [row["raw_value"].replace("\xa0", " ") for row in found] == [
        row["raw_value"].replace("\xa0", " ") for row in expected
    ]


def test_every_issue_says_what_to_do(front_desk: ClinicFiles, tmp_path: Path) -> None:
    write_report(tmp_path / "report.csv", front_desk.issues)
    rows = read_report(tmp_path / "report.csv")
    assert tuple(rows[0]) == REPORT_COLUMNS
    assert all(row["message"] and row["remedy"] and "%(" not in row["message"] + row["remedy"] for row in rows)


def test_a_wrong_procedure_comes_with_the_nearest_name(front_desk: ClinicFiles) -> None:
    messages = {issue.raw_value: issue.message for issue in front_desk.issues if issue.kind == "unknown_procedure"}
    assert "Массаж" in messages["Масаж"]
    assert "procedury.csv" in messages["Масаж"]


def test_front_desk_values_become_canonical(front_desk: ClinicFiles) -> None:
    patients = {patient.patient_id: patient for patient in front_desk.patients}
    assert patients["1038"].full_name == "Ефимов Борис Ермилович"
    assert [phone.number for phone in patients["1052"].phones] == ["+79275553435", "+79275556100"]
    assert patients["1245"].family_name == "Евдокимова"
    assert patients["1094"].patronymic == "Гейдар оглы"
    assert "+7 937 555 4" in patients["1020"].note
    assert front_desk.equipment[0].equipment_id == "0101"
    assert {shift.rrule for shift in front_desk.shifts if shift.name == "чётные"} == {
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYMONTHDAY=2,4,6,8,10,12,14,16,18,20,22,24,26,28,30"
    }


def test_front_desk_wishes_are_understood_or_kept(front_desk: ClinicFiles) -> None:
    lines = {(line.prescription_id, line.procedure): line for line in front_desk.prescription_lines}
    evening = lines["Н-005", "Лазеротерапия"]
    assert (evening.pref_from, evening.preference_strength, evening.frequency) == (time(17), "wish", "2_per_week")
    assert lines["Н-003", "Мануальная терапия"].pref_from == time(10)
    assert lines["Н-007", "Массаж"].pref_days == ("MO", "TU", "WE", "TH", "SA", "SU")
    assert lines["Н-007", "Массаж"].preferred_therapist_id == "Кузнецова М.В."
    assert lines["Н-009", "Дарсонвализация"].note == "чётные дни"
    assert lines["Н-009", "Дарсонвализация"].preference_strength == ""


def test_sessions_without_a_course_are_numbered(front_desk: ClinicFiles) -> None:
    courses: dict[str, list[int]] = {}
    for session in sorted(front_desk.sessions, key=lambda session: session.start):
        courses.setdefault(session.course_id, []).append(session.course_seq)
    assert all(numbers == sorted(set(numbers)) for numbers in courses.values())
    consultations = [session for session in front_desk.sessions if session.procedure == "Консультация врача"]
    assert len({session.course_id for session in consultations}) == len(consultations)


def test_kept_bookings_remember_which_rule_they_break(front_desk: ClinicFiles) -> None:
    broken = Counter(kind for session in front_desk.sessions for kind in session.breaks)
    assert broken == {"during_absence": 1, "outside_shift": 1}


def test_a_missing_directory_or_settings_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match=r"clinic\.toml"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ('zone = "Europe/Atlantis"', "zone"),
        ('country = "XX"', "country"),
        ("zone = 7", "zone"),
        ('book_until = "soon"', "book_until"),
        ("opening_days = []", "opening_days"),
        ('opening_days = ["MO", 3]', "opening_days"),
        ("grid_minutes = 0", "grid_minutes"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, wrong: str, key: str) -> None:
    write_files(tmp_path)
    kept = [line for line in FILES["clinic.toml"].splitlines() if not line.startswith(key)]
    (tmp_path / "clinic.toml").write_text("\n".join([*kept, wrong]), encoding="utf-8")
    with pytest.raises(FilesError, match=key):
        read(tmp_path)


def test_a_directory_of_other_files_asks_for_a_mapping(tmp_path: Path) -> None:
    shutil.copy(FRONT_DESK / "clinic.toml", tmp_path)
    with pytest.raises(FilesError, match="mapping"):
        read(tmp_path)


def test_front_desk_files_without_their_mapping_ask_for_one() -> None:
    with pytest.raises(FilesError, match="mapping"):
        read(FRONT_DESK)
