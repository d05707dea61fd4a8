"""Imports from the browser: nothing hangs on the page, nothing is done twice, nothing stays longer than it must."""

import datetime as dt
from pathlib import Path
from unittest import mock

import pytest

from clinic.errors import Conflict, Invalid, NotAllowed, NotFound
from clinic.models import CalendarDay, Clinic, Patient, User
from clinic.permissions import Role
from courses import importing
from courses.importing import runs
from courses.importing.runs import confirm_run, discard_run, run_for, start_run, work_through
from courses.models import ImportFile, ImportRun
from tests import factories as f

DEMO = Path(importing.__file__).parent / "demo_clinic"
ROOMS = ("rooms.csv", b"room_id,room_type,name,capacity\nR1,massage,Room 41,two\nR2,massage,Room 42,2\n")


@pytest.fixture
def clinic(db: None) -> Clinic:
    return f.ClinicFactory()


@pytest.fixture
def alice(clinic: Clinic) -> User:
    return f.user_with_role(Role.MANAGER, clinic)


def _start(clinic: Clinic, by: User | None = None, *files: tuple[str, bytes]) -> ImportRun:
    return start_run(clinic=clinic, files=files or [ROOMS], by=by, now=f.NOW)


def _state(run: ImportRun) -> str:
    return ImportRun.objects.values_list("status", flat=True).get(pk=run.pk)


def test_a_whole_clinic_is_checked_then_loaded_then_its_files_are_gone(clinic: Clinic, alice: User) -> None:
    files = [(path.name, path.read_bytes()) for path in DEMO.glob("*.csv") if path.name != "sessions.csv"]
    run = _start(clinic, alice, *files, ("clinic.toml", (DEMO / "clinic.toml").read_bytes()))
    assert _state(run) == "waiting"
    assert work_through(now=f.NOW) == 1
    run.refresh_from_db()
    assert (run.status, run.accepted["patients"] > 500) == ("checked", True)
    assert not Patient.objects.exists()
    confirm_run(run=run, by=alice, now=f.NOW)
    assert work_through(now=f.NOW) == 1
    run.refresh_from_db()
    assert (run.status, run.step) == ("done", runs.STEPS)
    assert run.created["patient"] == Patient.objects.count()
    assert not ImportFile.objects.exists()
    # The clinic is the one that was named, whatever the files say, and its calendar is its own.
    assert Clinic.objects.count() == 1
    assert not CalendarDay.objects.exists()


def test_findings_are_told_in_the_readers_language(clinic: Clinic) -> None:
    from django.utils import translation

    run = _start(clinic)
    work_through(now=f.NOW)
    run.refresh_from_db()
    issues = runs.issues_of(run)
    with translation.override("en"):
        english = [issue.message for issue in issues]
    with translation.override("ru"):
        assert [issue.message for issue in issues] != english
    assert "Not a whole number" in english


def test_what_a_worker_that_died_left_is_taken_up(clinic: Clinic) -> None:
    run = _start(clinic)
    ImportRun.objects.update(status="checking", started_at=f.NOW)
    assert work_through(now=f.NOW + dt.timedelta(minutes=1)) == 0
    assert work_through(now=f.NOW + dt.timedelta(minutes=16)) == 1
    assert _state(run) == "checked"


def test_a_failure_is_kept_and_told(clinic: Clinic) -> None:
    run = _start(clinic, None, ("other.csv", b"a,b\n1,2\n"))
    work_through(now=f.NOW)
    run.refresh_from_db()
    assert run.status == "failed"
    assert "none of the expected files" in run.error


def test_a_defect_fails_the_run_and_is_not_hidden(clinic: Clinic) -> None:
    run = _start(clinic)
    with mock.patch.object(runs, "read_clinic", side_effect=ZeroDivisionError), pytest.raises(ZeroDivisionError):
        work_through(now=f.NOW)
    assert _state(run) == "failed"
    assert work_through(now=f.NOW) == 0


def test_old_files_go(clinic: Clinic) -> None:
    _start(clinic)
    work_through(now=f.NOW)
    work_through(now=f.NOW + dt.timedelta(days=8))
    assert not ImportFile.objects.exists()


def test_only_what_was_looked_at_is_loaded(clinic: Clinic, alice: User) -> None:
    run = _start(clinic, alice)
    with pytest.raises(Conflict):
        confirm_run(run=run, by=alice, now=f.NOW)
    ImportRun.objects.update(status="loading", started_at=f.NOW)
    with pytest.raises(Conflict):
        discard_run(run=run, by=alice, now=f.NOW)


@pytest.mark.parametrize(
    "files",
    [
        [],
        [("rooms.png", b"x")],
        [("../rooms.csv", b"x")],
        [("a.csv", b"x"), ("a.csv", b"y")],
        [(f"{n}.csv", b"x") for n in range(31)],
        [("a.csv", b"x" * (31 * 1024 * 1024))],
    ],
)
def test_wrong_files_are_refused(clinic: Clinic, files: list[tuple[str, bytes]]) -> None:
    with pytest.raises(Invalid):
        start_run(clinic=clinic, files=files, by=None, now=f.NOW)
    assert not ImportRun.objects.exists()


def test_a_mapping_that_ships_and_one_of_the_clinics_own(clinic: Clinic) -> None:
    with pytest.raises(Invalid):
        start_run(clinic=clinic, files=[ROOMS], mapping="nobodys", by=None, now=f.NOW)
    own = ("mapping.toml", b'[files.rooms]\nfile = "raum.csv"\n')
    run = _start(clinic, None, ("raum.csv", ROOMS[1]), own)
    work_through(now=f.NOW)
    run.refresh_from_db()
    assert run.accepted == {"rooms": 1}


def test_others_may_not(clinic: Clinic, alice: User) -> None:
    run = _start(clinic, alice)
    desk = f.user_with_role(Role.RECEPTION, clinic)
    stranger = f.user_with_role(Role.MANAGER, f.ClinicFactory(name="Hillside"))
    for user, refusal in ((desk, NotAllowed), (stranger, NotFound)):
        with pytest.raises(refusal):
            run_for(user, run.pk)
        with pytest.raises(refusal):
            _start(clinic, user)
