"""Who may give what, from when until when, and what runs out soon."""

import datetime as dt

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from clinic.changes import require_unchanged
from clinic.errors import Invalid
from clinic.locking import writing
from clinic.models import Clinic, Therapist, User
from courses.catalogue.models import Procedure, Qualification
from courses.managing.rights import require_manager, require_manager_of_staff
from courses.managing.stranding import planned_with, watching

SOON = dt.timedelta(days=60)


def grant_qualification(
    *,
    therapist: Therapist,
    procedure: Procedure,
    by: User | None,
    now: dt.datetime,
    valid_from: dt.date | None = None,
    valid_until: dt.date | None = None,
) -> Qualification:
    """The therapist may give the procedure between two dates, both included; None: no bound.

    Raises Invalid for dates in the wrong order or a second entry from the same date.
    """
    require_manager(procedure.clinic_id, by)
    require_manager_of_staff(therapist, by)
    _check(valid_from, valid_until)
    with writing(), watching(planned_with([], now), resources=[therapist.pk], accepted=False, now=now):
        same = Qualification.objects.filter(therapist=therapist, procedure=procedure, valid_from=valid_from)
        if same.exists():
            raise Invalid(details={"procedure": [_("This qualification is there already. Change its dates instead.")]})
        return Qualification.objects.create(
            therapist=therapist, procedure=procedure, valid_from=valid_from, valid_until=valid_until
        )


def change_qualification(
    *,
    qualification: Qualification,
    valid_from: dt.date | None,
    valid_until: dt.date | None,
    by: User | None,
    now: dt.datetime,
    accepted: bool = False,
    seen: str | None = None,
) -> Qualification:
    """Set its dates. Raises SessionsOutside, unless `accepted`, for booked sessions that are then outside of them."""
    require_manager(qualification.procedure.clinic_id, by)
    _check(valid_from, valid_until)
    key = qualification.therapist_id
    scope = planned_with([key], now).filter(course__procedure=qualification.procedure_id)
    with writing(), watching(scope, resources=[key], accepted=accepted, now=now):
        row = Qualification.objects.select_for_update(of=("self",)).get(pk=qualification.pk)
        require_unchanged(seen, row)
        others = Qualification.objects.filter(therapist=key, procedure=row.procedure_id).exclude(pk=row.pk)
        if others.filter(valid_from=valid_from).exists():
            raise Invalid(details={"valid_from": [_("Another entry begins on this day.")]})
        row.valid_from, row.valid_until = valid_from, valid_until
        row.save(update_fields=["valid_from", "valid_until"])
    return row


def withdraw_qualification(
    *, qualification: Qualification, by: User | None, now: dt.datetime, accepted: bool = False
) -> None:
    """Take it back altogether. Raises SessionsOutside, unless `accepted`, for what is booked on its strength."""
    require_manager(qualification.procedure.clinic_id, by)
    key = qualification.therapist_id
    scope = planned_with([key], now).filter(course__procedure=qualification.procedure_id)
    with writing(), watching(scope, resources=[key], accepted=accepted, now=now):
        Qualification.objects.filter(pk=qualification.pk).delete()


def expiring(clinic: Clinic, *, now: dt.datetime, within: dt.timedelta = SOON) -> QuerySet[Qualification]:
    """What ran out in the last month or runs out soon with nothing that follows it, the nearest first."""
    today = clinic.local_date(now)
    rows = Qualification.objects.filter(
        procedure__clinic=clinic,
        therapist__is_active=True,
        valid_until__gte=today - dt.timedelta(days=31),
        valid_until__lte=today + within,
    ).select_related("therapist", "procedure")
    return rows.exclude(pk__in=[row.pk for row in rows if _is_followed(row)]).order_by("valid_until", "pk")


def _is_followed(row: Qualification) -> bool:
    until = row.valid_until
    return until is not None and (
        Qualification.objects.filter(Q(valid_from=None) | Q(valid_from__lte=until + dt.timedelta(days=1)))
        .filter(Q(valid_until=None) | Q(valid_until__gt=until), therapist=row.therapist_id, procedure=row.procedure_id)
        .exists()
    )


def _check(valid_from: dt.date | None, valid_until: dt.date | None) -> None:
    if valid_from is not None and valid_until is not None and valid_until < valid_from:
        raise Invalid(details={"valid_until": [_("The end must not be before the start.")]})
