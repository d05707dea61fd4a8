"""Fetch and permission in one, for what only managers change."""

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from clinic.errors import NotAllowed, NotFound
from clinic.models import Clinic, Equipment, Membership, Room, Shift, Therapist, User
from clinic.permissions import Permission
from courses.booking.access import works_in
from courses.catalogue.models import Procedure, Qualification

MANAGE = Permission.MANAGE_CLINIC


def require_manager(clinic: Clinic | int, by: User | None) -> None:
    """Raises NotFound for a clinic that `by` has no role in, NotAllowed for one that `by` may not manage."""
    key = clinic if isinstance(clinic, int) else clinic.pk
    if by is not None and not by.may(MANAGE, key):
        raise NotAllowed() if key in by.clinic_ids() else NotFound()


def require_manager_of_staff(therapist: Therapist, by: User | None) -> None:
    """As `require_manager`, for one who works in a clinic of theirs, or nowhere yet."""
    if by is None:
        return
    if not staff_of(by.clinic_ids(MANAGE)).filter(pk=therapist.pk).exists():
        raise NotAllowed() if staff_of(by.clinic_ids()).filter(pk=therapist.pk).exists() else NotFound()


def staff_of(clinic_ids: list[int]) -> QuerySet[Therapist]:
    """Who works in these clinics, by hours, skills or account, and, for managers, who works nowhere yet."""
    if not clinic_ids:
        return Therapist.objects.none()
    shifts, skills = (rows.filter(therapist=OuterRef("pk")) for rows in (Shift.objects, Qualification.objects))
    roles = Membership.objects.filter(user=OuterRef("user"), clinic__in=clinic_ids)
    nowhere = ~Exists(shifts) & ~Exists(skills) & Q(user=None)
    return Therapist.objects.filter(works_in(clinic_ids) | Exists(roles) | nowhere)


def staff_for(user: User, pk: int) -> Therapist:
    row = staff_of(user.clinic_ids()).select_related("resource", "user").filter(pk=pk).first()
    if row is None:
        raise NotFound()
    require_manager_of_staff(row, user)
    return row


def _one(rows: QuerySet[Model], user: User, pk: int, field: str = "clinic") -> Model:
    row = rows.filter(**{f"{field}__in": user.clinic_ids()}, pk=pk).first()
    if row is None:
        raise NotFound()
    clinic = row
    for name in f"{field}_id".split("__"):
        clinic = getattr(clinic, name)
    require_manager(clinic, user)  # type: ignore[arg-type]
    return row


def room_for(user: User, pk: int) -> Room:
    return _one(Room.objects.select_related("resource", "clinic"), user, pk)  # type: ignore[return-value]


def device_for(user: User, pk: int) -> Equipment:
    rows = Equipment.objects.select_related("resource", "clinic", "room")
    return _one(rows, user, pk)  # type: ignore[return-value]


def shift_for(user: User, pk: int) -> Shift:
    return _one(Shift.objects.select_related("therapist", "clinic"), user, pk)  # type: ignore[return-value]


def procedure_for(user: User, pk: int) -> Procedure:
    return _one(Procedure.objects.select_related("clinic"), user, pk)  # type: ignore[return-value]


def qualification_for(user: User, pk: int) -> Qualification:
    rows = Qualification.objects.select_related("therapist", "procedure__clinic")
    return _one(rows, user, pk, "procedure__clinic")  # type: ignore[return-value]
