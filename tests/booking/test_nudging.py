"""One session of a proposal earlier, later or at another time; the others stay if they can."""

import datetime as dt
from typing import Any

import pytest

from clinic.errors import Conflict, Invalid
from courses.booking.bookings import book_plan
from courses.booking.holds import hold_plan
from courses.booking.lifecycle import replan_course
from courses.booking.models import Plan, Session
from courses.booking.nudging import nudge_plan, slots_for
from courses.booking.proposals import propose_plan
from courses.booking.transitions import Status
from tests import factories
from tests.booking.conftest import Desk, equip
from tests.booking.test_booking import propose
from tests.booking.test_classes import class_course
from tests.booking.test_moving import booked, reread
from tests.booking.test_replanning import kinds


def nudge(desk: Desk, plan: Plan, session: int, **asked: Any) -> Plan:
    return nudge_plan(plan=plan, session=session, by=desk.reception, now=desk.now, **asked)


def start_of(desk: Desk, plan: Plan, session: int) -> dt.datetime:
    item = next(item for item in plan.items if item["session"] == session)
    return dt.datetime.fromisoformat(item["start"]).astimezone(desk.clinic.tz)


def starts(plan: Plan) -> dict[int, str]:
    return {item["session"]: item["start"] for item in plan.items}


@pytest.fixture
def plan(desk: Desk) -> Plan:
    return propose(desk, desk.course(sessions=4))


def test_later_and_earlier_move_one_session_on_its_day(desk: Desk, plan: Plan) -> None:
    second = plan.items[1]["session"]
    later = nudge(desk, plan, second, to="later")
    assert later.based_on == plan
    assert kinds(later) == {item["session"]: "moved" if item["session"] == second else "kept" for item in plan.items}
    assert start_of(desk, later, second) == start_of(desk, plan, second) + dt.timedelta(minutes=15)
    back = nudge(desk, later, second, to="earlier")
    assert starts(back) == starts(plan)
    book_plan(plan=back, by=desk.reception, now=desk.now)
    assert Session.objects.filter(status=Status.BOOKED).count() == 4


def test_a_nudged_session_stays_where_it_was_put(desk: Desk, plan: Plan) -> None:
    first, second, *_ = (item["session"] for item in plan.items)
    once = nudge(desk, plan, first, starts_at=start_of(desk, plan, first).replace(hour=12, minute=0))
    assert once.request["fixed"] == [first]
    twice = nudge(desk, once, second, to="later")
    assert starts(twice)[first] == starts(once)[first]
    assert set(twice.request["fixed"]) == {first, second}


def test_to_another_day_it_takes_the_others_along_as_little_as_it_must(desk: Desk) -> None:
    """Daily sessions: on the day of the last one there is no room for the first, unless the last goes elsewhere."""
    plan = propose(desk, desk.course(sessions=4, gap_min=1, gap_max=1))
    first, *_, last = (item["session"] for item in plan.items)
    target = start_of(desk, plan, last) + dt.timedelta(hours=1)
    with pytest.raises(Conflict) as refused:
        nudge(desk, plan, first, starts_at=target, keep_others=True)
    assert refused.value.code == "others_must_move"
    moved = nudge(desk, plan, first, starts_at=target)
    assert start_of(desk, moved, first) == target
    found = kinds(moved)
    assert found[first] == "moved"
    assert list(found.values()).count("kept") >= 2
    days = sorted(item["start"][:10] for item in moved.items)
    assert len(set(days)) == 4


def test_keeping_the_others_is_said_to_be_possible_where_it_is(desk: Desk, plan: Plan) -> None:
    second = plan.items[1]["session"]
    target = start_of(desk, plan, second).replace(hour=12)
    kept = nudge(desk, plan, second, starts_at=target, keep_others=True)
    assert sorted(kinds(kept).values()) == ["kept", "kept", "kept", "moved"]
    assert kept.request["fixed"] == [second]


def test_another_therapist_at_the_time_of_ones_choice(desk: Desk, plan: Plan) -> None:
    second = plan.items[1]["session"]
    target = start_of(desk, plan, second).replace(hour=16, minute=30)
    moved = nudge(desk, plan, second, starts_at=target, therapist=desk.boris.pk)
    assert {i["therapist"] for i in moved.items if i["session"] == second} == {desk.boris.pk}


def test_a_held_plan_is_let_go_and_its_own_times_are_free_for_it(desk: Desk, plan: Plan) -> None:
    hold_plan(plan=plan, by=desk.reception, now=desk.now)
    second = plan.items[1]["session"]
    offered = slots_for(plan=plan, session=second, by=desk.reception, now=desk.now)
    assert Plan.objects.get(pk=plan.pk).status == Plan.Status.HELD
    assert len(offered) == 6
    later = nudge(desk, plan, second, to="later")
    assert sorted(kinds(later).values()) == ["kept", "kept", "kept", "moved"]
    assert not Session.objects.filter(status=Status.HELD).exists()
    book_plan(plan=later, by=desk.reception, now=desk.now)


def test_a_hold_is_not_let_go_for_nothing(desk: Desk, plan: Plan) -> None:
    hold_plan(plan=plan, by=desk.reception, now=desk.now)
    second = plan.items[1]["session"]
    with pytest.raises(Conflict):
        nudge(desk, plan, second, starts_at=start_of(desk, plan, second).replace(hour=3))
    assert Plan.objects.get(pk=plan.pk).status == Plan.Status.HELD
    assert Session.objects.filter(status=Status.HELD).count() == 4


def test_six_slots_near_its_own_and_every_one_can_be_had(desk: Desk, plan: Plan) -> None:
    second = plan.items[1]["session"]
    offered = slots_for(plan=plan, session=second, by=desk.reception, now=desk.now)
    assert len(offered) == 6
    assert [slot.starts_at for slot in offered] == sorted({slot.starts_at for slot in offered})
    for slot in offered:
        moved = nudge(desk, plan, second, starts_at=slot.starts_at, therapist=slot.therapist_id)
        assert start_of(desk, moved, second) == slot.starts_at.astimezone(desk.clinic.tz)
        others = {kind for pk, kind in kinds(moved).items() if pk != second}
        assert (others == {"kept"}) == slot.keeps_others


def test_in_a_programme_the_sessions_of_the_same_visit_make_way(desk: Desk) -> None:
    laser = factories.ProcedureFactory(clinic=desk.clinic, code="LASER")
    equip(desk.clinic, laser, desk.anna, room_type="massage")
    other = factories.CourseFactory(
        clinic=desk.clinic,
        procedure=laser,
        patient=desk.patient,
        sessions_total=3,
        sessions=True,
        start_from=factories.MONDAY,
    )
    plan = propose_plan(courses=[desk.course(), other], by=desk.reception, now=desk.now)
    first, second = (item["session"] for item in plan.items[:2])
    assert plan.items[0]["end"] == plan.items[1]["start"]  # one after the other in one visit
    target = start_of(desk, plan, second)
    moved = nudge(desk, plan, first, starts_at=target)
    assert start_of(desk, moved, first) == target
    assert {pk for pk, kind in kinds(moved).items() if kind != "kept"} == {first, second}


def test_a_plan_that_moves_booked_sessions_is_nudged_too(desk: Desk) -> None:
    first, second, third = booked(desk)
    out = desk.clinic.local_date(second.time.starts_at).isoformat()
    plan = replan_course(course=first.course, by=desk.reception, now=desk.now, wishes={"excluded_days": [out]})
    assert [pk for pk, kind in kinds(plan).items() if kind == "moved"] == [second.pk]
    later = nudge(desk, plan, second.pk, to="later")
    assert kinds(later) == {first.pk: "kept", second.pk: "moved", third.pk: "kept"}
    assert later.request["moving"] == plan.request["moving"]
    book_plan(plan=later, by=desk.reception, now=desk.now)
    after = {s.pk: s for s in reread(first.course)}
    assert after[second.pk].time.starts_at == start_of(desk, later, second.pk)
    assert (after[first.pk].appointment_id, after[third.pk].appointment_id) == (
        first.appointment_id,
        third.appointment_id,
    )


def test_a_class_is_nudged_from_meeting_to_meeting(desk: Desk) -> None:
    course, held = class_course(desk, meetings=6)
    plan = propose(desk, course)
    assert [item["meeting"] for item in plan.items] == [m.pk for m in held[:3]]
    first, second, last = (item["session"] for item in plan.items)
    later = nudge(desk, plan, last, to="later")
    assert [item["meeting"] for item in later.items] == [m.pk for m in held[1:4]]
    assert kinds(later) == {first: "moved", second: "kept", last: "moved"}


def test_what_cannot_be_is_refused_in_words(desk: Desk, plan: Plan) -> None:
    second = plan.items[1]["session"]
    at = start_of(desk, plan, second)

    def refused(**asked: Any) -> Any:
        with pytest.raises((Conflict, Invalid)) as error:
            nudge(desk, plan, **{"session": second} | asked)
        return error.value.code if isinstance(error.value, Conflict) else set(error.value.details)

    assert refused(starts_at=at.replace(hour=3)) == "time_not_free"
    assert refused(starts_at=desk.now - dt.timedelta(days=1)) == {"starts_at"}
    assert refused(starts_at=at.replace(minute=2)) == {"starts_at"}
    assert refused(starts_at=at, therapist=10**9) == {"therapist"}
    assert refused(session=10**9, to="later") == {"session"}
    assert refused() == {"to"}
    assert refused(to="later", starts_at=at) == {"to"}
    book_plan(plan=plan, by=desk.reception, now=desk.now)
    assert refused(to="later") == "plan_not_proposed"


def test_no_earlier_time_is_said_so(desk: Desk) -> None:
    course = desk.course(
        sessions=1,
        finish_by=factories.MONDAY,
        window_from=dt.time(8),
        window_until=dt.time(8, 30),
        window_strength="must",
    )
    plan = propose(desk, course)
    with pytest.raises(Conflict) as refused:
        nudge(desk, plan, plan.items[0]["session"], to="earlier")
    assert refused.value.code == "no_such_time"
