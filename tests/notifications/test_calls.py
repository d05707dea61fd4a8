from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.errors import Conflict
from clinic.models import Clinic, Patient, PatientPhone
from notifications.calls import Call, mark_confirmed, mark_not_reached, mark_reached, open_calls
from notifications.models import Message
from tests.notifications.conftest import NOW, make_clinic, make_patient, make_visit
from tests.notifications.test_outbox import announce, cancel, move

pytestmark = pytest.mark.django_db
TODAY = date(2026, 12, 1)


@pytest.fixture
def bob(db: None) -> Patient:
    patient = make_patient(full_name="Bob Lis", email="")
    PatientPhone.objects.create(patient=patient, number="+48123456789", is_main=True)
    return patient


@pytest.fixture
def receptionist(db: None) -> Any:
    return get_user_model().objects.create_user(email="rita@health-house.example", password=None)


def calls(clinic: Clinic, *, days: int = 0, **later: int) -> list[Call]:
    return open_calls(clinic=clinic, day=TODAY + timedelta(days=days), now=NOW + timedelta(days=days, **later))


def test_a_booked_programme_is_one_call_about_all_its_visits(clinic, bob):
    visits = [make_visit(NOW + timedelta(days=day)) for day in range(5, 15)]
    announce(clinic, bob, *visits, key="programme:1")
    [call] = calls(clinic)
    assert call.patient == bob
    assert call.visits == visits
    assert [str(phone) for phone in call.patient.phones.all()] == ["+48123456789"]


def test_a_visit_is_called_about_the_day_before_once(clinic, bob, receptionist):
    visit = make_visit(NOW + timedelta(days=5))
    announce(clinic, bob, visit, key="programme:1")
    mark_reached(messages=calls(clinic)[0].messages, by=receptionist, now=NOW)
    listed = [day for day in range(1, 6) if calls(clinic, days=day)]
    assert listed == [4]
    [call] = calls(clinic, days=4)
    mark_confirmed(messages=call.messages, by=receptionist, now=NOW)
    assert calls(clinic, days=4) == []
    [message] = call.messages
    message.refresh_from_db()
    assert (message.status, message.outcome, message.handled_by) == ("sent", "confirmed", receptionist)


def test_who_was_not_reached_stays_on_the_list(clinic, bob, receptionist):
    announce(clinic, bob, make_visit(), key="programme:1")
    for attempt in (1, 2):
        mark_not_reached(messages=calls(clinic)[0].messages, by=receptionist, now=NOW)
        assert calls(clinic)[0].attempts == attempt
    announce(clinic, bob, make_visit(NOW + timedelta(hours=5)), key="programme:2")
    assert len(calls(clinic)) == 1


def test_the_most_urgent_comes_first_and_what_is_past_is_not_listed(clinic, bob):
    other = make_patient(full_name="Eve Bar", email="")
    announce(clinic, bob, make_visit(NOW + timedelta(days=2)))
    announce(clinic, other, make_visit(NOW + timedelta(hours=3)))
    assert [call.patient for call in calls(clinic)] == [other, bob]
    assert [call.patient for call in calls(clinic, hours=4)] == [bob]


def test_a_cancelled_visit_nobody_was_told_of_leaves_the_list(clinic, bob, receptionist):
    visit, told = make_visit(), make_visit(NOW + timedelta(days=8))
    announce(clinic, bob, told)
    mark_reached(messages=calls(clinic)[0].messages, by=receptionist, now=NOW)
    announce(clinic, bob, visit)
    announce(clinic, bob, cancel(visit), cancel(told))
    [call] = calls(clinic)
    assert [(each.uid, each.cancelled) for each in call.visits] == [(told.uid, True)]


def test_a_call_shows_the_visit_as_it_is_now(clinic, bob):
    visit = make_visit()
    announce(clinic, bob, visit)
    moved = move(visit, timedelta(days=1))
    announce(clinic, bob, moved)
    [call] = calls(clinic)
    assert call.visits == [moved]


def test_a_call_that_changed_meanwhile_cannot_be_closed(clinic, bob, receptionist):
    visit = make_visit()
    announce(clinic, bob, visit)
    [call] = calls(clinic)
    announce(clinic, bob, cancel(visit))
    with pytest.raises(Conflict):
        mark_reached(messages=call.messages, by=receptionist, now=NOW)


def test_mails_and_other_clinics_are_not_on_the_list(clinic, alice, bob):
    announce(make_clinic(name="Elsewhere"), bob, make_visit())
    announce(clinic, alice, make_visit())
    assert calls(clinic) == []


@pytest.mark.parametrize("patients", [1, 30])
def test_the_list_costs_two_statements_whatever_its_length(clinic, patients):
    for _patient in range(patients):
        announce(clinic, make_patient(email=""), make_visit())
    with CaptureQueriesContext(connection) as queries:
        assert len(calls(clinic)) == patients
    assert len(queries) == 2
    assert Message.objects.filter(channel="email").count() == 0
