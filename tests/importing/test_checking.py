"""Checks between rows, each on a clinic of three patients."""

from pathlib import Path

import pytest

from tests.importing.scenes import FILES, kinds, read, sessions, write_files

MONDAY = "2026-11-30"


def check(directory: Path, *rows: str, **replaced: str) -> list[tuple[int | None, str]]:
    return kinds(read(write_files(directory, sessions=sessions(*rows), **replaced)), "sessions.csv")


def test_a_clash_rejects_the_later_row_and_names_the_earlier(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        sessions=sessions(
            f"P1 MASSAGE T1 R1 - {MONDAY} 08:00-08:30",
            f"P2 MASSAGE T1 R1 - {MONDAY} 08:15-08:45",
            f"P2 MASSAGE T1 R1 - {MONDAY} 08:30-09:00",
        ),
    )
    files = read(tmp_path)
    clash = next(issue for issue in files.issues if issue.kind.startswith("overlap"))
    assert (clash.record, clash.kind, clash.related_record, clash.column) == (2, "overlap_therapist", 1, "therapist_id")
    assert [session.session_id for session in files.sessions] == ["S1", "S3"]


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("P1 LASER N1 R2 E1", "P2 LASER N1 R2 E1", "overlap_equipment"),
        ("P1 LASER N1 R2 E1", "P1 LASER N1 R2 E2", "overlap_patient"),
    ],
)
def test_what_clashes_is_told_by_name(tmp_path: Path, first: str, second: str, kind: str) -> None:
    found = check(tmp_path, f"{first} {MONDAY} 08:00-08:10", f"{second} {MONDAY} 08:05-08:15")
    assert found == [(2, kind)]


def test_a_nurse_of_two_places_takes_two_and_not_three(tmp_path: Path) -> None:
    found = check(
        tmp_path,
        f"P1 LASER N1 R2 E1 {MONDAY} 08:00-08:10",
        f"P2 LASER N1 R2 E2 {MONDAY} 08:05-08:15",
        f"P3 LASER N1 R2 E3 {MONDAY} 08:10-08:20",
        f"P1 LASER N1 R2 E1 {MONDAY} 08:12-08:22",
    )
    assert found == [(4, "capacity_exceeded")]


def test_a_rejected_row_takes_no_place(tmp_path: Path) -> None:
    found = check(
        tmp_path,
        f"P9 MASSAGE T1 R1 - {MONDAY} 08:00-08:30",
        f"P1 MASSAGE T1 R1 - {MONDAY} 08:00-08:30",
    )
    assert found == [(1, "unknown_patient")]


@pytest.mark.parametrize(
    ("hours", "kind"),
    [("07:45-08:15", "outside_shift"), ("13:45-14:15", "outside_shift"), ("11:00-11:30", "outside_shift")],
)
def test_hours_outside_a_shift_are_kept_with_a_warning(tmp_path: Path, hours: str, kind: str) -> None:
    write_files(tmp_path, sessions=sessions(f"P1 MASSAGE T1 R1 - {MONDAY} {hours}"))
    files = read(tmp_path)
    assert kinds(files, "sessions.csv") == [(1, kind)]
    assert files.sessions[0].breaks == (kind,)


def test_public_holidays_and_closed_days_are_told(tmp_path: Path) -> None:
    found = check(tmp_path, "P1 MASSAGE T1 R1 - 2026-12-25 08:00-08:30", "P1 MASSAGE T1 R1 - 2026-12-05 08:00-08:30")
    assert found == [(1, "closed_day"), (2, "closed_day"), (2, "outside_shift")]


def test_what_does_not_fit_the_procedure_is_told(tmp_path: Path) -> None:
    found = check(tmp_path, f"P1 MASSAGE N1 R2 E1 {MONDAY} 08:00-08:40")
    assert found == [
        (1, "duration_mismatch"),
        (1, "wrong_equipment_type"),
        (1, "wrong_room_type"),
        (1, "not_qualified"),
    ]


CLASSES = (
    "class_id,procedure,instructor_id,room_id,capacity,dtstart,duration_min,rrule\n"
    'C1,GROUP,N1,R3,1,2026-11-02T09:00,45,"FREQ=WEEKLY;BYDAY=MO"\n'
)


def test_a_class_takes_its_instructor_and_its_hall(tmp_path: Path) -> None:
    found = check(tmp_path, f"P1 LASER N1 R2 E1 {MONDAY} 09:30-09:40", classes=CLASSES)
    assert found == [(1, "overlap_therapist")]


def test_no_class_on_holidays_and_while_the_instructor_is_absent(tmp_path: Path) -> None:
    files = read(
        write_files(
            tmp_path,
            classes=CLASSES.replace("BYDAY=MO", "BYDAY=MO,FR"),
            absences="staff_id,kind,start,end\nN1,sick,2026-12-21T00:00,2026-12-22T00:00\n",
            enrolments="class_id,patient_id,first_date,last_date,sessions\nC1,P1,2026-12-18,2026-12-28,4\n",
        )
    )
    # Friday 18 and Monday 28; absent on Monday 21, Christmas on Friday 25
    assert files.enrolments[0].sessions == 2
    assert kinds(files, "enrolments.csv") == [(1, "class_count")]


def test_seats_are_counted_meeting_by_meeting(tmp_path: Path) -> None:
    rows = "C1,P1,2026-11-30,2026-12-07,2\nC1,P2,2026-12-14,2026-12-14,1\nC1,P3,2026-12-07,2026-12-14,2\n"
    files = read(
        write_files(tmp_path, classes=CLASSES, enrolments=f"class_id,patient_id,first_date,last_date,sessions\n{rows}")
    )
    assert kinds(files, "enrolments.csv") == [(3, "capacity_exceeded")]


def test_families_and_copies_are_told_apart_by_birth_date(tmp_path: Path) -> None:
    patients = FILES["patients.csv"] + (
        "P4,Ola Zet,1980-01-01,0048 22 111 11 11,true\nP5,Jan Zet,2012-05-05,(22) 111-11-11,true\n"
        "P1,Somebody Else,1990-01-01,+48224444444,true\n"
    )
    write_files(tmp_path, patients=patients, sessions=sessions(f"P4 MASSAGE T1 R1 - {MONDAY} 08:00-08:30"))
    files = read(tmp_path)
    assert kinds(files, "patients.csv") == [(4, "duplicate_patient"), (5, "shared_phone"), (6, "duplicate_card")]
    assert kinds(files, "sessions.csv") == [(1, "session_on_duplicate_card")]


def test_lines_of_a_rejected_prescription_are_orphans(tmp_path: Path) -> None:
    files = read(
        write_files(
            tmp_path,
            prescriptions="prescription_id,patient_id,prescriber_id,prescribed_on\nX1,P1,D1,2026-02-31\nX2,P1,T1,2026-11-16\n",
            prescription_lines="prescription_id,procedure,sessions,frequency\n"
            "X1,MASSAGE,10,daily\nX2,MASSAGE,10,daily\nX9,MASSAGE,10,daily\nX2,LASER,10,hourly\n",
        )
    )
    assert kinds(files, "prescriptions.csv") == [(1, "impossible_date"), (2, "not_prescriber")]
    assert kinds(files, "prescription_lines.csv") == [
        (1, "orphan_line"),
        (3, "unknown_prescription"),
        (4, "unknown_word"),
    ]
    assert [(line.prescription_id, line.line_id) for line in files.prescription_lines] == [("X2", "X2/1")]


def test_one_bad_row_of_every_table_stops_no_other(tmp_path: Path) -> None:
    broken = {
        name.removesuffix(".csv"): text + ",".join(["?"] * (text.split("\n")[0].count(",") + 1)) + "\n"
        for name, text in FILES.items()
        if name.endswith(".csv")
    }
    whole, damaged = tmp_path / "whole", tmp_path / "damaged"
    whole.mkdir()
    damaged.mkdir()
    one, other = read(write_files(whole)), read(write_files(damaged, **broken))
    assert {issue.file for issue in other.issues} == {name for name in FILES if name.endswith(".csv")}
    for table in broken:
        assert getattr(one, table) == getattr(other, table)


def test_missing_files_and_columns_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    files = read(
        write_files(
            tmp_path,
            rooms="",
            procedures="code,duration_min\nMASSAGE,30\n",
            sessions=sessions(f"P1 MASSAGE T1 R1 - {MONDAY} 08:00-08:30"),
        )
    )
    assert kinds(files, "rooms.csv") == [(None, "missing_file")]
    assert kinds(files, "procedures.csv") == [(None, "missing_column")]
    assert kinds(files, "sessions.csv") == [(1, "unknown_procedure"), (1, "unknown_room")]
    assert len(files.patients) == 3


def test_copies_empty_rows_and_totals_are_left_out(tmp_path: Path) -> None:
    patients = FILES["patients.csv"] + "P3,Ala Iks,1982-01-01,+48223333333,true\n,,,,\nTotal: 4,,,,\n"
    files = read(write_files(tmp_path, patients=patients))
    assert kinds(files, "patients.csv") == [(4, "duplicate_row"), (5, "empty_row"), (6, "footer_row")]
    assert len(files.patients) == 3
