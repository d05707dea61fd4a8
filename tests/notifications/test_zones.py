from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import icalendar
import pytest
import vobject

from notifications.zones import UnknownZoneError, read_rule, render_zone

# Exceptions of single years (clocks in Ramadan) are in no yearly rule: such times are written in UTC.
IRREGULAR = {"Africa/Casablanca", "Africa/El_Aaiun"}
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//x//EN
{zone}BEGIN:VEVENT
UID:1@x.example
DTSTAMP:20261201T090000Z
DTSTART;TZID={name}:{local}
END:VEVENT
END:VCALENDAR
"""


def changes_of_clocks(zone: str, year: int) -> list[datetime]:
    """Both sides of every change of the year, to the minute."""
    tz = ZoneInfo(zone)
    moment, found = datetime(year, 1, 1, tzinfo=UTC), []
    while moment.year == year:
        following = moment + timedelta(hours=1)
        if moment.astimezone(tz).utcoffset() != following.astimezone(tz).utcoffset():
            found += [moment, following]
        moment = following
    return found


@pytest.mark.parametrize("year", [2026, 2031])
def test_the_rule_of_every_zone_agrees_with_the_zone_all_year(year):
    days = [datetime(year, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(0, 365, 5)]
    for zone in available_timezones() - IRREGULAR:
        rule, tz = read_rule(zone), ZoneInfo(zone)
        for moment in days:
            assert rule.offset_at(moment) == moment.astimezone(tz).utcoffset(), (zone, moment)


@pytest.mark.parametrize(
    "zone", ["Europe/Warsaw", "Europe/Dublin", "America/New_York", "America/Nuuk", "Asia/Gaza", "Australia/Lord_Howe"]
)
def test_the_rule_changes_at_the_very_hour(zone):
    rule, tz = read_rule(zone), ZoneInfo(zone)
    moments = changes_of_clocks(zone, 2027)
    assert len(moments) == 4
    for moment in moments:
        assert rule.offset_at(moment) == moment.astimezone(tz).utcoffset()


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Warsaw",
        "Europe/Dublin",
        "America/New_York",
        "America/Nuuk",
        "Asia/Gaza",
        "Africa/Cairo",
        "Australia/Sydney",
    ],
)
@pytest.mark.parametrize("reader", ["icalendar", "vobject"])
def test_programs_read_the_zone_right_on_both_sides_of_both_changes(zone, reader):
    tz = ZoneInfo(zone)
    for change in changes_of_clocks(zone, 2027)[::2]:
        for hours in (-48, -5, 5, 48):
            moment = change + timedelta(hours=hours)
            local = moment.astimezone(tz).strftime("%Y%m%dT%H%M%S")
            content = CALENDAR.format(zone=render_zone(zone).decode(), name=zone, local=local)
            if reader == "icalendar":
                read = icalendar.Calendar.from_ical(content).events[0].start
            else:
                read = vobject.readOne(content).vevent.dtstart.value
            assert read.astimezone(UTC) == moment


def test_a_zone_with_summer_time_has_two_parts_with_an_explicit_weekday():
    text = render_zone("Europe/Warsaw").decode()
    assert (text.count("BEGIN:STANDARD"), text.count("BEGIN:DAYLIGHT")) == (1, 1)
    assert text.count("BYDAY=-1SU") == 2
    assert "RDATE" not in text


def test_a_zone_without_summer_time_has_one_part():
    text = render_zone("Europe/Moscow").decode()
    assert (text.count("BEGIN:STANDARD"), text.count("BEGIN:DAYLIGHT"), text.count("RRULE")) == (1, 0, 0)
    assert "TZOFFSETTO:+0300" in text


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "/etc/localtime", "Europe"])
def test_what_is_no_zone_is_refused(zone):
    with pytest.raises(UnknownZoneError):
        render_zone(zone)
