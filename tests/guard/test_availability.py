"""3. Nothing new is reserved inside an absence, an outage or a closure, unless somebody gives a reason."""

from typing import Any

import pytest

from clinic.models import Appointment
from tests.factories import (
    AbsenceFactory,
    AppointmentFactory,
    ClinicFactory,
    ClosureFactory,
    EquipmentFactory,
    OutageFactory,
    RoomFactory,
    TherapistFactory,
    at,
    reserve,
)
from tests.guard.conftest import Attacker

KINDS = ["absence", "outage of a room", "outage of a device", "closure"]


@pytest.fixture(params=KINDS)
def away(request: pytest.FixtureRequest, db: None) -> "Away":
    return Away(request.param)


class Away:
    """A resource that, once it is `recorded`, cannot be used from 09:15 to 12:00, and what refuses it then."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.refusal = f"reservation_outside_{kind.split(maxsplit=1)[0]}"
        self.resource: Any = {
            "absence": TherapistFactory,
            "outage of a room": RoomFactory,
            "outage of a device": EquipmentFactory,
            "closure": TherapistFactory,
        }[kind]()

    def record(self, **times: Any) -> None:
        times = {"starts_at": at("09:15"), "ends_at": at("12:00")} | times
        if self.kind == "absence":
            AbsenceFactory(therapist=self.resource, **times)
        elif self.kind == "closure":
            ClosureFactory(clinic=ClinicFactory(), **times)
        else:
            OutageFactory(resource=self.resource.resource, **times)


def appointment(clock: str, **fields: Any) -> Appointment:
    return AppointmentFactory(starts_at=at(clock), **fields)


@pytest.mark.parametrize("clock", ["08:50", "09:15", "10:00", "11:55"])
def test_a_new_reservation_inside(sql: Attacker, away: Away, clock: str) -> None:
    inside = appointment(clock)
    away.record()
    insert, params = sql.reservation(inside, away.resource)
    sql.refused(away.refusal, insert, *params)
    sql.write("UPDATE clinic_appointment SET override_reason = 'she offered' WHERE id = %s", inside.pk)
    sql.write(insert, *params)
    sql.refused(
        "override_reason_is_kept", "UPDATE clinic_appointment SET override_reason = '' WHERE id = %s", inside.pk
    )


@pytest.mark.parametrize("clock", ["08:45", "12:00"])
def test_a_new_reservation_beside(sql: Attacker, away: Away, clock: str) -> None:
    beside = appointment(clock)
    away.record()
    insert, params = sql.reservation(beside, away.resource)
    sql.write(insert, *params)


def test_one_that_stands_there_already(sql: Attacker, away: Away) -> None:
    """Recording is never refused, and what it covers may still be recoloured, freed and not taken again."""
    inside = appointment("10:00")
    sql.write("UPDATE clinic_resource SET capacity = 2 WHERE id = %s", away.resource.pk)
    standing = reserve(inside, away.resource)
    away.record()
    sql.write("UPDATE clinic_reservation SET places = '[2,3)' WHERE id = %s", standing.pk)
    sql.write("UPDATE clinic_reservation SET live = false WHERE id = %s", standing.pk)
    sql.refused(away.refusal, "UPDATE clinic_reservation SET live = true WHERE id = %s", standing.pk)


def test_a_change_into_it(sql: Attacker, away: Away) -> None:
    before, other = appointment("08:30"), appointment("08:30")
    sql.write("UPDATE clinic_appointment SET override_reason = 'she offered' WHERE id = %s", other.pk)
    early = reserve(before, away.resource)
    away.record()
    longer = "UPDATE clinic_reservation SET ends_at = %s WHERE id = %s"
    sql.write(longer, at("09:15"), early.pk)
    sql.refused(away.refusal, longer, at("09:20"), early.pk)
    # Nor by way of an appointment that has a reason.
    sql.write(
        "UPDATE clinic_reservation SET appointment_id = %s, ends_at = %s WHERE id = %s", other.pk, at("09:20"), early.pk
    )
    sql.refused(away.refusal, "UPDATE clinic_reservation SET appointment_id = %s WHERE id = %s", before.pk, early.pk)


@pytest.mark.parametrize("away", ["absence", "outage of a room"], indirect=True)
def test_without_an_end_it_lasts(sql: Attacker, away: Away) -> None:
    inside = appointment("10:00", clinic=ClinicFactory())
    away.record(ends_at=None)
    insert, params = sql.reservation(inside, away.resource)
    sql.refused(away.refusal, insert, *params)


@pytest.mark.parametrize("away", ["closure"], indirect=True)
def test_another_clinic_stays_open(sql: Attacker, away: Away) -> None:
    elsewhere = appointment("10:00", clinic=ClinicFactory(name="Hillside"))
    away.record()
    insert, params = sql.reservation(elsewhere, away.resource)
    sql.write(insert, *params)
