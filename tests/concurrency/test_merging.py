"""Cards being merged while someone books, opens courses or cancels for them: one goes first, the other sees it."""

from functools import partial

import pytest
from django.db import transaction

from clinic.models import Patient, Reservation
from courses.booking.bookings import book_plan
from courses.booking.cancelling import cancel_session
from courses.booking.holds import hold_plan
from courses.booking.lifecycle import open_course
from courses.booking.merging import merge_patients
from courses.booking.models import Course, Session, Visit
from courses.booking.proposals import propose_plan
from courses.booking.transitions import PLACED, Status
from tests import factories
from tests.concurrency.conftest import Desk, failures, race


def _nothing_is_left_on_a_merged_card() -> None:
    for card in Patient.objects.exclude(merged_into=None):
        assert not Course.objects.filter(patient=card).exists()
        assert not Reservation.objects.filter(resource=card.pk, live=True).exists()
        assert not Visit.objects.filter(patient=card, live=True).exists()
    for session in Session.objects.filter(status__in=PLACED).select_related("course", "visit", "appointment"):
        assert session.time.reservations.filter(live=True, resource=session.course.patient_id).count() == 1
        assert (
            session.status == Status.HELD
            or session.visit is None
            or (session.visit.patient_id == session.course.patient_id)
        )


@pytest.mark.parametrize("attempt", range(6))
def test_a_merge_races_with_everything_one_does_for_the_other_card(desk: Desk, attempt: int) -> None:
    other = factories.PatientFactory()
    plans = [propose_plan(courses=[desk.course(2, patient=other)], by=None, now=desk.now) for _ in range(2)]
    booked = desk.course(1, patient=other)
    book_plan(plan=propose_plan(courses=[booked], by=None, now=desk.now), by=None, now=desk.now)
    stale = Patient.objects.get(pk=other.pk)
    calls = [
        partial(merge_patients, kept=desk.patient, other=other, by=None, now=desk.now),
        partial(book_plan, plan=plans[0], by=None, now=desk.now),
        partial(hold_plan, plan=plans[1], by=None, now=desk.now),
        partial(cancel_session, session=booked.sessions.get(), by=None, now=desk.now),
        partial(
            open_course,
            patient=stale,
            clinic=desk.clinic,
            procedure=desk.massage,
            sessions_total=2,
            by=None,
            now=desk.now,
        ),
    ]
    outcomes = race(*calls[attempt % 5 :], *calls[: attempt % 5])
    assert failures(outcomes) == []
    _nothing_is_left_on_a_merged_card()


def test_two_who_merge_two_cards_into_each_other_merge_them_once(desk: Desk) -> None:
    other = factories.PatientFactory()
    outcomes = race(
        partial(merge_patients, kept=desk.patient, other=other, by=None, now=desk.now),
        partial(merge_patients, kept=other, other=desk.patient, by=None, now=desk.now),
    )
    assert failures(outcomes) == []
    assert sum(isinstance(outcome, Patient) for outcome in outcomes) == 1
    assert Patient.objects.exclude(merged_into=None).count() == 1


def test_a_course_that_is_being_opened_makes_the_merge_wait(desk: Desk) -> None:
    """Without the lock that the database takes, the merge would not see the course and leave it behind."""
    other = factories.PatientFactory()
    with transaction.atomic():
        factories.CourseFactory(clinic=desk.clinic, procedure=desk.massage, patient=other)
        [outcome] = race(partial(merge_patients, kept=desk.patient, other=other, by=None, now=desk.now))
    assert type(outcome).__name__ == "Busy"
    assert isinstance(merge_patients(kept=desk.patient, other=other, by=None, now=desk.now), Patient)
    assert Course.objects.get().patient == desk.patient
