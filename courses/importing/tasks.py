"""Background work of imports. Tasks are leaves: one service call each."""

import logging

from celery import shared_task
from django.utils import timezone

from clinic.celery import app

logger = logging.getLogger(__name__)

RUN_IMPORTS = "courses.importing.tasks.run_imports"


@shared_task(ignore_result=True)
def run_imports() -> int:
    """Check and import what waits for it. Run every half minute; two at once share the work."""
    from courses.importing.runs import work_through

    return work_through(now=timezone.now())


def wake() -> None:
    """Ask a worker to look now. Never raises: the regular look every 30 seconds makes up for it."""
    try:
        app.send_task(RUN_IMPORTS, retry=False, expires=30, ignore_result=True)
    except Exception as error:
        logger.warning("workers could not be woken: %s", type(error).__name__)
