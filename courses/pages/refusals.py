"""What a refused move is told: what is in the way, with whom, and the nearest times that are free."""

import datetime as dt
from typing import Any

from django.utils.translation import gettext as _

from clinic.errors import DomainError, Invalid
from clinic.models import Therapist
from courses import dates
from courses.booking.conflicts import Occupant, find_occupant, nearest_places
from courses.booking.models import Session
from courses.booking.transitions import PLANNED
from courses.pages.names import short_name


def refusal_context(
    one: Session,
    refused: DomainError,
    wanted: dt.datetime,
    *,
    therapist: int | None,
    room: int | None,
    now: dt.datetime,
) -> dict[str, Any]:
    """`reason` says what is in the way, `choices` are the nearest free places; `changed` that someone was first."""
    changed = refused.code in {"changed_meanwhile", "wrong_status"}
    choices: list[dict[str, Any]] = []
    occupant = None
    if not changed:
        try:
            occupant = find_occupant(session=one, starts_at=wanted, therapist=therapist, room=room, now=now)
            places = nearest_places(session=one, starts_at=wanted, therapist=therapist, now=now)
        except Invalid:
            places = []
        names = {t.pk: str(t) for t in Therapist.objects.filter(pk__in=[p.therapist_id for p in places])}
        choices = [
            {
                "at": place.starts_at,
                "date": dates.local(place.starts_at).date(),
                "is_other_day": dates.local(place.starts_at).date() != wanted.date(),
                "name": names.get(place.therapist_id or 0, ""),
                "therapist": place.therapist_id or "",
                "room": place.room_id or "",
            }
            for place in places
        ]
    sentences = (
        [str(sentence) for found in refused.details.values() for sentence in found]
        if isinstance(refused, Invalid)
        else []
    )
    reason = occupant_sentence(occupant) if occupant is not None else " ".join(sentences) or str(refused.sentence)
    return {
        "session": one,
        "patient": one.course.patient,
        "reason": reason,
        "choices": choices,
        "changed": changed,
        "may_park": not changed and one.status in PLANNED,
    }


def occupant_sentence(found: Occupant) -> str:
    """“Anna P. has Petrov I. 17:30–18:00.”"""
    span = (
        dates.span_text(found.starts_at, found.ends_at) if found.ends_at is not None else dates.clock(found.starts_at)
    )
    if found.kind == "absence":
        return _("%(name)s is away: %(reason)s.") % {"name": found.resource, "reason": found.name}
    what = short_name(found.who) if found.who is not None else found.name
    if found.kind == "patient":
        return _("The patient has another appointment %(span)s.") % {"span": span}
    if not what:
        return _("%(name)s is taken %(span)s.") % {"name": found.resource, "span": span}
    return _("%(name)s has %(patient)s %(span)s.") % {"name": found.resource, "patient": what, "span": span}
