"""Canonical records: what the rest of the import works with, whatever the files looked like.

Field names follow the headers of the canonical files. Times are wall-clock times of the clinic, without an offset.
"""

from dataclasses import dataclass
from datetime import date, datetime, time

from courses.importing.issues import Issue


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record came from: file name, number of the record after the header, physical line."""

    file: str
    record: int
    line: int


@dataclass(frozen=True, slots=True)
class ClinicSettings:
    """``clinic.toml``: opening days are BYDAY codes; ``book_until`` is the last day that new sessions may take."""

    name: str
    zone: str
    country: str
    language: str
    opening_days: tuple[str, ...]
    grid_minutes: int = 5
    book_until: date | None = None
    demo_now: datetime | None = None


@dataclass(frozen=True, slots=True)
class StaffRow:
    origin: Origin
    staff_id: str
    full_name: str
    short_name: str
    role: str
    staff_group: str
    gender: str
    languages: tuple[str, ...]
    max_parallel_patients: int
    is_prescriber: bool
    email: str


@dataclass(frozen=True, slots=True)
class ProcedureRow:
    """``names`` by language code; ``duration_min`` is the whole slot; empty ``equipment_type``: no device needed."""

    origin: Origin
    code: str
    names: tuple[tuple[str, str], ...]
    duration_min: int
    room_type: str
    equipment_type: str
    not_same_day_with: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QualificationRow:
    """Dates inclusive; None is open."""

    origin: Origin
    staff_id: str
    procedure: str
    valid_from: date | None
    valid_until: date | None


@dataclass(frozen=True, slots=True)
class RoomRow:
    origin: Origin
    room_id: str
    name: str
    room_type: str
    capacity: int
    floor: str


@dataclass(frozen=True, slots=True)
class EquipmentRow:
    """One physical unit; dates out of service are inclusive."""

    origin: Origin
    equipment_id: str
    name: str
    equipment_type: str
    room_id: str
    out_of_service_from: date | None
    out_of_service_to: date | None
    note: str


@dataclass(frozen=True, slots=True)
class ShiftRow:
    """``dtstart`` is the start of the first shift; ``rrule`` is RFC 5545 with a floating UNTIL."""

    origin: Origin
    shift_id: str
    staff_id: str
    name: str
    dtstart: datetime
    end_time: time
    rrule: str
    exdates: tuple[date, ...]
    break_from: time | None
    break_to: time | None


@dataclass(frozen=True, slots=True)
class AbsenceRow:
    """``start`` inclusive, ``end`` exclusive; ``kind`` leave, sick, training or other."""

    origin: Origin
    absence_id: str
    staff_id: str
    kind: str
    start: datetime
    end: datetime
    note: str


@dataclass(frozen=True, slots=True)
class PhoneEntry:
    """``number`` in E.164; ``owner`` whose it is when it is not the patient's own."""

    number: str
    owner: str = ""


@dataclass(frozen=True, slots=True)
class PatientRow:
    """``phones``: the main number first. ``duplicate_of``: record number of the card it may be a copy of."""

    origin: Origin
    patient_id: str
    full_name: str
    family_name: str
    given_name: str
    patronymic: str
    sex: str
    birth_date: date | None
    language: str
    email: str
    phones: tuple[PhoneEntry, ...]
    consent_data_processing: bool
    consent_email: bool
    consent_sms: bool
    consent_marketing: bool
    consent_date: date | None
    registered_on: date | None
    contact_name: str
    contact_phone: str
    contact_relation: str
    note: str
    duplicate_of: int | None = None


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class series; it takes the whole room and the instructor."""

    origin: Origin
    class_id: str
    name: str
    procedure: str
    instructor_id: str
    room_id: str
    capacity: int
    dtstart: datetime
    duration_min: int
    rrule: str


@dataclass(frozen=True, slots=True)
class EnrolmentRow:
    """Dates inclusive; ``sessions`` is the number of classes held between them."""

    origin: Origin
    enrolment_id: str
    class_id: str
    patient_id: str
    first_date: date
    last_date: date
    sessions: int
    status: str


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A booked one-to-one session. ``breaks``: kinds of the rules it breaks and was accepted against."""

    origin: Origin
    session_id: str
    course_id: str
    course_seq: int
    course_sessions: int
    patient_id: str
    procedure: str
    therapist_id: str
    room_id: str
    equipment_id: str
    start: datetime
    end: datetime
    area: str
    side: str
    status: str
    note: str
    breaks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PrescriptionRow:
    """``start_from`` and ``finish_by`` inclusive; ``finish_by`` None: the clinic's ``book_until``."""

    origin: Origin
    prescription_id: str
    patient_id: str
    prescriber_id: str
    prescribed_on: date
    icd10: str
    diagnosis: str
    start_from: date | None
    finish_by: date | None
    combine_visits: bool
    comment: str


@dataclass(frozen=True, slots=True)
class PrescriptionLineRow:
    """Strengths are ``must``, ``wish`` or empty; ``pref_days`` BYDAY codes; ``therapist_gender`` is always a must."""

    origin: Origin
    line_id: str
    prescription_id: str
    line_no: int
    procedure: str
    sessions: int
    area: str
    side: str
    frequency: str
    preference: str
    preference_strength: str
    pref_days: tuple[str, ...]
    pref_from: time | None
    pref_to: time | None
    preferred_therapist_id: str
    therapist_strength: str
    therapist_gender: str
    note: str


@dataclass(frozen=True, slots=True)
class ClinicFiles:
    """Accepted records of one clinic's files, in file order, and every issue found on the way."""

    settings: ClinicSettings
    staff: tuple[StaffRow, ...] = ()
    procedures: tuple[ProcedureRow, ...] = ()
    rooms: tuple[RoomRow, ...] = ()
    equipment: tuple[EquipmentRow, ...] = ()
    qualifications: tuple[QualificationRow, ...] = ()
    shifts: tuple[ShiftRow, ...] = ()
    absences: tuple[AbsenceRow, ...] = ()
    patients: tuple[PatientRow, ...] = ()
    classes: tuple[ClassRow, ...] = ()
    enrolments: tuple[EnrolmentRow, ...] = ()
    sessions: tuple[SessionRow, ...] = ()
    prescriptions: tuple[PrescriptionRow, ...] = ()
    prescription_lines: tuple[PrescriptionLineRow, ...] = ()
    issues: tuple[Issue, ...] = ()
