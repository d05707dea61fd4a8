"""Plans side by side, and what is wrong with a request that is none."""

import datetime as dt
from typing import Any

import pytest

from clinic.errors import Invalid
from clinic.models import ResourceKind
from courses.booking import sentences
from courses.booking.bookings import book_plan
from courses.booking.comparing import differences, propose_alternatives
from courses.booking.models import Course, Plan
from courses.booking.proposals import propose_again, propose_plan
from tests import factories
from tests.booking.conftest import Desk, equip


def alternatives(desk: Desk, *courses: Course, **asked: Any) -> list[Plan]:
    return propose_alternatives(courses=courses, by=desk.reception, now=desk.now, **asked)


@pytest.fixture
def torn(desk: Desk) -> Course:
    """Anna gives massage every other day only; who wants to finish soon has to see Boris as well."""
    desk.anna.shifts.update(rrule="FREQ=WEEKLY;BYDAY=MO,WE,FR")
    desk.boris.shifts.update(rrule="FREQ=WEEKLY;BYDAY=TU,TH")
    return desk.course(sessions=4)


def test_alternatives_differ_and_say_what_they_are_best_for(desk: Desk, torn: Course) -> None:
    soon, same = alternatives(desk, torn, profiles=["earliest_finish", "same_therapist"])
    assert (soon.profile, same.profile) == ("earliest_finish", "same_therapist")
    assert soon.group == same.group is not None
    assert len({item["therapist"] for item in same.items}) == 1
    assert soon.comparison is not None
    assert soon.comparison["figures"]["last_day"] == "2031-03-06"
    assert soon.comparison["best_in"] == ["last_day"]
    gap = differences(same, soon)
    assert gap["days"] > 0
    assert (gap["therapists"], gap["changes"]) == (-1, -1)
    assert differences(soon, same) == {name: -value for name, value in gap.items()}
    assert sentences.best_text(soon) == "Best: earliest finish"
    book_plan(plan=same, by=desk.reception, now=desk.now)


def test_profiles_that_coincide_are_one_plan(desk: Desk) -> None:
    [only] = alternatives(desk, desk.course(sessions=2))
    assert only.comparison is not None
    assert set(only.comparison["profiles"]) == {"earliest_finish", "fewest_visits", "same_therapist"}
    assert only.comparison["best_in"] == []
    assert sentences.coinciding_sentence(only).endswith("one and the same plan.")


def test_where_there_is_no_plan_one_answer_says_why(desk: Desk) -> None:
    [no_plan] = alternatives(desk, desk.course(sessions=4, finish_by=factories.MONDAY + dt.timedelta(days=2)))
    assert no_plan.status == Plan.Status.IMPOSSIBLE
    assert no_plan.explanation is not None
    assert no_plan.explanation["partial"]["placed"] == 3
    assert no_plan.explanation["partial"]["asked"] == 4
    assert len(no_plan.explanation["partial"]["items"]) == 3
    later = next(c for c in no_plan.explanation["concessions"] if c["changes"][0]["relaxation"] == "finish")
    assert (later["placed"], later["asked"], later["last_day"]) == (4, 4, "2031-03-06")


def test_a_device_in_another_room_is_for_the_doctor_to_allow(desk: Desk) -> None:
    laser = factories.ProcedureFactory(clinic=desk.clinic, code="LASER")
    equip(desk.clinic, laser, desk.anna, room_type="physio")
    factories.RequirementFactory(procedure=laser, role=ResourceKind.EQUIPMENT, type_code="laser")
    factories.RoomFactory(clinic=desk.clinic, room_type="physio")
    device = factories.EquipmentFactory(room=desk.rooms[0], equipment_type="laser")
    course = factories.CourseFactory(clinic=desk.clinic, procedure=laser, patient=desk.patient, sessions=True)
    plan = propose_plan(courses=[course], by=desk.reception, now=desk.now)
    assert plan.explanation is not None
    assert plan.explanation["reason"] == "no_room"
    [concession] = plan.explanation["concessions"]
    assert [change["relaxation"] for change in concession["changes"]] == ["room"]
    assert concession["wishes"] is None
    assert concession["placed"] == 3
    assert device.room_id == desk.rooms[0].pk


@pytest.mark.parametrize("profiles", [[], ["cheapest"], ["balanced", "balanced"]])
def test_profiles_are_known_and_different(desk: Desk, profiles: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        alternatives(desk, desk.course(), profiles=profiles)
    assert set(refused.value.details) == {"profiles"}


# -- what is wrong with a request ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wishes", "fields"),
    [
        ({"gap_min": 5}, {"gap_min"}),  # the course's own longest gap is 3
        ({"gap_min": 4, "gap_max": 2}, {"gap_max"}),
        ({"finish_by": "2031-02-01"}, {"finish_by"}),
        ({"start_from": "2001-02-01"}, {"start_from"}),
        ({"start_from": "2031-03-10", "finish_by": "2031-03-05"}, {"finish_by"}),
        ({"excluded_days": ["2031-02-01", "2031-03-10"]}, {"excluded_days"}),
        ({"preferred_therapist": 10**12}, {"preferred_therapist"}),
        ({"window_from": "10:00", "window_until": "10:15", "window_strength": "must"}, {"window_until"}),
        (
            {"preferred_therapist": 10**12, "finish_by": "2001-01-01", "gap_min": 9},
            {"preferred_therapist", "finish_by", "gap_min"},
        ),
    ],
)
def test_each_wrong_wish_is_named_at_once(desk: Desk, wishes: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(Invalid) as refused:
        propose_plan(courses=[desk.course()], by=desk.reception, now=desk.now, wishes=wishes)
    assert set(refused.value.details) == fields
    assert all(str(sentence) for [sentence] in refused.value.details.values())
    assert not Plan.objects.exists()


def test_what_is_wrong_with_one_of_several_courses_names_it(desk: Desk) -> None:
    first, second = desk.course(), desk.course()
    wishes = {"preferred_therapist": 10**12, "courses": {str(second.pk): {"gap_min": 9}}}
    with pytest.raises(Invalid) as refused:
        propose_plan(
            courses=[first, second],
            by=desk.reception,
            now=desk.now,
            wishes=wishes,
            not_before=dt.date(2001, 1, 1),
        )
    assert set(refused.value.details) == {"preferred_therapist", f"courses.{second.pk}.gap_min", "not_before"}


def test_a_course_without_sessions_to_plan_is_refused(desk: Desk) -> None:
    course = desk.course()
    book_plan(plan=propose_plan(courses=[course], by=desk.reception, now=desk.now), by=desk.reception, now=desk.now)
    with pytest.raises(Invalid) as refused:
        propose_plan(courses=[course], by=desk.reception, now=desk.now)
    assert (refused.value.code, set(refused.value.details)) == ("nothing_to_plan", {"courses"})


def test_a_wish_for_the_past_is_forgotten_when_asked_again(desk: Desk) -> None:
    """Wished on Monday for Tuesday on, lost on Wednesday: the fresh plan is for what is still ahead."""
    course = desk.course(sessions=2)
    wishes = {"start_from": "2031-02-26", "excluded_days": ["2031-02-25", "2031-03-04"]}
    plan = propose_plan(courses=[course], by=desk.reception, now=desk.now, wishes=wishes)
    later = desk.now + dt.timedelta(days=3)
    fresh = propose_again(plan=plan, by=desk.reception, now=later)
    assert fresh.request["wishes"] == {"excluded_days": ["2031-03-04"]}
    assert fresh.status == Plan.Status.PROPOSED
