"""One small clinic with something on every page, and a client for each role."""

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import time_machine
from django.test import Client

from clinic.models import Absence, CalendarDay, Clinic, Equipment, Patient, Shift, User
from clinic.permissions import Role
from courses.models import ClassMeeting, Course, ImportRun, Plan, Referral, Session
from notifications.outbox import announce_visits
from notifications.snapshots import VisitSnapshot
from tests import factories as f

# The clinic's Monday of the factories, in the middle of the morning.
NOW = f.at("09:10")
# Pages that doctors may not open.
FOR_MANAGERS = {"calls", "call-sheet", "absence-new", "absence"}


@dataclass
class Scene:
    clinic: Clinic
    patient: Patient
    session: Session
    meeting: ClassMeeting
    unplaced: Course
    referral: Referral
    plan: Plan
    absence: Absence
    device: Equipment
    holiday: CalendarDay
    run: ImportRun
    users: dict[str, User]

    def client(self, who: str) -> Client:
        client = Client()
        client.force_login(self.users[who])
        return client

    def addresses(self) -> dict[str, str]:
        """Every page of the scene by the name of its address."""
        course, visit = self.session.course_id, self.session.visit_id
        return self.managed() | {
            "desk": "/",
            "board": f"/board/?d={f.MONDAY}",
            "board by room": f"/board/?d={f.MONDAY}&by=room",
            "board as list": f"/board/?d={f.MONDAY}&view=list",
            "board of a week": f"/board/?d={f.MONDAY}&view=week",
            "board of a month": f"/board/?d={f.MONDAY}&view=month",
            "patients": "/patients/",
            "patient-new": "/patients/new/",
            "patient": f"/patients/{self.patient.pk}/",
            "patient-edit": f"/patients/{self.patient.pk}/edit/",
            "patient-merge": f"/patients/{self.patient.pk}/merge/",
            "patient-merge-review": f"/patients/{self.patient.pk}/merge/{self.unplaced.patient_id}/",
            "search": "/search/",
            "patient-sheet": f"/patients/{self.patient.pk}/sheet/",
            "patient-certificate": f"/patients/{self.patient.pk}/certificate/",
            "course-sheet": f"/courses/{course}/sheet/",
            "course-card": f"/courses/{course}/card/",
            "visit-certificate": f"/visits/{visit}/certificate/",
            "cabinets": f"/cabinets/?d={f.MONDAY}",
            "roster": f"/classes/{self.meeting.pk}/roster/",
            "call-sheet": "/calls/sheet/",
            "course-new": f"/patients/{self.patient.pk}/courses/new/",
            "referral-new": f"/patients/{self.patient.pk}/prescriptions/new/",
            "referral": f"/prescriptions/{self.referral.pk}/",
            "course": f"/courses/{course}/",
            "plan-courses": f"/courses/{self.unplaced.pk}/plan/",
            "plan": f"/plans/{self.plan.pk}/",
            "session": f"/sessions/{self.session.pk}/",
            "session-move": f"/sessions/{self.session.pk}/move/",
            "session-cancel": f"/sessions/{self.session.pk}/cancel/",
            "visit": f"/visits/{visit}/",
            "visit-cancel": f"/visits/{visit}/cancel/",
            "meeting": f"/classes/{self.meeting.pk}/",
            "calls": "/calls/",
            "absence-new": f"/therapists/{self.absence.therapist_id}/absences/new/",
            "absence": f"/absences/{self.absence.pk}/",
        }

    def managed(self) -> dict[str, str]:
        """Every page of the manager; whose name begins with “own” is the clinic's, the others show one row."""
        session = self.session
        therapist = session.appointment.reservations.get(resource__kind="therapist").resource_id
        room = session.appointment.reservations.get(resource__kind="room").resource_id
        procedure = session.course.procedure
        shift = Shift.objects.get(therapist=therapist)
        skill = procedure.qualifications.get()
        return {
            "own staff": "/manage/",
            "own new staff": "/manage/staff/new/",
            "manage therapist": f"/manage/staff/{therapist}/",
            "manage therapist edit": f"/manage/staff/{therapist}/edit/",
            "manage new skill": f"/manage/staff/{therapist}/skills/new/",
            "manage skill": f"/manage/skills/{skill.pk}/",
            "manage new shift": f"/manage/staff/{therapist}/shifts/new/",
            "manage shift": f"/manage/shifts/{shift.pk}/",
            "own roster": f"/manage/roster/?d={f.MONDAY}",
            "manage roster day": f"/manage/roster/{therapist}/{f.MONDAY}/",
            "own rooms": "/manage/rooms/",
            "own new room": "/manage/rooms/new/",
            "manage room": f"/manage/rooms/{room}/",
            "own new device": "/manage/devices/new/",
            "manage device": f"/manage/devices/{self.device.pk}/",
            "manage outage": f"/manage/places/{room}/outages/new/",
            "own calendar": f"/manage/calendar/?y={f.MONDAY.year}",
            "own new day": "/manage/calendar/new/",
            "manage day": f"/manage/calendar/{self.holiday.pk}/",
            "own closure": "/manage/closures/new/",
            "own clinic": "/manage/clinic/",
            "own accounts": "/manage/accounts/",
            "own new account": "/manage/accounts/new/",
            "manage account": f"/manage/accounts/{self.users['reception'].pk}/",
            "own catalogue": "/manage/catalogue/",
            "own new procedure": "/manage/catalogue/new/",
            "manage procedure": f"/manage/catalogue/{procedure.pk}/",
            "manage needs": f"/manage/catalogue/{procedure.pk}/needs/",
            "manage areas": f"/manage/catalogue/{procedure.pk}/areas/",
            "own imports": "/manage/imports/",
            "manage import": f"/manage/imports/{self.run.pk}/",
            "manage apart": f"/manage/catalogue/{procedure.pk}/apart/",
        }

    @staticmethod
    def is_on_paper(name: str) -> bool:
        """Whether a page of the scene is for printing, some of them in the language of the patient."""
        return name.endswith(("-sheet", "-card", "-certificate")) or name in {"cabinets", "roster"}


@pytest.fixture(autouse=True)
def monday_morning() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


def make_scene() -> Scene:
    """A specialist at work, a booked session today, a class, a course to plan, a prescription to sign, a plan."""
    clinic = f.ClinicFactory(book_until=f.MONDAY + dt.timedelta(days=60))
    therapist, room = f.TherapistFactory(short_name="Anna P."), f.RoomFactory(clinic=clinic, name="Room 3", capacity=4)
    f.ShiftFactory(therapist=therapist, clinic=clinic, break_from=dt.time(12), break_until=dt.time(12, 30))
    away = f.TherapistFactory(short_name="Boris K.")
    f.ShiftFactory(therapist=away, clinic=clinic)
    absence = f.AbsenceFactory(therapist=away, kind=Absence.Kind.SICK)
    procedure = f.ProcedureFactory(clinic=clinic, name_en="Massage", name_ru="Массаж", gap_min=1, gap_max=7)
    f.RequirementFactory(procedure=procedure)
    f.RequirementFactory(procedure=procedure, role="room", type_code="massage")
    f.QualificationFactory(therapist=therapist, procedure=procedure)
    patient = f.PatientFactory(family_name="Ivanova", given_name="Anna", birth_date=dt.date(1985, 4, 1))
    f.PatientPhoneFactory(patient=patient)
    f.ContactPersonFactory(patient=patient)
    course = f.CourseFactory(patient=patient, clinic=clinic, procedure=procedure, sessions=True)
    session = f.booked_session(course, starts_at=f.at("11:00"), therapist=therapist, room=room)
    programme = f.ProgrammeFactory(clinic=clinic, patient=f.PatientFactory(family_name="Petrov", given_name="Jan"))
    unplaced = f.CourseFactory(
        patient=programme.patient, clinic=clinic, procedure=procedure, programme=programme, sessions=True
    )
    unsigned = f.ReferralFactory(clinic=clinic, patient=patient, signed_at=None, signed_by=None)
    draft = f.ProgrammeFactory(clinic=clinic, patient=patient, referral=unsigned)
    f.CourseFactory(
        patient=patient, clinic=clinic, procedure=procedure, programme=draft, status=Course.Status.DRAFT, sessions=True
    )
    meeting = f.class_meeting(f.GroupClassFactory(clinic=clinic, name="Back school", room__name="Hall"))
    f.booked_session(meeting=meeting)
    f.TaskFactory(clinic=clinic, text="Ring the plumber")
    plan = f.PlanFactory(clinic=clinic, patient=programme.patient, items=_items(unplaced, therapist.pk, room.pk))
    plan.courses.add(unplaced)
    caller = f.PatientFactory(full_name="Vera Zorin", family_name="Zorin", given_name="Vera", email="")
    f.PatientPhoneFactory(patient=caller)
    visit = visit_snapshot(clinic, f.at("15:00"))
    announce_visits(clinic=clinic, patient=caller, visits=[visit], now=NOW - dt.timedelta(hours=1))
    users = {role.value: f.user_with_role(role, clinic) for role in Role}
    users["stranger"] = f.user_with_role(Role.MANAGER, f.ClinicFactory(name="Elsewhere"))
    users["outsider"] = f.UserFactory()
    device = f.EquipmentFactory(room=f.RoomFactory(clinic=clinic, name="Room 7", room_type="physio"))
    holiday = f.CalendarDayFactory(clinic=clinic, date=f.MONDAY + dt.timedelta(days=20), name="Patron's day")
    f.ProcedureVariantFactory(procedure=procedure)
    f.OutageFactory(resource=device.resource, starts_at=f.at("00:00", day=20), ends_at=None)
    f.ClosureFactory(clinic=clinic, starts_at=f.at("00:00", day=21), ends_at=f.at("00:00", day=22))
    run = f.ImportRunFactory(clinic=clinic)
    return Scene(clinic, patient, session, meeting, unplaced, unsigned, plan, absence, device, holiday, run, users)


def visit_snapshot(clinic: Clinic, starts_at: dt.datetime) -> VisitSnapshot:
    """A visit of half an hour as messages know it."""
    return VisitSnapshot(
        uid=f"{uuid.uuid4()}@clinic.example",
        sequence=0,
        revised_at=NOW - dt.timedelta(hours=1),
        starts_at=starts_at,
        ends_at=starts_at + dt.timedelta(minutes=30),
        zone=clinic.zone,
        clinic_name=clinic.name,
    )


def _items(course: Course, therapist: int, room: int) -> list[dict[str, object]]:
    return [
        {
            "session": session.pk,
            "course": course.pk,
            "start": f.at("10:00", day=2 * number).astimezone(dt.UTC).isoformat(),
            "end": f.at("10:30", day=2 * number).astimezone(dt.UTC).isoformat(),
            "therapist": therapist,
            "room": room,
            "device": None,
            "meeting": None,
            "hands": None,
        }
        for number, session in enumerate(course.sessions.order_by("number"), start=1)
    ]
