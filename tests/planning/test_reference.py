"""The reference clinic is what it says, and the same every time."""

from collections import Counter, defaultdict

import pytest

from courses.planning import plan, verify
from courses.planning.reference import DEVICES, ROOMS, THERAPISTS, reference_clinic

KNOWN = [
    (0, "daily", 259),
    (0, "every_other_day", 281),
    (0, "3_per_week", 284),
    (0, "2_per_week", 311),
    (1, "daily", 274),
    (1, "every_other_day", 301),
    (1, "3_per_week", 291),
    (1, "2_per_week", 334),
    (2, "daily", 343),
    (2, "every_other_day", 352),
    (2, "3_per_week", 337),
    (2, "2_per_week", 356),
    (3, "daily", 295),
    (3, "every_other_day", 315),
    (3, "3_per_week", 303),
    (3, "2_per_week", 331),
    (4, "daily", 258),
    (4, "every_other_day", 280),
    (4, "3_per_week", 278),
    (4, "2_per_week", 300),
    (5, "daily", 270),
    (5, "every_other_day", 296),
    (5, "3_per_week", 285),
    (5, "2_per_week", 307),
]


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


# Costs of proven optima: a change here is a change of the costs' definition or a mistake.
@pytest.mark.parametrize(("number", "frequency", "cost"), KNOWN)
def test_known_optima(clinic, number, frequency, cost):
    problem = clinic.problem(number, frequency=frequency)
    found = plan(problem)
    assert verify(problem, found) == []
    assert found.proven
    assert found.cost == cost
