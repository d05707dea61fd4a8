"""Applying a repair: all that is accepted goes to its new place, or nothing does; one message per patient."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict, Invalid, PlaceTaken
from clinic.locking import writing
from clinic.models import Clinic, Patient, Resource, User
from courses.booking.holds import again_without_expired_holds
from courses.booking.models import Session
from courses.booking.placing import Placement, lock_for, lock_sessions, place, require_open
from courses.booking.repair_models import Repair
from courses.booking.transitions import PLANNED, Status
from courses.booking.visits import Announcement, regroup_visits
from courses.planning.repairing.types import Change


def apply_repair(
    *,
    repair: Repair,
    by: User | None,
    now: dt.datetime,
    sessions: Collection[int] | None = None,
    patients: Collection[int] | None = None,
) -> Repair:
    """Move what is accepted of a proposal: all of it, or that of these sessions or patients. With a session goes what
    else moves in its course: one makes way for the other.

    Raises Invalid for what the proposal has no open place for; Conflict where it is not open; PlaceTaken, with the
    sessions concerned in `details["taken"]`, where one of them changed or its new place has gone: nothing was moved then,
    and the repair may be worked out anew (`retry_repair`).
    """
    return again_without_expired_holds(
        lambda: _apply(repair, by=by, now=now, sessions=sessions, patients=patients), now=now
    )


def _apply(
    repair: Repair,
    *,
    by: User | None,
    now: dt.datetime,
    sessions: Collection[int] | None,
    patients: Collection[int] | None,
) -> Repair:
    # Items change only while a worker is at it, or under the lock below: what is accepted is looked at again there.
    seen = Repair.objects.get(pk=repair.pk)
    accepted = _accepted(seen, sessions, patients)
    with writing():
        locked = lock_sessions([item["session"] for item in accepted], courses={item["course"] for item in accepted})
        row = Repair.objects.select_for_update(no_key=True, of=("self",)).select_related("clinic").get(pk=repair.pk)
        if row.status not in Repair.OPEN:
            raise Conflict(_("This repair is not open any more."), code="repair_not_open")
        if row.finished_at != seen.finished_at or row.items != seen.items:
            raise Conflict(code="changed_meanwhile")
        _require_as_found(accepted, locked, now=now)
        require_open(session.course for session in locked.values())
        placements = [_placement(item, locked[item["session"]], row.clinic) for item in accepted]
        resources = lock_for(placements, freeing=list(locked.values()))
        _require_versions(row, placements, resources)
        dates = _dates_by_patient(row.clinic, placements)
        place(placements, clinic=row.clinic, resources=resources, status=Status.BOOKED, now=now)
        _tell(row, dates, now=now)
        _note(row, accepted, dates, by=by, now=now)
    return row


def _accepted(row: Repair, sessions: Collection[int] | None, patients: Collection[int] | None) -> list[dict[str, Any]]:
    if row.status not in Repair.OPEN:
        raise Conflict(_("This repair is not open any more."), code="repair_not_open")
    items = row.open_items
    if sessions is not None or patients is not None:
        errors = {}
        for field, keys, name in (("sessions", sessions, "session"), ("patients", patients, "patient")):
            unknown = sorted(set(keys or ()) - {item[name] for item in items})
            if unknown:
                errors[field] = [_("This repair has no open place for %(key)s.") % {"key": key} for key in unknown]
        if errors:
            raise Invalid(details=errors)
        wanted = [i for i in items if i["session"] in (sessions or ()) or i["patient"] in (patients or ())]
        courses = {item["course"] for item in wanted}
        keys = {item["session"] for item in wanted}
        items = [i for i in items if i["session"] in keys or (i["course"] in courses and not i["lost"])]
    if not items:
        raise Invalid(_("Nothing of this repair is left to apply."), code="nothing_to_apply")
    return items


def _require_as_found(items: Iterable[Mapping[str, Any]], locked: Mapping[int, Session], *, now: dt.datetime) -> None:
    """Raises PlaceTaken with the sessions that are not any more what the repair found."""
    stale = []
    for item in items:
        session = locked[item["session"]]
        is_as_found = (
            session.status in PLANNED
            and session.appointment_id == item["from"]["appointment"]
            and session.to_replace == item["marked"]
        )
        if not is_as_found or dt.datetime.fromisoformat(item["to"]["start"]) <= now:
            stale.append(session.pk)
    if stale:
        raise PlaceTaken(_STALE, code="repair_stale", details={"taken": sorted(stale)})


_STALE = _("Some of these sessions changed since this was worked out. Nothing was moved. Have it worked out anew.")


def _require_versions(row: Repair, placements: Iterable[Placement], resources: Mapping[int, Resource]) -> None:
    """Raises PlaceTaken with the sessions whose new therapist, room, device or patient has other times by now."""
    stale = {
        pk
        for pk, resource in resources.items()
        if str(pk) in row.versions and resource.version != row.versions[str(pk)]
    }
    concerned = [p.session.pk for p in placements if any(pk in stale for pk, _start, _end in p.takes)]
    if concerned:
        raise PlaceTaken(_STALE, code="repair_stale", details={"taken": sorted(concerned)})


def _placement(item: Mapping[str, Any], session: Session, clinic: Clinic) -> Placement:
    """The patient's word holds for the time it was given for."""
    has_moved = item["change"] == Change.MOVED
    status = Status.BOOKED if has_moved and clinic.moves_await_word else Status(session.status)
    return Placement.parse(item["to"], session, status=status, plan_id=session.plan_id)


def _dates_by_patient(clinic: Clinic, placements: Iterable[Placement]) -> dict[int, set[dt.date]]:
    dates: dict[int, set[dt.date]] = defaultdict(set)
    for placement in placements:
        for moment in (placement.session.time.starts_at, placement.start):
            dates[placement.session.course.patient_id].add(clinic.local_date(moment))
    return dates


def _tell(row: Repair, dates: Mapping[int, set[dt.date]], *, now: dt.datetime) -> None:
    """A patient whose times stay hears nothing; one with several new times gets one summary of them."""
    for patient in Patient.objects.filter(pk__in=dates).order_by("pk"):
        changed = regroup_visits(clinic=row.clinic, patient=patient, dates=dates[patient.pk], now=now)
        standing = [visit for visit in changed if visit.live]
        key = f"repair:{row.pk}" if len(standing) > 1 else None
        Announcement(row.clinic, patient, now).tell(changed, summary_key=key)


def _note(
    row: Repair, accepted: Iterable[Mapping[str, Any]], patients: Collection[int], *, by: User | None, now: dt.datetime
) -> None:
    moved = {item["session"] for item in accepted}
    for item in row.items:
        item["applied"] = item["applied"] or item["session"] in moved
    # What this repair itself has moved makes the rest of it no staler.
    own = Resource.objects.filter(pk__in=patients).values_list("pk", "version")
    row.versions |= {str(pk): version for pk, version in own}
    row.status = Repair.Status.PARTLY_APPLIED if row.open_items else Repair.Status.APPLIED
    row.applied_at, row.applied_by = now, by
    row.save(update_fields=["items", "versions", "status", "applied_at", "applied_by"])


__all__ = ["apply_repair"]
