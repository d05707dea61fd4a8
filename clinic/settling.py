"""Tasks that a person has seen to."""

import datetime as dt

from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict
from clinic.locking import writing
from clinic.models import Task, User


def settle_task(*, task: Task, by: User, now: dt.datetime) -> Task:
    """Done, and by whom. Raises Conflict when it is done already."""
    with writing():
        settled = Task.objects.select_for_update(no_key=True).get(pk=task.pk)
        if settled.done_at is not None:
            raise Conflict(_("This task is done already."), code="already_done")
        settled.done_at, settled.done_by = now, by
        settled.save(update_fields=["done_at", "done_by"])
    return settled
