"""What the database says afterwards, by SQL that shares nothing with the services."""

from django.db import connection

# Two live reservations of one place at one time, whatever any constraint says.
_OVERLAPS = """
    SELECT count(*) FROM clinic_reservation a JOIN clinic_reservation b ON b.resource_id = a.resource_id
        AND b.live AND (a.starts_at, a.id) < (b.starts_at, b.id) AND b.starts_at >= a.starts_at
        AND b.starts_at < a.ends_at AND a.places && b.places
    WHERE a.live
"""

# More places taken at a moment than there are, counted without looking at their numbers.
_OVERFULL = """
    SELECT count(*) FROM (
        SELECT sum(step) OVER (PARTITION BY resource_id ORDER BY moment, step) AS taken, capacity
        FROM (
            SELECT resource_id, starts_at AS moment, 1 AS step FROM clinic_reservation WHERE live
            UNION ALL SELECT resource_id, ends_at, -1 FROM clinic_reservation WHERE live
        ) steps JOIN clinic_resource r ON r.id = resource_id
    ) counted WHERE taken > capacity
"""

# Appointments and sessions that do not agree with what is reserved.
_DISAGREEMENTS = """
    SELECT (SELECT count(*) FROM clinic_appointment a WHERE a.live AND NOT EXISTS (
                SELECT 1 FROM clinic_reservation r WHERE r.appointment_id = a.id AND r.live))
         + (SELECT count(*) FROM clinic_reservation r JOIN clinic_appointment a ON a.id = r.appointment_id
            WHERE r.live AND (NOT a.live OR r.starts_at > a.starts_at OR r.ends_at < a.ends_at))
         + (SELECT count(*) FROM courses_session s JOIN courses_course c ON c.id = s.course_id
            WHERE s.status IN ('held', 'booked', 'confirmed') AND NOT EXISTS (
                SELECT 1 FROM clinic_reservation r WHERE r.appointment_id = s.appointment_id AND r.live
                AND r.resource_id = c.patient_id))
         + (SELECT count(*) FROM (SELECT 1 FROM courses_session WHERE status IN ('held', 'booked', 'confirmed')
            AND seat IS NULL GROUP BY appointment_id HAVING count(*) > 1) twice)
         + (SELECT count(*) FROM courses_session s JOIN courses_visit v ON v.id = s.visit_id
            WHERE s.status IN ('booked', 'confirmed') AND NOT v.live)
"""

_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


def double_bookings() -> int:
    """Places sold twice, and moments at which a resource has more bookings than places."""
    return _one(_OVERLAPS) + _one(_OVERFULL)


def disagreements() -> int:
    """Appointments, sessions and visits that contradict the reservations."""
    return _one(_DISAGREEMENTS)


def deadlocks() -> int:
    """Deadlocks that PostgreSQL has had to break in this database so far."""
    return _one(_DEADLOCKS)


def _one(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])
