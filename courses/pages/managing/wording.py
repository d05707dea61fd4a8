"""Hours in words, as people say them: "Mon–Fri 09:00–17:00, break 12:00–12:30"."""

from django.utils.translation import gettext as _

from clinic.models import Shift
from courses import dates
from courses.managing.patterns import Rhythm, pattern_of


def days_text(numbers: tuple[int, ...]) -> str:
    """Mon–Fri, Sun"""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = []
    for run in runs:
        names = [dates.weekday_name(number) for number in run]
        parts += [f"{names[0]}–{names[-1]}"] if len(run) > 2 else names
    return ", ".join(parts)


def shift_text(shift: Shift) -> str:
    pattern = pattern_of(shift.rrule)
    if pattern.rhythm == Rhythm.OTHER:
        days = shift.name or shift.rrule
    elif pattern.rhythm == Rhythm.WEEKLY:
        days = days_text(pattern.weekdays)
    else:
        days = f"{days_text(pattern.weekdays)} ({pattern.rhythm.label})"
    text = f"{days} {shift.start_time:%H:%M}–{shift.end_time:%H:%M}"
    if shift.break_from and shift.break_until:
        pause = f"{shift.break_from:%H:%M}–{shift.break_until:%H:%M}"
        return _("%(hours)s, break %(pause)s") % {"hours": text, "pause": pause}
    return text
