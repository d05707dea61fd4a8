"""Two hundred cases solved again: the same cost, proven, and the same reason where there is no plan."""

from collections import Counter

import pytest

from courses.planning import Plan, plan, verify
from tests.planning.corpus import outcome, read_corpus

CORPUS = read_corpus()
FAMILIES = sorted({case.family for case in CORPUS})


@pytest.mark.parametrize("family", FAMILIES)
def test_outcomes_are_what_they_were(family):
    cases = [case for case in CORPUS if case.family == family]
    found = {case.case: outcome(case.problem()) for case in cases}
    assert found == {case.case: case.outcome for case in cases}


def test_the_corpus_has_what_it_must():
    assert len({case.case for case in CORPUS}) == len(CORPUS) >= 200
    outcomes = Counter(case.outcome.split()[0] for case in CORPUS)
    assert outcomes["cost"] >= 100
    reasons = {case.outcome.split()[1] for case in CORPUS if case.outcome.startswith("none")}
    assert {"fully_booked", "window_too_short", "class_full", "required_therapist_absent"} <= reasons
    together = [case for case in CORPUS if case.outcome.endswith("fully_booked -")]
    assert together, "no case where each course fits alone and not all together"
    sizes = Counter(len(case.problem().courses) for case in CORPUS)
    assert all(sizes[n] >= 5 for n in (1, 2, 3, 4))


def test_plans_of_the_corpus_are_sound():
    for case in CORPUS[::7]:
        problem = case.problem()
        found = plan(problem)
        if isinstance(found, Plan):
            assert verify(problem, found) == []
