"""Where Celery looks for the tasks of all sub-packages."""

from courses.booking.tasks import release_expired_holds, requeue_silent_repairs, run_repair

__all__ = ["release_expired_holds", "requeue_silent_repairs", "run_repair"]
