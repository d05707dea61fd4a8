"""Whether the bookings of a demo run keep every must: read from the clinic's files, sharing no code with the product.

`broken_musts(files, outcome)` takes the folder of the files and the JSON of a run, and returns a sentence for every
must that is broken: none when all is well. `unlike_expected` holds the outcome against expected.csv.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from dateutil.rrule import rrulestr

FIRST_DAY = date(2026, 11, 30)
LAST_DAY = date(2027, 1, 29)
HOLIDAYS = {date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1), date(2027, 1, 6)}
# frequency: shortest gap, longest gap in opening days, most a week
FREQUENCIES = {
    "daily": (1, 3, 6),
    "every_other_day": (2, 4, 3),
    "3_per_week": (1, 4, 3),
    "2_per_week": (2, 5, 2),
    "weekly": (4, 8, 1),
    "once": (1, 999, 1),
}
RHYTHMS = {"3_per_week": {0, 2, 4}, "2_per_week": {1, 3}}
WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]

Row = dict[str, str]


@dataclass(frozen=True)
class Taking:
    """Somebody or something taken for a time; `weight` places of it."""

    start: datetime
    end: datetime
    weight: int
    what: str


def opening_days() -> dict[date, int]:
    """Every opening day and its running number."""
    days = (FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1))
    return {day: n for n, day in enumerate(d for d in days if d.weekday() < 6 and d not in HOLIDAYS)}


class Files:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.staff = self._by("staff.csv", "staff_id")
        self.rooms = self._by("rooms.csv", "room_id")
        self.devices = self._by("equipment.csv", "equipment_id")
        self.patients = self._by("patients.csv", "patient_id")
        self.procedures = self._by("procedures.csv", "code")
        self.classes = self._by("classes.csv", "class_id")
        self.prescriptions = self._by("prescriptions.csv", "prescription_id")
        self.lines = self._by("prescription_lines.csv", "line_id")
        self.absences = defaultdict(list)
        for row in self.rows("absences.csv"):
            span = (datetime.fromisoformat(row["start"]), datetime.fromisoformat(row["end"]))
            self.absences[row["staff_id"]].append(span)
        self.qualifications = defaultdict(list)
        for row in self.rows("qualifications.csv"):
            first = date.fromisoformat(row["valid_from"]) if row["valid_from"] else date.min
            last = date.fromisoformat(row["valid_until"]) if row["valid_until"] else date.max
            self.qualifications[row["staff_id"], row["procedure"]].append((first, last))
        self.shifts = defaultdict(list)
        for row in self.rows("shifts.csv"):
            self.shifts[row["staff_id"]].append(row)

    def rows(self, name: str) -> list[Row]:
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def _by(self, name: str, key: str) -> dict[str, Row]:
        return {row[key]: row for row in self.rows(name)}

    def working_spans(self, staff: str, day: date) -> list[tuple[datetime, datetime]]:
        """When someone works on a day, breaks cut out."""
        spans = []
        for shift in self.shifts[staff]:
            begins = datetime.fromisoformat(shift["dtstart"])
            if any(day == date.fromisoformat(x[:10]) for x in shift["exdates"].split("|") if x):
                continue
            midnight = datetime.combine(day, time())
            found = rrulestr(shift["rrule"], dtstart=begins).between(midnight, midnight + timedelta(days=1), inc=True)
            for start in (moment for moment in found if moment.date() == day):
                end = datetime.combine(day, time.fromisoformat(shift["end_time"]))
                if not shift["break_from"]:
                    spans.append((start, end))
                    continue
                pause, on = (datetime.combine(day, time.fromisoformat(shift[f"break_{x}"])) for x in ("from", "to"))
                spans += [(start, pause), (on, end)]
        return spans

    def is_absent(self, staff: str, start: datetime, end: datetime) -> bool:
        return any(start < until and since < end for since, until in self.absences[staff])

    def meetings(self, class_id: str) -> list[datetime]:
        """The meetings of a class that are held, from the first day of the demo on."""
        row = self.classes[class_id]
        begins = datetime.fromisoformat(row["dtstart"])
        length = timedelta(minutes=int(row["duration_min"]))
        every = rrulestr(row["rrule"], dtstart=begins).between(
            datetime.combine(date(2026, 11, 1), time()),
            datetime.combine(LAST_DAY + timedelta(days=1), time()),
            inc=True,
        )
        return [
            start
            for start in every
            if start.date() not in HOLIDAYS and not self.is_absent(row["instructor_id"], start, start + length)
        ]


class Books:
    """Everything that is taken, by the files and by the run: per person, room, device; and the seats of classes."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.taken: dict[tuple[str, str], list[Taking]] = defaultdict(list)
        self.seats: dict[tuple[str, datetime], int] = defaultdict(int)
        self.procedures_of_day: dict[tuple[str, date], list[tuple[str, str]]] = defaultdict(list)
        for row in files.rows("sessions.csv"):
            self.add(row, row["patient_id"], row["procedure"], row["session_id"])
        for class_id, row in files.classes.items():
            hall = int(files.rooms[row["room_id"]]["capacity"])
            for start in files.meetings(class_id):
                end = start + timedelta(minutes=int(row["duration_min"]))
                self.taken["therapist", row["instructor_id"]].append(Taking(start, end, 1, class_id))
                self.taken["room", row["room_id"]].append(Taking(start, end, hall, class_id))
        for row in files.rows("enrolments.csv"):
            first, last = date.fromisoformat(row["first_date"]), date.fromisoformat(row["last_date"])
            for start in files.meetings(row["class_id"]):
                if first <= start.date() <= last:
                    self.add_to_class(row["class_id"], start, row["patient_id"], row["enrolment_id"])

    def add(self, row: dict[str, Any], patient: str, procedure: str, what: str) -> None:
        taking = Taking(datetime.fromisoformat(row["start"]), datetime.fromisoformat(row["end"]), 1, what)
        self.taken["therapist", row.get("therapist_id") or row["therapist"]].append(taking)
        self.taken["room", row.get("room_id") or row["room"]].append(taking)
        device = row.get("equipment_id") or row.get("device")
        if device:
            self.taken["device", device].append(taking)
        self.taken["patient", patient].append(taking)
        self.procedures_of_day[patient, taking.start.date()].append((procedure, what))

    def add_to_class(self, class_id: str, start: datetime, patient: str, what: str) -> None:
        row = self.files.classes[class_id]
        end = start + timedelta(minutes=int(row["duration_min"]))
        self.taken["patient", patient].append(Taking(start, end, 1, what))
        self.seats[class_id, start] += 1
        self.procedures_of_day[patient, start.date()].append((row["procedure"], what))

    def most_at_once(self, kind: str, key: str, start: datetime, end: datetime) -> int:
        """The most places taken at any moment of a time."""
        during = [t for t in self.taken[kind, key] if t.start < end and start < t.end]
        moments = {max(t.start, start) for t in during}
        return max((sum(t.weight for t in during if t.start <= m < t.end) for m in moments), default=0)


def unlike_expected(expected: Path, outcome: dict[str, Any]) -> list[str]:
    """Where the outcome differs from the file of expected answers: booked or not, and the reason."""
    found = {entry["prescription"]: entry for entry in outcome["prescriptions"]}
    wrong = []
    with expected.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        entry = found.pop(row["prescription_id"], None)
        if entry is None:
            wrong.append(f"{row['prescription_id']}: missing")
        elif entry["booked"] != (row["expected"] == "bookable") or (entry["reason_code"] or "") != row["reason_code"]:
            said = f"booked={entry['booked']} {entry['reason_code']}"
            wrong.append(f"{row['prescription_id']}: {said}, expected {row['expected']} {row['reason_code']}")
    return wrong + [f"{key}: not a prescription" for key in found]


def broken_musts(folder: Path, outcome: dict[str, Any]) -> list[str]:
    files = Files(folder)
    books = Books(files)
    booked = [entry for entry in outcome["prescriptions"] if entry["booked"]]
    broken = []
    for entry in booked:
        patient = files.prescriptions[entry["prescription"]]["patient_id"]
        for s in entry["sessions"]:
            if s["line"] not in files.lines:
                return [f"{entry['prescription']}: unknown line {s['line']}"]
            procedure = files.lines[s["line"]]["procedure"]
            if s["class"]:
                books.add_to_class(s["class"], datetime.fromisoformat(s["start"]), patient, s["line"])
            else:
                books.add(s, patient, procedure, s["line"])
    for entry in booked:
        broken += [f"{entry['prescription']} {sentence}" for sentence in _check_prescription(files, books, entry)]
    broken += [
        f"{class_id} {start} is overfull: {count} people"
        for (class_id, start), count in books.seats.items()
        if count > int(files.classes[class_id]["capacity"]) and start.date() >= FIRST_DAY
    ]
    return broken


def _check_prescription(files: Files, books: Books, entry: dict[str, Any]) -> list[str]:
    prescription = files.prescriptions[entry["prescription"]]
    patient = prescription["patient_id"]
    broken = []
    if files.patients[patient]["consent_data_processing"] != "true":
        broken.append("the patient has not consented")
    lines = {key: row for key, row in files.lines.items() if row["prescription_id"] == entry["prescription"]}
    by_line = defaultdict(list)
    for session in sorted(entry["sessions"], key=lambda s: s["start"]):
        by_line[session["line"]].append(session)
    broken += [f"{key} belongs to another prescription" for key in by_line.keys() - lines.keys()]
    for key, line in lines.items():
        sessions = by_line[key]
        if len(sessions) != int(line["sessions"]):
            broken.append(f"{key} has {len(sessions)} of {line['sessions']} sessions")
        for session in sessions:
            broken += [
                f"{key} {session['start']}: {sentence}"
                for sentence in _check_session(files, books, prescription, line, session)
            ]
        check = _check_class if line["procedure"] == "LFK_GROUP" else _check_rhythm
        broken += [f"{key}: {sentence}" for sentence in check(files, line, sessions)]
    return broken


def _check_session(files: Files, books: Books, prescription: Row, line: Row, session: dict[str, Any]) -> list[str]:
    broken = []
    start, end = datetime.fromisoformat(session["start"]), datetime.fromisoformat(session["end"])
    day = start.date()
    patient = prescription["patient_id"]
    procedure = files.procedures[line["procedure"]]
    therapist = session["therapist"]
    if day not in opening_days():
        broken.append("not an opening day")
    if start.minute % 5 or start.second:
        broken.append("off the grid")
    if end - start != timedelta(minutes=int(procedure["duration_min"])):
        broken.append(f"lasts {end - start}")
    if prescription["start_from"] and day < date.fromisoformat(prescription["start_from"]):
        broken.append("before start_from")
    if prescription["finish_by"] and day > date.fromisoformat(prescription["finish_by"]):
        broken.append("after finish_by")
    broken += _check_preferences(files, line, therapist, start, end)
    if not any(first <= day <= last for first, last in files.qualifications[therapist, line["procedure"]]):
        broken.append(f"{therapist} is not qualified on that day")
    if not any(since <= start and end <= until for since, until in files.working_spans(therapist, day)):
        broken.append(f"{therapist} does not work then")
    if files.is_absent(therapist, start, end):
        broken.append(f"{therapist} is absent")
    for other in procedure["not_same_day_with"].split("|"):
        clash = [what for code, what in books.procedures_of_day[patient, day] if other and code == other]
        if clash:
            broken.append(f"same day as {other} ({clash[0]})")
    return broken + _check_places(files, books, procedure=procedure, session=session, patient=patient)


def _check_preferences(files: Files, line: Row, therapist: str, start: datetime, end: datetime) -> list[str]:
    broken = []
    if line["preference_strength"] == "must":
        if line["pref_days"] and WEEKDAYS[start.weekday()] not in line["pref_days"].split("|"):
            broken.append("not on a weekday asked for")
        if line["pref_from"] and start.time() < time.fromisoformat(line["pref_from"]):
            broken.append("too early")
        if line["pref_to"] and end.time() > time.fromisoformat(line["pref_to"]):
            broken.append("too late")
    if line["therapist_strength"] == "must" and therapist != line["preferred_therapist_id"]:
        broken.append(f"with {therapist}, not with {line['preferred_therapist_id']}")
    if line["therapist_gender"] and files.staff[therapist]["gender"] != line["therapist_gender"]:
        broken.append(f"{therapist} is not of the gender asked for")
    return broken


def _check_places(files: Files, books: Books, *, procedure: Row, session: dict[str, Any], patient: str) -> list[str]:
    broken = []
    start, end = datetime.fromisoformat(session["start"]), datetime.fromisoformat(session["end"])
    room, device = session["room"], session["device"]
    therapist = session["therapist"]
    if files.rooms[room]["room_type"] != procedure["room_type"]:
        broken.append(f"{room} is not a {procedure['room_type']} room")
    if books.most_at_once("room", room, start, end) > int(files.rooms[room]["capacity"]):
        broken.append(f"{room} is overfull")
    most = int(files.staff[therapist]["max_parallel_patients"])
    if books.most_at_once("therapist", therapist, start, end) > most:
        broken.append(f"{therapist} has more than {most} at once")
    if books.most_at_once("patient", patient, start, end) > 1:
        broken.append("the patient is in two places")
    if not procedure["equipment_type"]:
        return broken if not device else [*broken, f"needs no device but has {device}"]
    if not device:
        return [*broken, "has no device"]
    row = files.devices[device]
    if row["equipment_type"] != procedure["equipment_type"] or row["room_id"] != room:
        broken.append(f"{device} is of another type or in another room")
    if books.most_at_once("device", device, start, end) > 1:
        broken.append(f"{device} is taken twice")
    if row["out_of_service_from"]:
        first, last = (date.fromisoformat(row[f"out_of_service_{side}"]) for side in ("from", "to"))
        if first <= start.date() <= last:
            broken.append(f"{device} is out of service")
    return broken


def _check_rhythm(files: Files, line: Row, sessions: list[dict[str, Any]]) -> list[str]:
    numbers = opening_days()
    shortest, longest, weekly = FREQUENCIES[line["frequency"]]
    days = [datetime.fromisoformat(session["start"]).date() for session in sessions]
    broken = []
    if any(session["class"] for session in sessions):
        broken.append("in a class though it is one to one")
    for earlier, later in pairwise(days):
        gap = numbers.get(later, 0) - numbers.get(earlier, 0)
        if not shortest <= gap <= longest:
            broken.append(f"{gap} opening days from {earlier} to {later}, {shortest}-{longest} allowed")
    weeks: dict[tuple[int, int], int] = defaultdict(int)
    for day in days:
        weeks[day.isocalendar()[:2]] += 1
    broken += [f"{count} sessions in week {week}" for week, count in weeks.items() if count > weekly]
    return broken


def _check_class(files: Files, line: Row, sessions: list[dict[str, Any]]) -> list[str]:
    broken = []
    series = {session["class"] for session in sessions}
    if len(series) != 1 or None in series:
        return [f"is in {len(series)} series: {sorted(map(str, series))}"]
    class_id = series.pop()
    row = files.classes[class_id]
    held = files.meetings(class_id)
    if {start.weekday() for start in held} != RHYTHMS[line["frequency"]]:
        broken.append(f"{class_id} has another rhythm than {line['frequency']}")
    starts = [datetime.fromisoformat(session["start"]) for session in sessions]
    if any(start not in held for start in starts):
        return [*broken, f"{class_id} does not meet at every one of its times"]
    first = held.index(starts[0])
    if starts != held[first : first + len(starts)]:
        broken.append("not consecutive meetings")
    if any(s["therapist"] != row["instructor_id"] or s["room"] != row["room_id"] for s in sessions):
        broken.append("another instructor or hall than the class has")
    return broken
