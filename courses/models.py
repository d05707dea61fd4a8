"""The models of all sub-packages, where Django looks for them."""

from courses.booking.models import (
    Course,
    CoursePatient,
    Plan,
    Session,
    SessionAppointment,
    SessionReservation,
    Visit,
)
from courses.booking.repair_models import Repair
from courses.catalogue.models import Procedure, ProcedureSeparation, ProcedureVariant, Qualification, Requirement
from courses.groups.models import ClassMeeting, GroupClass
from courses.importing.models import ImportedRecord, ImportFile, ImportRun
from courses.prescribing.models import Programme, Referral
from courses.records.models import Record, RecordAmendment

__all__ = [
    "ClassMeeting",
    "Course",
    "CoursePatient",
    "GroupClass",
    "ImportFile",
    "ImportRun",
    "ImportedRecord",
    "Plan",
    "Procedure",
    "ProcedureSeparation",
    "ProcedureVariant",
    "Programme",
    "Qualification",
    "Record",
    "RecordAmendment",
    "Referral",
    "Repair",
    "Requirement",
    "Session",
    "SessionAppointment",
    "SessionReservation",
    "Visit",
]
