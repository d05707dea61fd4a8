"""One function per table: a row to its canonical record, or None when the row is rejected."""

from datetime import date, datetime, time, timedelta

from courses.importing.cells import (
    Context,
    exists,
    gives_dates,
    read_area,
    read_birth_date,
    read_break,
    read_dates,
    read_days,
    read_days_list,
    read_email,
    read_name,
    read_position,
    read_written_wish,
)
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
from courses.importing.rows import Row
from courses.importing.values import fold, parse_icd10, parse_phones

SHORTEST_SESSION_MIN, LONGEST_SESSION_MIN = 5, 480
_NAMES = {"en": "name_en", "pl": "name_pl", "ru": "name_ru", "uk": "name_uk"}
_DAY = timedelta(days=1)


def read_staff(row: Row, context: Context) -> StaffRow | None:
    name = read_name(row, "full_name", patronymics=False)
    role = row.text("role", limit=100)
    record = StaffRow(
        origin=row.origin,
        staff_id=row.key("staff_id"),
        full_name=name.full,
        short_name=row.text("short_name", limit=100),
        role=role,
        staff_group=row.text("staff_group", limit=50),
        gender=row.word("gender", "gender"),
        languages=row.words("languages"),
        max_parallel_patients=row.number("max_parallel_patients", high=50, default=1),
        is_prescriber=row.flag("is_prescriber") or fold(role).startswith(context.mapping.prescriber_roles or ("\0",)),
        email=read_email(row),
    )
    return None if row.rejected else record


def read_procedure(row: Row, context: Context) -> ProcedureRow | None:
    code = row.key("code")
    names = {language: row.text(column, limit=200) for language, column in _NAMES.items()}
    names.setdefault(context.settings.language, "")
    names[context.settings.language] = names[context.settings.language] or row.text("name", limit=200) or code
    record = ProcedureRow(
        origin=row.origin,
        code=code,
        names=tuple((language, name) for language, name in names.items() if name),
        duration_min=row.number("duration_min", low=SHORTEST_SESSION_MIN, high=LONGEST_SESSION_MIN),
        room_type=row.text("room_type", limit=50, required=True),
        equipment_type=row.text("equipment_type", limit=50),
        not_same_day_with=row.words("not_same_day_with"),
    )
    return None if row.rejected else record


def read_room(row: Row, context: Context) -> RoomRow | None:
    room_id = row.key("room_id")
    record = RoomRow(
        origin=row.origin,
        room_id=room_id,
        name=row.text("name", limit=100) or room_id,
        room_type=row.text("room_type", limit=50, required=True),
        capacity=row.number("capacity", high=200, default=1),
        floor=row.text("floor", limit=16),
    )
    return None if row.rejected else record


def read_equipment(row: Row, context: Context) -> EquipmentRow | None:
    equipment_id = row.key("equipment_id")
    first, last = row.date("out_of_service_from"), row.date("out_of_service_to")
    if first and last and last < first:
        row.report("end_before_start", "out_of_service_to")
    record = EquipmentRow(
        origin=row.origin,
        equipment_id=equipment_id,
        name=row.text("name", limit=100) or equipment_id,
        equipment_type=row.text("equipment_type", limit=50, required=True),
        room_id=row.key("room_id"),
        out_of_service_from=first,
        out_of_service_to=last,
        note=row.text("note", limit=300),
    )
    return None if row.rejected else record


def read_qualification(row: Row, context: Context) -> QualificationRow | None:
    first, last = row.date("valid_from"), row.date("valid_until")
    if first and last and last < first:
        row.report("end_before_start", "valid_until")
    record = QualificationRow(row.origin, row.key("staff_id"), row.key("procedure"), first, last)
    return None if row.rejected else record


def read_shift(row: Row, context: Context) -> ShiftRow | None:
    staff_id = row.key("staff_id")
    if row.has("rrule"):
        dtstart, rule = row.moment("dtstart"), row.text("rrule", limit=500)
    else:
        dtstart, rule = read_days(row, context, earliest=row.date("valid_from"), until=row.date("valid_until"))
    end = row.time("end_time", required=True)
    if dtstart and end and end <= dtstart.time():
        row.report("end_before_start", "end_time")
    if dtstart and not gives_dates(row, rule, dtstart):
        row.report("bad_rule", "rrule" if row.has("rrule") else "days")
    break_from, break_to = read_break(row)
    if dtstart and end and not _is_inside(dtstart.time(), break_from, break_to, end):
        row.report("bad_break", "break" if row.has("break") else "break_from")
    if row.rejected or dtstart is None or end is None:
        return None
    days = row.text("days", limit=60)
    return ShiftRow(
        origin=row.origin,
        shift_id=row.key("shift_id", required=False) or f"{staff_id} {days} {dtstart:%H:%M} {dtstart:%Y-%m-%d}",
        staff_id=staff_id,
        name=row.text("name", limit=100) or days,
        dtstart=dtstart,
        end_time=end,
        rrule=rule,
        exdates=read_dates(row, "exdates"),
        break_from=break_from,
        break_to=break_to,
    )


def read_absence(row: Row, context: Context) -> AbsenceRow | None:
    staff_id = row.key("staff_id")
    if row.has("start"):
        start, end, end_column = row.moment("start"), row.moment("end"), "end"
    else:
        first, last, end_column = row.date("start_date", required=True), row.date("end_date", required=True), "end_date"
        start = datetime.combine(first, time.min) if first else None
        end = datetime.combine(last, time.min) + _DAY if last else None
    if start and end and end <= start:
        row.report("end_before_start", end_column)
    kind = row.word("kind", "absence", default="other")
    if row.rejected or start is None or end is None:
        return None
    key = row.key("absence_id", required=False) or f"{staff_id} {start:%Y-%m-%dT%H:%M}"
    return AbsenceRow(row.origin, key, staff_id, kind, start, end, row.text("note", limit=300))


def read_patient(row: Row, context: Context) -> PatientRow | None:
    name = read_name(row, "full_name", patronymics=context.mapping.patronymics)
    country, separators = context.settings.country, context.mapping.phone_separators
    phones, kinds = parse_phones(row.raw("phone"), country=country, separators=separators)
    for kind in kinds:
        row.report(kind, "phone")
    note = row.text("note")
    if "phone_bad" in kinds:
        note = "\n".join(filter(None, (note, row.text("phone"))))
    contact_phones, kinds = parse_phones(row.raw("contact_phone"), country=country, separators=separators)
    if "phone_bad" in kinds:
        row.report("phone_bad", "contact_phone")
    record = PatientRow(
        origin=row.origin,
        patient_id=row.key("patient_id"),
        full_name=name.full,
        family_name=row.text("family_name", limit=100) or name.family,
        given_name=row.text("given_name", limit=100) or name.given,
        patronymic=row.text("patronymic", limit=100) or name.patronymic,
        sex=row.word("sex", "gender"),
        birth_date=read_birth_date(row, today=context.today),
        language=row.text("language", limit=8).lower() or context.settings.language,
        email=read_email(row),
        phones=phones,
        consent_data_processing=row.flag("consent_data_processing"),
        consent_email=row.flag("consent_email"),
        consent_sms=row.flag("consent_sms"),
        consent_marketing=row.flag("consent_marketing"),
        consent_date=row.date("consent_date"),
        registered_on=row.date("registered_on"),
        contact_name=row.text("contact_name", limit=200),
        contact_phone=contact_phones[0].number if contact_phones else "",
        contact_relation=row.text("contact_relation", limit=100),
        note=note,
    )
    return None if row.rejected else record


def read_class(row: Row, context: Context, *, earliest: date) -> ClassRow | None:
    """``earliest``: the first possible day of a class that names weekdays and no first date."""
    if row.has("rrule"):
        dtstart, rule = row.moment("dtstart"), row.text("rrule", limit=500)
    else:
        dtstart, rule = read_days(row, context, earliest=earliest, until=None)
    if dtstart and not gives_dates(row, rule, dtstart):
        row.report("bad_rule", "rrule" if row.has("rrule") else "days")
    class_id = row.key("class_id")
    capacity = row.number("capacity", high=200, default=0) if row.has("capacity") else 0
    duration = row.number("duration_min", low=SHORTEST_SESSION_MIN, high=LONGEST_SESSION_MIN)
    procedure = row.key("procedure", required=not context.mapping.class_procedure) or context.mapping.class_procedure
    instructor_id, room_id = row.key("instructor_id"), row.key("room_id")
    if row.rejected or dtstart is None:
        return None
    name = row.text("name", limit=100) or class_id
    return ClassRow(row.origin, class_id, name, procedure, instructor_id, room_id, capacity, dtstart, duration, rule)


def read_enrolment(row: Row, context: Context) -> EnrolmentRow | None:
    class_id, patient_id = row.key("class_id"), row.key("patient_id")
    first, last = row.date("first_date", required=True), row.date("last_date", required=True)
    if first and last and last < first:
        row.report("end_before_start", "last_date")
    sessions = row.number("sessions", low=1, high=200, default=0)
    status = row.word("status", "enrolment_status", default="enrolled")
    if row.rejected or first is None or last is None:
        return None
    key = row.key("enrolment_id", required=False) or f"{class_id} {patient_id} {first}"
    return EnrolmentRow(row.origin, key, class_id, patient_id, first, last, sessions, status)


def read_session(row: Row, context: Context) -> SessionRow | None:
    start = row.moment("start", date_column="date", time_column="start_time")
    end_column = "end" if row.has("end") else "end_time"
    if row.has("end"):
        end = row.moment("end")
    else:
        hour = row.time("end_time", required=True)
        end = datetime.combine(start.date(), hour) if start and hour else None
    if start and end and end <= start:
        row.report("end_before_start", end_column)
    elif start and end and end.date() != start.date():
        row.report("over_midnight", end_column)
    for column, moment in (("start", start), (end_column, end)):
        if moment and not exists(moment, context.settings.zone):
            row.report("nonexistent_time", "start_time" if column == "start" and row.has("date") else column)
    patient_id = row.key("patient_id")
    number, total = read_position(row)
    status = row.word("status", "session_status", default="booked")
    record_key = row.key("session_id", required=False)
    procedure, therapist_id, room_id = row.key("procedure"), row.key("therapist_id"), row.key("room_id")
    side, area = row.word("side", "side"), read_area(row)
    if row.rejected or start is None or end is None:
        return None
    return SessionRow(
        origin=row.origin,
        session_id=record_key or f"{patient_id} {start:%Y-%m-%dT%H:%M}",
        course_id=row.key("course_id", required=False),
        course_seq=number,
        course_sessions=total,
        patient_id=patient_id,
        procedure=procedure,
        therapist_id=therapist_id,
        room_id=room_id,
        equipment_id=row.key("equipment_id", required=False),
        start=start,
        end=end,
        area=area,
        side=side,
        status=status,
        note=row.text("note"),
    )


def read_prescription(row: Row, context: Context) -> PrescriptionRow | None:
    prescribed_on = row.date("prescribed_on", required=True)
    start_from, finish_by = row.date("start_from"), row.date("finish_by")
    if start_from and finish_by and finish_by < start_from:
        row.report("end_before_start", "finish_by")
    icd10, kinds = parse_icd10(row.raw("icd10"))
    for kind in kinds:
        row.report(kind, "icd10")
    comment = row.text("comment")
    if "icd_bad" in kinds:
        comment = "\n".join(filter(None, (comment, row.text("icd10"))))
    key, patient_id, prescriber_id = row.key("prescription_id"), row.key("patient_id"), row.key("prescriber_id")
    combine = row.flag("combine_visits", words="combine")
    if row.rejected or prescribed_on is None:
        return None
    return PrescriptionRow(
        origin=row.origin,
        prescription_id=key,
        patient_id=patient_id,
        prescriber_id=prescriber_id,
        prescribed_on=prescribed_on,
        icd10=icd10,
        diagnosis=row.text("diagnosis", limit=300),
        start_from=start_from,
        finish_by=finish_by,
        combine_visits=combine,
        comment=comment,
    )


def read_prescription_line(row: Row, context: Context, *, order: int) -> PrescriptionLineRow | None:
    """``order``: the place of the line among those of its prescription, for files that do not number them."""
    key = row.key("prescription_id")
    line_no = row.number("line_no", high=99, default=order)
    wish = read_written_wish(row, context)
    therapist_id = row.key("preferred_therapist_id", required=False)
    hours = (row.time("pref_from") or wish.earliest, row.time("pref_to") or wish.latest)
    pref_days = read_days_list(row, "pref_days") or wish.days
    if hours[0] and hours[1] and hours[1] <= hours[0]:
        row.report("end_before_start", "pref_to")
    understood = bool(pref_days or hours[0] or hours[1])
    record = PrescriptionLineRow(
        origin=row.origin,
        line_id=row.key("line_id", required=False) or f"{key}/{line_no}",
        prescription_id=key,
        line_no=line_no,
        procedure=row.key("procedure"),
        sessions=row.number("sessions", high=60),
        area=read_area(row),
        side=row.word("side", "side"),
        frequency=row.word("frequency", "frequency"),
        preference=row.text("preference", limit=300),
        preference_strength=row.word("preference_strength", "strength", default="wish" if understood else ""),
        pref_days=pref_days,
        pref_from=hours[0],
        pref_to=hours[1],
        preferred_therapist_id=therapist_id,
        therapist_strength=row.word("therapist_strength", "strength", default="wish" if therapist_id else ""),
        therapist_gender=row.word("therapist_gender", "gender"),
        note="; ".join(filter(None, (row.text("note"), wish.rest))),
    )
    return None if row.rejected else record


def _is_inside(start: time, break_from: time | None, break_to: time | None, end: time) -> bool:
    if break_from is None and break_to is None:
        return True
    return break_from is not None and break_to is not None and start <= break_from < break_to <= end
