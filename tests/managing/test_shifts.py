"""Hours: made of plain choices, changed from a day on, and never silently away from what is booked."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.changes import RowChanged, token_of
from clinic.errors import Invalid, NotAllowed, NotFound
from clinic.models import Shift, Task
from clinic.permissions import Role
from courses.booking.calendars import read_days, read_working_hours, rule_dates
from courses.managing.patterns import Pattern, Rhythm, first_date, pattern_of
from courses.managing.shifts import change_shift, create_shift, end_shift
from courses.managing.stranding import SessionsOutside
from tests import factories as f
from tests.managing.conftest import NOW, House

WEEK = Pattern(Rhythm.WEEKLY, (1, 2, 3, 4, 5, 6))
TIMES = {"start_time": dt.time(9), "end_time": dt.time(17), "break_from": None, "break_until": None}


def _works(house: House, date: dt.date) -> str:
    masks = read_working_hours(read_days(house.clinic, date, date), [house.therapist.pk])
    mask = masks.get(house.therapist.pk, (0,))[0]
    if not mask:
        return ""
    first, last = (mask & -mask).bit_length() - 1, mask.bit_length()
    return f"{first // 12}-{last // 12}"


@given(
    rhythm=st.sampled_from([r for r in Rhythm if r != Rhythm.OTHER]),
    weekdays=st.sets(st.integers(1, 7), min_size=1),
    start=st.dates(dt.date(2026, 1, 1), dt.date(2026, 12, 31)),
)
def test_choices_become_a_rule_that_says_them_again(rhythm: Rhythm, weekdays: set[int], start: dt.date) -> None:
    pattern = Pattern(rhythm, tuple(sorted(weekdays)))
    assert pattern_of(pattern.rrule) == pattern
    first = first_date(pattern.rrule, start)
    assert first is not None
    for date in rule_dates(pattern.rrule, first, start, start + dt.timedelta(days=60)):
        assert date.isoweekday() in weekdays
        assert rhythm not in {Rhythm.EVEN, Rhythm.ODD} or date.day % 2 == (rhythm == Rhythm.ODD)


@pytest.mark.parametrize(
    ("rule", "pattern"),
    [
        ("FREQ=DAILY", Pattern(Rhythm.WEEKLY, (1, 2, 3, 4, 5, 6, 7))),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,FR;UNTIL=20270101T235959", Pattern(Rhythm.WEEKLY, (1, 5))),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;WKST=MO", Pattern(Rhythm.FORTNIGHTLY, (2,))),
        ("FREQ=MONTHLY;BYDAY=1MO", Pattern(Rhythm.OTHER, ())),
        ("FREQ=WEEKLY;BYDAY=MO;COUNT=1", Pattern(Rhythm.OTHER, ())),
        ("FREQ=YEARLY", Pattern(Rhythm.OTHER, ())),
    ],
)
def test_rules_of_others_are_read_as_far_as_choices_go(rule: str, pattern: Pattern) -> None:
    assert pattern_of(rule) == pattern


def test_new_hours_begin_on_the_first_day_that_fits(house: House) -> None:
    shift = create_shift(
        therapist=house.therapist, clinic=house.clinic, pattern=Pattern(Rhythm.WEEKLY, (7,)), starts_on=f.MONDAY,
        by=house.manager, now=NOW, **TIMES,
    )  # fmt: skip
    assert shift.starts_on == f.MONDAY + dt.timedelta(days=6)


def test_hours_change_from_a_day_on_and_stay_before_it(house: House) -> None:
    friday = f.MONDAY + dt.timedelta(days=4)
    new = change_shift(
        shift=house.shift,
        from_date=friday,
        pattern=WEEK,
        by=house.manager,
        now=NOW,
        **TIMES | {"end_time": dt.time(12)},
    )
    assert new.pk != house.shift.pk
    assert [_works(house, f.MONDAY), _works(house, friday)] == ["9-17", "9-12"]
    assert Shift.objects.get(pk=house.shift.pk).ends_on == friday - dt.timedelta(days=1)


def test_a_shortened_shift_says_what_it_leaves_outside_and_marks_it_when_told_to(house: House) -> None:
    inside, out = house.book("10:00"), house.book("15:00", day=1)
    f.booked_session(starts_at=f.at("15:00", day=1), clinic=house.clinic)  # someone else's

    def shorten(**more: Any) -> Shift:
        return change_shift(
            shift=house.shift, from_date=f.MONDAY, by=house.manager, now=NOW, end_time=dt.time(14), **more
        )

    with pytest.raises(SessionsOutside) as refused:
        shorten()
    assert [row["id"] for row in refused.value.details["sessions"]] == [out.pk]
    assert Shift.objects.get(pk=house.shift.pk).ends_on is None
    assert not Task.objects.filter(kind=Task.Kind.TO_REPLACE).exists()
    shorten(accepted=True)
    inside.refresh_from_db()
    out.refresh_from_db()
    assert (inside.to_replace, out.to_replace) == (False, True)
    assert Task.objects.filter(kind=Task.Kind.TO_REPLACE).get().subject == f"session:{out.pk}"


def test_what_was_outside_before_is_not_named_again(house: House) -> None:
    house.book("18:00")
    change_shift(shift=house.shift, from_date=f.MONDAY, by=house.manager, now=NOW, end_time=dt.time(16))


def test_hours_may_end(house: House) -> None:
    session = house.book("10:00", day=7)
    last = f.MONDAY + dt.timedelta(days=5)
    with pytest.raises(SessionsOutside):
        end_shift(shift=house.shift, last_day=last, by=house.manager, now=NOW)
    end_shift(shift=house.shift, last_day=last, by=house.manager, now=NOW, accepted=True)
    session.refresh_from_db()
    assert session.to_replace
    assert _works(house, last + dt.timedelta(days=2)) == ""
    end_shift(shift=house.shift, last_day=house.shift.starts_on - dt.timedelta(days=1), by=house.manager, now=NOW)
    assert not Shift.objects.filter(pk=house.shift.pk).exists()


def test_the_second_of_two_managers_is_told(house: House) -> None:
    seen = token_of(house.shift)
    Shift.objects.filter(pk=house.shift.pk).update(name="mornings")
    with pytest.raises(RowChanged):
        change_shift(shift=house.shift, from_date=f.MONDAY, by=house.manager, now=NOW, seen=seen, end_time=dt.time(16))


@pytest.mark.parametrize(
    ("field", "times"),
    [
        ("end_time", {"end_time": dt.time(9)}),
        ("break_until", {"break_from": dt.time(12)}),
        ("break_from", {"break_from": dt.time(8), "break_until": dt.time(10)}),
        ("start_time", {"start_time": dt.time(9, 3)}),
    ],
)
def test_wrong_times_are_named(house: House, field: str, times: dict[str, dt.time]) -> None:
    with pytest.raises(Invalid) as refused:
        create_shift(
            therapist=house.therapist, clinic=house.clinic, pattern=WEEK, starts_on=f.MONDAY, by=house.manager,
            now=NOW, **TIMES | times,
        )  # fmt: skip
    assert set(refused.value.details) == {field}


def test_no_day_is_no_pattern(house: House) -> None:
    with pytest.raises(Invalid) as refused:
        create_shift(
            therapist=house.therapist, clinic=house.clinic, pattern=Pattern(Rhythm.WEEKLY, ()), starts_on=f.MONDAY,
            by=house.manager, now=NOW, **TIMES,
        )  # fmt: skip
    assert set(refused.value.details) == {"weekdays"}


def test_only_managers_of_the_clinic(house: House) -> None:
    for user, refusal in (
        (f.user_with_role(Role.RECEPTION, house.clinic), NotAllowed),
        (f.user_with_role(Role.MANAGER, f.ClinicFactory(name="Hillside")), NotFound),
    ):
        with pytest.raises(refusal):
            end_shift(shift=house.shift, last_day=f.MONDAY, by=user, now=NOW)
