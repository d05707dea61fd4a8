"""The catalogue, prescriptions, courses, classes and plans: rows that stand alone."""

import datetime as dt
from typing import Any

import factory
from factory.django import DjangoModelFactory

from clinic.models import ResourceKind
from courses.models import (
    Course,
    GroupClass,
    ImportedRecord,
    Plan,
    Procedure,
    ProcedureVariant,
    Programme,
    Qualification,
    Referral,
    Repair,
    Requirement,
    Session,
    Visit,
)
from tests.factories.clinics import ClinicFactory, PatientFactory, RoomFactory, TherapistFactory, UserFactory
from tests.factories.times import MONDAY, NOW, at

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


class RepairFactory(DjangoModelFactory[Repair]):
    """Proposed, of a therapist's sessions from MONDAY on, without items."""

    class Meta:
        model = Repair

    clinic = factory.SubFactory(ClinicFactory)
    therapist = factory.SubFactory(TherapistFactory)
    starts_at = factory.LazyFunction(lambda: at("00:00"))
    status = Repair.Status.PROPOSED
    created_at = NOW
    asked_at = NOW
    seen_at = NOW


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


class ImportedRecordFactory(DjangoModelFactory[ImportedRecord]):
    class Meta:
        model = ImportedRecord

    clinic = factory.SubFactory(ClinicFactory)
    noun = "session"
    key = factory.Sequence(lambda n: f"S{n:05}")
    object_id = factory.Sequence(lambda n: n + 1)
