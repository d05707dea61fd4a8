"""Background work of booking. Tasks are leaves: one service call each."""

from celery import shared_task
from django.utils import timezone

from courses.booking import holds


@shared_task(ignore_result=True)
def release_expired_holds() -> int:
    """Free what holds of the past still reserve. Run every minute; two at once are harmless."""
    return holds.release_expired_holds(now=timezone.now())
