"""Taking a move back, and what a refused move is told."""

import datetime as dt

import pytest

from clinic.errors import Conflict
from courses.booking.attendance import confirm_session
from courses.booking.conflicts import find_occupant, nearest_places
from courses.booking.models import Session
from courses.booking.moves import free_places, free_places_by_room, free_starts
from courses.booking.transitions import Status
from courses.booking.undoing import UNDONE_WITHIN, Standing, undo_move
from notifications.models import Message
from tests import factories
from tests.booking.conftest import Desk
from tests.booking.test_moving import booked, move
from tests.factories import at


def _undo(desk: Desk, session: Session, before: Standing, *, after: dt.timedelta = dt.timedelta(minutes=1)) -> Session:
    return undo_move(
        session=session,
        before=Standing.from_json(before.as_json()),
        moved_at=desk.now,
        version=session.version,
        by=desk.reception,
        now=desk.now + after,
    )


def test_a_move_undone_is_as_if_it_had_not_been_and_nobody_hears_of_it(desk: Desk) -> None:
    session = booked(desk, sessions=1)[0]
    confirm_session(session=session, by=desk.reception, now=desk.now)
    session.refresh_from_db()
    Message.objects.filter(kind__in=["summary", "invitation"]).update(
        status=Message.Status.SENT, claimed_at=desk.now, sent_at=desk.now
    )
    before = Standing.of(session)
    moved = move(desk, session, at("15:00", day=1))
    assert moved.status == Status.BOOKED
    unsent = Message.objects.filter(status__in=Message.UNSENT).exclude(kind="reminder")
    assert unsent.exists()
    back = _undo(desk, moved, before)
    assert Standing.of(back) == before
    assert back.status == Status.CONFIRMED
    assert not unsent.all().exists()


def test_after_three_minutes_or_another_change_a_move_stands(desk: Desk) -> None:
    session = booked(desk, sessions=1)[0]
    before = Standing.of(session)
    moved = move(desk, session, at("15:00", day=1))
    with pytest.raises(Conflict, match="too late"):
        _undo(desk, moved, before, after=UNDONE_WITHIN + dt.timedelta(seconds=1))
    move(desk, moved, at("16:00", day=1))
    with pytest.raises(Conflict, match="changed meanwhile"):
        undo_move(
            session=Session.objects.get(pk=moved.pk),
            before=before,
            moved_at=desk.now,
            version=moved.version,
            by=desk.reception,
            now=desk.now,
        )


def test_the_occupant_is_whoever_has_the_last_place(desk: Desk) -> None:
    petrov = factories.PatientFactory(consent_data=True)
    theirs = booked(desk, sessions=1, patient=petrov)[0]
    mine = booked(desk, sessions=1)[0]
    wanted = theirs.time.starts_at
    therapist = Standing.of(theirs).therapist
    found = find_occupant(session=mine, starts_at=wanted, therapist=therapist, room=None, now=desk.now)
    assert found is not None
    assert (found.kind, found.who) == ("therapist", petrov)
    assert (found.starts_at, found.ends_at) == (theirs.time.starts_at, theirs.time.ends_at)
    near = nearest_places(session=mine, starts_at=wanted, therapist=therapist, now=desk.now)
    assert len(near) == 3
    assert all((place.starts_at, place.therapist_id) != (wanted, therapist) for place in near)
    factories.AbsenceFactory(therapist=desk.boris, starts_at=at("14:00", day=1), ends_at=at("20:00", day=1))
    away = find_occupant(session=mine, starts_at=at("15:00", day=1), therapist=desk.boris.pk, room=None, now=desk.now)
    assert away is not None
    assert (away.kind, away.resource) == ("absence", str(desk.boris))


def test_a_free_start_is_where_somebody_has_a_place_and_where_some_room_has_one(desk: Desk) -> None:
    booked(desk, sessions=2, patient=factories.PatientFactory(consent_data=True))
    mine = booked(desk, sessions=1)[0]
    starts = free_starts(session=mine, first_day=factories.MONDAY, days=4, now=desk.now)
    by_therapist = free_places(session=mine, first_day=factories.MONDAY, days=4, now=desk.now)
    by_room = free_places_by_room(session=mine, first_day=factories.MONDAY, days=4, now=desk.now)
    moments = [start.starts_at for start in starts]
    assert moments
    assert sorted({place.starts_at for place in by_therapist}) == moments
    assert sorted({place.starts_at for place in by_room}) == moments
    assert {place.room_id for place in by_room} == {room.pk for room in desk.rooms}
    for place in by_room[:: len(by_room) // 5]:
        moved = move(desk, mine, place.starts_at, therapist=place.therapist_id, room=place.room_id)
        taken = Standing.of(moved)
        assert (taken.starts_at, taken.therapist, taken.room) == (place.starts_at, place.therapist_id, place.room_id)
        mine = moved
