"""What only holds together: appointments with their reservations, sessions with a time, records of them."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import factory
from django.db.backends.postgresql.psycopg_any import NumericRange
from factory.django import DjangoModelFactory

from clinic.models import Appointment, Equipment, Reservation, Resource, Room, Therapist
from courses.booking.transitions import Status
from courses.models import ClassMeeting, Course, GroupClass, Record, RecordAmendment, Session, Visit
from tests.factories.clinics import ClinicFactory, PatientFactory, RoomFactory, TherapistFactory, UserFactory
from tests.factories.courses import CourseFactory, GroupClassFactory, VisitFactory
from tests.factories.times import MONDAY, at

_DEAD = {Status.CANCELLED, Status.LATE_CANCELLED, Status.CANCELLED_BY_CLINIC, Status.ENTERED_IN_ERROR}


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
