"""What falls out is recorded at once, and exactly the sessions it leaves without cover are marked to re-place."""

import datetime as dt
from dataclasses import dataclass

import pytest

from clinic.errors import Conflict, Invalid
from clinic.models import Clinic, Equipment, Resource, Room, Task, Therapist
from courses.booking.disruption import (
    end_absence,
    end_outage,
    extend_absence,
    record_absence,
    record_closure,
    record_outage,
    restrict_qualification,
)
from courses.booking.models import Session
from courses.booking.transitions import Status
from courses.catalogue.models import Qualification
from tests import factories as f

pytestmark = pytest.mark.django_db


@dataclass
class Week:
    """A therapist in a room with a device: a session at 09:00 on each of five days, and one of somebody else."""

    clinic: Clinic
    anna: Therapist
    room: Room
    device: Equipment
    sessions: list[Session]
    other: Session

    @property
    def qualification(self) -> Qualification:
        return f.QualificationFactory(therapist=self.anna, procedure=self.sessions[0].course.procedure)


@pytest.fixture
def week() -> Week:
    clinic = f.ClinicFactory()
    anna = f.ShiftFactory(clinic=clinic).therapist
    device = f.EquipmentFactory(room__clinic=clinic)
    course = f.CourseFactory(clinic=clinic, sessions_total=5)
    sessions = [
        f.booked_session(course, starts_at=f.at("09:00", day=day), therapist=anna, device=device) for day in range(5)
    ]
    other = f.booked_session(clinic=clinic, starts_at=f.at("09:00", day=1))
    return Week(clinic, anna, device.room, device, sessions, other)


def marked(week: Week) -> list[int]:
    """Days of Anna's sessions that are marked; the other session as -1."""
    keys = set(Session.objects.filter(to_replace=True).values_list("pk", flat=True))
    days = [day for day, session in enumerate(week.sessions) if session.pk in keys]
    return ([-1] if week.other.pk in keys else []) + days


def waiting() -> set[str]:
    return set(Task.objects.filter(kind=Task.Kind.TO_REPLACE, done_at=None).values_list("subject", flat=True))


def away(week: Week, first: int, last: int | None) -> object:
    end = None if last is None else f.at("00:00", day=last + 1)
    return record_absence(
        therapist=week.anna, kind="sick", starts_at=f.at("00:00", day=first), ends_at=end, by=None, now=f.NOW
    )


@pytest.mark.parametrize("what", ["room", "device"])
def test_an_outage_marks_what_takes_the_room_or_device(week: Week, what: str) -> None:
    resource = Resource.objects.get(pk=getattr(week, what).pk)
    record_outage(resource=resource, starts_at=f.at("09:15", day=1), ends_at=f.at("09:00", day=3), by=None, now=f.NOW)
    assert marked(week) == [1, 2]
    assert waiting() == {f"session:{week.sessions[day].pk}" for day in (1, 2)}


def test_a_closure_marks_all_in_the_clinic_and_nothing_elsewhere(week: Week) -> None:
    elsewhere = f.booked_session(clinic=f.ClinicFactory(name="Hillside"), starts_at=f.at("09:00", day=1))
    record_closure(clinic=week.clinic, starts_at=f.at("00:00", day=1), ends_at=f.at("00:00", day=2), by=None, now=f.NOW)
    assert marked(week) == [-1, 1]
    elsewhere.refresh_from_db()
    assert not elsewhere.to_replace


def test_a_class_loses_all_its_seats_with_its_hall(week: Week) -> None:
    meeting = f.class_meeting(f.GroupClassFactory(clinic=week.clinic))
    seats = [f.booked_session(meeting=meeting) for _ in range(2)]
    hall = Resource.objects.get(pk=meeting.group_class.room_id)
    record_outage(resource=hall, starts_at=f.at("08:00"), ends_at=None, by=None, now=f.NOW)
    assert set(Session.objects.filter(to_replace=True)) == set(seats)


def test_a_restricted_qualification_marks_that_procedure_with_that_therapist_after_its_last_day(week: Week) -> None:
    another = f.booked_session(clinic=week.clinic, starts_at=f.at("11:00", day=3), therapist=week.anna)
    before = week.anna.resource.version
    restrict_qualification(
        qualification=week.qualification, valid_until=f.MONDAY + dt.timedelta(days=2), by=None, now=f.NOW
    )
    assert marked(week) == [3, 4]
    another.refresh_from_db()
    assert not another.to_replace
    assert Resource.objects.get(pk=week.anna.pk).version > before  # plans made before are stale


def test_a_second_qualification_that_goes_on_covers_what_the_first_does_not(week: Week) -> None:
    first = week.qualification
    f.QualificationFactory(therapist=week.anna, procedure=first.procedure, valid_from=f.MONDAY + dt.timedelta(days=4))
    restrict_qualification(qualification=first, valid_until=f.MONDAY + dt.timedelta(days=2), by=None, now=f.NOW)
    assert marked(week) == [3]


def test_today_first_extended_later_and_ended_at_last(week: Week) -> None:
    absence = away(week, 0, 0)
    assert marked(week) == [0]
    extend_absence(absence=absence, ends_at=f.at("00:00", day=2), by=None, now=f.NOW)
    assert marked(week) == [0, 1]
    extend_absence(absence=absence, ends_at=None, by=None, now=f.NOW)
    assert marked(week) == [0, 1, 2, 3, 4]
    end_absence(absence=absence, ends_at=f.at("00:00", day=3), by=None, now=f.NOW)
    assert marked(week) == [0, 1, 2]
    assert waiting() == {f"session:{session.pk}" for session in week.sessions[:3]}


def test_what_something_else_stands_in_the_way_of_stays_marked(week: Week) -> None:
    absence = away(week, 0, None)
    record_outage(
        resource=Resource.objects.get(pk=week.room.pk),
        starts_at=f.at("00:00", day=4),
        ends_at=None,
        by=None,
        now=f.NOW,
    )
    end_absence(absence=absence, ends_at=f.at("00:00", day=2), by=None, now=f.NOW)
    assert marked(week) == [0, 1, 4]


def test_a_room_that_is_ready_early_keeps_its_sessions(week: Week) -> None:
    outage = record_outage(
        resource=Resource.objects.get(pk=week.room.pk), starts_at=f.at("00:00"), ends_at=None, by=None, now=f.NOW
    )
    end_outage(outage=outage, ends_at=f.at("00:00", day=1), by=None, now=f.NOW)
    assert marked(week) == [0]
    end_outage(outage=outage, ends_at=f.at("00:00", day=2), by=None, now=f.NOW)
    assert marked(week) == [0, 1]


def test_a_changed_end_leaves_alone_what_was_booked_inside_for_a_reason(week: Week) -> None:
    absence = away(week, 0, 2)
    Session.objects.filter(pk=week.sessions[1].pk).update(to_replace=False)  # she comes in for this one
    extend_absence(absence=absence, ends_at=f.at("00:00", day=4), by=None, now=f.NOW)
    assert marked(week) == [0, 2, 3]


def test_what_starts_within_four_hours_is_urgent(week: Week) -> None:
    record_absence(
        therapist=week.anna,
        kind="sick",
        starts_at=f.at("00:00"),
        ends_at=f.at("00:00", day=2),
        by=None,
        now=f.at("06:00"),
    )
    urgent = dict(Task.objects.values_list("subject", "urgent"))
    assert urgent == {f"session:{week.sessions[0].pk}": True, f"session:{week.sessions[1].pk}": False}


def test_what_is_over_or_given_is_not_marked(week: Week) -> None:
    Session.objects.filter(pk=week.sessions[2].pk).update(status=Status.COMPLETED)
    record_absence(
        therapist=week.anna,
        kind="sick",
        starts_at=f.at("00:00"),
        ends_at=None,
        by=None,
        now=f.at("12:00", day=1),
    )
    assert marked(week) == [3, 4]


def test_ends_that_are_none_are_refused_and_change_nothing(week: Week) -> None:
    absence = away(week, 0, 2)
    for wrong in (f.at("00:00", day=1), f.at("00:00", day=3)):
        with pytest.raises(Invalid):
            extend_absence(absence=absence, ends_at=wrong, by=None, now=f.NOW)
    for wrong in (f.at("00:00"), f.at("00:00", day=3), f.at("00:00", day=5)):
        with pytest.raises(Invalid):
            end_absence(absence=absence, ends_at=wrong, by=None, now=f.NOW)
    with pytest.raises(Invalid):
        restrict_qualification(
            qualification=f.QualificationFactory(valid_from=f.MONDAY),
            valid_until=f.MONDAY - dt.timedelta(days=1),
            by=None,
            now=f.NOW,
        )
    with pytest.raises(Invalid):
        record_outage(resource=week.anna.resource, starts_at=f.at("00:00"), ends_at=None, by=None, now=f.NOW)
    assert marked(week) == [0, 1, 2]


def test_two_who_change_one_end_do_not_overwrite_each_other(week: Week) -> None:
    absence, same = away(week, 0, 1), None
    same = type(absence).objects.select_related("therapist").get(pk=absence.pk)
    extend_absence(absence=absence, ends_at=f.at("00:00", day=4), by=None, now=f.NOW)
    with pytest.raises(Conflict):
        extend_absence(absence=same, ends_at=f.at("00:00", day=3), by=None, now=f.NOW)
    assert marked(week) == [0, 1, 2, 3]
