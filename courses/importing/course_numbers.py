"""Courses of booked sessions whose files do not name them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from courses.importing.records import SessionRow


def number_courses(sessions: Iterable[SessionRow]) -> tuple[SessionRow, ...]:
    """Give every session a course: those of one patient, procedure and total, in order of time.

    A repeated or falling number begins the next course. Sessions that name their course keep it.
    """
    by_course: dict[tuple[str, str, int], list[SessionRow]] = defaultdict(list)
    records = tuple(sessions)
    for session in records:
        if not session.course_id:
            by_course[session.patient_id, session.procedure, session.course_sessions].append(session)
    named: dict[str, str] = {}
    for (patient, procedure, total), members in by_course.items():
        course, latest = 1, 0
        for session in sorted(members, key=lambda session: session.start):
            if session.course_seq <= latest:
                course += 1
            latest = session.course_seq
            named[session.session_id] = f"{patient}/{procedure}/{total}/{course}"
    return tuple(
        session if session.course_id else replace(session, course_id=named[session.session_id]) for session in records
    )
