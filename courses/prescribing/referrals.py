"""Writing and signing prescriptions: a referral, its programme, and a course for every line."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict, Invalid, NotAllowed
from clinic.locking import writing
from clinic.models import Clinic, Patient, User
from clinic.permissions import Permission
from courses.booking.lifecycle import new_course, new_sessions
from courses.booking.models import Course, Session
from courses.booking.texts import require_valid_fields
from courses.prescribing.models import Programme, Referral

# A prescription is for a first visit within a month, as in the Polish public scheme (domain.md §2, WEAK); a clinic's
# own file or form may say otherwise.
VALID_FOR = dt.timedelta(days=30)


def create_referral(
    *,
    clinic: Clinic,
    patient: Patient,
    by: User | None,
    now: dt.datetime,
    lines: Sequence[Mapping[str, Any]],
    **fields: Any,
) -> Referral:
    """A referral with a programme and one draft course per line; not signed yet.

    Each line holds `procedure` and `sessions_total` and any other field of a course. Raises Invalid, with the
    fields of line n under "lines.n.…".
    """
    today = clinic.local_date(now)
    fields.setdefault("prescribed_on", today)
    fields.setdefault("expires_on", fields["prescribed_on"] + VALID_FOR)
    errors: dict[str, list[Any]] = {}
    start, finish = fields.get("start_from"), fields.get("finish_by")
    if start and finish and finish < start:
        errors["finish_by"] = [_("The finish must not be before the start.")]
    if not lines:
        errors["lines"] = [_("Prescribe at least one procedure.")]
    referral = Referral(clinic=clinic, patient=patient, **fields)
    try:
        require_valid_fields(referral)
    except Invalid as error:
        errors |= error.details
    with writing():
        programme = Programme(
            clinic=clinic, patient=patient, referral=referral, combine_visits=fields.get("combine_visits", False)
        )
        courses = []
        for number, line in enumerate(lines, start=1):
            try:
                courses.append(_course(number, line, referral, programme, start=start, finish=finish))
            except Invalid as error:
                errors |= {f"lines.{number}.{name}": texts for name, texts in error.details.items()}
        if errors:
            raise Invalid(details=errors)
        referral.save()
        programme.save()
        for course in courses:
            course.save()
        Session.objects.bulk_create(session for course in courses for session in new_sessions(course))
    return referral


def _course(
    number: int,
    line: Mapping[str, Any],
    referral: Referral,
    programme: Programme,
    *,
    start: dt.date | None,
    finish: dt.date | None,
) -> Course:
    values = {"start_from": start, "finish_by": finish, **line}
    return new_course(
        patient=referral.patient,
        clinic=referral.clinic,
        programme=programme,
        line_number=number,
        origin=Course.Origin.PRESCRIBED,
        **values,
    )


def sign_referral(*, referral: Referral, by: User, now: dt.datetime) -> Referral:
    """Sign a referral: its draft courses become active. Raises NotAllowed without the right to prescribe."""
    if not by.may(Permission.PRESCRIBE, referral.clinic_id):
        raise NotAllowed()
    with writing():
        locked = Referral.objects.select_for_update(no_key=True).get(pk=referral.pk)
        if locked.signed_at is not None:
            raise Conflict(_("This prescription is signed already."), code="already_signed")
        locked.signed_at, locked.signed_by = now, by
        locked.save(update_fields=["signed_at", "signed_by"])
        Course.objects.filter(programme__referral=locked, status=Course.Status.DRAFT).update(
            status=Course.Status.ACTIVE
        )
    return locked
