"""Checks that need more than one row, in file order: references, duplicates, clashes, working hours.

A row that clashes with an earlier accepted row is rejected and takes no place. Existing bookings outside working hours
are kept with a warning: a person must settle them.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from courses.importing.cells import Context
from courses.importing.issues import Issue
from courses.importing.mapping import TABLES, Mapping
from courses.importing.occupancy import Occupancy, Taken, Timetable, is_out_of_service
from courses.importing.records import (
    AbsenceRow,
    ClassRow,
    EnrolmentRow,
    EquipmentRow,
    PatientRow,
    PrescriptionLineRow,
    PrescriptionRow,
    ProcedureRow,
    QualificationRow,
    RoomRow,
    SessionRow,
    ShiftRow,
    StaffRow,
)
from courses.importing.references import Register
from courses.importing.rows import Row
from courses.importing.values import fold, is_same_name

# Rules that a session may break and still be imported; the reason is kept with it.
OVERRIDABLE = ("during_absence", "outside_shift", "closed_day", "device_out_of_service")


@dataclass(slots=True)
class Checks:
    """All that the rows read so far have established. Each ``check_…`` may replace a record's keys and report."""

    context: Context
    timetable: Timetable
    occupancy: Occupancy = field(default_factory=Occupancy)
    registers: dict[str, Register] = field(init=False)
    staff: dict[str, StaffRow] = field(default_factory=dict)
    rooms: dict[str, RoomRow] = field(default_factory=dict)
    devices: dict[str, EquipmentRow] = field(default_factory=dict)
    procedures: dict[str, ProcedureRow] = field(default_factory=dict)
    patients: dict[str, PatientRow] = field(default_factory=dict)
    classes: dict[str, ClassRow] = field(default_factory=dict)
    lines_of: Counter[str] = field(default_factory=Counter)
    _qualified: dict[tuple[str, str], list[QualificationRow]] = field(default_factory=lambda: defaultdict(list))
    _by_phone: dict[str, list[PatientRow]] = field(default_factory=lambda: defaultdict(list))
    _meetings: dict[str, list[tuple[datetime, datetime]]] = field(default_factory=dict)
    _courses: dict[str, dict[int, SessionRow]] = field(default_factory=dict)
    _seats: Counter[tuple[str, datetime]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.registers = {table: Register(self.context.mapping.files[table]) for table in TABLES}

    def check_staff(self, row: Row, record: StaffRow) -> StaffRow:
        self.registers["staff"].add(row, record.staff_id, column="staff_id")
        self.staff.setdefault(record.staff_id, record)
        return record

    def check_procedure(self, row: Row, record: ProcedureRow) -> ProcedureRow:
        self.registers["procedures"].add(row, record.code, column="code")
        self.procedures.setdefault(record.code, record)
        return record

    def check_room(self, row: Row, record: RoomRow) -> RoomRow:
        self.registers["rooms"].add(row, record.room_id, column="room_id")
        self.rooms.setdefault(record.room_id, record)
        return record

    def check_equipment(self, row: Row, record: EquipmentRow) -> EquipmentRow:
        record = replace(record, room_id=self._room(row, record.room_id))
        self.registers["equipment"].add(row, record.equipment_id, column="equipment_id")
        self.devices.setdefault(record.equipment_id, record)
        return record

    def check_qualification(self, row: Row, record: QualificationRow) -> QualificationRow:
        record = replace(
            record, staff_id=self._therapist(row, record.staff_id), procedure=self._procedure(row, record.procedure)
        )
        if not row.rejected:
            self._qualified[record.staff_id, record.procedure].append(record)
        return record

    def check_shift(self, row: Row, record: ShiftRow) -> ShiftRow:
        record = replace(record, staff_id=self._therapist(row, record.staff_id))
        self.registers["shifts"].add(row, record.shift_id, column="shift_id")
        if not row.rejected:
            self.timetable.add_shift(record)
        return record

    def check_absence(self, row: Row, record: AbsenceRow) -> AbsenceRow:
        record = replace(record, staff_id=self._therapist(row, record.staff_id))
        self.registers["absences"].add(row, record.absence_id, column="absence_id")
        if not row.rejected:
            self.timetable.add_absence(record)
        return record

    def check_patient(self, row: Row, record: PatientRow) -> PatientRow:
        self.registers["patients"].add(row, record.patient_id, column="patient_id", kind="duplicate_card")
        if row.rejected:
            return record
        record = self._compare_phones(row, record)
        for phone in record.phones[:1]:
            self._by_phone[phone.number].append(record)
        self.patients[record.patient_id] = record
        return record

    def check_class(self, row: Row, record: ClassRow) -> ClassRow:
        record = replace(
            record,
            instructor_id=self._therapist(row, record.instructor_id, column="instructor_id"),
            room_id=self._room(row, record.room_id),
            procedure=self._procedure(row, record.procedure),
        )
        self.registers["classes"].add(row, record.class_id, column="class_id")
        if row.rejected:
            return record
        room = self.rooms[record.room_id]
        record = replace(record, capacity=record.capacity or room.capacity)
        self._meetings[record.class_id] = self.timetable.list_meetings(record)
        if self._class_clashes(row, record):
            return record
        self.classes[record.class_id] = record
        instructor = self.staff[record.instructor_id]
        for start, end in self._meetings[record.class_id]:
            self.occupancy.take("room", record.room_id, Taken(start, end, room.capacity, None))
            self.occupancy.take(
                "staff", record.instructor_id, Taken(start, end, instructor.max_parallel_patients, None)
            )
        return record

    def check_enrolment(self, row: Row, record: EnrolmentRow) -> EnrolmentRow:
        record = replace(
            record,
            class_id=self.registers["classes"].find(row, record.class_id, column="class_id", kind="unknown_class"),
            patient_id=self._patient(row, record.patient_id),
        )
        self.registers["enrolments"].add(row, record.enrolment_id, column="enrolment_id")
        if row.rejected:
            return record
        attended = [
            meeting
            for meeting in self._meetings[record.class_id]
            if record.first_date <= meeting[0].date() <= record.last_date
        ]
        self._check_seats(row, record, attended)
        if row.rejected:
            return record
        if record.sessions and record.sessions != len(attended):
            row.report("class_count", "sessions", value=len(attended))
        for start, end in attended:
            self._seats[record.class_id, start] += 1
            self.occupancy.take("patient", record.patient_id, Taken(start, end, 1, None))
        return replace(record, sessions=len(attended))

    def check_session(self, row: Row, record: SessionRow) -> SessionRow:
        record = replace(
            record,
            patient_id=self._patient(row, record.patient_id),
            procedure=self._procedure(row, record.procedure),
            therapist_id=self._therapist(row, record.therapist_id, column="therapist_id"),
            room_id=self._room(row, record.room_id),
            equipment_id=self.registers["equipment"].find(
                row, record.equipment_id, column="equipment_id", kind="unknown_equipment"
            ),
        )
        self.registers["sessions"].add(row, record.session_id, column="session_id")
        self._check_course(row, record)
        if row.rejected or self._clashes(row, record):
            return record
        if self.patients[record.patient_id].duplicate_of is not None:
            row.report("session_on_duplicate_card", "patient_id")
        self._check_fit(row, record)
        breaks = self._check_hours(row, record)
        period = Taken(record.start, record.end, 1, record.origin.record)
        for noun, key, *_rest in self._wanted(record):
            self.occupancy.take(noun, key, period)
        if record.course_id:
            self._courses.setdefault(record.course_id, {})[record.course_seq] = record
        return replace(record, breaks=breaks)

    def check_prescription(self, row: Row, record: PrescriptionRow) -> PrescriptionRow:
        record = replace(
            record,
            patient_id=self._patient(row, record.patient_id),
            prescriber_id=self._therapist(row, record.prescriber_id, column="prescriber_id"),
        )
        self.registers["prescriptions"].add(row, record.prescription_id, column="prescription_id")
        prescriber = self.staff.get(record.prescriber_id)
        if not row.rejected and prescriber and not prescriber.is_prescriber:
            row.report("not_prescriber", "prescriber_id")
        return record

    def check_prescription_line(self, row: Row, record: PrescriptionLineRow) -> PrescriptionLineRow:
        record = replace(
            record,
            prescription_id=self.registers["prescriptions"].find(
                row,
                record.prescription_id,
                column="prescription_id",
                kind="unknown_prescription",
                orphan="orphan_line",
            ),
            procedure=self._procedure(row, record.procedure),
            preferred_therapist_id=self._therapist(row, record.preferred_therapist_id, column="preferred_therapist_id"),
        )
        self.registers["prescription_lines"].add(row, record.line_id, column="line_id")
        return record

    def _therapist(self, row: Row, key: str, *, column: str = "staff_id") -> str:
        return self.registers["staff"].find(row, key, column=column, kind="unknown_therapist")

    def _procedure(self, row: Row, key: str) -> str:
        return self.registers["procedures"].find(row, key, column="procedure", kind="unknown_procedure")

    def _room(self, row: Row, key: str) -> str:
        return self.registers["rooms"].find(row, key, column="room_id", kind="unknown_room")

    def _patient(self, row: Row, key: str) -> str:
        known = self.registers["patients"].find(row, key, column="patient_id", kind="unknown_patient")
        patient = self.patients.get(known)
        if patient and not patient.consent_data_processing:
            row.report("no_consent", "patient_id")
        if patient and row.has("patient_name") and not is_same_name(row.text("patient_name"), patient.full_name):
            row.report("name_mismatch", "patient_name", value=known)
        return known

    def _compare_phones(self, row: Row, record: PatientRow) -> PatientRow:
        """The same main number and birth date is perhaps the same person; another birth date is a family."""
        known = self._by_phone[record.phones[0].number] if record.phones else []
        if not known:
            return record
        twin = next((other for other in known if other.birth_date and other.birth_date == record.birth_date), None)
        if twin is None:
            row.report("shared_phone", "phone", related_record=known[0].origin.record)
            return record
        row.report("duplicate_patient", "full_name", related_record=twin.origin.record)
        return replace(record, duplicate_of=twin.origin.record)

    def _class_clashes(self, row: Row, record: ClassRow) -> bool:
        """Whether a meeting would need an instructor or a hall that an earlier class has taken."""
        wanted = (
            ("staff", record.instructor_id, "instructor_id", "overlap_therapist"),
            ("room", record.room_id, "room_id", "overlap_room"),
        )
        for noun, key, column, kind in wanted:
            for start, end in self._meetings[record.class_id]:
                if self.occupancy.find_clash(noun, key, start=start, end=end, capacity=1):
                    row.report(kind, column)
                    return True
        return False

    def _check_seats(self, row: Row, record: EnrolmentRow, attended: list[tuple[datetime, datetime]]) -> None:
        capacity = self.classes[record.class_id].capacity
        if any(self._seats[record.class_id, start] >= capacity for start, _ in attended):
            row.report("capacity_exceeded", "class_id")
            return
        for start, end in attended:
            if self.occupancy.find_clash("patient", record.patient_id, start=start, end=end, capacity=1):
                row.report("overlap_patient", "patient_id")
                return

    def _wanted(self, record: SessionRow) -> tuple[tuple[str, str, int, str, str], ...]:
        """Resources of a session in the order of their tests: noun, key, places, column, kind of clash."""
        therapist, room = self.staff[record.therapist_id], self.rooms[record.room_id]
        return (
            ("staff", record.therapist_id, therapist.max_parallel_patients, "therapist_id", "overlap_therapist"),
            ("room", record.room_id, room.capacity, "room_id", "overlap_room"),
            ("device", record.equipment_id, 1, "equipment_id", "overlap_equipment"),
            ("patient", record.patient_id, 1, "patient_id", "overlap_patient"),
        )

    def _clashes(self, row: Row, record: SessionRow) -> bool:
        for noun, key, capacity, column, kind in self._wanted(record):
            clash = self.occupancy.find_clash(noun, key, start=record.start, end=record.end, capacity=capacity)
            if clash is None:
                continue
            if capacity > 1 and clash.weight == 1:
                row.report("capacity_exceeded", column)
            else:
                row.report(kind, column, related_record=clash.record)
            return True
        return False

    def _check_course(self, row: Row, record: SessionRow) -> None:
        """A course is one patient's and one procedure's, and has every number once."""
        known = self._courses.get(record.course_id, {})
        if record.course_seq in known:
            row.report("repeated_number", "course_seq", related_record=known[record.course_seq].origin.record)
        first = next(iter(known.values()), record)
        if (first.patient_id, first.procedure) != (record.patient_id, record.procedure):
            row.report("course_mismatch", "course_id", related_record=first.origin.record)

    def _check_fit(self, row: Row, record: SessionRow) -> None:
        procedure = self.procedures[record.procedure]
        if record.end - record.start != timedelta(minutes=procedure.duration_min):
            row.report("duration_mismatch", "end" if row.has("end") else "end_time")
        if not self._is_qualified(record.therapist_id, record.procedure, record.start.date()):
            row.report("not_qualified", "therapist_id")
        if fold(self.rooms[record.room_id].room_type) != fold(procedure.room_type):
            row.report("wrong_room_type", "room_id", needed=procedure.room_type)
        device = self.devices.get(record.equipment_id)
        if fold(device.equipment_type if device else "") != fold(procedure.equipment_type):
            row.report("wrong_equipment_type", "equipment_id", needed=procedure.equipment_type)

    def _is_qualified(self, staff_id: str, procedure: str, day: date) -> bool:
        return any(
            (held.valid_from or date.min) <= day <= (held.valid_until or date.max)
            for held in self._qualified[staff_id, procedure]
        )

    def _check_hours(self, row: Row, record: SessionRow) -> tuple[str, ...]:
        start_column = "start" if row.has("start") else "start_time"
        found = []
        if self.timetable.is_absent(record.therapist_id, record.start, record.end):
            found.append(("during_absence", "therapist_id"))
        elif not self.timetable.is_working(record.therapist_id, record.start, record.end):
            found.append(("outside_shift", start_column))
        if not self.timetable.is_open(record.start.date()):
            found.append(("closed_day", "start" if row.has("start") else "date"))
        device = self.devices.get(record.equipment_id)
        if device and is_out_of_service(device, record.start.date()):
            found.append(("device_out_of_service", "equipment_id"))
        for kind, column in found:
            row.report(kind, column)
        return tuple(kind for kind, _ in found)


def sort_issues(issues: list[Issue], mapping: Mapping) -> tuple[Issue, ...]:
    """Issues by table, record, column and kind; those of a whole file come first."""
    order = {mapping.files[table]: place for place, table in enumerate(REPORT_ORDER)}
    return tuple(
        sorted(issues, key=lambda issue: (order.get(issue.file, -1), issue.record or 0, issue.column, issue.kind))
    )


REPORT_ORDER = (
    "staff",
    "procedures",
    "rooms",
    "equipment",
    "qualifications",
    "shifts",
    "absences",
    "patients",
    "classes",
    "enrolments",
    "sessions",
    "prescriptions",
    "prescription_lines",
)
