"""Factories: each makes something valid, alone, with no surprises; all at one clinic unless told otherwise.

`booked_session` and `class_meeting` make the things that only together satisfy the database's guard. Times lie in 2031,
so that nothing ever becomes past; MONDAY is a plain working day in Warsaw with winter time.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import factory
from django.db.backends.postgresql.psycopg_any import NumericRange
from factory.django import DjangoModelFactory

from clinic.models import (
    Absence,
    ApiToken,
    Appointment,
    CalendarDay,
    Clinic,
    Closure,
    ContactPerson,
    Equipment,
    Membership,
    Outage,
    Patient,
    PatientPhone,
    Reservation,
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
from courses.booking.transitions import Status
from courses.models import (
    ClassMeeting,
    Course,
    GroupClass,
    ImportedRecord,
    Plan,
    Procedure,
    ProcedureVariant,
    Programme,
    Qualification,
    Record,
    RecordAmendment,
    Referral,
    Requirement,
    Session,
    Visit,
)

WARSAW = ZoneInfo("Europe/Warsaw")
MONDAY = dt.date(2031, 3, 3)
NOW = dt.datetime(2031, 2, 24, 9, 0, tzinfo=WARSAW)  # the Monday before: everything above lies ahead
PASSWORD = "correct horse battery"

_DEAD = {Status.CANCELLED, Status.LATE_CANCELLED, Status.CANCELLED_BY_CLINIC, Status.ENTERED_IN_ERROR}


def at(clock: str, day: int = 0, *, zone: ZoneInfo = WARSAW) -> dt.datetime:
    """`clock` ("09:30") on the day that many days after MONDAY, local time of `zone`."""
    return dt.datetime.combine(MONDAY + dt.timedelta(days=day), dt.time.fromisoformat(clock), zone)


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


# --- Catalogue ------------------------------------------------------------------------------------------------------


class ProcedureFactory(DjangoModelFactory[Procedure]):
    """Active, 30 minutes, needs nothing but a patient (add requirements), and no referral."""

    class Meta:
        model = Procedure

    clinic = factory.SubFactory(ClinicFactory)
    code = factory.Sequence(lambda n: f"MASSAGE{n}")
    short_code = "MAS"
    short_code_ru = "МАС"
    name_en = factory.LazyAttribute(lambda procedure: f"Massage {procedure.code.removeprefix('MASSAGE')}")
    name_ru = factory.LazyAttribute(lambda procedure: f"Массаж {procedure.code.removeprefix('MASSAGE')}")
    category = "MS"
    minutes = 30
    sessions_default = 10
    gap_min = 1
    gap_max = 3
    requires_referral = False
    is_active = True


class RequirementFactory(DjangoModelFactory[Requirement]):
    class Meta:
        model = Requirement

    procedure = factory.SubFactory(ProcedureFactory)
    role = ResourceKind.THERAPIST


class ProcedureVariantFactory(DjangoModelFactory[ProcedureVariant]):
    class Meta:
        model = ProcedureVariant

    procedure = factory.SubFactory(ProcedureFactory)
    area = "lumbosacral"
    minutes = 20


class QualificationFactory(DjangoModelFactory[Qualification]):
    class Meta:
        model = Qualification

    therapist = factory.SubFactory(TherapistFactory)
    procedure = factory.SubFactory(ProcedureFactory)


# --- Prescriptions and courses --------------------------------------------------------------------------------------


class ReferralFactory(DjangoModelFactory[Referral]):
    """Signed; `signed_at=None, signed_by=None` gives a draft."""

    class Meta:
        model = Referral

    clinic = factory.SubFactory(ClinicFactory)
    patient = factory.SubFactory(PatientFactory)
    prescriber = factory.SubFactory(TherapistFactory, is_prescriber=True)
    prescribed_on = MONDAY - dt.timedelta(days=10)
    icd10 = "M54.5"
    signed_at = factory.LazyFunction(lambda: at("10:00", day=-10))
    signed_by = factory.SubFactory(UserFactory)


class ProgrammeFactory(DjangoModelFactory[Programme]):
    class Meta:
        model = Programme

    clinic = factory.SubFactory(ClinicFactory)
    patient = factory.SubFactory(PatientFactory)
    referral = factory.SubFactory(
        ReferralFactory, clinic=factory.SelfAttribute("..clinic"), patient=factory.SelfAttribute("..patient")
    )


class CourseFactory(DjangoModelFactory[Course]):
    """Active, of 3 sessions, outside any programme; `sessions=True` adds its unplaced sessions."""

    class Meta:
        model = Course
        skip_postgeneration_save = True

    clinic = factory.SubFactory(ClinicFactory)
    patient = factory.SubFactory(PatientFactory)
    procedure = factory.SubFactory(ProcedureFactory, clinic=factory.SelfAttribute("..clinic"))
    status = Course.Status.ACTIVE
    sessions_total = 3
    minutes = factory.SelfAttribute("procedure.minutes")
    gap_min = factory.SelfAttribute("procedure.gap_min")
    gap_max = factory.SelfAttribute("procedure.gap_max")

    @factory.post_generation
    def sessions(course: Course, create: bool, wanted: bool | None, **kwargs: Any) -> None:  # noqa: N805
        if create and wanted:
            Session.objects.bulk_create(
                Session(course=course, number=number)
                for number in range(course.done_before + 1, course.sessions_total + 1)
            )


class SessionFactory(DjangoModelFactory[Session]):
    """Unplaced; `booked_session` makes one that has its time."""

    class Meta:
        model = Session

    course = factory.SubFactory(CourseFactory)
    number = factory.LazyAttribute(lambda session: session.course.sessions.count() + 1)


class VisitFactory(DjangoModelFactory[Visit]):
    class Meta:
        model = Visit

    clinic = factory.SubFactory(ClinicFactory)
    patient = factory.SubFactory(PatientFactory)
    starts_at = factory.LazyFunction(lambda: at("09:00"))
    ends_at = factory.LazyAttribute(lambda visit: visit.starts_at + dt.timedelta(minutes=30))
    date = factory.LazyAttribute(lambda visit: visit.clinic.local_date(visit.starts_at))
    revised_at = NOW


class PlanFactory(DjangoModelFactory[Plan]):
    """Proposed, without items."""

    class Meta:
        model = Plan

    clinic = factory.SubFactory(ClinicFactory)
    patient = factory.SubFactory(PatientFactory)
    status = Plan.Status.PROPOSED
    created_at = NOW


class GroupClassFactory(DjangoModelFactory[GroupClass]):
    """Mondays, Wednesdays and Fridays at 10:00, 45 minutes, 8 seats."""

    class Meta:
        model = GroupClass

    clinic = factory.SubFactory(ClinicFactory)
    procedure = factory.SubFactory(
        ProcedureFactory, clinic=factory.SelfAttribute("..clinic"), is_group=True, minutes=45, category="EX"
    )
    name = factory.Sequence(lambda n: f"Back class {n}")
    instructor = factory.SubFactory(TherapistFactory)
    room = factory.SubFactory(RoomFactory, clinic=factory.SelfAttribute("..clinic"), room_type="hall", capacity=12)
    capacity = 8
    starts_on = MONDAY
    start_time = dt.time(10, 0)
    minutes = 45
    rrule = "FREQ=WEEKLY;BYDAY=MO,WE,FR"


class RecordFactory(DjangoModelFactory[Record]):
    """Unsigned, of a completed session."""

    class Meta:
        model = Record

    session = factory.LazyFunction(lambda: booked_session(status=Status.COMPLETED))
    author = factory.SubFactory(UserFactory)
    entered_at = factory.LazyFunction(lambda: at("09:40"))
    done = "as planned"


class RecordAmendmentFactory(DjangoModelFactory[RecordAmendment]):
    class Meta:
        model = RecordAmendment

    record = factory.SubFactory(
        RecordFactory,
        signed_at=factory.LazyFunction(lambda: at("09:45")),
        signed_by=factory.SelfAttribute("author"),
    )
    author = factory.SubFactory(UserFactory)
    written_at = factory.LazyFunction(lambda: at("11:00"))
    reason = "wrong side"
    text = "left, not right"


class ImportedRecordFactory(DjangoModelFactory[ImportedRecord]):
    class Meta:
        model = ImportedRecord

    clinic = factory.SubFactory(ClinicFactory)
    noun = "session"
    key = factory.Sequence(lambda n: f"S{n:05}")
    object_id = factory.Sequence(lambda n: n + 1)


# --- What only holds together ---------------------------------------------------------------------------------------


def whole() -> NumericRange:
    """All places of a resource, those of later too."""
    return NumericRange(1, None)


def place(number: int = 1) -> NumericRange:
    return NumericRange(number, number + 1)


def free_place(resource_id: int, starts_at: dt.datetime, ends_at: dt.datetime) -> NumericRange:
    """The lowest place of the resource that is free in this time. Fails when there is none."""
    taken = Reservation.objects.filter(
        resource_id=resource_id, live=True, starts_at__lt=ends_at, ends_at__gt=starts_at
    ).values_list("places", flat=True)
    capacity = Resource.objects.get(pk=resource_id).capacity
    for number in range(1, capacity + 1):
        if not any(held.lower <= number and (held.upper is None or number < held.upper) for held in taken):
            return place(number)
    raise AssertionError(f"resource {resource_id} has no free place at {starts_at:%Y-%m-%d %H:%M}")


def reserve(
    appointment: Appointment, resource: Any, *, places: NumericRange | None = None, **fields: Any
) -> Reservation:
    """Reserve a therapist, room, device, patient or resource for the time of the appointment (`starts_at`,
    `ends_at` may widen it), on the lowest free place unless `places` says otherwise."""
    starts_at = fields.pop("starts_at", appointment.starts_at)
    ends_at = fields.pop("ends_at", appointment.ends_at)
    return Reservation.objects.create(
        appointment=appointment,
        resource_id=resource.pk,
        places=places or free_place(resource.pk, starts_at, ends_at),
        starts_at=starts_at,
        ends_at=ends_at,
        **fields,
    )


class AppointmentFactory(DjangoModelFactory[Appointment]):
    """A treatment of 30 minutes on MONDAY at 09:00. `reserved=[…]` lists what it takes, the patient among it;
    without it a new patient is reserved."""

    class Meta:
        model = Appointment
        skip_postgeneration_save = True

    clinic = factory.SubFactory(ClinicFactory)
    starts_at = factory.LazyFunction(lambda: at("09:00"))
    ends_at = factory.LazyAttribute(lambda appointment: appointment.starts_at + dt.timedelta(minutes=30))

    @factory.post_generation
    def reserved(appointment: Appointment, create: bool, wanted: Iterable[Any] | None, **kwargs: Any) -> None:  # noqa: N805
        if create:
            for resource in [PatientFactory()] if wanted is None else wanted:
                reserve(appointment, resource)


def class_meeting(group_class: GroupClass | None = None, *, date: dt.date = MONDAY) -> ClassMeeting:
    """One meeting of a class, with its instructor and the whole hall reserved."""
    group_class = group_class or GroupClassFactory()
    starts_at = dt.datetime.combine(date, group_class.start_time, group_class.clinic.tz)
    appointment = AppointmentFactory(
        clinic=group_class.clinic,
        kind=Appointment.Kind.CLASS_MEETING,
        seats=group_class.capacity,
        starts_at=starts_at,
        ends_at=starts_at + dt.timedelta(minutes=group_class.minutes),
        reserved=[],
    )
    reserve(appointment, group_class.instructor, places=whole())
    reserve(appointment, group_class.room, places=whole())
    return ClassMeeting.objects.create(appointment=appointment, group_class=group_class, date=date)


def booked_session(
    course: Course | None = None,
    *,
    starts_at: dt.datetime | None = None,
    number: int | None = None,
    status: str = Status.BOOKED,
    therapist: Therapist | None = None,
    room: Room | None = None,
    device: Equipment | None = None,
    meeting: ClassMeeting | None = None,
    held_until: dt.datetime | None = None,
    **course_fields: Any,
) -> Session:
    """A session that has its time, with its appointment, reservations and visit.

    It takes the course's unplaced session of that number (the lowest when none is named) or adds the next one. By
    default: MONDAY 09:00, a therapist and a room of its own, no device. With `meeting` it takes a seat in it.
    A cancelled status leaves the appointment dead, as a cancellation would. `status="held"` needs `held_until`.
    """
    if course is None:
        if meeting is not None:
            course_fields = {
                "procedure": meeting.group_class.procedure,
                "clinic": meeting.group_class.clinic,
            } | course_fields
        course = CourseFactory(**course_fields)
    elif course_fields:
        raise TypeError(f"an existing course takes no fields: {sorted(course_fields)}")
    if meeting is not None:
        appointment = meeting.appointment
        sold = appointment.sessions.exclude(seat=None).values_list("seat", flat=True)
        seat = next(number for number in range(1, 1000) if number not in sold)
    else:
        starts_at = starts_at or at("09:00")
        appointment = AppointmentFactory(
            clinic=course.clinic,
            starts_at=starts_at,
            ends_at=starts_at + dt.timedelta(minutes=course.minutes),
            reserved=[],
        )
        seat = None
        therapist = therapist or TherapistFactory()
        room = room or (device.room if device else RoomFactory(clinic=course.clinic))
        for resource in filter(None, [therapist, room, device]):
            reserve(appointment, resource, held_until=held_until)
    reserve(appointment, course.patient, held_until=held_until)
    session = _unplaced_session(course, number)
    session.appointment, session.seat, session.status, session.held_until = appointment, seat, status, held_until
    session.visit = _visit_for(course, appointment)
    session.save()
    if status in _DEAD and meeting is None:
        appointment.reservations.update(live=False)
        appointment.live = False
        appointment.save(update_fields=["live"])
    elif status in _DEAD:
        appointment.reservations.filter(resource_id=course.patient_id).update(live=False)
    return session


def _unplaced_session(course: Course, number: int | None) -> Session:
    unplaced = course.sessions.filter(status=Status.UNPLACED).order_by("number")
    if number is not None:
        unplaced = unplaced.filter(number=number)
    found = unplaced.first()
    if found is not None:
        return found
    last = course.sessions.order_by("-number").values_list("number", flat=True).first() or course.done_before
    return Session(course=course, number=number or last + 1)


def _visit_for(course: Course, appointment: Appointment) -> Visit:
    visit = Visit.objects.filter(
        patient=course.patient, clinic=course.clinic, live=True, date=course.clinic.local_date(appointment.starts_at)
    ).first()
    if visit is None:
        return VisitFactory(
            clinic=course.clinic, patient=course.patient, starts_at=appointment.starts_at, ends_at=appointment.ends_at
        )
    visit.starts_at = min(visit.starts_at, appointment.starts_at)
    visit.ends_at = max(visit.ends_at, appointment.ends_at)
    visit.save()
    return visit
