from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies

from notifications.schedules import CALL_INSTEAD, QuietHours, first_decent_moment, is_near, latest_mail, plan_reminders

WARSAW = ZoneInfo("Europe/Warsaw")
QUIET = QuietHours(time(20), time(8))
NEVER = QuietHours(time(0), time(0))
BOOKED = datetime(2026, 3, 1, 12, tzinfo=WARSAW)


def due(start: datetime, *offsets: int, quiet: QuietHours = QUIET, now: datetime = BOOKED) -> list[str]:
    reminders = plan_reminders(starts_at=start, zone="Europe/Warsaw", offsets=offsets, quiet=quiet, now=now)
    return [f"{reminder.offset} {reminder.due_at.astimezone(WARSAW):%d %H:%M}" for reminder in reminders]


def test_reminders_go_at_the_clinics_offsets():
    assert due(datetime(2026, 3, 12, 10, tzinfo=WARSAW), 72, 24) == ["72 09 10:00", "24 11 10:00"]


def test_a_change_of_clocks_moves_no_reminder():
    # Clocks go forward on Sunday the 29th: 24 hours of the clock, not of the sun.
    assert due(datetime(2026, 3, 29, 10, tzinfo=WARSAW), 72, 24) == ["72 26 10:00", "24 28 10:00"]
    assert due(datetime(2026, 3, 30, 2, 30, tzinfo=WARSAW), 24, quiet=NEVER) == ["24 29 03:30"]


def test_a_reminder_in_quiet_hours_goes_the_evening_before():
    assert due(datetime(2026, 3, 12, 7, 30, tzinfo=WARSAW), 24) == ["24 10 19:45"]
    assert due(datetime(2026, 3, 12, 8, 0, tzinfo=WARSAW), 24) == ["24 11 08:00"]


def test_where_the_evening_before_is_past_it_goes_in_the_morning_rather_than_never():
    booked = datetime(2026, 3, 10, 21, tzinfo=WARSAW)
    assert due(datetime(2026, 3, 12, 7, 30, tzinfo=WARSAW), 24, now=booked) == ["24 11 08:00"]


def test_there_is_none_for_a_visit_booked_inside_the_offset():
    assert due(BOOKED + timedelta(hours=72), 72, 24) == ["24 03 12:00"]
    assert due(BOOKED + timedelta(hours=20), 72, 24) == []


def test_two_that_would_go_together_become_one():
    assert due(datetime(2026, 3, 12, 7, tzinfo=WARSAW), 26, 24) == ["24 10 19:45"]


def test_without_quiet_hours_nothing_is_shifted():
    assert due(datetime(2026, 3, 12, 7, tzinfo=WARSAW), 24, quiet=NEVER) == ["24 11 07:00"]


moments = strategies.integers(0, 2 * 365 * 24 * 12).map(lambda steps: BOOKED + timedelta(minutes=5 * steps))
hours = strategies.times().map(lambda value: value.replace(second=0, microsecond=0))
zones = strategies.sampled_from(["Europe/Warsaw", "Europe/Moscow", "America/New_York", "Pacific/Chatham"])


@given(
    moments, moments, strategies.lists(strategies.integers(1, 200), max_size=4), strategies.tuples(hours, hours), zones
)
def test_reminders_are_never_past_never_at_night_and_never_after_the_start(starts_at, now, offsets, night, zone):
    quiet = QuietHours(*night)
    reminders = plan_reminders(starts_at=starts_at, zone=zone, offsets=offsets, quiet=quiet, now=now)
    assert len({reminder.due_at for reminder in reminders}) == len(reminders)
    for reminder in reminders:
        assert now < reminder.due_at < starts_at
        assert reminder.offset in offsets
        if zone == "Europe/Moscow":  # elsewhere a local time that clocks skip is an hour later
            assert quiet.period_at(reminder.due_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) is None


def test_news_waits_for_the_end_of_the_quiet_hours_and_less_on_the_same_day():
    night = datetime(2026, 3, 10, 23, tzinfo=WARSAW)
    noon = datetime(2026, 3, 11, 12, tzinfo=WARSAW)

    def moment(about: datetime, at: datetime = night) -> str:
        return (
            f"{first_decent_moment(at, zone='Europe/Warsaw', quiet=QUIET, about=[about]).astimezone(WARSAW):%d %H:%M}"
        )

    assert moment(noon + timedelta(days=3)) == "11 08:00"
    assert moment(noon) == "11 06:30"
    assert moment(noon, at=noon - timedelta(hours=5)) == "11 07:00"
    assert moment(noon, at=noon) == "11 12:00"


def test_what_is_near():
    assert is_near(BOOKED + timedelta(hours=3, minutes=59), BOOKED)
    assert not is_near(BOOKED + CALL_INSTEAD, BOOKED)
    assert not is_near(BOOKED - timedelta(minutes=1), BOOKED)


@pytest.mark.parametrize(("hours_before", "expected"), [(24, 4), (5, 4), (3, 0)])
def test_until_when_a_mail_may_go(hours_before, expected):
    start = BOOKED + timedelta(days=3)
    assert latest_mail(start, start - timedelta(hours=hours_before)) == start - timedelta(hours=expected)
