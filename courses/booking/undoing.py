"""Taking a move back: within the minutes in which no message has left, so that nobody hears of either."""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict
from clinic.models import User
from courses.booking.attendance import confirm_session
from courses.booking.models import Session
from courses.booking.moves import move_session
from courses.booking.transitions import Status

UNDONE_WITHIN = dt.timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a session stood before it was moved: all that is needed to put it back."""

    starts_at: dt.datetime
    therapist: int | None
    room: int | None
    device: int | None
    meeting: int | None
    was_confirmed: bool

    @classmethod
    def of(cls, session: Session) -> "Standing":
        """Of a session that has its time."""
        appointment = session.appointment
        if appointment is None:
            raise ValueError("a session without a time stands nowhere")
        taken = dict(appointment.reservations.values_list("resource__kind", "resource_id"))
        return cls(
            starts_at=appointment.starts_at,
            therapist=taken.get("therapist"),
            room=taken.get("room"),
            device=taken.get("equipment"),
            meeting=appointment.pk if session.seat is not None else None,
            was_confirmed=session.status == Status.CONFIRMED,
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"starts_at": self.starts_at.isoformat()}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "Standing":
        return cls(**raw | {"starts_at": dt.datetime.fromisoformat(raw["starts_at"])})


def undo_move(
    *, session: Session, before: Standing, moved_at: dt.datetime, version: int, by: User | None, now: dt.datetime
) -> Session:
    """Put a session back where it stood before it was moved; what the patient had confirmed is confirmed again.

    Raises Conflict once its minutes are over or where the session changed since `version`, and whatever a move raises.
    """
    if now - moved_at > UNDONE_WITHIN:
        raise Conflict(_("It is too late to undo this. Move the session instead."), code="too_late_to_undo")
    back = move_session(
        session=session,
        starts_at=before.starts_at,
        therapist=before.therapist,
        room=before.room,
        device=before.device,
        meeting=before.meeting,
        version=version,
        by=by,
        now=now,
    )
    return confirm_session(session=back, by=by, now=now) if before.was_confirmed else back
