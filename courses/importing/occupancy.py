"""What is taken when: who works, which classes meet, and how many patients a resource has at once."""

from bisect import insort
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import holidays

from courses.importing.records import AbsenceRow, ClassRow, ClinicSettings, EquipmentRow, ShiftRow
from courses.importing.timetable import WEEKDAYS, list_dates

# Rules are expanded this far from their start; longer than any file of bookings reaches.
HORIZON = timedelta(days=730)


@dataclass(frozen=True, slots=True, order=True)
class Taken:
    """A period in which ``weight`` places are taken; ``record`` None: by a meeting of a class."""

    start: datetime
    end: datetime
    weight: int
    record: int | None = field(compare=False)


@dataclass(slots=True)
class Occupancy:
    """Periods taken per resource and day; a period lies within one local day."""

    _taken: dict[tuple[str, str, date], list[Taken]] = field(default_factory=lambda: defaultdict(list))

    def take(self, noun: str, key: str, period: Taken) -> None:
        if key:
            insort(self._taken[noun, key, period.start.date()], period)

    def find_clash(self, noun: str, key: str, *, start: datetime, end: datetime, capacity: int) -> Taken | None:
        """The first period in the way of one more patient, or None while at every moment a place is left."""
        if not key:
            return None
        met = [other for other in self._taken[noun, key, start.date()] if other.start < end and start < other.end]
        for moment in [start, *(other.start for other in met if other.start > start)]:
            present = [other for other in met if other.start <= moment < other.end]
            if sum(other.weight for other in present) + 1 > capacity:
                return present[0]
        return None


@dataclass(slots=True)
class Timetable:
    """Shifts, absences, outages, holidays and opening days, asked one session at a time."""

    settings: ClinicSettings
    _shifts: dict[str, list[tuple[ShiftRow, frozenset[date]]]] = field(default_factory=lambda: defaultdict(list))
    _absences: dict[str, list[AbsenceRow]] = field(default_factory=lambda: defaultdict(list))
    _public: holidays.HolidayBase = field(init=False)

    def __post_init__(self) -> None:
        self._public = holidays.country_holidays(self.settings.country)

    def add_shift(self, shift: ShiftRow) -> None:
        first = shift.dtstart.date()
        days = list_dates(
            shift.rrule, dtstart=shift.dtstart, first=first, last=first + HORIZON, exdates=set(shift.exdates)
        )
        self._shifts[shift.staff_id].append((shift, frozenset(days)))

    def add_absence(self, absence: AbsenceRow) -> None:
        self._absences[absence.staff_id].append(absence)

    def first_shift(self, staff_id: str, *, otherwise: date) -> date:
        """The first day on which a member of staff works."""
        return min((shift.dtstart.date() for shift, _ in self._shifts[staff_id]), default=otherwise)

    def is_absent(self, staff_id: str, start: datetime, end: datetime) -> bool:
        return any(absence.start < end and start < absence.end for absence in self._absences[staff_id])

    def is_working(self, staff_id: str, start: datetime, end: datetime) -> bool:
        """Whether one shift covers the whole period, its break aside."""
        return any(start.date() in days and _covers(shift, start, end) for shift, days in self._shifts[staff_id])

    def is_open(self, day: date) -> bool:
        return WEEKDAYS[day.weekday()] in self.settings.opening_days and not self.is_holiday(day)

    def is_holiday(self, day: date) -> bool:
        return day in self._public

    def list_meetings(self, series: ClassRow) -> list[tuple[datetime, datetime]]:
        """Meetings of a class, without public holidays and the instructor's absences."""
        length, first = timedelta(minutes=series.duration_min), series.dtstart.date()
        days = list_dates(series.rrule, dtstart=series.dtstart, first=first, last=first + HORIZON)
        starts = (datetime.combine(day, series.dtstart.time()) for day in days if not self.is_holiday(day))
        return [
            (start, start + length)
            for start in starts
            if not self.is_absent(series.instructor_id, start, start + length)
        ]


def _covers(shift: ShiftRow, start: datetime, end: datetime) -> bool:
    if not (shift.dtstart.time() <= start.time() and start.date() == end.date() and end.time() <= shift.end_time):
        return False
    if shift.break_from is None or shift.break_to is None:
        return True
    return end.time() <= shift.break_from or shift.break_to <= start.time()


def is_out_of_service(device: EquipmentRow, day: date) -> bool:
    """Both dates inclusive; one open end means since ever or for good."""
    if device.out_of_service_from is None and device.out_of_service_to is None:
        return False
    return (device.out_of_service_from or date.min) <= day <= (device.out_of_service_to or date.max)
