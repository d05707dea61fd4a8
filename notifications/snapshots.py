"""What the outbox knows of a visit and of a person. Pure data: no Django, no clinical word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from zoneinfo import ZoneInfo

EMAIL = "email"
CALL = "call"


@dataclass(frozen=True, kw_only=True)
class VisitSnapshot:
    """A patient's visit to a clinic as it is now.

    uid: `UUID@clinic-domain`, given once and never made from patient data
    sequence: revision, >= 0, rising with each change of time, place or state (RFC 5546 section 2.1.4)
    revised_at: aware moment of that revision; becomes DTSTAMP
    starts_at, ends_at: aware; from the first to the last appointment of the visit
    zone: IANA name of the clinic's zone
    """

    uid: str
    sequence: int
    revised_at: datetime
    starts_at: datetime
    ends_at: datetime
    zone: str
    clinic_name: str
    clinic_address: str = ""
    clinic_phone: str = ""
    cancelled: bool = False

    def __post_init__(self) -> None:
        for moment in (self.revised_at, self.starts_at, self.ends_at):
            if moment.utcoffset() is None:
                raise ValueError("a visit's times must carry their zone")
        if self.ends_at <= self.starts_at:
            raise ValueError("a visit must end after it starts")

    @property
    def local_start(self) -> datetime:
        return self.starts_at.astimezone(ZoneInfo(self.zone))

    @property
    def local_end(self) -> datetime:
        return self.ends_at.astimezone(ZoneInfo(self.zone))

    def tells_the_same_as(self, other: Self) -> bool:
        """Whether a patient who knows `other` needs no news of this one."""
        return self._news() == other._news()

    def _news(self) -> tuple[Any, ...]:
        return (
            self.starts_at,
            self.ends_at,
            self.zone,
            self.clinic_name,
            self.clinic_address,
            self.clinic_phone,
            self.cancelled,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "uid": self.uid,
            "sequence": self.sequence,
            "revised_at": self.revised_at.isoformat(),
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
            "zone": self.zone,
            "clinic_name": self.clinic_name,
            "clinic_address": self.clinic_address,
            "clinic_phone": self.clinic_phone,
            "cancelled": self.cancelled,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        times = {key: datetime.fromisoformat(value[key]) for key in ("revised_at", "starts_at", "ends_at")}
        return cls(**{**value, **times})


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """Whom to tell, in which language (one that has texts), and by which channel (`email` or `call`)."""

    patient_id: int
    name: str
    language: str
    email: str | None
    channel: str

    @property
    def key(self) -> str:
        """Who it is, whatever the address: `patient:17`."""
        return f"patient:{self.patient_id}"
