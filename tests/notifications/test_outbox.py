from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from clinic.models import Clinic, Patient
from notifications.models import Message
from notifications.outbox import announce_visits, withdraw, withdraw_reminders
from notifications.snapshots import VisitSnapshot
from tests.notifications.conftest import NOW, make_patient, make_visit

pytestmark = pytest.mark.django_db

Kind, Status = Message.Kind, Message.Status


def announce(clinic: Clinic, patient: Patient, *visits: VisitSnapshot, key: str | None = None, **more: Any) -> None:
    announce_visits(clinic=clinic, patient=patient, visits=visits, summary_key=key, now=more.pop("now", NOW), **more)


def kinds(**where: Any) -> list[str]:
    return [message.kind for message in Message.objects.filter(**where).order_by("pk")]


def pending() -> list[tuple[str, str]]:
    rows = Message.objects.filter(status=Status.PENDING).exclude(kind=Kind.REMINDER)
    return sorted(rows.values_list("kind", "channel"))


def claim_and_send(**where: Any) -> None:
    Message.objects.filter(status=Status.PENDING, **where).exclude(kind=Kind.REMINDER).update(
        status=Status.SENT, claimed_at=NOW, sent_at=NOW
    )


def move(visit: VisitSnapshot, by: timedelta) -> VisitSnapshot:
    return replace(
        visit,
        sequence=visit.sequence + 1,
        starts_at=visit.starts_at + by,
        ends_at=visit.ends_at + by,
        revised_at=visit.revised_at + timedelta(minutes=1),
    )


def cancel(visit: VisitSnapshot) -> VisitSnapshot:
    return replace(visit, sequence=visit.sequence + 1, cancelled=True)


def test_a_programme_is_one_summary_and_an_invitation_and_two_reminders_per_visit(clinic, alice):
    visits = [make_visit(NOW + timedelta(days=day)) for day in range(5, 15)]
    announce(clinic, alice, *visits, key="programme:1")
    assert kinds().count(Kind.SUMMARY) == 1
    assert kinds().count(Kind.INVITATION) == 10
    assert kinds().count(Kind.REMINDER) == 20
    summary = Message.objects.get(kind=Kind.SUMMARY)
    assert [visit.uid for visit in summary.visits()] == [visit.uid for visit in visits]


@pytest.mark.parametrize("count", [1, 30])
def test_booking_costs_two_statements_whatever_its_size(clinic, alice, count):
    visits = [make_visit(NOW + timedelta(days=day)) for day in range(5, 5 + count)]
    with CaptureQueriesContext(connection) as queries:
        announce(clinic, alice, *visits, key="programme:1")
    assert len(queries) == 2


def test_changing_thirty_visits_costs_at_most_six_statements(clinic, alice):
    visits = [make_visit(NOW + timedelta(days=day)) for day in range(5, 35)]
    announce(clinic, alice, *visits, key="programme:1")
    changed = [cancel(visit) if n % 2 else move(visit, timedelta(hours=1)) for n, visit in enumerate(visits)]
    with CaptureQueriesContext(connection) as queries:
        announce(clinic, alice, *changed)
    assert len(queries) <= 6


def test_announcing_the_same_again_changes_nothing(clinic, alice):
    visit = make_visit()
    announce(clinic, alice, visit, key="programme:1")
    before = list(Message.objects.order_by("pk").values())
    announce(clinic, alice, visit, key="programme:1")
    assert list(Message.objects.order_by("pk").values()) == before


def test_settle_time_delays_the_first_mails(clinic, alice):
    announce(clinic, alice, make_visit())
    assert Message.objects.get(kind=Kind.INVITATION).due_at == NOW + timedelta(minutes=3)


def test_a_visit_cancelled_before_its_invitation_left_is_never_spoken_of(clinic, alice):
    visit = make_visit()
    announce(clinic, alice, visit, key="programme:1")
    announce(clinic, alice, cancel(visit))
    assert set(Message.objects.values_list("status", flat=True)) == {Status.WITHDRAWN}
    assert Kind.CANCELLATION not in kinds()


def test_a_visit_cancelled_after_its_invitation_was_claimed_is_cancelled_by_mail(clinic, alice):
    visit = make_visit()
    announce(clinic, alice, visit)
    Message.objects.filter(kind=Kind.INVITATION).update(
        status=Status.LEASED, lease=uuid4(), claimed_at=NOW, address="old@example.org"
    )
    announce(clinic, alice, cancel(visit))
    cancellation = Message.objects.get(kind=Kind.CANCELLATION)
    assert (cancellation.status, cancellation.revision, cancellation.address) == (Status.PENDING, 1, "old@example.org")
    assert Message.objects.get(kind=Kind.INVITATION).status == Status.LEASED
    assert set(Message.objects.filter(kind=Kind.REMINDER).values_list("status", flat=True)) == {Status.WITHDRAWN}


def test_newer_news_replaces_what_has_not_left(clinic, alice):
    visit = make_visit()
    announce(clinic, alice, visit, key="programme:1")
    moved = move(visit, timedelta(days=1))
    announce(clinic, alice, moved)
    assert pending() == [(Kind.INVITATION, "email"), (Kind.SUMMARY, "email")]
    [invitation] = Message.objects.filter(kind=Kind.INVITATION, status=Status.PENDING)
    assert (invitation.revision, invitation.visits()) == (1, [moved])
    assert Message.objects.get(kind=Kind.SUMMARY).visits() == [moved]
    due = Message.objects.filter(kind=Kind.REMINDER, status=Status.PENDING).values_list("due_at", flat=True)
    assert sorted(due) == [moved.starts_at - timedelta(hours=72), moved.starts_at - timedelta(hours=24)]


def test_a_change_after_the_invitation_is_news_under_the_same_uid_and_sender(clinic, alice):
    visit = make_visit()
    announce(clinic, alice, visit)
    claim_and_send()
    Clinic.objects.filter(pk=clinic.pk).update(email="new@health-house.example")
    clinic.refresh_from_db()
    announce(clinic, alice, move(visit, timedelta(hours=1)))
    change = Message.objects.get(kind=Kind.CHANGE)
    assert (change.subject, change.revision) == (visit.uid, 1)
    assert change.snapshot["sender"] == "visits@health-house.example"


def test_a_change_back_within_the_settle_time_is_no_news(clinic, alice):
    visit = make_visit()
    announce(clinic, alice, visit)
    claim_and_send()
    there = move(visit, timedelta(hours=1))
    announce(clinic, alice, there)
    announce(clinic, alice, move(there, timedelta(hours=-1)))
    assert pending() == []
    reminders = Message.objects.filter(kind=Kind.REMINDER, status=Status.PENDING)
    assert [(message.revision, message.visits()[0].starts_at) for message in reminders] == [(2, visit.starts_at)] * 2


@pytest.mark.parametrize("lacking", [{"email": ""}, {"consent_email": False}, {"consent_data": False}])
def test_whom_no_mail_may_reach_is_called(clinic, lacking):
    bob = make_patient(**lacking)
    announce(clinic, bob, make_visit(), make_visit(NOW + timedelta(days=9)), key="programme:1")
    assert set(Message.objects.values_list("channel", flat=True)) == {"call"}
    assert pending() == [(Kind.SUMMARY, "call")]
    assert kinds().count(Kind.REMINDER) == 2


def test_who_was_told_by_phone_hears_of_a_cancellation_by_phone(clinic):
    bob = make_patient(email="")
    visit = make_visit()
    announce(clinic, bob, visit, key="programme:1")
    Message.objects.filter(kind=Kind.SUMMARY).update(status=Status.SENT, sent_at=NOW, outcome="reached")
    announce(clinic, bob, cancel(visit))
    assert pending() == [(Kind.CANCELLATION, "call")]


def test_who_read_only_the_summary_hears_of_a_cancellation_without_a_calendar_part(clinic, alice):
    visit = make_visit()
    announce(clinic, alice, visit, key="programme:1")
    claim_and_send(kind=Kind.SUMMARY)
    announce(clinic, alice, cancel(visit))
    assert Message.objects.get(kind=Kind.CANCELLATION).snapshot["with_calendar"] is False


def test_within_four_hours_people_are_called(clinic, alice):
    visit = make_visit(NOW + timedelta(hours=3))
    announce(clinic, alice, visit)
    assert pending() == [(Kind.INVITATION, "call")]


def test_a_visit_moved_away_from_the_next_hours_is_called_about_and_corrected_in_the_calendar(clinic, alice):
    visit = make_visit(NOW + timedelta(hours=6))
    announce(clinic, alice, visit)
    claim_and_send()
    announce(clinic, alice, move(visit, timedelta(days=7)), now=NOW + timedelta(hours=3))
    assert pending() == [(Kind.CHANGE, "call"), (Kind.CHANGE, "email")]


def test_news_waits_for_the_morning_and_news_of_that_day_goes_earlier(clinic, alice):
    tomorrow, later = make_visit(NOW + timedelta(days=1)), make_visit(NOW + timedelta(days=7))
    announce(clinic, alice, tomorrow, later)
    claim_and_send()
    evening = datetime(2026, 12, 1, 20, 30, tzinfo=NOW.tzinfo)
    announce(clinic, alice, cancel(tomorrow), cancel(later), now=evening)
    due = {message.subject: message.due_at for message in Message.objects.filter(kind=Kind.CANCELLATION)}
    assert due[tomorrow.uid] == datetime(2026, 12, 2, 5, 30, tzinfo=NOW.tzinfo)
    assert due[later.uid] == datetime(2026, 12, 2, 7, 0, tzinfo=NOW.tzinfo)


def test_a_summary_that_was_sent_is_sent_anew_when_the_programme_grows(clinic, alice):
    first, second = make_visit(), make_visit(NOW + timedelta(days=9))
    announce(clinic, alice, first, key="programme:1")
    claim_and_send()
    announce(clinic, alice, first, second, key="programme:1")
    assert [m.revision for m in Message.objects.filter(kind=Kind.SUMMARY).order_by("pk")] == [0, 1]


def test_reminders_end_when_the_visit_is_confirmed(clinic, alice):
    visit = make_visit()
    announce(clinic, alice, visit)
    assert withdraw_reminders(uids=[visit.uid], reason="confirmed", now=NOW) == 2
    assert pending() == [(Kind.INVITATION, "email")]
    assert withdraw(subjects=[visit.uid], reason="card merged", now=NOW) == 1
    assert pending() == []


def test_the_database_refuses_the_same_message_twice(clinic, alice):
    announce(clinic, alice, make_visit())
    message = Message.objects.get(kind=Kind.INVITATION)
    message.pk = None
    with pytest.raises(Exception, match="message_once"), transaction.atomic():
        message.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_messages_are_enqueued_only_inside_a_transaction():
    clinic, patient = Clinic(pk=1, zone="UTC"), Patient(pk=1)
    with pytest.raises(transaction.TransactionManagementError):
        announce(clinic, patient, make_visit())
