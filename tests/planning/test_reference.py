"""The reference clinic is what it says, and the same every time."""

from collections import Counter, defaultdict

import pytest

from courses.planning.reference import DEVICES, ROOMS, THERAPISTS, reference_clinic


@pytest.fixture(scope="module")
def clinic():
    return reference_clinic()


def test_size_and_load(clinic):
    assert (len(THERAPISTS), len(ROOMS), len({d.type for d in DEVICES}), clinic.days) == (12, 8, 5, 56)
    assert 8_200 <= len(clinic.bookings) <= 8_700
    working = sum(mask.bit_count() for t in THERAPISTS for mask in clinic.works[t.number])
    assert 0.78 <= sum(b.slots for b in clinic.bookings) / working <= 0.82


def test_nothing_is_in_more_places_than_there_are(clinic):
    used = Counter()
    patients = defaultdict(int)
    for b in clinic.bookings:
        bits = ((1 << b.slots) - 1) << b.slot
        assert not patients[b.patient, b.day] & bits
        patients[b.patient, b.day] |= bits
        for number in (b.therapist, b.room, b.device):
            for slot in range(b.slot, b.slot + b.slots):
                used[number, b.day, slot] += 1
        assert clinic.works[b.therapist][b.day] & bits == bits
    capacity = {**clinic.capacity, None: 10**6}
    assert all(count <= capacity[number] for (number, _, _), count in used.items())


def test_the_same_seed_gives_the_same_clinic(clinic):
    week, again, other = reference_clinic(days=7), reference_clinic(days=7), reference_clinic(1, days=7)
    assert again.bookings == week.bookings != other.bookings
    assert week.bookings == tuple(b for b in clinic.bookings if b.day < 7)
    assert again.lines(7, courses=3) == clinic.lines(7, courses=3)
