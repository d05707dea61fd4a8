"""Cells of every table replaced with what no table should hold: reported or taken, never a traceback."""

import csv
import datetime as dt
import io
import random
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from courses.importing.loading import load_clinic
from courses.importing.records import ClinicFiles
from tests.importing.scenes import FILES, read, sessions, write_files

NOW = dt.datetime(2026, 11, 29, 12, tzinfo=ZoneInfo("Europe/Warsaw"))
TABLES = {name.removesuffix(".csv"): text for name, text in FILES.items() if name.endswith(".csv")} | {
    "sessions": sessions(
        "P1 MASSAGE T1 R1 - 2026-11-30 08:00-08:30",
        "P1 MASSAGE T1 R1 - 2026-12-01 08:00-08:30",
        "P2 LASER N1 R2 E1 2026-11-30 08:00-08:10",
        "P3 LASER N1 R2 E2 2026-11-30 08:05-08:15",
    ),
    "absences": "absence_id,staff_id,kind,start,end,note\nA1,T1,leave,2026-12-07T00:00,2026-12-08T00:00,\n",
    "classes": "class_id,procedure,instructor_id,room_id,capacity,dtstart,duration_min,rrule\n"
    'C1,GROUP,N1,R3,8,2026-11-02T09:00,45,"FREQ=WEEKLY;BYDAY=MO"\n'
    'C2,GROUP,N1,R3,8,2026-11-03T09:00,45,"FREQ=WEEKLY;BYDAY=TU"\n',
    "enrolments": "enrolment_id,class_id,patient_id,first_date,last_date,sessions\n"
    "N1,C1,P1,2026-11-23,2026-12-14,4\nN2,C2,P2,2026-12-01,2026-12-15,3\n",
    "prescriptions": "prescription_id,patient_id,prescriber_id,prescribed_on,icd10,start_from,finish_by,"
    "combine_visits\n"
    "X1,P1,D1,2026-11-16,M54.5,2026-11-30,,no\nX2,P2,D1,2026-11-16,M54.2,2026-11-30,2027-01-10,wish\n",
    "prescription_lines": "line_id,prescription_id,line_no,procedure,sessions,frequency,pref_days,pref_from,"
    "pref_to,note\n"
    "L1,X1,1,MASSAGE,10,daily,MO|WE,08:00,12:00,\nL2,X2,1,LASER,5,2_per_week,,,,\n",
}
NASTY = [
    "",
    " ",
    "\0",
    "\n",
    "'; DROP TABLE clinic_patient; --",
    "%s %(x)s {0} {time}",
    "x" * 51,
    "ż" * 5000,
    "-1",
    "0",
    "99999999999999999999",
    "1e5",
    "٣",
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "2026-12-01T08:10",
    "2026-12-01T25:00",
    "2027-03-28T02:30",
    "23:59",
    "00:00",
    "true",
    "P1",
    "P2",
    "T1",
    "R1",
    "E1",
    "C1",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;COUNT=1",
    "MO|XX",
    "+48221111111",
    "M54.5",
    "🙂",
]


def spoil(seed: int) -> dict[str, str]:
    """Every table with about a tenth of its cells replaced."""
    dice = random.Random(seed)
    spoilt = {}
    for table, text in TABLES.items():
        header, *rows = csv.reader(io.StringIO(text))
        stream = io.StringIO()
        replaced = [[dice.choice(NASTY) if dice.random() < 0.1 else cell for cell in row] for row in rows]
        csv.writer(stream, lineterminator="\n").writerows([header, *replaced])
        spoilt[table] = stream.getvalue()
    return spoilt


def spoilt_files(directory: Path, seed: int) -> ClinicFiles:
    return read(write_files(directory, **spoil(seed)))


def test_the_files_are_good_before_they_are_spoilt(tmp_path: Path) -> None:
    files = read(write_files(tmp_path, **TABLES))
    assert files.issues == ()
    assert all(getattr(files, table) for table in TABLES)


def test_no_cell_stops_the_reading(tmp_path: Path) -> None:
    for seed in range(60):
        files = spoilt_files(tmp_path, seed)
        assert all(issue.message and issue.remedy for issue in files.issues)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(12))
def test_the_database_takes_what_was_accepted(tmp_path: Path, seed: int) -> None:
    files = spoilt_files(tmp_path, seed)
    loaded = load_clinic(files, by=None, now=NOW)
    connection.check_constraints()
    assert loaded.created["session"] == len(files.sessions)
    assert loaded.created["line"] == len(files.prescription_lines)
