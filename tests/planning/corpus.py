"""Cases with their proven outcomes: `corpus.txt`, a case a line.

    family arguments … -> cost C | -> none REASON COURSE

Families: `small SEED` is `small.random_problem`, `class SEED` the same with its last course an enrolment,
`reference N` a request of the reference clinic. Arguments are those of the generators; `musts` turns the request's
wishes into musts.
`python -m tests.planning.corpus < cases` writes cases (the part before the arrow) with the outcomes of today.
"""

import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from courses.planning import Budget, NoPlan, Problem, explain, plan
from courses.planning.reference import reference_clinic
from courses.planning.types import GapUnit, Strength
from tests.planning.small import random_problem, with_class

FILE = Path(__file__).with_name("corpus.txt")


@dataclass(frozen=True)
class Case:
    case: str
    outcome: str

    @property
    def family(self) -> str:
        """What is solved alike: the first word, and how many courses."""
        return " ".join(word for word in self.case.split() if word.isalpha() or word.startswith("courses="))

    def problem(self) -> Problem:
        return build(self.case)


def read_corpus() -> list[Case]:
    lines = [line for line in FILE.read_text().splitlines() if line and not line.startswith("#")]
    return [Case(*(part.strip() for part in line.split("->"))) for line in lines]


def build(case: str) -> Problem:
    family, number, *rest = case.split()
    words = {word for word in rest if "=" not in word}
    given = dict(word.split("=") for word in rest if "=" in word)
    if family == "reference":
        problem = _clinic(int(given.get("load", 80)), int(given.get("days", 56))).problem(
            int(number), courses=int(given.get("courses", 1)), frequency=given.get("frequency")
        )
    else:
        options = {name: int(given[name]) for name in ("courses", "days", "most") if name in given}
        problem = random_problem(int(number), density=int(given.get("density", 35)) / 100, **options)
        if family == "class":
            problem = with_class(problem, int(number))
    return _changed(problem, words, given)


def _changed(problem: Problem, words: set[str], given: dict[str, str]) -> Problem:
    changes: dict[str, object] = {}
    if "sessions" in given:
        changes["sessions"] = int(given["sessions"])
    if "per_week" in given:
        changes["per_week"] = int(given["per_week"])
    if "calendar" in words:
        changes["gap_unit"] = GapUnit.CALENDAR
    if "musts" in words:
        changes |= {"window_strength": Strength.MUST, "therapist_strength": Strength.MUST}
    return replace(problem, courses=tuple(replace(course, **changes) for course in problem.courses))


@cache
def _clinic(load: int, days: int):
    return reference_clinic(load=load / 100, days=days)


def outcome(problem: Problem) -> str:
    """What came of it; raises AssertionError where nothing is proven."""
    found = plan(problem, budget=Budget(steps=2000))
    assert found.proven, "this case is too hard for a corpus of proven outcomes"
    if not isinstance(found, NoPlan):
        return f"cost {found.cost}"
    explained = explain(problem, concessions=False)
    assert explained is not None, "no plan, but nothing to explain"
    return f"none {explained.reason} {'-' if explained.course is None else explained.course}"


if __name__ == "__main__":
    for line in sys.stdin:
        case = line.split("->")[0].strip()
        if case and not case.startswith("#"):
            try:
                sys.stdout.write(f"{case} -> {outcome(build(case))}\n")
            except AssertionError as error:
                sys.stderr.write(f"{case}: {error}\n")
