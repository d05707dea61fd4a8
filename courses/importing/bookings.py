"""Bookings of the files, written together: reservations, visits and sessions of classes and of single treatments."""

import datetime as dt
from dataclasses import dataclass, field

from django.db import connection
from psycopg.types.range import Range

from clinic.models import Appointment, Clinic, Reservation, Task
from courses.booking.models import Session, Visit
from courses.booking.transitions import Status
from courses.importing.issues import KINDS, Issue, make_issue
from courses.importing.keys import ImportedKeys
from courses.importing.records import ClinicFiles, EnrolmentRow, SessionRow
from courses.importing.sites import in_language_of

BATCH = 1000
_RESERVATIONS = Reservation._meta.db_table


@dataclass(slots=True)
class Placed:
    """A session that has its appointment; ``row`` is the record that it comes from, None for one of an enrolment."""

    session: Session
    appointment: Appointment
    row: SessionRow | None = None


@dataclass(slots=True)
class Bookings:
    """Rows to write for the bookings of one import. Fill it, then `write` once inside the caller's transaction."""

    clinic: Clinic
    files: ClinicFiles
    keys: ImportedKeys
    now: dt.datetime
    issues: list[Issue] = field(default_factory=list)
    unplaced: list[Session] = field(default_factory=list)
    _reservations: list[tuple[Appointment, int, Range[int]]] = field(default_factory=list)
    _placed: list[Placed] = field(default_factory=list)

    def reserve(self, appointment: Appointment, resource_id: int, places: "Range[int]") -> None:
        """Take places of a resource for the whole appointment, which must be saved."""
        self._reservations.append((appointment, resource_id, places))

    def place(
        self,
        session: Session,
        appointment: Appointment,
        *,
        status: Status,
        seat: int | None = None,
        row: SessionRow | None = None,
    ) -> None:
        """Put a session, new or unplaced, into its appointment."""
        session.appointment, session.status, session.seat = appointment, status, seat
        self._placed.append(Placed(session, appointment, row))

    def report(self, row: SessionRow | EnrolmentRow, kind: str) -> None:
        origin = row.origin
        self.issues.append(make_issue(kind, file=origin.file, record=origin.record, line=origin.line))

    def write(self) -> None:
        self._write_reservations()
        self._write_visits()
        sessions = [placed.session for placed in self._placed]
        known = [session for session in sessions if not session._state.adding]
        new = [session for session in sessions if session._state.adding]
        Session.objects.bulk_update(known, ["appointment", "status", "seat", "visit"], batch_size=BATCH)
        Session.objects.bulk_create([*new, *self.unplaced], batch_size=BATCH)
        for placed in self._placed:
            if placed.row is not None:
                self.keys.remember("session", placed.row.session_id, placed.session.pk, placed.row)
        self._ask_people()

    def _write_reservations(self) -> None:
        """By COPY: they are by far the most rows, and the guard's triggers and constraints see them all the same."""
        columns = "appointment_id, resource_id, places, starts_at, ends_at, live"
        with connection.cursor() as cursor, cursor.copy(f"COPY {_RESERVATIONS} ({columns}) FROM STDIN") as copy:
            for appointment, resource_id, places in self._reservations:
                upper = "" if places.upper is None else places.upper
                times = (appointment.starts_at, appointment.ends_at)
                copy.write_row((appointment.pk, resource_id, f"[{places.lower},{upper})", *times, True))

    def _write_visits(self) -> None:
        """One visit of each patient and local day, wide enough for all that falls on it."""
        days: dict[tuple[int, dt.date], list[Placed]] = {}
        for placed in self._placed:
            day = self.clinic.local_date(placed.appointment.starts_at)
            days.setdefault((placed.session.course.patient_id, day), []).append(placed)
        standing = {
            (visit.patient_id, visit.date): visit
            for visit in Visit.objects.filter(
                clinic=self.clinic, live=True, patient_id__in={patient for patient, _ in days}
            )
        }
        new, widened = [], []
        for (patient_id, day), group in days.items():
            start = min(placed.appointment.starts_at for placed in group)
            end = max(placed.appointment.ends_at for placed in group)
            visit = standing.get((patient_id, day))
            if visit is None:
                visit = Visit(
                    clinic=self.clinic,
                    patient_id=patient_id,
                    date=day,
                    revised_at=self.now,
                    starts_at=start,
                    ends_at=end,
                )
                new.append(visit)
            elif start < visit.starts_at or visit.ends_at < end:
                visit.starts_at, visit.ends_at = min(start, visit.starts_at), max(end, visit.ends_at)
                visit.sequence += 1
                visit.revised_at = self.now
                widened.append(visit)
            for placed in group:
                placed.session.visit = visit
        Visit.objects.bulk_create(new, batch_size=BATCH)
        Visit.objects.bulk_update(widened, ["starts_at", "ends_at", "sequence", "revised_at"], batch_size=BATCH)

    def _ask_people(self) -> None:
        """A task for every booking that was accepted against a rule: someone must settle it."""
        with in_language_of(self.clinic):
            tasks = [
                Task(
                    clinic=self.clinic,
                    kind=Task.Kind.TO_REPLACE,
                    patient_id=placed.session.course.patient_id,
                    subject=f"session:{placed.session.pk}",
                    text=placed.appointment.override_reason,
                    due_at=placed.appointment.starts_at,
                )
                for placed in self._placed
                if placed.row is not None and placed.appointment.override_reason
            ]
        Task.objects.bulk_create(tasks)


def describe_breaks(clinic: Clinic, kinds: tuple[str, ...]) -> str:
    """Why a booking stands against a rule, in the clinic's language."""
    with in_language_of(clinic):
        return "; ".join(str(KINDS[kind].message) for kind in kinds)[:300]
