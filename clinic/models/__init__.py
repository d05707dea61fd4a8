from clinic.models.appointments import Appointment, Reservation
from clinic.models.availability import Absence, Closure, Outage, Shift
from clinic.models.history import ChangeContext
from clinic.models.people import ApiToken, IdempotentRequest, Membership, User
from clinic.models.resources import (
    ContactPerson,
    Equipment,
    Patient,
    PatientPhone,
    Resource,
    ResourceKind,
    Room,
    Therapist,
)
from clinic.models.sites import CalendarDay, Clinic
from clinic.models.tasks import Task

__all__ = [
    "Absence",
    "ApiToken",
    "Appointment",
    "CalendarDay",
    "ChangeContext",
    "Clinic",
    "Closure",
    "ContactPerson",
    "Equipment",
    "IdempotentRequest",
    "Membership",
    "Outage",
    "Patient",
    "PatientPhone",
    "Reservation",
    "Resource",
    "ResourceKind",
    "Room",
    "Shift",
    "Task",
    "Therapist",
    "User",
]
