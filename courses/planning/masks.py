"""Arithmetic of free time on long integers: a whole horizon of one resource is one Python int.

A day takes `STRIDE` bits, its 288 slots and then zeros, so that no run of free slots reaches over midnight.  Shifts and
ANDs of a 56-day int (about 2 KB) take half a microsecond, which is what makes building a problem cheap.
"""

from __future__ import annotations

import numpy as np

from .types import FULL_DAY, SLOTS_PER_DAY, Masks

STRIDE = 320
_DAY_BYTES = STRIDE // 8


def join_days(masks: Masks) -> int:
    """The masks of consecutive days as one int."""
    return int.from_bytes(b"".join([m.to_bytes(_DAY_BYTES, "little") for m in masks]), "little")


def split_days(joined: int, days: int) -> Masks:
    """The inverse of `join_days`."""
    raw = joined.to_bytes(days * _DAY_BYTES, "little")
    return tuple(int.from_bytes(raw[i : i + _DAY_BYTES], "little") for i in range(0, len(raw), _DAY_BYTES))


def day_bits(days: int) -> int:
    """Every slot of every day."""
    return join_days((FULL_DAY,) * days)


def erode(mask: int, length: int) -> int:
    """Bits at which a run of `length` set bits begins.  Shift-doubling: log2(length) ANDs.

    Works on the mask of one day and on joined days alike.
    """
    have = 1
    while have < length:
        step = min(have, length - have)
        mask &= mask >> step
        have += step
    return mask


def starts_for(mask: int, slots: int, before: int = 0, after: int = 0) -> int:
    """Bits at which a session of `slots` slots may start so that its margins lie in `mask` too."""
    return erode(mask, before + slots + after) << before


def interval(day: int, start: int, end: int) -> int:
    """Joined bits of the slots start..end-1 of a day, cut to the day."""
    start, end = max(start, 0), min(end, SLOTS_PER_DAY)
    if end <= start:
        return 0
    return ((1 << (end - start)) - 1) << (day * STRIDE + start)


def interval_mask(start: int, end: int) -> int:
    """The same within one day."""
    return interval(0, start, end)


def runs(mask: int) -> list[tuple[int, int]]:
    """Half-open intervals of consecutive set bits, ascending."""
    found = []
    position = 0
    while mask:
        skip = (mask & -mask).bit_length() - 1
        mask >>= skip
        position += skip
        length = ((~mask) & (mask + 1)).bit_length() - 1
        found.append((position, position + length))
        mask >>= length
        position += length
    return found


def to_array(joined: int, days: int) -> np.ndarray:
    """Joined bits as a boolean array (days, STRIDE)."""
    raw = np.frombuffer(joined.to_bytes(days * _DAY_BYTES, "little"), dtype=np.uint8)
    return np.unpackbits(raw, bitorder="little").reshape(days, STRIDE).view(bool)
