"""A repair worked out by a real worker of Celery, and taken up by another one when the first is killed."""

import os
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection, transaction
from django.utils import timezone

from courses.booking.disruption import record_absence
from courses.booking.repair_models import Repair
from courses.booking.repairs import SILENCE, propose_repair, requeue_silent
from tests import factories as f
from tests.booking.conftest import Desk
from tests.notifications.test_workers import WORKER, running, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def environment() -> dict[str, str]:
    given = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(given._replace(path=f"/{connection.settings_dict['NAME']}"))
    return os.environ | {"DATABASE_URL": database}


def proposed(desk: Desk) -> Repair:
    with transaction.atomic():
        course = f.CourseFactory(clinic=desk.clinic, procedure=desk.massage)
        for day in range(3):
            f.booked_session(course, starts_at=f.at("09:00", day=day), therapist=desk.anna, room=desk.rooms[0])
    absence = record_absence(
        therapist=desk.anna, kind="sick", starts_at=f.at("00:00"), ends_at=None, by=None, now=desk.now
    )
    return propose_repair(clinic=desk.clinic, cause=absence, by=None, now=desk.now)


def test_whoever_asked_comes_back_to_a_proposal_whatever_became_of_a_worker(
    desk: Desk, environment: dict[str, str]
) -> None:
    repair = proposed(desk)
    rows = Repair.objects.filter(pk=repair.pk)
    with running(WORKER, environment):
        wait_until(lambda: rows.get().status == Repair.Status.PROPOSED, "the worker had a proposal")
    assert rows.get().progress == 1
    assert len(rows.get().items) == 3
    # A worker that is killed at work leaves this behind: running, and silent.
    rows.update(status=Repair.Status.RUNNING, items=[], progress=0.4, seen_at=timezone.now() - SILENCE * 2)
    assert requeue_silent(now=timezone.now() + timedelta(seconds=1)) == 1
    with running(WORKER, environment):
        wait_until(lambda: rows.get().status == Repair.Status.PROPOSED, "another worker had taken it up")
    assert rows.get().attempts == 2
    assert len(rows.get().items) == 3
