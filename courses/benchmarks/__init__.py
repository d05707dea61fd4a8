"""What `manage.py bench` measures, each on the reference clinic as rows, loaded anew in a database of its own.

A benchmark is a module with `measure(options) -> dict`, the figures of its one line of JSON: times in milliseconds.
They are figures, not tests: what must hold is asserted by the tests.
"""

# name → module, and what it measures
BENCHMARKS: dict[str, tuple[str, str]] = {
    "plan": ("courses.benchmarks.plans", "proposing a course of ten sessions: engine, loading, over HTTP"),
    "programme": ("courses.benchmarks.programmes", "planning several courses together: first plan, 2 %, proof, memory"),
    "planner-growth": ("courses.benchmarks.growth", "how planning grows with weeks, therapists, load and history"),
    "repair": (
        "courses.benchmarks.repairs",
        "re-placing 60 and 200 sessions: gap to the bound and seconds, engine alone",
    ),
    "availability": ("courses.benchmarks.free_times", "free times of 12 therapists over HTTP, for a day and for 56"),
    "booking": ("courses.benchmarks.bookings", "booking a proposed course of ten sessions over HTTP"),
    "contention": ("courses.benchmarks.contention", "many buyers of the same places, in processes and over HTTP"),
    "delivery": ("notifications.benchmark", "mails leaving for a local SMTP server, two workers"),
}
