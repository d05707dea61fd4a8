"""Files in the database: everything once, guarded like any other booking, and nothing twice."""

import datetime as dt
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from clinic.errors import DomainError
from clinic.models import Absence, Appointment, CalendarDay, Clinic, Outage, Patient, Reservation, Room, Task, Therapist
from courses.booking.models import Course, Session, Visit
from courses.booking.transitions import Status
from courses.catalogue.models import Procedure
from courses.groups.models import ClassMeeting
from courses.importing import loading
from courses.importing.clinic_files import read_clinic
from courses.importing.loading import GROUPS, Loaded, load_clinic
from courses.importing.mapping import load_mapping
from courses.importing.models import ImportedRecord
from courses.importing.records import ClinicFiles
from courses.prescribing.models import Referral
from tests.importing.scenes import (
    DEMO_CLINIC,
    FRONT_DESK,
    FRONT_DESK_MAPPING,
    TODAY,
    read,
    sessions,
    write_files,
)

WARSAW = ZoneInfo("Europe/Warsaw")
NOW = dt.datetime(2026, 11, 29, 12, tzinfo=WARSAW)


@pytest.fixture(autouse=True)
def database(db: None) -> None:
    pass


def load(files: ClinicFiles, *, now: dt.datetime = NOW) -> Loaded:
    loaded = load_clinic(files, by=None, now=now)
    # What the guard leaves to the end of the transaction, as a commit would ask it.
    connection.check_constraints()
    return loaded


def contents() -> dict[str, str]:
    """A fingerprint of every table of ours, the trails of history among them."""
    found = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f'SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{table}" t')
            found[table] = cursor.fetchone()[0]
    return found


def made(noun: str, key: str) -> int:
    return ImportedRecord.objects.get(noun=noun, key=key).object_id


def test_the_demo_clinic_is_loaded_whole_and_once() -> None:
    files = read_clinic(DEMO_CLINIC, today=TODAY)
    loaded = load(files)
    assert loaded.issues == []
    assert (Patient.objects.count(), Patient.objects.filter(consent_data=False).count()) == (600, 9)
    booked = Session.objects.exclude(status=Status.UNPLACED)
    assert Counter(booked.filter(seat=None).values_list("status", flat=True)) == {"booked": 1943, "confirmed": 557}
    assert Course.objects.filter(origin="imported", procedure__is_group=False).count() == 555
    prescribed = Course.objects.filter(
        origin="prescribed", status="active", programme__referral__signed_at__isnull=False
    )
    assert prescribed.count() == 88
    assert Session.objects.filter(status=Status.UNPLACED).count() == sum(
        line.sessions for line in files.prescription_lines
    )
    assert not Session.objects.filter(status=Status.UNPLACED, course__origin="imported").exists()
    assert not Task.objects.exists()
    assert not Appointment.objects.exclude(override_reason="").exists()
    check_demo_details()
    before = contents()
    again = load(read_clinic(DEMO_CLINIC, today=TODAY), now=NOW + dt.timedelta(days=20))
    assert (again.created, again.differing) == (Counter(), Counter())
    assert contents() == before


def check_demo_details() -> None:
    clinic = Clinic.objects.get()
    course = Course.objects.get(pk=made("course", "C0001"))
    assert (course.sessions_total, course.done_before, course.frequency, course.gap_max) == (8, 6, "", None)
    session = Session.objects.get(pk=made("session", "S00001"))
    assert session.number == 7
    assert session.appointment is not None
    assert session.visit is not None
    assert session.appointment.starts_at == dt.datetime(2026, 11, 30, 7, 30, tzinfo=WARSAW)
    assert session.visit.date == dt.date(2026, 11, 30)
    # 23, 25 and 27 November were held before; 4 December the instructor is ill
    course = Course.objects.get(pk=made("enrolment", "EN001"))
    assert (course.sessions_total, course.done_before, course.sessions.count()) == (10, 3, 7)
    dates = ClassMeeting.objects.filter(group_class_id=made("class", "CL01")).values_list("date", flat=True)
    assert dt.date(2026, 12, 4) not in dates
    assert not {dt.date(2026, 12, 25), dt.date(2027, 1, 1), dt.date(2027, 1, 6)} & set(dates)
    assert max(dates) == dt.date(2027, 1, 29)
    closed = CalendarDay.objects.filter(clinic=clinic, kind="closed").values_list("date", flat=True)
    assert {dt.date(2026, 12, 24), dt.date(2026, 12, 25), dt.date(2026, 12, 26), dt.date(2027, 1, 6)} <= set(closed)
    amplipulse = Procedure.objects.get(code="AMPLIPULSE")
    assert (amplipulse.minutes, amplipulse.short_code) == (15, "SMT")
    assert {
        (need.role, need.type_code, need.minutes_before, need.minutes_after) for need in amplipulse.requirements.all()
    } == {
        ("therapist", "", 0, 0),
        ("room", "physio", 0, 0),
        ("equipment", "amplipulse", 0, 0),
    }
    assert [other.code for other in amplipulse.not_same_day_with.all()] == ["DIADYNAMIC"]
    outage = Outage.objects.get()
    assert (outage.resource_id, outage.ends_at) == (made("equipment", "E08"), dt.datetime(2026, 12, 17, tzinfo=WARSAW))
    line = Course.objects.get(pk=made("line", "L002"))
    assert (line.weekdays, line.weekdays_strength, line.window_strength) == ([1, 3, 5], "must", "none")
    assert (line.gap_min, line.gap_max, line.per_week) == (1, 4, 3)
    assert Therapist.objects.get(pk=made("staff", "T05")).resource.capacity == 3


def test_the_front_desk_is_loaded_and_its_open_questions_become_tasks() -> None:
    files = read_clinic(FRONT_DESK, load_mapping(FRONT_DESK_MAPPING), today=TODAY)
    loaded = load(files)
    assert loaded.issues == []
    booked = Session.objects.exclude(status=Status.UNPLACED).filter(seat=None)
    assert booked.count() == len(files.sessions)
    reasons = Appointment.objects.exclude(override_reason="")
    assert {session.number for session in Session.objects.filter(appointment__in=reasons)}
    assert reasons.count() == 2
    assert Counter(Task.objects.values_list("kind", flat=True)) == {"duplicate": 7, "to_replace": 2}
    patient = Patient.objects.get(card_number="1052")
    assert [(str(phone.number), phone.is_main) for phone in patient.phones.all()] == [
        ("+79275553435", True),
        ("+79275556100", False),
    ]
    assert patient.search_text
    assert Patient.objects.get(card_number="1094").patronymic == "Гейдар оглы"
    referral = Referral.objects.get(number="Н-005")
    assert referral.icd10 == "M51.1"
    assert referral.signed_at == dt.datetime(2026, 11, 26, tzinfo=ZoneInfo("Europe/Samara"))
    before = contents()
    assert load(read_clinic(FRONT_DESK, load_mapping(FRONT_DESK_MAPPING), today=TODAY)).created == Counter()
    assert contents() == before


def test_a_corrected_file_adds_what_was_missing(tmp_path: Path) -> None:
    rows = ["P1 MASSAGE T1 R1 - 2026-11-30 08:00-08:30", "P2 MASSAGE T1 R1 - 2026-11-30 08:15-08:45"]
    first = load(read(write_files(tmp_path, sessions=sessions(*rows))))
    assert first.created["session"] == 1
    rows[1] = "P2 MASSAGE T1 R1 - 2026-11-30 08:30-09:00"
    second = load(read(write_files(tmp_path, sessions=sessions(*rows))))
    assert second.created == {"session": 1, "course": 1}
    assert Session.objects.filter(status=Status.BOOKED).count() == 2


def test_rejected_numbers_of_a_course_wait_for_a_time_and_take_it_later(tmp_path: Path) -> None:
    header = "session_id,course_id,course_seq,course_sessions,patient_id,procedure,therapist_id,room_id,start,end\n"
    good = "S1,C1,4,6,P1,MASSAGE,T1,R1,2026-11-30T08:00,2026-11-30T08:30\n"
    late = "S3,C1,6,6,P1,MASSAGE,T1,R1,2026-12-02T08:00,2026-12-02T08:30\n"
    bad = "S2,C1,5,6,P1,MASSAGE,T1,R1,2026-12-01T08:30,2026-12-01T08:00\n"
    load(read(write_files(tmp_path, sessions=header + good + bad + late)))
    course = Course.objects.get()
    assert (course.done_before, course.status) == (3, "active")
    assert list(course.sessions.values_list("number", "status")) == [(4, "booked"), (5, "unplaced"), (6, "booked")]
    waiting = course.sessions.get(number=5).pk
    load(read(write_files(tmp_path, sessions=header + good + bad.replace("08:30,", "07:30,") + late)))
    # 07:30 is outside the shift; the booking is taken over all the same
    assert list(course.sessions.values_list("number", "status")) == [(4, "booked"), (5, "booked"), (6, "booked")]
    assert made("session", "S2") == waiting
    assert Appointment.objects.exclude(override_reason="").get().sessions.get().number == 5


def test_what_is_over_is_only_counted(tmp_path: Path) -> None:
    header = "session_id,course_id,course_seq,course_sessions,patient_id,procedure,therapist_id,room_id,start,end\n"
    rows = "".join(
        f"S{n},C1,{n},3,P1,MASSAGE,T1,R1,2026-11-{day}T08:00,2026-11-{day}T08:30\n"
        for n, day in ((1, 26), (2, 27), (3, 30))
    )
    load(read(write_files(tmp_path, sessions=header + rows)))
    course = Course.objects.get()
    assert (course.done_before, list(course.sessions.values_list("number", flat=True))) == (2, [3])


def test_three_patients_of_a_nurse_get_three_places(tmp_path: Path) -> None:
    staff = "staff_id,full_name,max_parallel_patients\nT1,Anna Nowak,1\nN1,Ewa Lis,3\n"
    rows = [f"P{n} LASER N1 R2 E{n} 2026-11-30 08:0{n}-08:1{n}" for n in (1, 2, 3)]
    load(read(write_files(tmp_path, staff=staff, sessions=sessions(*rows))))
    nurse = Reservation.objects.filter(resource_id=made("staff", "N1")).values_list("places", flat=True)
    assert sorted(places.lower for places in nurse) == [1, 2, 3]


def test_what_the_clinic_changed_stays_as_it_is(tmp_path: Path) -> None:
    load(read(write_files(tmp_path)))
    Room.objects.filter(name="R1").update(name="Blue room")
    CalendarDay.objects.filter(date=dt.date(2026, 12, 24)).delete()
    again = load(
        read(write_files(tmp_path, rooms="room_id,room_type,capacity\nR1,massage,2\nR2,physio,3\nR3,hall,8\n"))
    )
    assert (again.created, again.differing) == (Counter(), {"room": 1})
    assert Room.objects.get(pk=made("room", "R1")).name == "Blue room"
    assert not CalendarDay.objects.filter(date=dt.date(2026, 12, 24)).exists()


def test_a_time_taken_since_is_reported_and_stops_nothing(tmp_path: Path) -> None:
    one, other = "P1 MASSAGE T1 R1 - 2026-11-30 08:00-08:30", "P2 MASSAGE T1 R1 - 2026-11-30 09:00-09:30"
    load(read(write_files(tmp_path, sessions=sessions(one))))
    # Moved by the desk to where the file now books another patient.
    at = [dt.datetime(2026, 11, 30, 9, 0, tzinfo=WARSAW), dt.datetime(2026, 11, 30, 9, 30, tzinfo=WARSAW)]
    Appointment.objects.update(starts_at=at[0], ends_at=at[1])
    Reservation.objects.update(starts_at=at[0], ends_at=at[1])
    third = "P3 MASSAGE T1 R1 - 2026-11-30 10:00-10:30"
    loaded = load(read(write_files(tmp_path, sessions=sessions(one, other, third))))
    assert [(issue.kind, issue.record) for issue in loaded.issues] == [("taken_meanwhile", 2)]
    assert loaded.created["session"] == 1
    assert Course.objects.get(pk=made("course", "C2")).sessions.get().status == Status.UNPLACED


def test_an_absence_recorded_since_does_not_lose_the_booking(tmp_path: Path) -> None:
    load(read(write_files(tmp_path)))
    Absence.objects.create(
        therapist_id=made("staff", "T1"), kind="sick", starts_at=NOW, ends_at=NOW + dt.timedelta(days=5)
    )
    load(read(write_files(tmp_path, sessions=sessions("P1 MASSAGE T1 R1 - 2026-11-30 08:00-08:30"))))
    assert Appointment.objects.get().override_reason
    assert Task.objects.get().kind == Task.Kind.TO_REPLACE


def test_a_group_that_fails_leaves_nothing_and_keeps_the_groups_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise DomainError("The disk is full.")

    write_files(tmp_path, sessions=sessions("P1 MASSAGE T1 R1 - 2026-11-30 08:00-08:30"))
    files, heard = read(tmp_path), list[str]()
    with monkeypatch.context() as patch:
        patch.setattr(loading, "load_sessions", fail)
        with pytest.raises(DomainError, match="disk"):
            load_clinic(files, by=None, now=NOW, done=heard.append)
    assert heard == ["site", "people"]
    assert Patient.objects.count() == 3
    assert not Visit.objects.exists()
    assert not ImportedRecord.objects.filter(noun="course").exists()
    load_clinic(files, by=None, now=NOW, done=heard.append)
    assert heard[2:] == list(GROUPS)
    assert Visit.objects.count() == 1


def test_a_working_saturday_takes_the_hours_of_the_day_it_was_swapped_for(tmp_path: Path) -> None:
    write_files(tmp_path)
    text = (tmp_path / "clinic.toml").read_text(encoding="utf-8")
    (tmp_path / "clinic.toml").write_text(text.replace('"PL"', '"RU"').replace("Europe/Warsaw", "Europe/Samara"))
    load(read(tmp_path))
    saturday = CalendarDay.objects.get(date=dt.date(2027, 2, 20))
    assert (saturday.kind, saturday.works_as) == ("worked_as", 1)
    assert CalendarDay.objects.get(date=dt.date(2027, 2, 22)).kind == "closed"


def test_two_clinics_may_number_their_cards_alike(tmp_path: Path) -> None:
    load(read(write_files(tmp_path)))
    text = (tmp_path / "clinic.toml").read_text(encoding="utf-8")
    (tmp_path / "clinic.toml").write_text(text.replace('"Test"', '"Other"'))
    loaded = load(read(tmp_path))
    assert Counter(issue.kind for issue in loaded.issues) == {"card_taken": 3}
    assert Patient.objects.filter(card_number="P1").count() == 1
    assert Patient.objects.count() == 6
