"""Telling the workers that something is due now. What lies in the outbox is found without it, half a minute later."""

import logging

from clinic.celery import app

logger = logging.getLogger(__name__)

DELIVER_DUE = "notifications.tasks.deliver_due"


def wake() -> None:
    """Ask a worker to look into the outbox now. Never raises: the regular look every 30 seconds makes up for it."""
    try:
        app.send_task(DELIVER_DUE, retry=False, expires=30, ignore_result=True)
    except Exception as error:
        logger.warning("workers could not be woken: %s", type(error).__name__)
