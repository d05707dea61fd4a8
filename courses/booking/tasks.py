"""Background work of booking. Tasks are leaves: one service call each."""

from celery import shared_task
from django.utils import timezone

from courses.booking import holds, repairs


@shared_task(ignore_result=True)
def release_expired_holds() -> int:
    """Free what holds of the past still reserve. Run every minute; two at once are harmless."""
    return holds.release_expired_holds(now=timezone.now())


@shared_task(name=repairs.RUN_REPAIR, ignore_result=True)
def run_repair(pk: int) -> None:
    """Work a repair out. Delivered twice it is done once."""
    repairs.run_repair(pk)


@shared_task(ignore_result=True)
def requeue_silent_repairs() -> int:
    """Take up again what a worker that died has left. Run every minute; two at once are harmless."""
    return repairs.requeue_silent(now=timezone.now())
