"""Settling tasks: once, by somebody."""

import datetime as dt

import pytest

from clinic.errors import Conflict
from clinic.models import Task
from clinic.settling import settle_task
from tests import factories


@pytest.mark.django_db(transaction=True)
def test_a_task_is_settled_once() -> None:
    task = factories.TaskFactory()
    first, second = factories.UserFactory(), factories.UserFactory()
    settle_task(task=task, by=first, now=factories.NOW)
    with pytest.raises(Conflict) as refused:
        settle_task(task=task, by=second, now=factories.NOW + dt.timedelta(minutes=1))
    assert refused.value.code == "already_done"
    kept = Task.objects.get(pk=task.pk)
    assert (kept.done_at, kept.done_by) == (factories.NOW, first)
