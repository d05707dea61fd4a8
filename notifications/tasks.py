"""Background work: leaves that call one service."""

from celery import shared_task

from notifications import delivery
from notifications.waking import DELIVER_DUE, wake


@shared_task(name=DELIVER_DUE)
def deliver_due() -> None:
    """Send what is due: called on commit of what should go at once, and every 30 seconds."""
    if delivery.deliver_due(on_backlog=wake).more:
        wake()
