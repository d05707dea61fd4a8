"""The published instances: requests of the reference clinic, solved as far as the time allows."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from courses.planning import Budget, NoPlan, Problem, plan
from courses.planning.instances import Instance, Known
from courses.planning.reference import SEED, reference_clinic

# From four courses on nine sessions each, so that four courses have 36.
SESSIONS = {1: 10, 2: 10, 3: 10, 4: 9, 5: 9, 6: 9}


@dataclass(frozen=True, slots=True)
class InstanceSet:
    """Requests 0..count-1 of so many courses each; `load` in percent."""

    load: int = 80
    courses: int = 3
    count: int = 20
    days: int = 56

    def instances(self) -> Iterator[Instance]:
        clinic = reference_clinic(load=self.load / 100, days=self.days)
        for number in range(self.count):
            problem = clinic.problem(number, courses=self.courses)
            sessions = SESSIONS[self.courses]
            problem = replace(problem, courses=tuple(replace(c, sessions=sessions) for c in problem.courses))
            yield Instance(
                name=f"reference-{self.days}-{self.load}-{self.courses}-{number:03}",
                problem=problem,
                origin=f"reference clinic, seed {SEED}, load {self.load} %, {self.days} days, request {number}, "
                f"{self.courses} x {sessions} sessions",
            )


def solved(instance: Instance, *, seconds: float) -> Instance:
    """The instance with the best that is found in so many seconds."""
    return replace(instance, known=known_of(instance.problem, seconds=seconds))


def known_of(problem: Problem, *, seconds: float) -> Known | None:
    """None where neither a plan nor a proof that there is none was found."""
    answer = plan(problem, budget=Budget(steps=None, seconds=seconds, clock=time.perf_counter))
    if isinstance(answer, NoPlan):
        return Known(cost=None, proven=True) if answer.proven else None
    return Known(answer.cost, answer.bound, answer.proven, answer.sessions)
