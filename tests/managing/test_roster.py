"""Single days, copied days, published days."""

import datetime as dt

import pytest

from clinic.errors import Conflict, Invalid
from clinic.models import CalendarDay, Shift
from courses.booking.calendars import read_days, read_working_hours
from courses.managing.roster import (
    Hours,
    copy_days,
    is_provisional,
    month_pairs,
    publish_roster,
    read_roster,
    set_hours,
    week_pairs,
)
from courses.managing.stranding import SessionsOutside
from tests import factories as f
from tests.managing.conftest import NOW, House

MORNING = Hours(dt.time(9), dt.time(12))
LATE = Hours(dt.time(14), dt.time(20))
USUAL = Hours(dt.time(9), dt.time(17))
DAY = dt.timedelta(days=1)


def _shown(house: House, date: dt.date) -> list[Hours]:
    return list(read_roster(house.clinic, date, date).get(house.therapist.pk, [()])[0])


def _set(house: House, date: dt.date, *hours: Hours, **more: object) -> int:
    cells = {(house.therapist.pk, date): hours}
    return set_hours(clinic=house.clinic, cells=cells, by=house.manager, now=NOW, **more)  # type: ignore[arg-type]


def test_a_day_may_differ_and_its_neighbours_stay(house: House) -> None:
    assert _set(house, f.MONDAY, MORNING, LATE) == 1
    assert _shown(house, f.MONDAY) == [MORNING, LATE]
    assert _shown(house, f.MONDAY + DAY) == [USUAL]
    single = Shift.objects.exclude(pk=house.shift.pk).get()
    assert (single.break_from, single.break_until) == (dt.time(12), dt.time(14))


def test_a_day_set_again_leaves_nothing_of_the_time_before(house: House) -> None:
    for hours in ((MORNING,), (), (LATE,), (MORNING, LATE)):
        _set(house, f.MONDAY, *hours)
        assert _shown(house, f.MONDAY) == list(hours)
    assert Shift.objects.count() == 2
    assert _set(house, f.MONDAY, MORNING, LATE) == 0


def test_a_free_day_says_what_is_booked_on_it(house: House) -> None:
    session = house.book("10:00")
    with pytest.raises(SessionsOutside) as refused:
        _set(house, f.MONDAY, LATE)
    assert [row["id"] for row in refused.value.details["sessions"]] == [session.pk]
    assert _shown(house, f.MONDAY) == [USUAL]
    _set(house, f.MONDAY, LATE, accepted=True)
    session.refresh_from_db()
    assert session.to_replace


def test_a_day_worked_as_another_has_hours_of_its_own(house: House) -> None:
    saturday = f.MONDAY + 5 * DAY
    f.CalendarDayFactory(clinic=house.clinic, date=saturday, kind=CalendarDay.Kind.WORKED_AS, works_as=1)
    _set(house, saturday, MORNING)
    days = read_days(house.clinic, f.MONDAY, saturday)
    row = read_working_hours(days, [house.therapist.pk])[house.therapist.pk]
    assert row[5] == MORNING.mask
    assert row[0] == USUAL.mask
    _set(house, saturday)
    assert _shown(house, saturday) == []
    assert _shown(house, f.MONDAY) == [USUAL]


def test_a_week_is_copied_but_not_onto_closed_days(house: House) -> None:
    following = f.MONDAY + 7 * DAY
    f.CalendarDayFactory(clinic=house.clinic, date=following + DAY)
    _set(house, f.MONDAY, MORNING)
    _set(house, f.MONDAY + DAY)
    changed = copy_days(clinic=house.clinic, pairs=week_pairs(f.MONDAY, following), by=house.manager, now=NOW)
    assert changed == 1
    assert _shown(house, following) == [MORNING]
    assert _shown(house, following + DAY) == [USUAL]


@pytest.mark.parametrize(
    ("source", "target"), [(dt.date(2031, 3, 1), dt.date(2031, 4, 1)), (dt.date(2031, 2, 1), dt.date(2031, 3, 1))]
)
def test_months_meet_weekday_by_weekday(source: dt.date, target: dt.date) -> None:
    pairs = month_pairs(source, target)
    assert [day.day for _from, day in pairs] == list(range(1, len(pairs) + 1))
    for one, other in pairs:
        assert one.weekday() == other.weekday()
        assert one.month == source.month
        assert (one.day - 1) // 7 in {(other.day - 1) // 7, 3}


def test_what_someone_else_changed_is_not_overwritten(house: House) -> None:
    seen = {(house.therapist.pk, f.MONDAY): (USUAL,)}
    _set(house, f.MONDAY, MORNING)
    with pytest.raises(Conflict):
        _set(house, f.MONDAY, LATE, seen=seen)


def test_hours_out_of_order_are_refused(house: House) -> None:
    with pytest.raises(Invalid):
        _set(house, f.MONDAY, LATE, MORNING)


def test_later_days_are_provisional(house: House) -> None:
    assert not is_provisional(house.clinic, f.MONDAY)
    clinic = publish_roster(clinic=house.clinic, until=f.MONDAY, by=house.manager, now=NOW)
    assert [is_provisional(clinic, f.MONDAY + n * DAY) for n in (0, 1)] == [False, True]
