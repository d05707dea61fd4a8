"""Fetch and permission in one: what a user may not know of is not found."""

from collections.abc import Collection
from typing import TypeVar

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from clinic.errors import NotAllowed, NotFound
from clinic.models import Absence, Clinic, Patient, Shift, Task, Therapist, User
from clinic.permissions import Permission
from courses.booking.models import Course, Plan, Session, Visit
from courses.catalogue.models import Qualification

Row = TypeVar("Row", bound=Model)

_MOST = 2**63 - 1


def _one(rows: QuerySet[Row], pk: object) -> Row:
    try:
        key = int(str(pk))
    except ValueError:
        raise NotFound() from None
    row = rows.filter(pk=key).first() if 0 < key <= _MOST else None
    if row is None:
        raise NotFound()
    return row


def _in_clinic(user: User, permission: Permission, rows: QuerySet[Row], pk: object) -> Row:
    """A row of a clinic the user works in. Elsewhere it does not exist; here it may still be forbidden."""
    row = _one(rows.filter(clinic__in=user.clinic_ids()), pk)
    if not user.may(permission, row.clinic_id):  # type: ignore[attr-defined]
        raise NotAllowed()
    return row


def clinic_for(user: User, permission: Permission, pk: object) -> Clinic:
    """As it came with the user's memberships: without a statement of its own."""
    clinic = next((m.clinic for m in user.cached_memberships() if str(m.clinic_id) == str(pk)), None)
    if clinic is None:
        raise NotFound()
    if not user.may(permission, clinic):
        raise NotAllowed()
    return clinic


def patient_for(user: User, permission: Permission, pk: object) -> Patient:
    """Patients belong to the organisation: any clinic in which the user holds the permission will do."""
    if not user.clinic_ids():
        raise NotFound()
    if not user.may(permission):
        raise NotAllowed()
    return _one(Patient.objects.all(), pk)


def course_for(user: User, permission: Permission, pk: object) -> Course:
    rows = Course.objects.select_related("clinic", "patient", "procedure", "programme__referral")
    return _in_clinic(user, permission, rows, pk)


def session_for(user: User, permission: Permission, pk: object) -> Session:
    rows = Session.objects.filter(course__clinic__in=user.clinic_ids()).select_related(
        "course__clinic", "course__patient", "course__procedure", "appointment", "visit"
    )
    session = _one(rows, pk)
    if not user.may(permission, session.course.clinic_id):
        raise NotAllowed()
    return session


def visit_for(user: User, permission: Permission, pk: object) -> Visit:
    return _in_clinic(user, permission, Visit.objects.select_related("clinic", "patient"), pk)


def plan_for(user: User, permission: Permission, pk: object) -> Plan:
    return _in_clinic(user, permission, Plan.objects.select_related("clinic", "patient"), pk)


def task_for(user: User, permission: Permission, pk: object) -> Task:
    return _in_clinic(user, permission, Task.objects.select_related("clinic"), pk)


def therapist_for(user: User, permission: Permission, pk: object) -> Therapist:
    """Therapists work in clinics by their hours and qualifications; the permission must be held in one of those."""
    therapist = _one(Therapist.objects.filter(works_in(user.clinic_ids())), pk)
    if not Therapist.objects.filter(works_in(user.clinic_ids(permission)), pk=therapist.pk).exists():
        raise NotAllowed()
    return therapist


def absence_for(user: User, permission: Permission, pk: object) -> Absence:
    """As `therapist_for`."""
    rows = Absence.objects.select_related("therapist")
    absence = _one(rows.filter(works_in(user.clinic_ids(), "therapist")), pk)
    therapist_for(user, permission, absence.therapist_id)
    return absence


def works_in(clinic_ids: Collection[int], path: str = "pk") -> Q:
    """Therapists who have, or had, shifts or qualifications in one of the clinics."""
    shifts = Shift.objects.filter(therapist=OuterRef(path), clinic__in=clinic_ids)
    skills = Qualification.objects.filter(therapist=OuterRef(path), procedure__clinic__in=clinic_ids)
    return Q(Exists(shifts)) | Q(Exists(skills))
