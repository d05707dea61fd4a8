"""Memory of a process that plans and does nothing else: `python -m courses.benchmarks.footprint COURSES REQUESTS`."""

import resource
import subprocess
import sys

from courses.planning import Budget, plan
from courses.planning.reference import reference_clinic


def peak_mb(courses: int, requests: int) -> float:
    """The most memory that a fresh interpreter takes to plan so many requests, the reference clinic included."""
    command = [sys.executable, "-m", "courses.benchmarks.footprint", str(courses), str(requests)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def main(courses: int, requests: int) -> None:
    clinic = reference_clinic()
    for number in range(requests):
        plan(clinic.problem(number, courses=courses), budget=Budget(steps=60))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in kilobytes, macOS in bytes.
    sys.stdout.write(str(round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
