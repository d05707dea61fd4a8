"""Where Celery looks for the tasks of all sub-packages."""

from courses.booking.tasks import release_expired_holds

__all__ = ["release_expired_holds"]
