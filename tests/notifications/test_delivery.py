"""Delivery to a real SMTP server."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import icalendar
import pytest
from django.core import mail

from clinic.models import Patient, Task
from notifications import delivery
from notifications.delivery import LEASE, claim, deliver_due
from notifications.models import Message
from tests.notifications.conftest import NOW, make_clinic, make_patient, make_visit
from tests.notifications.test_outbox import announce, cancel, move

pytestmark = pytest.mark.django_db
Kind, Status = Message.Kind, Message.Status

SETTLED = NOW + timedelta(minutes=5)


def deliver(at: datetime = SETTLED):
    return deliver_due(clock=lambda: at)


def test_a_booked_programme_arrives_as_summary_and_invitations_over_one_connection(clinic, alice, mail_server):
    visits = [make_visit(NOW + timedelta(days=day)) for day in range(5, 15)]
    announce(clinic, alice, *visits, key="programme:1")
    assert deliver().sent == 11
    assert mail_server.sessions == 1
    summary, *invitations = mail_server.mails
    assert (summary.method, summary.recipient) == (None, f"Alice Nowak <{alice.email}>")
    assert [each.method for each in invitations] == ["REQUEST"] * 10
    uids = [str(icalendar.Calendar.from_ical(each.calendar).events[0]["UID"]) for each in invitations]
    assert uids == [visit.uid for visit in visits]
    assert set(Message.objects.exclude(kind=Kind.REMINDER).values_list("status", "address")) == {
        (Status.SENT, alice.email)
    }
    assert deliver().sent == 0


def test_nothing_leaves_before_the_settle_time(clinic, alice, mail_server):
    announce(clinic, alice, make_visit())
    assert deliver(NOW + timedelta(minutes=2)).sent == 0
    assert deliver(NOW + timedelta(minutes=3)).sent == 1


def test_without_settle_time_it_leaves_at_once(alice, mail_server):
    clinic = make_clinic(settle_minutes=0)
    announce(clinic, alice, *(make_visit(NOW + timedelta(days=day)) for day in range(5, 15)), key="programme:1")
    assert deliver(NOW).sent == 11


def test_reminders_arrive_once_each_at_their_hour(clinic, alice, mail_server):
    visit = make_visit(NOW + timedelta(days=7))
    announce(clinic, alice, visit)
    deliver()
    for hour in range(0, 24 * 8, 6):
        deliver(NOW + timedelta(hours=hour))
    reminders = [each.sent_at for each in mail_server.mails if each.subject.startswith("Reminder")]
    assert reminders == [visit.starts_at - timedelta(hours=72), visit.starts_at - timedelta(hours=24)]


def test_a_deferred_mail_keeps_its_identity_and_goes_later(clinic, alice, mail_server):
    announce(clinic, alice, make_visit())
    message = Message.objects.get(kind=Kind.INVITATION)
    mail_server.answer = lambda _recipient: "451 greylisted, come again"
    assert deliver().deferred == 1
    message.refresh_from_db()
    assert (message.status, message.attempts, message.reason) == (Status.PENDING, 1, "451 greylisted, come again")
    pause = message.next_attempt_at - SETTLED
    assert timedelta(seconds=45) <= pause <= timedelta(seconds=75)
    mail_server.answer = lambda _recipient: None
    assert deliver(SETTLED + timedelta(seconds=30)).sent == 0
    assert deliver(message.next_attempt_at).sent == 1
    assert mail_server.mails[0].message_id == message.message_id


def test_pauses_grow_and_end_at_four_hours(clinic, alice, mail_server):
    announce(clinic, alice, make_visit())
    mail_server.answer = lambda _recipient: "450 busy"
    at, pauses = SETTLED, []
    for _attempt in range(12):
        deliver(at)
        due = Message.objects.get(kind=Kind.INVITATION).next_attempt_at
        pauses.append((due - at).total_seconds())
        at = due
    assert pauses[4] > 8 * pauses[0]
    assert max(pauses) <= 4 * 3600 * 1.25


def test_a_refused_mail_becomes_a_task_and_holds_nobody_else_up(clinic, alice, mail_server):
    bob = make_patient(full_name="Bob Lis")
    announce(clinic, alice, make_visit(), make_visit(NOW + timedelta(days=8)))
    announce(clinic, bob, make_visit())
    mail_server.answer = lambda recipient: "550 5.1.1 no such user" if recipient == alice.email else None
    done = deliver()
    assert (done.refused, done.sent) == (2, 1)
    refused = Message.objects.filter(patient=alice, kind=Kind.INVITATION)
    assert set(refused.values_list("status", flat=True)) == {Status.DEAD}
    task = Task.objects.get()
    assert (task.kind, task.patient, task.clinic) == (Task.Kind.BOUNCE, alice, clinic)
    assert "550 5.1.1 no such user" in task.text


@pytest.mark.parametrize("address", ["żaba@example.org", "two words@example.org", "a@b.c\nBcc: x@y.z"])
def test_an_address_that_cannot_be_written_to_is_refused_alone(clinic, mail_server, address):
    bad, good = make_patient(email=address), make_patient()
    announce(clinic, bad, make_visit())
    announce(clinic, good, make_visit())
    done = deliver()
    assert (done.refused, done.sent) == (1, 1)


def test_an_address_in_a_national_domain_is_reached(clinic, mail_server):
    announce(clinic, make_patient(email="anna@почта.рф"), make_visit())
    deliver()
    assert mail_server.mails[0].recipient == "Alice Nowak <anna@xn--80a1acny.xn--p1ai>"


def test_a_broken_connection_is_made_anew(clinic, alice, mail_server):
    bob = make_patient()
    announce(clinic, alice, make_visit())
    announce(clinic, bob, make_visit())
    mail_server.answer = lambda recipient: "hang up" if recipient == alice.email else None
    done = deliver()
    assert (done.deferred, done.sent, mail_server.sessions) == (1, 1, 2)


def test_without_a_server_everything_waits_and_nothing_is_counted_as_tried(clinic, alice, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    announce(clinic, alice, make_visit(), make_visit())
    assert deliver().sent == 0
    rows = Message.objects.filter(kind=Kind.INVITATION).values_list("status", "attempts", "claimed_at")
    assert set(rows) == {(Status.PENDING, 0, None)}


def test_consent_is_read_again_just_before_sending(clinic, alice, mail_server):
    announce(clinic, alice, make_visit())
    Patient.objects.filter(pk=alice.pk).update(consent_email=False)
    assert deliver().sent == 0
    assert Message.objects.exclude(kind=Kind.REMINDER).values_list("channel", "status", "claimed_at").get() == (
        "call",
        Status.PENDING,
        None,
    )
    assert mail_server.mails == []


def after_claiming(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Let `change` happen between the claim of the first batch and its first mail."""
    changes = [change]

    def claim_and_change(**given):
        batch = claim(**given)
        while changes:
            changes.pop()()
        return batch

    monkeypatch.setattr(delivery, "claim", claim_and_change)


def test_consent_withdrawn_while_a_mail_is_leased_holds_it_back(clinic, alice, mail_server, monkeypatch):
    bob = make_patient()
    announce(clinic, alice, make_visit())
    announce(clinic, bob, make_visit())
    after_claiming(monkeypatch, lambda: Patient.objects.filter(pk=bob.pk).update(consent_data=False))
    assert deliver().sent == 1
    assert mail_server.mails[0].recipient == f"Alice Nowak <{alice.email}>"
    assert Message.objects.get(patient=bob, kind=Kind.INVITATION).channel == "call"


def test_the_patients_new_address_is_used(clinic, alice, mail_server):
    announce(clinic, alice, make_visit())
    Patient.objects.filter(pk=alice.pk).update(email="new@example.org")
    deliver()
    assert mail_server.mails[0].recipient == "Alice Nowak <new@example.org>"


def test_a_cancellation_goes_where_the_invitation_went(clinic, alice, mail_server):
    visit = make_visit()
    announce(clinic, alice, visit)
    deliver()
    first = alice.email
    Patient.objects.filter(pk=alice.pk).update(email="new@example.org")
    alice.refresh_from_db()
    announce(clinic, alice, cancel(visit))
    deliver()
    assert [(each.method, each.recipient) for each in mail_server.mails] == [
        ("REQUEST", f"Alice Nowak <{first}>"),
        ("CANCEL", f"Alice Nowak <{first}>"),
    ]


def test_nothing_newer_overtakes_what_is_unsent(clinic, alice, mail_server):
    visit = make_visit()
    announce(clinic, alice, visit)
    [leased] = claim(now=SETTLED)
    announce(clinic, alice, cancel(visit))
    assert claim(now=SETTLED) == []
    # The worker that had it is gone; its lease ends and what it may or may not have sent is replaced by newer news.
    assert deliver(SETTLED + LEASE).sent == 1
    leased.refresh_from_db()
    assert leased.status == Status.WITHDRAWN
    assert [each.method for each in mail_server.mails] == ["CANCEL"]


def test_a_deferred_invitation_gives_way_to_newer_news(clinic, alice, mail_server):
    visit = make_visit()
    announce(clinic, alice, visit)
    mail_server.answer = lambda _recipient: "451 greylisted"
    deliver()
    announce(clinic, alice, moved := move(visit, timedelta(hours=2)))
    mail_server.answer = lambda _recipient: None
    deliver(SETTLED + timedelta(minutes=10))
    [only] = mail_server.mails
    event = icalendar.Calendar.from_ical(only.calendar).events[0]
    assert (event["SEQUENCE"], event.start) == (1, moved.starts_at)


def test_what_the_server_turned_away_needs_no_cancellation(clinic, alice, mail_server):
    visit = make_visit()
    announce(clinic, alice, visit)
    mail_server.answer = lambda _recipient: "451 greylisted"
    deliver()
    announce(clinic, alice, cancel(visit))
    assert set(Message.objects.values_list("status", flat=True)) == {Status.WITHDRAWN}


def test_what_broke_off_after_it_was_handed_over_is_cancelled(clinic, alice, mail_server):
    visit = make_visit()
    announce(clinic, alice, visit)
    mail_server.break_after_data = True
    assert deliver().deferred == 1
    mail_server.break_after_data = False
    announce(clinic, alice, cancel(visit))
    deliver(SETTLED + timedelta(minutes=10))
    assert [each.method for each in mail_server.mails] == ["REQUEST", "CANCEL"]


def test_a_lease_that_ended_is_claimed_again(clinic, alice):
    announce(clinic, alice, make_visit())
    assert len(claim(now=SETTLED)) == 1
    assert claim(now=SETTLED + LEASE - timedelta(seconds=1)) == []
    assert len(claim(now=SETTLED + LEASE)) == 1


def test_a_message_withdrawn_while_leased_does_not_go(clinic, alice, mail_server, monkeypatch):
    visit = make_visit()
    announce(clinic, alice, visit)
    deliver()
    due = visit.starts_at - timedelta(hours=72)
    after_claiming(monkeypatch, lambda: announce(clinic, alice, cancel(visit), now=due))
    deliver(due)
    assert Message.objects.get(kind=Kind.REMINDER, offset=72).status == Status.WITHDRAWN
    assert [each.method for each in mail_server.mails] == ["REQUEST"]


def test_a_reminder_delayed_into_the_night_waits_for_the_morning(clinic, alice, mail_server):
    visit = make_visit(datetime(2026, 12, 10, 15, 0, tzinfo=UTC))
    announce(clinic, alice, visit)
    deliver()
    night = datetime(2026, 12, 7, 22, 0, tzinfo=UTC)  # the worker was down since three
    assert deliver(night).sent == 0
    assert deliver(datetime(2026, 12, 8, 7, 0, tzinfo=UTC)).sent == 1


def test_a_mail_that_is_too_late_becomes_a_call_and_one_for_the_past_is_dropped(clinic, alice, mail_server):
    visit = make_visit(NOW + timedelta(days=2))
    announce(clinic, alice, visit)
    assert deliver(visit.starts_at - timedelta(hours=2)).sent == 0
    assert list(Message.objects.filter(status=Status.PENDING).values_list("kind", "channel")) == [
        ("invitation", "call")
    ]
    other = make_visit(NOW + timedelta(days=2))
    announce(clinic, make_patient(), other)
    deliver(other.starts_at + timedelta(hours=1))
    assert Message.objects.filter(subject=other.uid).exclude(status=Status.WITHDRAWN).count() == 0
    assert mail_server.mails == []


def test_logs_name_no_person_and_no_address(clinic, alice, mail_server, caplog):
    caplog.set_level("DEBUG")
    mail_server.answer = lambda recipient: f"550 <{recipient}> unknown"
    announce(clinic, alice, make_visit())
    deliver()
    for secret in (alice.email, "Nowak", "Health House"):
        assert secret not in "".join(record.getMessage() for record in caplog.records if record.name != "mail.log")


def test_other_backends_of_django_get_the_same_mails(clinic, alice):
    announce(clinic, alice, make_visit())
    deliver()
    [only] = mail.outbox
    assert only.to == [alice.email]
    assert only.message()["Message-ID"] == Message.objects.get(kind=Kind.INVITATION).message_id


def test_claims_of_two_workers_never_meet(clinic, alice):
    announce(clinic, alice, *(make_visit(NOW + timedelta(days=day)) for day in range(3, 9)))
    first = claim(now=SETTLED, size=3)
    second = claim(now=SETTLED, size=10)
    assert (len(first), len(second)) == (3, 3)
    assert not {message.pk for message in first} & {message.pk for message in second}
