"""What a role may do: one enum of permissions, one table, for pages and API alike."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Permission(models.TextChoices):
    VIEW_CALENDAR = "view_calendar", _("see the calendar")
    VIEW_PATIENTS = "view_patients", _("see patients")
    EDIT_PATIENTS = "edit_patients", _("edit patients")
    BOOK = "book", _("plan, book, move and cancel")
    OVERRIDE_HOURS = "override_hours", _("book outside hours with a reason")
    CHECK_IN = "check_in", _("check in")
    TREAT = "treat", _("start and finish sessions")
    WRITE_RECORDS = "write_records", _("write records")
    READ_RECORDS = "read_records", _("read records")
    PRESCRIBE = "prescribe", _("sign prescriptions")
    OVERRIDE_RULES = "override_rules", _("override a clinical rule with a reason")
    RECORD_ABSENCE = "record_absence", _("record absences")
    SEE_TASKS = "see_tasks", _("see and settle tasks")
    SEE_MESSAGES = "see_messages", _("see messages")
    MANAGE_CLINIC = "manage_clinic", _("staff, hours, catalogue, settings")


class Role(models.TextChoices):
    RECEPTION = "reception", _("reception")
    THERAPIST = "therapist", _("specialist")
    DOCTOR = "doctor", _("doctor")
    MANAGER = "manager", _("manager")


_P = Permission

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.RECEPTION: frozenset(
        {
            _P.VIEW_CALENDAR,
            _P.VIEW_PATIENTS,
            _P.EDIT_PATIENTS,
            _P.BOOK,
            _P.OVERRIDE_HOURS,
            _P.CHECK_IN,
            _P.RECORD_ABSENCE,
            _P.SEE_TASKS,
            _P.SEE_MESSAGES,
        }
    ),
    Role.THERAPIST: frozenset(
        {
            _P.VIEW_CALENDAR,
            _P.VIEW_PATIENTS,
            _P.CHECK_IN,
            _P.TREAT,
            _P.WRITE_RECORDS,
            _P.READ_RECORDS,
            _P.SEE_TASKS,
        }
    ),
    Role.DOCTOR: frozenset(
        {
            _P.VIEW_CALENDAR,
            _P.VIEW_PATIENTS,
            _P.EDIT_PATIENTS,
            _P.BOOK,
            _P.CHECK_IN,
            _P.TREAT,
            _P.WRITE_RECORDS,
            _P.READ_RECORDS,
            _P.PRESCRIBE,
            _P.OVERRIDE_RULES,
            _P.OVERRIDE_HOURS,
            _P.SEE_TASKS,
        }
    ),
    Role.MANAGER: frozenset(
        {
            _P.VIEW_CALENDAR,
            _P.VIEW_PATIENTS,
            _P.EDIT_PATIENTS,
            _P.BOOK,
            _P.OVERRIDE_HOURS,
            _P.CHECK_IN,
            _P.RECORD_ABSENCE,
            _P.SEE_TASKS,
            _P.SEE_MESSAGES,
            _P.MANAGE_CLINIC,
        }
    ),
}


def permissions_of(role: Role) -> frozenset[Permission]:
    return ROLE_PERMISSIONS[role]
