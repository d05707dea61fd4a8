"""Two cards of one person: what moves, what must be settled first, and what the patient's calendar is told."""

import datetime as dt
import random
from itertools import pairwise
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from clinic.errors import Conflict, Invalid, NotAllowed
from clinic.models import Patient, Reservation, Task
from clinic.permissions import Role
from clinic.searching import refresh_search_text, search_patients
from courses.booking.bookings import book_plan
from courses.booking.cancelling import cancel_session
from courses.booking.holds import hold_plan
from courses.booking.lifecycle import open_course
from courses.booking.merging import merge_patients, overlaps_of
from courses.booking.models import Course, Session, Visit
from courses.booking.proposals import propose_plan
from courses.booking.transitions import PLACED, Status
from notifications.models import Message
from tests import factories as f
from tests.booking.conftest import Desk


def another(**fields: object) -> Patient:
    return f.PatientFactory(**{"consent_data": True, "consent_email": True} | fields)


def placed(*args: Any, **kwargs: Any) -> Session:
    with transaction.atomic():
        return f.booked_session(*args, **kwargs)


def merge(desk: Desk, other: Patient) -> Patient:
    return merge_patients(kept=desk.patient, other=other, by=desk.reception, now=desk.now)


def book(desk: Desk, patient: Patient, *, sessions: int = 2, start_from: dt.date = f.MONDAY) -> Course:
    course = desk.course(sessions, patient=patient, start_from=start_from)
    book_plan(plan=propose_plan(courses=[course], by=None, now=desk.now), by=None, now=desk.now)
    return course


def test_everything_moves_and_the_old_card_points_to_the_new(desk: Desk) -> None:
    Patient.objects.filter(pk=desk.patient.pk).update(birth_date=None)
    other = another(
        full_name="Ivanova-Petrova Anna", card_number="K-77", birth_date=dt.date(1985, 4, 1), note="Rings twice."
    )
    f.PatientPhoneFactory(patient=desk.patient, number="+48501234567", is_main=True)
    f.PatientPhoneFactory(patient=other, number="+48501234567", is_main=True)
    f.PatientPhoneFactory(patient=other, number="+48501234999", owner="her son", is_main=False)
    f.ContactPersonFactory(patient=other, name="Olga")
    course = book(desk, other)
    referral = f.ReferralFactory(clinic=desk.clinic, patient=other)
    f.TaskFactory(clinic=desk.clinic, patient=other, text="Ask for the paper")
    f.TaskFactory(clinic=desk.clinic, patient=other, kind=Task.Kind.DUPLICATE, subject=f"patient:{other.pk}")
    earlier = another(merged_into=other)
    refresh_search_text(other)

    kept = merge(desk, other)

    other.refresh_from_db()
    earlier.refresh_from_db()
    course.refresh_from_db()
    referral.refresh_from_db()
    assert (other.merged_into, earlier.merged_into) == (kept, kept)
    assert course.patient == referral.patient == kept
    assert {str(phone.number): (phone.owner, phone.is_main) for phone in kept.phones.all()} == {
        "+48501234567": ("", True),
        "+48501234999": ("her son", False),
    }
    assert kept.contacts.get().name == "Olga"
    assert (kept.birth_date, kept.note) == (dt.date(1985, 4, 1), "Rings twice.")
    assert Visit.objects.filter(patient=kept, live=True).count() == 2
    assert not Message.objects.filter(patient=other).exists()
    assert set(Message.objects.values_list("recipient", flat=True)) == {f"patient:{kept.pk}"}
    assert Task.objects.get(kind=Task.Kind.DUPLICATE).done_at == desk.now
    assert Task.objects.get(text="Ask for the paper").patient == kept
    assert search_patients("4999") == [kept]
    assert search_patients("Ivanova-Petrova") == [kept]


def test_the_calendar_of_a_day_that_only_the_other_card_had_stays_true(desk: Desk) -> None:
    other = another()
    book(desk, other)
    before = {v.uid: (v.sequence, v.starts_at, v.ends_at) for v in Visit.objects.filter(patient=other)}
    told = Message.objects.count()
    kept = merge(desk, other)
    assert {v.uid: (v.sequence, v.starts_at, v.ends_at) for v in Visit.objects.filter(patient=kept)} == before
    assert Message.objects.count() == told


def test_two_visits_of_one_day_become_one_and_the_other_is_cancelled(desk: Desk) -> None:
    other = another()
    first = placed(desk.course(1), starts_at=f.at("09:00", day=7))
    second = placed(desk.course(1, patient=other), starts_at=f.at("11:00", day=7))
    mine, theirs = first.visit, second.visit
    assert mine is not None
    assert theirs is not None

    kept = merge(desk, other)

    mine.refresh_from_db()
    theirs.refresh_from_db()
    second.refresh_from_db()
    assert second.visit == mine
    assert (mine.starts_at, mine.ends_at, mine.sequence) == (f.at("09:00", day=7), f.at("11:30", day=7), 1)
    assert (theirs.live, theirs.sequence, theirs.patient) == (False, 1, kept)
    news = Message.objects.filter(subject=mine.uid, kind=Message.Kind.INVITATION, status=Message.Status.PENDING).get()
    assert news.patient == kept
    assert news.visits()[0].ends_at == mine.ends_at


def test_an_invitation_that_went_out_for_the_other_card_is_cancelled_in_the_calendar(desk: Desk) -> None:
    other = another(email="old@example.org")
    course = desk.course(1, patient=other)
    book_plan(plan=propose_plan(courses=[course], by=None, now=desk.now), by=None, now=desk.now)
    theirs = Visit.objects.get(patient=other)
    invitation = Message.objects.filter(subject=theirs.uid, kind=Message.Kind.INVITATION).first()
    assert invitation is not None
    Message.objects.filter(pk=invitation.pk).update(
        status=Message.Status.SENT, sent_at=desk.now, claimed_at=desk.now, address="old@example.org"
    )
    mine = placed(desk.course(1), starts_at=theirs.ends_at + dt.timedelta(hours=1), therapist=f.TherapistFactory())
    merge(desk, other)
    cancelled = Message.objects.filter(subject=theirs.uid).exclude(pk=invitation.pk).exclude(kind="reminder")
    assert mine.visit is not None
    assert {(m.kind, m.address) for m in cancelled if m.channel == "email"} <= {("cancellation", "old@example.org")}
    assert cancelled.filter(kind=Message.Kind.CANCELLATION).exists()
    assert not Message.objects.filter(
        subject=theirs.uid, kind=Message.Kind.REMINDER, status=Message.Status.PENDING
    ).exists()


def test_overlaps_are_named_and_settled_first(desk: Desk) -> None:
    other = another()
    mine = placed(desk.course(1), starts_at=f.at("09:00", day=7))
    theirs = placed(desk.course(1, patient=other), starts_at=f.at("09:20", day=7))
    with pytest.raises(Conflict) as refused:
        merge(desk, other)
    assert refused.value.code == "cards_overlap"
    assert refused.value.details["overlaps"] == [{"kept": mine.pk, "other": theirs.pk}]
    other.refresh_from_db()
    assert other.merged_into is None
    cancel_session(session=theirs, by=None, now=desk.now)
    assert overlaps_of(kept=desk.patient, other=other, now=desk.now) == []
    assert merge(desk, other) == desk.patient


def test_held_times_are_let_go_first_unless_they_have_run_out(desk: Desk) -> None:
    other = another()
    course = desk.course(2, patient=other)
    hold_plan(plan=propose_plan(courses=[course], by=None, now=desk.now), by=None, now=desk.now)
    with pytest.raises(Conflict) as refused:
        merge(desk, other)
    assert refused.value.code == "plan_held"
    merge_patients(kept=desk.patient, other=other, by=None, now=desk.now + dt.timedelta(hours=1))
    assert not Session.objects.filter(status=Status.HELD).exists()


def test_of_two_sets_of_consents_the_later_holds(desk: Desk) -> None:
    Patient.objects.filter(pk=desk.patient.pk).update(consent_date=dt.date(2026, 1, 1), consent_email=True)
    withdrawn = another(consent_date=dt.date(2026, 2, 1), consent_email=False)
    kept = merge(desk, withdrawn)
    assert (kept.consent_email, kept.consent_date) == (False, dt.date(2026, 2, 1))
    older = another(consent_date=dt.date(2025, 2, 1), consent_email=True)
    assert merge(desk, older).consent_email is False


def test_who_may_merge_what(desk: Desk) -> None:
    other = another()
    with pytest.raises(Invalid):
        merge(desk, desk.patient)
    with pytest.raises(NotAllowed):
        merge_patients(kept=desk.patient, other=other, by=f.user_with_role(Role.THERAPIST, desk.clinic), now=desk.now)
    merge(desk, other)
    with pytest.raises(Conflict) as refused:
        merge(desk, other)
    assert refused.value.details == {"patient": desk.patient.pk}
    with pytest.raises(Conflict):
        merge_patients(kept=other, other=another(), by=None, now=desk.now)


def test_a_plan_made_for_the_old_card_is_stale_and_planned_anew_for_the_new(desk: Desk) -> None:
    other = another()
    plan = propose_plan(courses=[desk.course(2, patient=other)], by=None, now=desk.now)
    merge(desk, other)
    with pytest.raises(Conflict) as refused:
        book_plan(plan=plan, by=None, now=desk.now)
    fresh = type(plan).objects.get(pk=refused.value.details["fresh_plan"])
    assert fresh.patient == desk.patient
    book_plan(plan=fresh, by=None, now=desk.now)
    assert Reservation.objects.filter(resource=desk.patient.pk, live=True).count() == 2


def test_the_database_lets_a_merged_card_have_nothing(desk: Desk) -> None:
    other = another()
    stale = Patient.objects.get(pk=other.pk)
    merge(desk, other)
    with pytest.raises(Conflict) as refused:
        open_course(patient=stale, clinic=desk.clinic, procedure=desk.massage, sessions_total=2, by=None, now=desk.now)
    assert refused.value.code == "card_merged"
    booked = another()
    book(desk, booked)
    with pytest.raises(IntegrityError, match="merged_card_is_empty"):
        Patient.objects.filter(pk=booked.pk).update(merged_into=desk.patient)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_two_cards_had_is_consistent_when_they_are_one(desk: Desk, seed: int) -> None:
    """Random bookings of two cards, some past, some cancelled, some at once; overlaps settled one by one."""
    chance = random.Random(seed)
    other = another()
    for patient in (desk.patient, other):
        course = desk.course(8, patient=patient)
        taken: set[tuple[int, int]] = set()
        for _ in range(8):
            day, hour = chance.randrange(-9, -3), chance.randrange(9, 13)
            if (day, hour) in taken:
                continue
            taken.add((day, hour))
            minute = chance.choice((0, 20))
            status = chance.choice((Status.BOOKED, Status.BOOKED, Status.CONFIRMED, Status.CANCELLED))
            placed(course, starts_at=f.at(f"{hour:02}:{minute:02}", day=day), status=status)
    before = sorted(Session.objects.filter(status__in=PLACED).values_list("pk", flat=True))
    settled = set()
    while overlaps := overlaps_of(kept=desk.patient, other=other, now=desk.now):
        with pytest.raises(Conflict):
            merge(desk, other)
        loser = chance.choice((overlaps[0].kept, overlaps[0].other))
        cancel_session(session=loser, by=None, now=desk.now, by_clinic=True)
        settled.add(loser.pk)

    kept = merge(desk, other)

    sessions = list(Session.objects.filter(status__in=PLACED).select_related("appointment", "visit", "course"))
    assert sorted(s.pk for s in sessions) == [pk for pk in before if pk not in settled]
    times = sorted((s.time.starts_at, s.time.ends_at) for s in sessions)
    assert all(one[1] <= two[0] for one, two in pairwise(times))
    for session in sessions:
        assert session.course.patient_id == kept.pk
        assert session.time.reservations.get(live=True, resource=kept.pk).starts_at == session.time.starts_at
        assert session.visit is not None
        assert (session.visit.patient_id, session.visit.live) == (kept.pk, True)
        assert session.visit.date == desk.clinic.local_date(session.time.starts_at)
    for visit in Visit.objects.filter(live=True, sessions__status__in=PLACED).distinct():
        held = [s.time for s in sessions if s.visit_id == visit.pk]
        assert visit.starts_at <= min(t.starts_at for t in held)
        assert visit.ends_at >= max(t.ends_at for t in held)
    assert not Reservation.objects.filter(resource=other.pk).exists()
    assert not Visit.objects.filter(patient=other).exists()
