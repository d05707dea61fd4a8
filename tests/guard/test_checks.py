"""Checks are not passed by leaving empty what they ask for."""

from tests.factories import (
    CalendarDayFactory,
    PlanFactory,
    ProcedureFactory,
    ReferralFactory,
    ShiftFactory,
    booked_session,
)
from tests.guard.conftest import Attacker


def test_an_active_procedure_has_minutes(sql: Attacker) -> None:
    procedure = ProcedureFactory(is_active=False, minutes=None)
    activate = "UPDATE courses_procedure SET is_active = true, minutes = %s WHERE id = %s"
    for minutes in (None, 0, 4):
        sql.refused("active_procedure_has_minutes", activate, minutes, procedure.pk)
    sql.write(activate, 5, procedure.pk)
    sql.refused(
        "active_procedure_has_minutes", "UPDATE courses_procedure SET minutes = NULL WHERE id = %s", procedure.pk
    )


def test_a_break_has_both_ends_inside_the_shift(sql: Attacker) -> None:
    shift = ShiftFactory()
    change = "UPDATE clinic_shift SET break_from = %s, break_until = %s WHERE id = %s"
    for times in (("12:00", None), (None, "12:00"), ("13:00", "12:00"), ("07:00", "09:00"), ("19:00", "21:00")):
        sql.refused("shift_break_inside", change, *times, shift.pk)
    sql.write(change, "12:00", "13:00", shift.pk)
    sql.refused(
        "shift_ends_after_start",
        "UPDATE clinic_shift SET break_from = NULL, break_until = NULL, end_time = start_time WHERE id = %s",
        shift.pk,
    )


def test_a_special_day_says_how(sql: Attacker) -> None:
    day = CalendarDayFactory()
    change = "UPDATE clinic_calendarday SET kind = %s, closes_at = %s, works_as = %s WHERE id = %s"
    for fields in (("worked_as", None, None), ("worked_as", None, 8), ("shortened", None, None), ("closed", None, 1)):
        sql.refused("calendar_day_says_how", change, *fields, day.pk)
    sql.write(change, "worked_as", None, 5, day.pk)
    sql.write(change, "shortened", "14:00", None, day.pk)


def test_what_has_two_ends_has_them_in_order(sql: Attacker) -> None:
    referral = ReferralFactory()
    window = "UPDATE courses_referral SET start_from = %s, finish_by = %s WHERE id = %s"
    sql.refused("referral_window_ordered", window, "2031-03-04", "2031-03-03", referral.pk)
    sql.write(window, "2031-03-03", "2031-03-03", referral.pk)
    visit = booked_session().visit_id
    sql.refused("visit_ends_after_start", "UPDATE courses_visit SET ends_at = starts_at WHERE id = %s", visit)


def test_a_patient_has_one_visit_a_day_in_a_clinic(sql: Attacker) -> None:
    visit = booked_session().visit
    again = """
        INSERT INTO courses_visit (clinic_id, patient_id, date, uid, sequence, revised_at, starts_at, ends_at, live)
        VALUES (%s, %s, %s, %s, 0, now(), %s, %s, %s)
    """
    fields = (visit.clinic_id, visit.patient_id, visit.date, "another@clinic.example", visit.starts_at, visit.ends_at)
    sql.refused("one_visit_a_day", again, *fields, True)
    sql.write(again, *fields, False)


def test_only_a_held_plan_has_an_end(sql: Attacker) -> None:
    plan = PlanFactory()
    change = "UPDATE courses_plan SET status = %s, held_until = %s WHERE id = %s"
    sql.refused("held_plan_has_an_end", change, "held", None, plan.pk)
    sql.refused("held_plan_has_an_end", change, "booked", "2031-03-03", plan.pk)
    sql.write(change, "held", "2031-03-03", plan.pk)
