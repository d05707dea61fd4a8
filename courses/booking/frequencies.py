"""How often sessions are, in the few ways that prescriptions and reception name it."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from courses.booking.models import Course


@dataclass(frozen=True, slots=True)
class Frequency:
    """Shortest and longest gap in opening days from one session to the next, and most sessions in an ISO week."""

    label: Promise
    gap_min: int
    gap_max: int
    per_week: int

    @property
    def terms(self) -> dict[str, Any]:
        """As fields of a course, and as a request overrides them."""
        return {"gap_min": self.gap_min, "gap_max": self.gap_max, "per_week": self.per_week}


FREQUENCIES = {
    "daily": Frequency(_("daily"), 1, 3, 6),
    "every_other_day": Frequency(_("every other day"), 2, 4, 3),
    "3_per_week": Frequency(_("3 times a week"), 1, 4, 3),
    "2_per_week": Frequency(_("2 times a week"), 2, 5, 2),
    "weekly": Frequency(_("once a week"), 4, 8, 1),
}
CHOICES = [(name, frequency.label) for name, frequency in FREQUENCIES.items()]


def lacks_frequency(course: Course) -> bool:
    """Whether it must be asked for before the course is planned; the timetable of a class gives its own."""
    return course.gap_min is None and course.sessions_total > 1 and not course.procedure.is_group
