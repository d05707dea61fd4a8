"""A repair from what fell out to the new times: proposed, worked out, looked at, applied."""

import datetime as dt
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clinic.errors import Conflict, Invalid, PlaceTaken
from clinic.models import Absence, Reservation, Task, Therapist
from courses.booking.disruption import end_absence, extend_absence, record_absence, restrict_qualification
from courses.booking.models import Course, Session, Visit
from courses.booking.moves import move_session
from courses.booking.repair_applying import apply_repair
from courses.booking.repair_models import Repair
from courses.booking.repair_problems import build_repair
from courses.booking.repairs import (
    SILENCE,
    affected_sessions,
    count_changes,
    count_patients,
    drop_repair,
    propose_handover,
    propose_repair,
    propose_swap,
    requeue_silent,
    retry_repair,
    run_repair,
    sessions_to_call,
)
from courses.booking.transitions import Status
from notifications.models import Message
from tests import factories as f
from tests.booking.conftest import Desk, equip

pytestmark = pytest.mark.django_db


@dataclass
class Ward:
    """Anna and Vera work all day, Boris afternoons; two rooms. Anna has patients at 08:00, 09:00 … on MONDAY and again
    two days later."""

    desk: Desk
    anna: Therapist
    vera: Therapist
    courses: list[Course]

    def session(self, patient: int, number: int = 1) -> Session:
        return self.courses[patient].sessions.get(number=number)

    def ill(self, first: int = 0, last: int | None = 0) -> Absence:
        return record_absence(
            therapist=self.anna,
            kind="sick",
            starts_at=f.at("00:00", day=first),
            ends_at=None if last is None else f.at("00:00", day=last + 1),
            by=None,
            now=self.desk.now,
        )

    def repaired(self, absence: Absence) -> Repair:
        return worked_out(
            propose_repair(clinic=self.desk.clinic, cause=absence, by=self.desk.reception, now=self.desk.now)
        )

    def apply(self, repair: Repair, **accepted: list[int]) -> Repair:
        return apply_repair(repair=repair, by=self.desk.reception, now=self.desk.now, **accepted)


def make_ward(desk: Desk, patients: int = 3, *, with_vera: bool = True) -> Ward:
    vera = f.TherapistFactory(full_name="Vera S.")
    anna = f.TherapistFactory(full_name="Anna Z.")
    desk.rooms += [f.RoomFactory(clinic=desk.clinic, room_type="massage") for _ in range(patients)]
    for therapist in [anna, vera] if with_vera else [anna]:
        f.ShiftFactory(therapist=therapist, clinic=desk.clinic)
        f.QualificationFactory(therapist=therapist, procedure=desk.massage)
    courses = []
    for number in range(patients):
        course = f.CourseFactory(clinic=desk.clinic, procedure=desk.massage, sessions_total=2, gap_max=9)
        for day in (number // 8 * 7, number // 8 * 7 + 2):
            starts_at = f.at(f"{8 + number % 8:02}:00", day=day)
            f.booked_session(course, starts_at=starts_at, therapist=anna, room=desk.rooms[0])
        courses.append(course)
    return Ward(desk, anna, vera, courses)


@pytest.fixture
def desk(db: None) -> Desk:
    clinic = f.ClinicFactory(book_until=f.MONDAY + dt.timedelta(days=60))
    massage = f.ProcedureFactory(clinic=clinic, code="MASSAGE")
    boris = f.TherapistFactory(full_name="Boris K.")
    f.ShiftFactory(therapist=boris, clinic=clinic, start_time=dt.time(14))
    equip(clinic, massage, boris, room_type="massage")
    rooms = [f.RoomFactory(clinic=clinic, room_type="massage") for _ in range(2)]
    return Desk(clinic, massage, boris, boris, rooms, f.PatientFactory(), f.user_with_role("reception", clinic))


@pytest.fixture
def ward(desk: Desk) -> Ward:
    return make_ward(desk)


def worked_out(repair: Repair) -> Repair:
    assert run_repair(repair.pk)
    return Repair.objects.select_related("clinic").get(pk=repair.pk)


def open_tasks() -> set[str]:
    return set(Task.objects.filter(kind=Task.Kind.TO_REPLACE, done_at=None).values_list("subject", flat=True))


def therapist_of(session: Session) -> int:
    session.refresh_from_db()
    taken = Reservation.objects.get(appointment=session.appointment_id, live=True, resource__kind="therapist")
    return taken.resource_id


# --- Proposing ------------------------------------------------------------------------------------------------------


def test_a_colleague_at_the_same_time_is_the_least_change(ward: Ward) -> None:
    repair = ward.repaired(ward.ill())
    assert repair.status == Repair.Status.PROPOSED
    assert (repair.progress, repair.step, repair.proven) == (1, "done", True)
    assert count_changes(repair) == {"kept": 0, "other_therapist": 3, "moved": 0, "unplaced": 0}
    assert {item["to"]["therapist"] for item in repair.items} == {ward.vera.pk}
    assert count_patients(repair) == {"by_mail": 0, "by_call": 0, "without_mail": []}


def test_nothing_changes_until_it_is_applied(ward: Ward) -> None:
    before = set(Reservation.objects.filter(live=True).values_list("pk", flat=True))
    ward.repaired(ward.ill())
    assert set(Reservation.objects.filter(live=True).values_list("pk", flat=True)) == before
    assert len(open_tasks()) == 3


def test_what_has_no_place_says_why_and_keeps_its_task(desk: Desk) -> None:
    ward = make_ward(desk, with_vera=False)
    skill = desk.massage.qualifications.get(therapist=desk.boris)
    restrict_qualification(qualification=skill, valid_until=f.MONDAY - dt.timedelta(days=8), by=None, now=desk.now)
    repair = ward.repaired(ward.ill(first=-7, last=None))
    assert count_changes(repair)["unplaced"] == 6
    assert {item["reason"] for item in repair.items} <= {"absent", "not_qualified", "off_shift"}
    with pytest.raises(Invalid):
        ward.apply(repair)
    assert len(open_tasks()) == 6


def test_a_lost_qualification_is_repaired_alike(ward: Ward) -> None:
    skill = ward.desk.massage.qualifications.get(therapist=ward.anna)
    restrict_qualification(qualification=skill, valid_until=f.MONDAY, by=None, now=ward.desk.now)
    repair = worked_out(propose_repair(clinic=ward.desk.clinic, cause=skill, by=None, now=ward.desk.now))
    assert [item["session"] for item in repair.items] == [ward.session(n, 2).pk for n in range(3)]
    ward.apply(repair)
    assert {therapist_of(ward.session(n, 2)) for n in range(3)} == {ward.vera.pk}


def test_nothing_to_repair_is_said_at_once(ward: Ward) -> None:
    absence = record_absence(
        therapist=ward.vera, kind="sick", starts_at=f.at("00:00"), ends_at=None, by=None, now=ward.desk.now
    )
    with pytest.raises(Invalid) as refused:
        propose_repair(clinic=ward.desk.clinic, cause=absence, by=None, now=ward.desk.now)
    assert refused.value.code == "nothing_to_repair"


def test_reading_takes_as_many_statements_for_thirty_patients_as_for_one(desk: Desk) -> None:
    ward = make_ward(desk, 30)
    ward.ill(last=None)
    counts = []
    lost = list(affected_sessions(Repair(clinic=desk.clinic, therapist=ward.anna, starts_at=f.at("00:00"))))
    assert len({session.course.patient_id for session in lost}) == 30
    for sessions in (lost[:1], lost):
        with CaptureQueriesContext(connection) as queries:
            build_repair(clinic=desk.clinic, lost=sessions, now=desk.now)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 16


# --- Applying -------------------------------------------------------------------------------------------------------


def test_all_is_applied_with_the_same_rows(ward: Ward) -> None:
    repair = ward.apply(ward.repaired(ward.ill()))
    assert repair.status == Repair.Status.APPLIED
    assert {therapist_of(ward.session(n)) for n in range(3)} == {ward.vera.pk}
    assert not Session.objects.filter(to_replace=True).exists()
    assert open_tasks() == set()


def test_another_therapist_at_the_same_time_is_no_news(ward: Ward) -> None:
    Session.objects.filter(pk=ward.session(0).pk).update(status=Status.CONFIRMED)
    ward.apply(ward.repaired(ward.ill()))
    assert not Message.objects.exists()
    assert ward.session(0).status == Status.CONFIRMED


def test_one_patients_part_is_applied_and_the_rest_goes_on(ward: Ward) -> None:
    repair = ward.repaired(ward.ill())
    first, third = ward.courses[0].patient_id, ward.courses[2].patient_id
    assert ward.apply(repair, patients=[first]).status == Repair.Status.PARTLY_APPLIED
    assert [ward.session(n).to_replace for n in range(3)] == [False, True, True]
    assert len(open_tasks()) == 2
    with pytest.raises(Invalid):
        ward.apply(repair, patients=[first])
    ward.apply(repair, sessions=[ward.session(1).pk])
    assert ward.apply(repair, patients=[third]).status == Repair.Status.APPLIED
    assert open_tasks() == set()


def afternoon_only(desk: Desk) -> Ward:
    """Anna's patients can only go to Boris, in the afternoon."""
    return make_ward(desk, with_vera=False)


def test_a_moved_session_awaits_the_patients_word_where_the_clinic_says_so(desk: Desk) -> None:
    ward = afternoon_only(desk)
    Session.objects.update(status=Status.CONFIRMED)
    ward.apply(ward.repaired(ward.ill()))
    assert {ward.session(n).status for n in range(3)} == {Status.BOOKED}
    assert {ward.session(n, 2).status for n in range(3)} == {Status.CONFIRMED}


def test_elsewhere_it_stays_confirmed(desk: Desk) -> None:
    ward = afternoon_only(desk)
    desk.clinic.moves_await_word = False
    desk.clinic.save()
    Session.objects.update(status=Status.CONFIRMED)
    ward.apply(ward.repaired(ward.ill()))
    assert {ward.session(n).status for n in range(3)} == {Status.CONFIRMED}


def test_several_moves_of_one_patient_make_one_summary_and_one_revision_for_each_visit(desk: Desk) -> None:
    ward = afternoon_only(desk)
    visits = {v.uid: v.sequence for v in Visit.objects.all()}
    repair = ward.apply(ward.repaired(ward.ill(last=None)))
    for course in ward.courses:
        told = Message.objects.filter(patient=course.patient).exclude(kind=Message.Kind.REMINDER)
        kinds = Counter(told.values_list("kind", flat=True))
        assert kinds[Message.Kind.SUMMARY] == 1
        assert told.get(kind=Message.Kind.SUMMARY).subject == f"repair:{repair.pk}"
        calendar = told.exclude(kind=Message.Kind.SUMMARY)
        assert calendar.count() == calendar.values("subject").distinct().count() == 2
    assert {v.uid: v.sequence for v in Visit.objects.filter(live=True)} == {u: s + 1 for u, s in visits.items()}


def test_who_has_no_mail_is_called_once(desk: Desk) -> None:
    ward = afternoon_only(desk)
    patient = ward.courses[0].patient
    patient.email = ""
    patient.save()
    repair = ward.repaired(ward.ill(last=None))
    assert count_patients(repair) == {"by_mail": 2, "by_call": 1, "without_mail": [patient.pk]}
    ward.apply(repair)
    told = Message.objects.filter(patient=patient).exclude(kind=Message.Kind.REMINDER)
    assert [(m.kind, m.channel) for m in told] == [(Message.Kind.SUMMARY, Message.Channel.CALL)]


def test_what_changed_meanwhile_is_named_and_nothing_is_moved(ward: Ward) -> None:
    repair = ward.repaired(ward.ill())
    gone = Session.objects.select_related(
        "course__clinic", "course__patient", "course__procedure", "course__programme", "appointment", "plan"
    ).get(pk=ward.session(1).pk)
    move_session(session=gone, starts_at=f.at("15:00", day=1), by=None, now=ward.desk.now)
    with pytest.raises(PlaceTaken) as refused:
        ward.apply(repair)
    assert refused.value.code == "repair_stale"
    assert refused.value.details["taken"] == [gone.pk]
    assert [ward.session(n).to_replace for n in range(3)] == [True, False, True]
    again = worked_out(retry_repair(repair=repair, by=None, now=ward.desk.now))
    assert [item["session"] for item in again.items] == [ward.session(0).pk, ward.session(2).pk]
    assert ward.apply(again).status == Repair.Status.APPLIED


def test_a_substitute_who_fell_ill_makes_it_stale(ward: Ward) -> None:
    repair = ward.repaired(ward.ill())
    record_absence(therapist=ward.vera, kind="sick", starts_at=f.at("00:00"), ends_at=None, by=None, now=ward.desk.now)
    with pytest.raises(PlaceTaken) as refused:
        ward.apply(repair)
    assert refused.value.details["taken"] == [ward.session(n).pk for n in range(3)]
    assert len(open_tasks()) == 3


def test_an_absence_that_ended_meanwhile_leaves_its_sessions_where_they_are(ward: Ward) -> None:
    absence = ward.ill(last=None)
    repair = ward.repaired(absence)
    end_absence(absence=absence, ends_at=f.at("00:00", day=1), by=None, now=ward.desk.now)
    with pytest.raises(PlaceTaken) as refused:
        ward.apply(repair)
    assert refused.value.details["taken"] == sorted(ward.session(n, 2).pk for n in range(3))
    ward.apply(repair, sessions=[ward.session(n).pk for n in range(3)])
    assert not Session.objects.filter(to_replace=True).exists()


def test_today_first_and_the_rest_when_it_is_known(ward: Ward) -> None:
    absence = ward.ill()
    ward.apply(ward.repaired(absence))
    extend_absence(absence=absence, ends_at=None, by=None, now=ward.desk.now)
    repair = ward.repaired(absence)
    assert [item["session"] for item in repair.items] == [ward.session(n, 2).pk for n in range(3)]
    ward.apply(repair)
    assert open_tasks() == set()


def test_locks_and_places_take_as_many_statements_for_thirty_patients_as_for_one(desk: Desk) -> None:
    ward = make_ward(desk, 16)
    one = ward.repaired(ward.ill())
    two = retry_repair(repair=one, by=None, now=desk.now)
    two = worked_out(two)
    counts = []
    for accepted in ([two.items[0]["session"]], [item["session"] for item in two.items[1:]]):
        with CaptureQueriesContext(connection) as queries:
            ward.apply(two, sessions=accepted)
        written = [q["sql"] for q in queries if "courses_visit" not in q["sql"] and "message" not in q["sql"]]
        counts.append(len([sql for sql in written if "FOR NO KEY UPDATE" in sql]))
    assert counts[0] == counts[1]


# --- Calling, dropping, dying ---------------------------------------------------------------------------------------


def test_those_within_four_hours_are_to_be_called_the_nearest_first(ward: Ward) -> None:
    ward.courses[1].patient.phones.create(number="+48501234567", is_main=True)
    repair = ward.repaired(ward.ill(last=None))
    calls = sessions_to_call(repair, now=f.at("04:30"))
    assert [session.pk for session in calls] == [ward.session(0).pk]
    calls = sessions_to_call(repair, now=f.at("05:30"))
    assert [session.pk for session in calls] == [ward.session(0).pk, ward.session(1).pk]
    assert str(calls[1].course.patient.phones.all()[0].number) == "+48501234567"


def test_what_was_dropped_is_not_applied_nor_worked_out(ward: Ward) -> None:
    queued = propose_repair(clinic=ward.desk.clinic, cause=ward.ill(), by=None, now=ward.desk.now)
    drop_repair(repair=queued, by=None, now=ward.desk.now)
    assert not run_repair(queued.pk)
    with pytest.raises(Conflict):
        ward.apply(queued)
    with pytest.raises(Conflict):
        retry_repair(repair=queued, by=None, now=ward.desk.now)


def test_delivered_twice_it_is_done_once(ward: Ward) -> None:
    queued = propose_repair(clinic=ward.desk.clinic, cause=ward.ill(), by=None, now=ward.desk.now)
    assert run_repair(queued.pk)
    assert not run_repair(queued.pk)


def test_what_a_dead_worker_left_is_queued_again_and_at_last_failed(ward: Ward) -> None:
    queued = propose_repair(clinic=ward.desk.clinic, cause=ward.ill(), by=None, now=ward.desk.now)
    rows = Repair.objects.filter(pk=queued.pk)
    now = timezone.now()
    rows.update(status=Repair.Status.RUNNING, attempts=1, seen_at=now - SILENCE / 2)
    assert requeue_silent(now=now) == 0
    rows.update(seen_at=now - SILENCE - dt.timedelta(seconds=1))
    assert requeue_silent(now=now) == 1
    assert worked_out(queued).status == Repair.Status.PROPOSED
    rows.update(status=Repair.Status.RUNNING, attempts=3, seen_at=now - SILENCE - dt.timedelta(seconds=1))
    assert requeue_silent(now=now) == 0
    assert rows.get().status == Repair.Status.FAILED
    assert worked_out(retry_repair(repair=queued, by=None, now=ward.desk.now)).status == Repair.Status.PROPOSED


def test_a_failure_is_kept_and_can_be_retried(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    queued = propose_repair(clinic=ward.desk.clinic, cause=ward.ill(), by=None, now=ward.desk.now)
    with monkeypatch.context() as broken:
        broken.setattr("courses.booking.repairs.build_repair", None)
        with pytest.raises(TypeError):
            run_repair(queued.pk)
    queued.refresh_from_db()
    assert queued.status == Repair.Status.FAILED
    assert worked_out(retry_repair(repair=queued, by=None, now=ward.desk.now)).status == Repair.Status.PROPOSED


# --- Whole shifts ---------------------------------------------------------------------------------------------------


def test_a_whole_shift_is_handed_over_in_one_step(ward: Ward) -> None:
    f.booked_session(clinic=ward.desk.clinic, starts_at=f.at("09:00"), therapist=ward.vera)
    repair = worked_out(
        propose_handover(
            clinic=ward.desk.clinic,
            therapist=ward.anna,
            substitute=ward.vera,
            starts_at=f.at("00:00"),
            ends_at=f.at("00:00", day=1),
            by=None,
            now=ward.desk.now,
        )
    )
    assert [item["change"] for item in repair.items] == ["other_therapist", "unplaced", "other_therapist"]
    assert repair.items[1]["reason"] == "therapist_busy"
    ward.apply(repair)
    assert [therapist_of(ward.session(n)) for n in range(3)] == [ward.vera.pk, ward.anna.pk, ward.vera.pk]
    assert not Message.objects.exists()


def test_two_swap_their_shifts_with_all_that_is_booked_there(ward: Ward) -> None:
    theirs = f.booked_session(
        f.CourseFactory(clinic=ward.desk.clinic, procedure=ward.desk.massage),
        starts_at=f.at("10:00", day=1),
        therapist=ward.vera,
        room=ward.desk.rooms[1],
    )
    repair = worked_out(
        propose_swap(
            clinic=ward.desk.clinic,
            therapist=ward.anna,
            substitute=ward.vera,
            starts_at=f.at("00:00"),
            ends_at=f.at("00:00", day=1),
            their_starts_at=f.at("00:00", day=1),
            their_ends_at=f.at("00:00", day=2),
            by=None,
            now=ward.desk.now,
        )
    )
    assert count_changes(repair)["other_therapist"] == 4
    ward.apply(repair)
    assert {therapist_of(ward.session(n)) for n in range(3)} == {ward.vera.pk}
    assert therapist_of(theirs) == ward.anna.pk


# --- The web process ------------------------------------------------------------------------------------------------


def test_the_web_process_never_imports_ortools() -> None:
    script = (
        "import sys; import clinic.wsgi; from django.urls import get_resolver; get_resolver().url_patterns;"
        "import courses.tasks; sys.exit('ortools' in sys.modules)"
    )
    project = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", script], cwd=project, check=True)
