"""Rules between procedures, from a request to a plan that keeps them."""

import datetime as dt

import pytest

from clinic.errors import Invalid
from courses.booking.bookings import book_plan
from courses.booking.comparing import propose_alternatives
from courses.booking.models import Course, Plan
from courses.booking.proposals import propose_again, propose_plan
from courses.booking.rules import parse_rules
from courses.booking.sentences import reason_sentence, waterfall_sentence
from courses.planning.rules import Apart, DayLimit, NotTogether, OpensAfter, Review, SameDay
from tests import factories
from tests.booking.conftest import Desk, equip

HEAT_FIRST = {"kind": "same_day", "first": "HEAT", "then": "MASSAGE", "lag_minutes": 120}


@pytest.fixture
def heat(desk: Desk) -> Course:
    """A course of heat beside which the desk's massage is planned."""
    procedure = factories.ProcedureFactory(clinic=desk.clinic, code="HEAT", tags=["thermal"])
    equip(desk.clinic, procedure, desk.anna, desk.boris, room_type="massage")
    return factories.CourseFactory(
        clinic=desk.clinic,
        procedure=procedure,
        patient=desk.patient,
        sessions_total=3,
        sessions=True,
        start_from=factories.MONDAY,
    )


def times_of(plan: Plan, course: Course) -> list[tuple[dt.datetime, dt.datetime]]:
    return sorted(
        (dt.datetime.fromisoformat(item["start"]), dt.datetime.fromisoformat(item["end"]))
        for item in plan.items
        if item["course"] == course.pk
    )


def test_every_kind_is_read() -> None:
    rules = parse_rules(
        [
            HEAT_FIRST | {"rest_minutes": 7},
            {"kind": "apart", "one": "A", "other": "B", "days": 1},
            {"kind": "day_limit", "selector": "thermal", "most": 1},
            {"kind": "not_together", "one": "A", "other": "B"},
            {"kind": "opens_after", "course": 2, "after": 1, "sessions": 4},
            {"kind": "review", "course": 3, "of": 1, "after_sessions": [5, 10], "within_days": 3},
        ],
        earlier={},
    )
    assert rules == (
        SameDay("HEAT", "MASSAGE", rest=2, lag=24),
        Apart("A", "B", 1),
        DayLimit("thermal", 1),
        NotTogether("A", "B"),
        OpensAfter(2, 1, 4),
        Review(3, 1, (5, 10), 3),
    )


def test_sessions_given_earlier_count() -> None:
    opens = {"kind": "opens_after", "course": 2, "after": 1, "sessions": 4}
    review = {"kind": "review", "course": 3, "of": 1, "after_sessions": [5, 10]}
    assert parse_rules([opens, review], earlier={1: 3}) == (OpensAfter(2, 1, 1), Review(3, 1, (2, 7)))
    assert parse_rules([opens, review], earlier={1: 6, 3: 1}) == (Review(3, 1, (4,)),)
    assert parse_rules([opens], earlier={2: 1}) == ()


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "no_such_kind"},
        {"kind": "same_day", "first": "A"},
        {"kind": "same_day", "first": "A", "then": ""},
        {"kind": "day_limit", "selector": "A", "most": -1},
        {"kind": "opens_after", "course": True, "after": 1, "sessions": 1},
        {"kind": "review", "course": 1, "of": 2, "after_sessions": "5"},
    ],
)
def test_what_cannot_be_read_is_named(rule: dict[str, object]) -> None:
    with pytest.raises(Invalid) as refused:
        parse_rules([HEAT_FIRST, rule], earlier={})
    assert [str(sentence) for sentence in refused.value.details["rules"]] == ["Rule 2 cannot be read."]


def test_heat_comes_first_and_massage_within_two_hours(desk: Desk, heat: Course) -> None:
    massage = desk.course()
    plan = propose_plan(courses=[massage, heat], by=desk.reception, now=desk.now, rules=[HEAT_FIRST])
    assert plan.status == Plan.Status.PROPOSED
    for (_, heated), (begins, _) in zip(times_of(plan, heat), times_of(plan, massage), strict=True):
        assert dt.timedelta(0) <= begins - heated <= dt.timedelta(hours=2)


def test_a_plan_made_again_keeps_its_rules(desk: Desk, heat: Course) -> None:
    massage = desk.course()
    rule = {"kind": "apart", "one": "HEAT", "other": "MASSAGE"}
    plan = propose_plan(courses=[massage, heat], by=desk.reception, now=desk.now, rules=[rule])
    again = propose_again(plan=plan, by=desk.reception, now=desk.now)
    for one in (plan, again):
        days = [{start.date() for start, _ in times_of(one, course)} for course in (massage, heat)]
        assert not days[0] & days[1]


def test_rules_hold_beside_what_is_booked_already(desk: Desk, heat: Course) -> None:
    book_plan(plan=propose_plan(courses=[heat], by=desk.reception, now=desk.now), by=desk.reception, now=desk.now)
    massage = desk.course()
    opens = {"kind": "opens_after", "course": massage.pk, "after": heat.pk, "sessions": 2}
    plan = propose_plan(courses=[massage], by=desk.reception, now=desk.now, rules=[HEAT_FIRST, opens])
    heated = {s.time.starts_at.date(): s.time.ends_at for s in heat.sessions.select_related("appointment")}
    assert min(times_of(plan, massage))[0].date() > sorted(heated)[1]
    for begins, _ in times_of(plan, massage):
        if begins.date() in heated:
            assert dt.timedelta(0) <= begins - heated[begins.date()] <= dt.timedelta(hours=2)


def test_alternatives_keep_rules_too(desk: Desk, heat: Course) -> None:
    massage = desk.course()
    rules = [{"kind": "opens_after", "course": massage.pk, "after": heat.pk, "sessions": 2}]
    for plan in propose_alternatives(courses=[massage, heat], by=desk.reception, now=desk.now, rules=rules):
        assert times_of(plan, massage)[0][0].date() > times_of(plan, heat)[1][0].date()


def test_rules_that_leave_no_time_are_the_reason(desk: Desk, heat: Course) -> None:
    massage = desk.course(finish_by=factories.MONDAY + dt.timedelta(days=3))
    heat.finish_by = massage.finish_by
    heat.save()
    rules = [{"kind": "apart", "one": "thermal", "other": "MASSAGE"}]
    plan = propose_plan(courses=[massage, heat], by=desk.reception, now=desk.now, rules=rules)
    assert plan.status == Plan.Status.IMPOSSIBLE
    assert plan.explanation is not None
    assert plan.explanation["reason"] == "kept_apart"
    assert "rules between" in reason_sentence(plan)
    assert "kept apart from others" in waterfall_sentence(plan)


def test_a_rule_cycle_is_refused_before_any_solving(desk: Desk, heat: Course) -> None:
    backwards = {"kind": "same_day", "first": "MASSAGE", "then": "HEAT"}
    with pytest.raises(Invalid) as refused:
        propose_plan(courses=[desk.course(), heat], by=desk.reception, now=desk.now, rules=[HEAT_FIRST, backwards])
    assert [str(sentence) for sentence in refused.value.details["rules"]] == ["These rules lead in a circle."]
