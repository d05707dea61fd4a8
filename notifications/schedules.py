"""When messages go: quiet hours, reminders, and what is too near for a mail. Pure: no Django, no clock.

Reminders are reckoned in the clinic's local time and stored in UTC, so a change of clocks moves none of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

# Nearer than this, people are called: nobody reads a mail in time.
CALL_INSTEAD = timedelta(hours=4)
# News about today may go out before the quiet hours end.
SAME_DAY_FROM = time(6, 30)
# A reminder moved out of the night leaves this long before it begins, so that sending it all is done by then.
BEFORE_QUIET = timedelta(minutes=15)


@dataclass(frozen=True)
class QuietHours:
    """Local hours in which nothing is sent: `start` up to `end`, over midnight when `start` is later. Equal: none."""

    start: time
    end: time

    def period_at(self, moment: datetime) -> tuple[datetime, datetime] | None:
        """The quiet period (naive local) that holds the naive local `moment`, if one does."""
        if self.start == self.end:
            return None
        for days in (-1, 0):
            day = (moment + timedelta(days=days)).date()
            begins = datetime.combine(day, self.start)
            ends = datetime.combine(day, self.end)
            if ends <= begins:
                ends += timedelta(days=1)
            if begins <= moment < ends:
                return begins, ends
        return None


@dataclass(frozen=True)
class Reminder:
    """A reminder `offset` hours before a visit, due at `due_at` (UTC)."""

    offset: int
    due_at: datetime


def plan_reminders(
    *, starts_at: datetime, zone: str, offsets: Iterable[int], quiet: QuietHours, now: datetime
) -> list[Reminder]:
    """The reminders of a visit that is booked or moved at `now`, first one first.

    None for an offset that has passed already. In quiet hours a reminder goes earlier; where that would be before
    `now`, at the end of the quiet hours; never at or after the start. Two that would go together become the nearer one.
    """
    tz = ZoneInfo(zone)
    start = starts_at.astimezone(tz).replace(tzinfo=None)
    planned: dict[datetime, Reminder] = {}
    for offset in sorted(set(offsets), reverse=True):
        moment = start - timedelta(hours=offset)
        if _to_utc(moment, tz) <= now:
            continue
        period = quiet.period_at(moment)
        if period:
            moment = period[0] - BEFORE_QUIET
            if before := quiet.period_at(moment):  # the waking hours are shorter than the margin
                moment = before[1]
            if _to_utc(moment, tz) <= now:
                moment = period[1]
        due_at = _to_utc(moment, tz)
        if due_at < starts_at:
            planned[due_at] = Reminder(offset, due_at)
    return [planned[due_at] for due_at in sorted(planned)]


def first_decent_moment(moment: datetime, *, zone: str, quiet: QuietHours, about: Iterable[datetime]) -> datetime:
    """`moment`, or when it lies in quiet hours their end: 06:30 where the news is about that same day.

    `about` are the starts (before and after the change) that the news is about.
    """
    tz = ZoneInfo(zone)
    period = quiet.period_at(moment.astimezone(tz).replace(tzinfo=None))
    if period is None:
        return moment
    ends = period[1]
    if any(start.astimezone(tz).date() == ends.date() for start in about):
        ends = min(ends, datetime.combine(ends.date(), SAME_DAY_FROM))
    return max(moment, _to_utc(ends, tz))


def is_near(starts_at: datetime, now: datetime) -> bool:
    """Whether a visit is so near that people are called about it. One that has begun is not."""
    return timedelta(0) < starts_at - now < CALL_INSTEAD


def latest_mail(starts_at: datetime, due_at: datetime) -> datetime:
    """Until when a message due at `due_at` may go by mail. Later the patient is called; after the start, nothing."""
    return starts_at - CALL_INSTEAD if due_at < starts_at - CALL_INSTEAD else max(starts_at, due_at)


def _to_utc(local: datetime, tz: ZoneInfo) -> datetime:
    return local.replace(tzinfo=tz).astimezone(UTC)
