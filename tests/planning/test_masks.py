"""Interval arithmetic on long integers, against counting slot by slot."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from courses.planning import masks
from courses.planning.types import FULL_DAY, SLOTS_PER_DAY

day_masks = st.integers(0, FULL_DAY)
# Dense masks: mostly free, so that long runs occur.
dense_masks = st.builds(lambda a, b: a | b, day_masks, day_masks)


@given(dense_masks, st.integers(1, 20))
def test_erosion_keeps_exactly_the_starts_of_long_enough_runs(mask, length):
    eroded = masks.erode(mask, length)
    for slot in range(SLOTS_PER_DAY):
        fits = all(mask >> s & 1 for s in range(slot, slot + length))
        assert bool(eroded >> slot & 1) == fits


@given(dense_masks, st.integers(1, 10), st.integers(0, 3), st.integers(0, 3))
def test_starts_leave_room_for_the_margins(mask, slots, before, after):
    starts = masks.starts_for(mask, slots, before, after)
    for slot in range(SLOTS_PER_DAY):
        footprint = range(slot - before, slot + slots + after)
        assert bool(starts >> slot & 1) == all(s >= 0 and mask >> s & 1 for s in footprint)


@given(st.lists(dense_masks, min_size=1, max_size=5), st.integers(1, 40))
def test_joined_days_are_eroded_like_single_ones(days, length):
    joined = masks.erode(masks.join_days(tuple(days)), length)
    assert masks.split_days(joined, len(days)) == tuple(masks.erode(m, length) for m in days)


@given(st.lists(day_masks, min_size=1, max_size=5))
def test_arrays_show_the_same_bits(days):
    array = masks.to_array(masks.join_days(tuple(days)), len(days))
    for d, mask in enumerate(days):
        assert [bool(mask >> s & 1) for s in range(SLOTS_PER_DAY)] == array[d, :SLOTS_PER_DAY].tolist()
    assert not array[:, SLOTS_PER_DAY:].any()


@given(day_masks)
def test_runs_rebuild_their_mask(mask):
    runs = masks.runs(mask)
    assert sum(masks.interval(0, start, end) for start, end in runs) == mask
    assert all(a[1] < b[0] for a, b in pairwise(runs))


def test_intervals_are_cut_to_the_day():
    assert masks.interval(0, -5, 2) == 0b11
    assert masks.interval(0, 286, 300) == 0b11 << 286
    assert masks.interval(1, 0, 1) == 1 << masks.STRIDE
    assert masks.interval(0, 5, 5) == 0
