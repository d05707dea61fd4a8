"""Where Celery looks for the tasks of all sub-packages."""

from courses.booking.tasks import release_expired_holds
from courses.importing.tasks import run_imports

__all__ = ["release_expired_holds", "run_imports"]
