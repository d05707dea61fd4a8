"""Two cards of one person become one: everything moves to the card that is kept, and the other points to it.

Nothing is deleted. What both cards have at the same time must be settled by a person first: the database would refuse
it anyhow, since nobody is in two places.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict, Invalid, NotAllowed
from clinic.locking import lock_resources, writing
from clinic.models import Clinic, ContactPerson, Patient, PatientPhone, Reservation, Resource, Task, User
from clinic.permissions import Permission
from clinic.registering import CONSENTS
from clinic.searching import refresh_search_text
from courses.booking.holds import release_expired_holds
from courses.booking.models import Course, Plan, Session, Visit
from courses.booking.transitions import PLACED, Status
from courses.booking.visits import Announcement
from courses.importing.models import ImportedRecord
from courses.prescribing.models import Programme, Referral
from notifications.recipients import move_messages

# What the kept card lacks and the other one knows is taken over.
_FILLED = ("family_name", "given_name", "patronymic", "sex", "birth_date", "language", "registered_on")


@dataclass(frozen=True, slots=True)
class Overlap:
    """A session of each card at the same time: one of the two must move or go before the cards can be one."""

    kept: Session
    other: Session


def overlaps_of(*, kept: Patient, other: Patient, now: dt.datetime) -> list[Overlap]:
    """Sessions of the two cards that stand in each other's way, in order of time. Expired holds do not count."""
    reserved: dict[int, list[Reservation]] = {kept.pk: [], other.pk: []}
    rows = Reservation.objects.filter(resource__in=reserved, live=True)
    for row in rows.filter(Q(held_until=None) | Q(held_until__gt=now)).order_by("starts_at", "pk"):
        reserved[row.resource_id].append(row)
    pairs = [
        (one.appointment_id, two.appointment_id)
        for one in reserved[kept.pk]
        for two in _meeting(one, reserved[other.pk])
    ]
    wanted = {appointment for pair in pairs for appointment in pair}
    sessions = {
        (session.course.patient_id, session.appointment_id): session
        for session in Session.objects.filter(
            appointment__in=wanted,
            course__patient__in=reserved,
            status__in=PLACED | {Status.NO_SHOW, Status.NOT_TREATED},
        ).select_related("course__procedure", "course__clinic", "appointment")
    }
    return [Overlap(sessions[kept.pk, one], sessions[other.pk, two]) for one, two in pairs]


def _meeting(one: Reservation, others: Iterable[Reservation]) -> Iterable[Reservation]:
    return (two for two in others if two.starts_at < one.ends_at and one.starts_at < two.ends_at)


def merge_patients(*, kept: Patient, other: Patient, by: User | None, now: dt.datetime) -> Patient:
    """Move all that belongs to `other` to `kept`, and make `other` point to it.

    Courses, sessions, visits, prescriptions, plans, messages, tasks, phones and contact persons move. Two visits to
    one clinic on one day become the kept card's; the other is cancelled, and the patient's calendar hears of both.
    Where the kept card has no answer (birth date, e-mail…) it takes the other's; of two sets of consents the later
    one holds.

    Raises Invalid for a card and itself; Conflict for a card merged before, with code "cards_overlap" and
    `details["overlaps"]` (pairs of session keys) where both have something at the same time, and "plan_held" where
    times are held for one of them.
    """
    if by is not None and not by.may(Permission.EDIT_PATIENTS):
        raise NotAllowed()
    if kept.pk == other.pk:
        raise Invalid(details={"other": [_("Choose two different cards.")]})
    release_expired_holds(now=now)
    with writing():
        kept, other = _lock_cards(kept, other)
        # Whoever books or frees for one of the cards holds its course and its resource, as everywhere in this order.
        list(
            Course.objects.filter(patient__in=[kept, other]).order_by("pk").select_for_update(no_key=True).values("pk")
        )
        lock_resources([kept.pk, other.pk])
        _require_mergeable(kept, other, now=now)
        cancelled = _merge_visits(kept, other, now=now)
        _move_bookings(kept, other)
        _move_people(kept, other)
        _move_tasks(kept, other, by=by, now=now)
        move_messages(patient=other, to=kept)
        _complete(kept, other)
        for clinic, visits in _by_clinic(cancelled).items():
            Announcement(clinic, kept, now).tell(visits)
    return kept


def _lock_cards(kept: Patient, other: Patient) -> tuple[Patient, Patient]:
    rows = (
        Patient.objects.filter(pk__in=[kept.pk, other.pk]).order_by("pk").select_for_update(no_key=True, of=("self",))
    )
    locked = {row.pk: row for row in rows}
    for card in (locked[kept.pk], locked[other.pk]):
        if card.merged_into_id is not None:
            raise Conflict(
                _("This card was merged into another. Open that one."),
                code="card_merged",
                details={"patient": card.merged_into_id},
            )
    return locked[kept.pk], locked[other.pk]


def _require_mergeable(kept: Patient, other: Patient, *, now: dt.datetime) -> None:
    if Plan.objects.filter(patient__in=[kept, other], status=Plan.Status.HELD).exists():
        raise Conflict(_("Times are held for this patient. Book them or let them go first."), code="plan_held")
    if overlaps := overlaps_of(kept=kept, other=other, now=now):
        raise Conflict(
            _("Both cards have something at the same time. Move or cancel one of each pair first."),
            code="cards_overlap",
            details={"overlaps": [{"kept": o.kept.pk, "other": o.other.pk} for o in overlaps]},
        )


def _merge_visits(kept: Patient, other: Patient, *, now: dt.datetime) -> list[Visit]:
    """Hand visits over; on a day that both cards have, the kept one takes in the other. Returns what changed."""
    standing = {
        (v.clinic_id, v.date): v for v in Visit.objects.filter(patient=kept, live=True).select_related("clinic")
    }
    ended: list[Visit] = []
    grown: list[Visit] = []
    for visit in Visit.objects.filter(patient=other, live=True).select_related("clinic"):
        same_day = standing.get((visit.clinic_id, visit.date))
        if same_day is None:
            continue
        Session.objects.filter(visit=visit).update(visit=same_day)
        span = (min(same_day.starts_at, visit.starts_at), max(same_day.ends_at, visit.ends_at))
        if span != (same_day.starts_at, same_day.ends_at):
            same_day.starts_at, same_day.ends_at = span
            same_day.sequence += 1
            same_day.revised_at = now
        same_day.arrived_at = min(filter(None, (same_day.arrived_at, visit.arrived_at)), default=None)
        visit.live, visit.sequence, visit.revised_at = False, visit.sequence + 1, now
        grown.append(same_day)
        ended.append(visit)
    fields = ["live", "starts_at", "ends_at", "sequence", "revised_at", "arrived_at"]
    Visit.objects.bulk_update([*ended, *grown], fields)
    Visit.objects.filter(patient=other).update(patient=kept)
    return [*ended, *grown]


def _move_bookings(kept: Patient, other: Patient) -> None:
    Referral.objects.filter(patient=other).update(patient=kept)
    Programme.objects.filter(patient=other).update(patient=kept)
    Plan.objects.filter(patient=other).update(patient=kept)
    Reservation.objects.filter(resource=other.pk).update(resource=kept.pk)
    Course.objects.filter(patient=other).update(patient=kept, version=F("version") + 1)
    # A later import of the same files finds the card that is kept.
    ImportedRecord.objects.filter(noun="patient", object_id=other.pk).update(object_id=kept.pk)
    # Plans made for either card name it in what they take, or do not know of the other's bookings.
    Resource.objects.filter(pk__in=[kept.pk, other.pk]).update(version=F("version") + 1)


def _move_people(kept: Patient, other: Patient) -> None:
    """Numbers and contact persons that the kept card knows already stay where they are."""
    known = set(kept.phones.values_list("number", flat=True))
    has_main = kept.phones.filter(is_main=True).exists()
    for phone in PatientPhone.objects.filter(patient=other).order_by("-is_main", "pk"):
        if phone.number in known:
            continue
        phone.is_main = phone.is_main and not has_main
        phone.patient = kept
        phone.save(update_fields=["patient", "is_main"])
    people = {(person.name, str(person.phone)) for person in kept.contacts.all()}
    for person in ContactPerson.objects.filter(patient=other):
        if (person.name, str(person.phone)) not in people:
            person.patient = kept
            person.save(update_fields=["patient"])


def _move_tasks(kept: Patient, other: Patient, *, by: User | None, now: dt.datetime) -> None:
    tasks = Task.objects.filter(patient__in=[kept, other])
    tasks.filter(kind=Task.Kind.DUPLICATE, done_at=None, patient=other).update(done_at=now, done_by=by)
    tasks.filter(patient=other).update(patient=kept)


def _complete(kept: Patient, other: Patient) -> None:
    for name in _FILLED:
        if not getattr(kept, name):
            setattr(kept, name, getattr(other, name))
    if not kept.email and other.email:
        kept.email = other.email
    if other.consent_date and (kept.consent_date is None or kept.consent_date < other.consent_date):
        kept.consent_date = other.consent_date
        for consent in CONSENTS:
            setattr(kept, consent, getattr(other, consent))
    kept.note = "\n\n".join(filter(None, [kept.note, other.note]))
    if not kept.card_number and other.card_number:
        kept.card_number, other.card_number = other.card_number, ""
    other.merged_into = kept
    other.save(update_fields=["merged_into", "card_number"])
    kept.save()
    # Cards merged into the other one before point to where everything is now.
    Patient.objects.filter(merged_into=other).update(merged_into=kept)
    refresh_search_text(kept)


def _by_clinic(visits: Iterable[Visit]) -> dict[Clinic, list[Visit]]:
    found: dict[Clinic, list[Visit]] = defaultdict(list)
    for visit in visits:
        found[visit.clinic].append(visit)
    return found
