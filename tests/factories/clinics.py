"""The clinic, its people, its resources and when they work."""

import datetime as dt
from typing import Any

import factory
from factory.django import DjangoModelFactory

from clinic.models import (
    Absence,
    ApiToken,
    CalendarDay,
    Clinic,
    Closure,
    ContactPerson,
    Equipment,
    Membership,
    Outage,
    Patient,
    PatientPhone,
    Resource,
    ResourceKind,
    Room,
    Shift,
    Task,
    Therapist,
    User,
)
from clinic.models.people import hash_token
from clinic.permissions import Role
from tests.factories.times import MONDAY, at

PASSWORD = "correct horse battery"


# --- Clinic and people ----------------------------------------------------------------------------------------------


class ClinicFactory(DjangoModelFactory[Clinic]):
    class Meta:
        model = Clinic
        django_get_or_create = ("name",)

    name = "Riverside"
    zone = "Europe/Warsaw"
    country = "PL"
    language = "en"
    address = "1 River Street, Warsaw"
    phone = "+48221234567"
    email = "desk@riverside.example"


class UserFactory(DjangoModelFactory[User]):
    """Signs in with PASSWORD."""

    class Meta:
        model = User

    email = factory.Sequence(lambda n: f"user{n}@riverside.example")
    first_name = "Alice"
    last_name = factory.Sequence(lambda n: f"Owner{n}")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return User.objects.create_user(kwargs.pop("email"), kwargs.pop("password", PASSWORD), **kwargs)


class MembershipFactory(DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    clinic = factory.SubFactory(ClinicFactory)
    role = Role.RECEPTION


def user_with_role(role: Role | str, clinic: Clinic | None = None, **fields: Any) -> User:
    """A user with one role in one clinic (the usual one when none is named)."""
    user = UserFactory(**fields)
    MembershipFactory(user=user, clinic=clinic or ClinicFactory(), role=role)
    return user


class ApiTokenFactory(DjangoModelFactory[ApiToken]):
    """Its text is `token-<n>`, n as in the name `machine <n>`."""

    class Meta:
        model = ApiToken

    user = factory.SubFactory(UserFactory)
    name = factory.Sequence(lambda n: f"machine {n}")
    token_hash = factory.LazyAttribute(lambda token: hash_token(f"token-{token.name.split()[-1]}"))


# --- Resources ------------------------------------------------------------------------------------------------------


class ResourceFactory(DjangoModelFactory[Resource]):
    class Meta:
        model = Resource

    kind = ResourceKind.ROOM
    capacity = 1


class _OnResource(DjangoModelFactory[Any]):
    """`capacity=3` gives the resource beneath three places."""

    class Meta:
        abstract = True

    class Params:
        capacity = 1


class TherapistFactory(_OnResource):
    class Meta:
        model = Therapist

    resource = factory.SubFactory(
        ResourceFactory, kind=ResourceKind.THERAPIST, capacity=factory.SelfAttribute("..capacity")
    )
    full_name = factory.Sequence(lambda n: f"Anna Kowalska {n}")
    short_name = factory.Sequence(lambda n: f"Kowalska {n}")
    gender = "F"
    languages = factory.LazyFunction(lambda: ["en", "pl"])


class RoomFactory(_OnResource):
    class Meta:
        model = Room

    resource = factory.SubFactory(ResourceFactory, kind=ResourceKind.ROOM, capacity=factory.SelfAttribute("..capacity"))
    clinic = factory.SubFactory(ClinicFactory)
    name = factory.Sequence(lambda n: f"Room {n}")
    room_type = "massage"


class EquipmentFactory(_OnResource):
    class Meta:
        model = Equipment

    resource = factory.SubFactory(
        ResourceFactory, kind=ResourceKind.EQUIPMENT, capacity=factory.SelfAttribute("..capacity")
    )
    room = factory.SubFactory(RoomFactory, room_type="physio")
    clinic = factory.SelfAttribute("room.clinic")
    name = factory.Sequence(lambda n: f"Device {n}")
    equipment_type = "laser"


class PatientFactory(DjangoModelFactory[Patient]):
    """Consents to everything but marketing and has an e-mail address; has no telephone."""

    class Meta:
        model = Patient

    resource = factory.SubFactory(ResourceFactory, kind=ResourceKind.PATIENT)
    family_name = factory.Sequence(lambda n: f"Nowak{n}")
    given_name = "Jan"
    full_name = factory.LazyAttribute(lambda patient: f"{patient.given_name} {patient.family_name}")
    card_number = factory.Sequence(lambda n: f"C{n:05}")
    sex = "M"
    birth_date = dt.date(1980, 5, 17)
    language = "en"
    email = factory.LazyAttribute(lambda patient: f"{patient.card_number.lower()}@patients.example")
    consent_data = True
    consent_email = True
    consent_sms = True
    consent_date = dt.date(2026, 1, 15)


class PatientPhoneFactory(DjangoModelFactory[PatientPhone]):
    class Meta:
        model = PatientPhone

    patient = factory.SubFactory(PatientFactory)
    number = factory.Sequence(lambda n: f"+4850{n % 10_000_000:07}")
    is_main = True


class ContactPersonFactory(DjangoModelFactory[ContactPerson]):
    class Meta:
        model = ContactPerson

    patient = factory.SubFactory(PatientFactory)
    name = "Maria Nowak"
    relation = "daughter"
    phone = "+48501999888"


# --- Availability and tasks -----------------------------------------------------------------------------------------


class ShiftFactory(DjangoModelFactory[Shift]):
    """Monday to Saturday, 08:00–20:00, since long ago and with no break."""

    class Meta:
        model = Shift

    therapist = factory.SubFactory(TherapistFactory)
    clinic = factory.SubFactory(ClinicFactory)
    starts_on = dt.date(2026, 1, 5)
    start_time = dt.time(8, 0)
    end_time = dt.time(20, 0)
    rrule = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA"


class AbsenceFactory(DjangoModelFactory[Absence]):
    class Meta:
        model = Absence

    therapist = factory.SubFactory(TherapistFactory)
    kind = Absence.Kind.SICK
    starts_at = factory.LazyFunction(lambda: at("00:00"))
    ends_at = factory.LazyFunction(lambda: at("00:00", day=5))


class OutageFactory(DjangoModelFactory[Outage]):
    class Meta:
        model = Outage

    resource = factory.SubFactory(ResourceFactory)
    starts_at = factory.LazyFunction(lambda: at("00:00"))
    ends_at = factory.LazyFunction(lambda: at("00:00", day=5))
    reason = "being repaired"


class ClosureFactory(DjangoModelFactory[Closure]):
    class Meta:
        model = Closure

    clinic = factory.SubFactory(ClinicFactory)
    starts_at = factory.LazyFunction(lambda: at("00:00"))
    ends_at = factory.LazyFunction(lambda: at("00:00", day=1))
    reason = "water works"


class CalendarDayFactory(DjangoModelFactory[CalendarDay]):
    class Meta:
        model = CalendarDay

    clinic = factory.SubFactory(ClinicFactory)
    date = MONDAY
    kind = CalendarDay.Kind.CLOSED


class TaskFactory(DjangoModelFactory[Task]):
    class Meta:
        model = Task

    clinic = factory.SubFactory(ClinicFactory)
    kind = Task.Kind.OTHER
    text = "Ring the plumber"
