"""The clock and the calendar that the factories share."""

import datetime as dt
from zoneinfo import ZoneInfo

WARSAW = ZoneInfo("Europe/Warsaw")
MONDAY = dt.date(2031, 3, 3)
NOW = dt.datetime(2031, 2, 24, 9, 0, tzinfo=WARSAW)  # the Monday before: everything above lies ahead


def at(clock: str, day: int = 0, *, zone: ZoneInfo = WARSAW) -> dt.datetime:
    """`clock` ("09:30") on the day that many days after MONDAY, local time of `zone`."""
    return dt.datetime.combine(MONDAY + dt.timedelta(days=day), dt.time.fromisoformat(clock), zone)
