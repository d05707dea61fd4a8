"""A whole clinic's prescriptions on one calendar."""

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from courses.planning import Budget, Plan, verify
from courses.planning.caseload import Caseload, Prescription, SharedCalendar, one_after_another, orders, takes
from courses.planning.ejecting import plan_caseload
from courses.planning.reference import FIRST_DAY, reference_clinic
from courses.planning.types import CourseRequest, RoomOption, TherapistOption
from tests.planning.small import DAWN, mask, random_problem, resource, with_class
from tests.planning.test_single import simple

ENOUGH = Budget(steps=400)


def slots(*which):
    """Half hours of the morning, numbered from 0."""
    return mask(*((DAWN + 6 * n, DAWN + 6 * n + 6) for n in which))


def caseload(choices, *, capacity=1, **fields):
    """Prescriptions of one session each on one day; the nth may take the half hours that `choices` tells, of one room.

    The earlier of them are cheaper.
    """
    base = simple(days=11, sessions=1)
    course = CourseRequest(
        key=0, procedure="massage", sessions=1, slots=6, needs_therapist=False, rooms=(RoomOption(20),), **fields
    )
    everything = (slots(*range(7)), *(0,) * 10)
    room = resource(11, everything, twice=everything if capacity > 1 else None)
    problem = replace(base, resources={20: room}, courses=(course,))
    prescriptions = tuple(
        Prescription(n, n, replace(problem, patient=replace(problem.patient, free=(slots(*wanted), *(0,) * 10))))
        for n, wanted in enumerate(choices)
    )
    return Caseload(base.horizon.first_day, {20: (everything,) * capacity}, prescriptions)


def first_come(caseload):
    return one_after_another(caseload, caseload.prescriptions, name="as given")


def assert_nothing_twice(caseload, found):
    """Counted slot by slot from the sessions alone."""
    used, patients, seats = Counter(), Counter(), Counter()
    by_key = {one.key: one for one in caseload.prescriptions}
    for key, plan in found.plans.items():
        one = by_key[key]
        courses = {c.key: c for c in one.problem.courses}
        offset = (one.problem.horizon.first_day - caseload.first_day).days
        for s in plan.sessions:
            day = s.day + offset
            patients.update((one.patient, day, slot) for slot in range(s.slot, s.slot + s.slots))
            if s.meeting is not None:
                seats[s.meeting] += 1
                continue
            for taken, start, end in takes(courses[s.course], s):
                used.update((taken, day, slot) for slot in range(start, end))
    assert max(patients.values(), default=1) == 1
    for (taken, day, slot), count in used.items():
        assert count <= sum(masks[day] >> slot & 1 for masks in caseload.places[taken])
    left = {
        m.meeting: m.seats_free
        for one in caseload.prescriptions
        for c in one.problem.courses
        for series in c.series or ()
        for m in series.meetings
    }
    assert all(count <= left[meeting] for meeting, count in seats.items())


def test_who_comes_first_can_leave_nothing_for_the_next():
    rivals = caseload([(1, 2), (1,)])
    alone = first_come(rivals)
    assert (alone.unplaced, alone.unplaced_sessions) == ((1,), 1)
    together = plan_caseload(rivals, budget=ENOUGH, start=alone)
    assert together.unplaced == ()
    assert {s.slot for plan in together.plans.values() for s in plan.sessions} == {DAWN + 6, DAWN + 12}
    assert_nothing_twice(rivals, together)


def test_one_who_is_driven_out_may_drive_out_another():
    chain = caseload([(1, 2), (2, 3), (3, 4), (1,)])
    alone = first_come(chain)
    assert alone.unplaced == (3,)
    together = plan_caseload(chain, budget=ENOUGH, start=alone)
    assert together.unplaced == ()
    assert_nothing_twice(chain, together)


def test_what_no_moving_opens_stays_unplaced_and_costs_no_search():
    crowded = caseload([(1,), (1,), (2,), ()])
    together = plan_caseload(crowded, budget=ENOUGH)
    assert len(together.unplaced) == 2
    assert 3 in together.unplaced
    assert len(together.plans) == 2
    assert together.steps < ENOUGH.steps


def test_two_places_are_for_two():
    pair = caseload([(1,), (1,), (1, 2)], capacity=2)
    together = plan_caseload(pair, budget=ENOUGH)
    assert together.unplaced == ()
    assert_nothing_twice(pair, together)


def test_a_patient_with_two_prescriptions_is_in_one_place_at_a_time():
    twice = caseload([(1, 2), (1, 2)], capacity=2)
    twice = replace(twice, prescriptions=tuple(replace(one, patient="the same") for one in twice.prescriptions))
    together = plan_caseload(twice, budget=ENOUGH)
    assert sorted(s.slot for plan in together.plans.values() for s in plan.sessions) == [DAWN + 6, DAWN + 12]
    apart = caseload([(1, 2), (1, 2)], capacity=2, not_same_day_with=frozenset({"massage"}))
    apart = replace(apart, prescriptions=tuple(replace(one, patient="the same") for one in apart.prescriptions))
    assert len(plan_caseload(apart, budget=ENOUGH).plans) == 1


def test_seats_of_a_class_are_sold_once():
    problem = with_class(random_problem(6, courses=1, days=12), 6)
    course = replace(simple(days=12, sessions=1).courses[0], key=0, series=problem.courses[0].series)
    series = tuple(
        replace(s, meetings=tuple(replace(m, seats_free=1, held=True) for m in s.meetings[:1])) for s in course.series
    )
    problem = replace(problem, courses=(replace(course, series=series[:1]),))
    problem = replace(problem, patient=replace(problem.patient, free=((1 << 288) - 1,) * 12, visits={}))
    both = Caseload(problem.horizon.first_day, {}, tuple(Prescription(n, n, problem) for n in range(2)))
    both = replace(both, places={key: (days.free,) for key, days in problem.resources.items()})
    together = plan_caseload(both, budget=ENOUGH)
    assert (len(together.plans), len(together.unplaced)) == (1, 1)
    assert_nothing_twice(both, together)


def test_taking_and_giving_back_leaves_the_calendar_as_it_was():
    clinic = reference_clinic(days=14)
    one = Prescription("rx", "patient", shorter(clinic.problem(2, courses=2), 4))
    calendar = SharedCalendar(Caseload(FIRST_DAY, clinic.free_places, (one,)))
    assert calendar.problem(one) == one.problem
    plan = one_after_another(calendar.caseload, (one,), name="").plans["rx"]
    calendar.take("rx", plan)
    assert calendar.problem(one) != one.problem
    assert calendar.release("rx") is plan
    assert calendar.problem(one) == one.problem


def shorter(problem, sessions=4):
    return replace(problem, courses=tuple(replace(c, sessions=sessions, start_day=0) for c in problem.courses))


@pytest.fixture(scope="module")
def crowded():
    """Fifteen patients with two courses of five sessions each, for two weeks that are 80 % full."""
    clinic = reference_clinic(load=0.8, days=14)
    prescriptions = tuple(Prescription(n, n, shorter(clinic.problem(n, courses=2), 5)) for n in range(15))
    return Caseload(FIRST_DAY, clinic.free_places, prescriptions)


def test_together_more_find_a_place_than_one_after_another(crowded):
    found = [one_after_another(crowded, order, name=name) for name, order in orders(crowded).items()]
    for one in found:
        assert_nothing_twice(crowded, one)
    start = min(found, key=lambda one: one.rank)
    together = plan_caseload(crowded, budget=Budget(steps=40), start=start)
    assert together.rank[0] < start.rank[0]
    assert_nothing_twice(crowded, together)
    assert set(together.plans) | set(together.unplaced) == {one.key for one in crowded.prescriptions}
    assert together == plan_caseload(crowded, budget=Budget(steps=40), start=start)


def test_it_costs_less_where_all_have_a_place_already():
    clinic = reference_clinic(load=0.7, days=14)
    prescriptions = tuple(Prescription(n, n, shorter(clinic.problem(n))) for n in range(16))
    roomy = Caseload(FIRST_DAY, clinic.free_places, prescriptions)
    start = first_come(roomy)
    assert start.unplaced == ()
    together = plan_caseload(roomy, budget=Budget(steps=100), start=start)
    assert together.unplaced == ()
    assert together.cost < start.cost
    assert_nothing_twice(roomy, together)


@pytest.mark.parametrize("seed", range(12))
def test_random_small_clinics_are_never_worse_together(seed):
    rng = random.Random(seed)
    choices = [tuple(sorted(rng.sample(range(7), rng.randint(1, 2)))) for _ in range(7)]
    clinic = caseload(choices)
    best = most_that_fit(choices)
    together = plan_caseload(clinic, budget=ENOUGH)
    assert len(together.plans) <= best
    assert len(together.plans) >= max(len(first_come(clinic).plans), best - 1)
    assert_nothing_twice(clinic, together)


def most_that_fit(choices):
    """The size of a largest matching of prescriptions and half hours, by augmenting paths."""
    owner = {}

    def find(n, seen):
        for slot in choices[n]:
            if slot not in seen:
                seen.add(slot)
                if slot not in owner or find(owner[slot], seen):
                    owner[slot] = n
                    return True
        return False

    return sum(find(n, set()) for n in range(len(choices)))


def test_cancelling_keeps_what_was_there(crowded):
    start = first_come(crowded)
    together = plan_caseload(crowded, budget=Budget(cancelled=lambda: True), start=start)
    assert together.plans == start.plans


def test_horizons_that_begin_on_other_days_meet_on_the_same_calendar():
    therapist = resource(11, (0, slots(1), *(0,) * 9))
    base = simple(days=11, sessions=1)
    course = replace(base.courses[0], sessions=1, therapists=(TherapistOption(10),))
    problem = replace(base, resources={10: therapist}, courses=(course,))
    tomorrow = problem.horizon.first_day + timedelta(days=1)
    later = replace(
        problem,
        horizon=replace(problem.horizon, first_day=tomorrow, opening=problem.horizon.opening[1:]),
        patient=replace(problem.patient, free=problem.patient.free[1:]),
        resources={10: resource(10, (slots(1), *(0,) * 9))},
    )
    both = Caseload(
        problem.horizon.first_day,
        {10: (therapist.free,)},
        (Prescription("a", "a", problem), Prescription("b", "b", later)),
    )
    together = plan_caseload(both, budget=ENOUGH)
    assert len(together.plans) == 1
    plan = next(iter(together.plans.values()))
    assert isinstance(plan, Plan)
    assert verify(problem if "a" in together.plans else later, plan) == []
