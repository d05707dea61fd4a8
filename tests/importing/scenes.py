"""A very small clinic in canonical files; a test replaces or adds the file that it is about."""

from datetime import date
from pathlib import Path

from courses.importing.clinic_files import read_clinic
from courses.importing.mapping import Mapping
from courses.importing.records import ClinicFiles

TODAY = date(2026, 11, 22)
DATA = Path(__file__).parent / "data"
FRONT_DESK = DATA / "front_desk"
DEMO_CLINIC = Path(__file__).parents[2] / "courses" / "importing" / "demo_clinic"
FRONT_DESK_MAPPING = Path(__file__).parents[2] / "courses" / "importing" / "mappings" / "front_desk_ru.toml"

FILES = {
    "clinic.toml": 'name = "Test"\nzone = "Europe/Warsaw"\ncountry = "PL"\nlanguage = "en"\n'
    'opening_days = ["MO", "TU", "WE", "TH", "FR"]\nbook_until = "2027-01-29"\n',
    "staff.csv": "staff_id,full_name,role,gender,max_parallel_patients,is_prescriber\n"
    "T1,Anna Nowak,massage,F,1,false\nN1,Ewa Lis,nurse,F,2,false\nD1,Jan Kot,doctor,M,1,true\n",
    "procedures.csv": "code,name_en,duration_min,room_type,equipment_type\n"
    "MASSAGE,Massage,30,massage,\nLASER,Laser,10,physio,laser\nGROUP,Class,45,hall,\n",
    "rooms.csv": "room_id,room_type,capacity\nR1,massage,1\nR2,physio,3\nR3,hall,8\n",
    "equipment.csv": "equipment_id,equipment_type,room_id\nE1,laser,R2\nE2,laser,R2\nE3,laser,R2\n",
    "qualifications.csv": "staff_id,procedure\nT1,MASSAGE\nN1,LASER\nN1,GROUP\n",
    "shifts.csv": "shift_id,staff_id,dtstart,end_time,rrule,break_from,break_to\n"
    'S1,T1,2026-11-02T08:00,14:00,"FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",11:00,11:30\n'
    'S2,N1,2026-11-02T08:00,14:00,"FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",,\n',
    "patients.csv": "patient_id,full_name,birth_date,phone,consent_data_processing\n"
    "P1,Ola Zet,1980-01-01,+48221111111,true\nP2,Ula Ypsylon,1981-01-01,+48222222222,true\n"
    "P3,Ala Iks,1982-01-01,+48223333333,true\n",
}
SESSION_COLUMNS = (
    "session_id,course_id,course_seq,course_sessions,patient_id,procedure,therapist_id,room_id,equipment_id,start,end"
)


def write_files(directory: Path, **replaced: str) -> Path:
    """Write the files; ``sessions="…"`` replaces or adds ``sessions.csv``, an empty text leaves the file out."""
    for name, text in (FILES | {f"{table}.csv": text for table, text in replaced.items()}).items():
        if text:
            (directory / name).write_text(text, encoding="utf-8")
    return directory


def sessions(*rows: str) -> str:
    """``sessions.csv`` of rows ``patient procedure staff room device day start-end``, numbered S1, S2, …"""
    lines = [SESSION_COLUMNS]
    for number, row in enumerate(rows, start=1):
        patient, procedure, staff, room, device, day, hours = row.split()
        start, end = hours.split("-")
        device = "" if device == "-" else device
        lines.append(f"S{number},C{number},1,1,{patient},{procedure},{staff},{room},{device},{day}T{start},{day}T{end}")
    return "\n".join(lines) + "\n"


def read(directory: Path, mapping: Mapping | None = None) -> ClinicFiles:
    return read_clinic(directory, mapping, today=TODAY)


def kinds(files: ClinicFiles, file: str) -> list[tuple[int | None, str]]:
    """Record and kind of every issue of one file."""
    return [(issue.record, issue.kind) for issue in files.issues if issue.file == file]
