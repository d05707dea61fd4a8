"""A repair applied twice at once, and against what else changes the same calendars."""

import datetime as dt
from functools import partial

import pytest
from django.db import transaction

from clinic.errors import Conflict
from clinic.models import Absence, Therapist
from courses.booking.bookings import book_plan
from courses.booking.disruption import record_absence
from courses.booking.models import Session
from courses.booking.repair_applying import apply_repair
from courses.booking.repair_models import Repair
from courses.booking.repairs import propose_repair, run_repair
from courses.booking.transitions import PLANNED
from tests import factories as f
from tests.booking.conftest import Desk
from tests.concurrency.conftest import failures, one, race
from tests.concurrency.test_selling import propose_for_another


@pytest.fixture
def vera(desk: Desk) -> Therapist:
    vera: Therapist = f.ShiftFactory(clinic=desk.clinic).therapist
    f.QualificationFactory(therapist=vera, procedure=desk.massage)
    return vera


def repair_of(desk: Desk, *, week: int = 0) -> Repair:
    """Anna, ill in that week, has six patients; the repair is worked out."""
    day = 7 * week
    with transaction.atomic():
        for number in range(6):
            course = f.CourseFactory(clinic=desk.clinic, procedure=desk.massage, sessions_total=1)
            starts_at = f.at(f"{8 + number}:00".zfill(5), day=day)
            f.booked_session(course, starts_at=starts_at, therapist=desk.anna, room=desk.rooms[0])
    absence = record_absence(
        therapist=desk.anna,
        kind="sick",
        starts_at=f.at("00:00", day=day),
        ends_at=f.at("00:00", day=day + 1),
        by=None,
        now=desk.now,
    )
    repair = propose_repair(clinic=desk.clinic, cause=absence, by=None, now=desk.now)
    assert run_repair(repair.pk)
    return repair


def test_of_two_who_apply_at_once_one_wins_and_nothing_is_moved_twice(desk: Desk, vera: Therapist) -> None:
    for week in range(3):
        repair = repair_of(desk, week=week)
        outcomes = race(*[partial(apply_repair, repair=repair, by=None, now=desk.now)] * 2)
        assert failures(outcomes) == []
        assert sorted(isinstance(outcome, Repair) for outcome in outcomes) == [False, True]
        assert Repair.objects.get(pk=repair.pk).status == Repair.Status.APPLIED
        keys = [item["session"] for item in Repair.objects.get(pk=repair.pk).items]
        assert set(Session.objects.filter(pk__in=keys).values_list("version", flat=True)) == {2}


def test_two_who_apply_different_patients_at_once_move_each_once(desk: Desk, vera: Therapist) -> None:
    repair = repair_of(desk)
    keys = [item["session"] for item in Repair.objects.get(pk=repair.pk).items]
    outcomes = race(
        *[partial(apply_repair, repair=repair, by=None, now=desk.now, sessions=part) for part in (keys[:3], keys[3:])]
    )
    assert failures(outcomes) == []
    for part, outcome in zip((keys[:3], keys[3:]), outcomes, strict=True):
        if isinstance(outcome, Conflict):
            apply_repair(repair=repair, by=None, now=desk.now, sessions=part)
    assert Repair.objects.get(pk=repair.pk).status == Repair.Status.APPLIED
    assert set(Session.objects.filter(pk__in=keys).values_list("version", flat=True)) == {2}


def test_applied_while_the_substitute_falls_ill_it_is_refused_or_noticed(desk: Desk, vera: Therapist) -> None:
    for week in range(3):
        repair = repair_of(desk, week=week)
        start = f.at("00:00", day=7 * week)
        applied, absence = race(
            partial(apply_repair, repair=repair, by=None, now=desk.now),
            lambda start=start: record_absence(
                therapist=vera,
                kind="sick",
                starts_at=start,
                ends_at=start + dt.timedelta(days=1),
                by=None,
                now=desk.now,
            ),
        )
        assert failures([applied]) == []
        assert isinstance(absence, Absence)
        keys = [item["session"] for item in Repair.objects.get(pk=repair.pk).items]
        assert all(session.to_replace for session in Session.objects.filter(pk__in=keys, status__in=PLANNED))


def test_applied_while_its_times_are_booked_nothing_is_in_two_places(desk: Desk, vera: Therapist) -> None:
    for week in range(3):
        repair = repair_of(desk, week=week)
        plan = propose_for_another(desk, sessions=2, start_from=f.MONDAY + dt.timedelta(days=7 * week))
        outcomes = race(
            partial(apply_repair, repair=repair, by=None, now=desk.now),
            partial(book_plan, plan=plan, by=None, now=desk.now),
        )
        assert failures(outcomes) == []
        keys = [item["session"] for item in Repair.objects.get(pk=repair.pk).items]
        moved = one("SELECT count(*) FROM courses_session WHERE id = ANY(%s) AND NOT to_replace", keys)
        assert moved == (6 if isinstance(outcomes[0], Repair) else 0)
