"""Therapists, skills, rooms and devices: what a change leaves outside is said first."""

import datetime as dt
from typing import Any

import pytest
from psycopg.types.range import Range

from clinic.changes import RowChanged, token_of
from clinic.errors import Invalid, NotFound
from clinic.models import Equipment, Resource, Room, Therapist
from clinic.permissions import Role
from courses.managing.places import DoesNotFit, create_device, create_room, edit_device, edit_room
from courses.managing.qualifications import (
    change_qualification,
    expiring,
    grant_qualification,
    withdraw_qualification,
)
from courses.managing.rights import staff_of
from courses.managing.stranding import SessionsOutside
from courses.managing.therapists import activate_therapist, create_therapist, deactivate_therapist, edit_therapist
from courses.models import Qualification
from tests import factories as f
from tests.managing.conftest import NOW, House

DAY = dt.timedelta(days=1)


def _outside(error: Any) -> list[int]:
    return [row["id"] for row in error.value.details["sessions"]]


def test_a_new_therapist_is_seen_by_managers_until_someone_plans_them(house: House) -> None:
    made = create_therapist(clinic=house.clinic, full_name="Olga N.", capacity=3, by=house.manager, now=NOW)
    assert made.hands_id is not None
    assert made.resource.capacity == 3
    assert made in staff_of([house.clinic.pk])
    f.ShiftFactory(therapist=made, clinic=f.ClinicFactory(name="Hillside"))
    assert made not in staff_of([house.clinic.pk])


@pytest.mark.parametrize("fields", [{"full_name": ""}, {"email": "nonsense"}, {"gender": "X"}, {"full_name": "a\0"}])
def test_wrong_entries_are_named(house: House, fields: dict[str, str]) -> None:
    before = Resource.objects.count()
    with pytest.raises(Invalid) as refused:
        create_therapist(clinic=house.clinic, by=house.manager, now=NOW, **{"full_name": "Olga", **fields})
    assert set(refused.value.details) == set(fields)
    assert Resource.objects.count() == before


def test_who_still_has_sessions_is_not_let_go_unsaid(house: House) -> None:
    session = house.book("10:00")
    with pytest.raises(SessionsOutside) as refused:
        deactivate_therapist(therapist=house.therapist, by=house.manager, now=NOW)
    assert _outside(refused) == [session.pk]
    deactivate_therapist(therapist=house.therapist, by=house.manager, now=NOW, accepted=True)
    session.refresh_from_db()
    assert session.to_replace
    assert activate_therapist(therapist=house.therapist, by=house.manager, now=NOW).is_active


def test_the_second_editor_is_told_by_whom(house: House, client: Any) -> None:
    row = Therapist.objects.get(pk=house.therapist.pk)
    seen = token_of(row, Resource.objects.get(pk=row.pk))
    edit_therapist(therapist=row, title="Masseur", by=house.manager, now=NOW, seen=seen)
    with pytest.raises(RowChanged) as refused:
        edit_therapist(therapist=row, title="Nurse", by=house.manager, now=NOW, seen=seen)
    edit_therapist(therapist=row, title="Nurse", by=house.manager, now=NOW, seen=refused.value.details["token"])
    assert Therapist.objects.get(pk=row.pk).title == "Nurse"


def test_a_session_booked_meanwhile_is_no_change_of_the_form(house: House) -> None:
    seen = token_of(Therapist.objects.get(pk=house.therapist.pk), Resource.objects.get(pk=house.therapist.pk))
    house.book("10:00")
    edit_therapist(therapist=house.therapist, title="Masseur", by=house.manager, now=NOW, seen=seen)


def test_skills_have_dates_and_what_is_booked_beyond_them_is_named(house: House) -> None:
    early, late = house.book("10:00"), house.book("10:00", day=7)
    ends = f.MONDAY + 3 * DAY

    def shorten(**more: Any) -> None:
        change_qualification(
            qualification=house.qualification, valid_from=None, valid_until=ends, by=house.manager, now=NOW, **more
        )

    with pytest.raises(SessionsOutside) as refused:
        shorten()
    assert _outside(refused) == [late.pk]
    shorten(accepted=True)
    assert list(expiring(house.clinic, now=NOW)) == [Qualification.objects.get()]
    with pytest.raises(SessionsOutside) as refused:
        withdraw_qualification(qualification=house.qualification, by=house.manager, now=NOW)
    assert _outside(refused) == [early.pk]


def test_what_is_followed_does_not_expire(house: House) -> None:
    ends = f.MONDAY + 3 * DAY
    change_qualification(
        qualification=house.qualification, valid_from=None, valid_until=ends, by=house.manager, now=NOW
    )
    grant_qualification(
        therapist=house.therapist, procedure=house.procedure, valid_from=ends + DAY, by=house.manager, now=NOW
    )
    assert not expiring(house.clinic, now=NOW)
    with pytest.raises(Invalid):
        grant_qualification(
            therapist=house.therapist, procedure=house.procedure, valid_from=ends + DAY, by=house.manager, now=NOW
        )


def test_dates_in_the_wrong_order_are_refused(house: House) -> None:
    with pytest.raises(Invalid):
        change_qualification(
            qualification=house.qualification, valid_from=f.MONDAY, valid_until=f.MONDAY - DAY, by=house.manager,
            now=NOW,
        )  # fmt: skip


def test_fewer_places_are_dealt_anew_or_refused(house: House) -> None:
    third = f.RoomFactory(clinic=house.clinic, capacity=3)
    sessions = [
        f.booked_session(clinic=house.clinic, starts_at=f.at(start), room=third)
        for start in ("10:00", "10:15", "11:00")
    ]
    for session, place in zip(sessions, (1, 3, 2), strict=True):
        session.appointment.reservations.filter(resource=third.pk).update(places=Range(place, place + 1))
    edit_room(room=third, capacity=2, by=house.manager, now=NOW)
    places = [s.appointment.reservations.get(resource=third.pk).places.lower for s in sessions]
    assert places == [1, 2, 1]
    with pytest.raises(DoesNotFit) as refused:
        edit_room(room=third, capacity=1, by=house.manager, now=NOW)
    assert _outside(refused) == [sessions[1].pk]
    assert Resource.objects.get(pk=third.pk).capacity == 2


def test_who_lies_on_a_couch_keeps_it(house: House) -> None:
    room = f.RoomFactory(clinic=house.clinic, capacity=2)
    session = f.booked_session(clinic=house.clinic, starts_at=f.at("10:00"), room=room)
    session.appointment.reservations.filter(resource=room.pk).update(places=Range(2, 3))
    with pytest.raises(DoesNotFit) as refused:
        edit_room(room=room, capacity=1, by=house.manager, now=f.at("10:10"))
    assert _outside(refused) == [session.pk]


def test_a_room_out_of_use_names_its_sessions(house: House) -> None:
    session = house.book("10:00")
    with pytest.raises(SessionsOutside) as refused:
        edit_room(room=house.room, is_active=False, by=house.manager, now=NOW)
    assert _outside(refused) == [session.pk]
    assert Room.objects.get(pk=house.room.pk).is_active


def test_a_device_moves_with_its_sessions_named(house: House) -> None:
    device = create_device(room=house.room, name="Laser", equipment_type="laser", by=house.manager, now=NOW)
    other = create_room(clinic=house.clinic, name="Room 9", room_type="physio", by=house.manager, now=NOW)
    session = house.book("10:00", device=device)
    with pytest.raises(SessionsOutside) as refused:
        edit_device(device=device, room=other, by=house.manager, now=NOW)
    assert _outside(refused) == [session.pk]
    edit_device(device=device, room=other, by=house.manager, now=NOW, accepted=True)
    assert Equipment.objects.get(pk=device.pk).room_id == other.pk
    with pytest.raises(Invalid):
        edit_device(
            device=device, room=f.RoomFactory(clinic=f.ClinicFactory(name="Hillside")), by=house.manager, now=NOW
        )


def test_plans_made_before_are_stale(house: House) -> None:
    before = Resource.objects.get(pk=house.therapist.pk).version
    withdraw_qualification(qualification=house.qualification, by=house.manager, now=NOW)
    assert Resource.objects.get(pk=house.therapist.pk).version > before


def test_elsewhere_nothing_exists(house: House) -> None:
    stranger = f.user_with_role(Role.MANAGER, f.ClinicFactory(name="Hillside"))
    for act in (
        lambda: edit_therapist(therapist=house.therapist, title="x", by=stranger, now=NOW),
        lambda: edit_room(room=house.room, name="x", by=stranger, now=NOW),
        lambda: withdraw_qualification(qualification=house.qualification, by=stranger, now=NOW),
    ):
        with pytest.raises(NotFound):
            act()
