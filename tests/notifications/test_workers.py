"""The whole way with everything real: database, broker, Celery's workers, SMTP; and a worker that is killed on it."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection, transaction
from django.utils import timezone

from notifications.models import Message
from notifications.outbox import announce_visits
from notifications.sink import list_mails
from notifications.waking import wake
from tests.notifications.conftest import make_clinic, make_patient, make_visit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds; the machine may be busy
WORKER = ["celery", "-A", "clinic.celery", "worker", "--pool", "solo", "--without-gossip", "--without-mingle"]


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)


@contextmanager
def running(command: list[str], environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def mails(tmp_path: Path) -> Path:
    return tmp_path / "mails"


@pytest.fixture
def environment(mails: Path) -> Iterator[dict[str, str]]:
    """What a worker of the test database and of a sink needs to know."""
    given = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(given._replace(path=f"/{connection.settings_dict['NAME']}"))
    with running(["notifications.sink", "--directory", str(mails)]) as sink:
        assert sink.stdout is not None
        port = sink.stdout.readline().strip()
        yield os.environ | {"DATABASE_URL": database, "EMAIL_URL": f"smtp://127.0.0.1:{port}"}


def unsent() -> int:
    return Message.objects.filter(status__in=Message.UNSENT, next_attempt_at__lte=timezone.now()).count()


def test_a_booking_reaches_the_patients_mailbox_at_once(environment, mails):
    now = timezone.now()
    clinic, patient = make_clinic(settle_minutes=0), make_patient(language="uk")
    visits = [make_visit(now + timedelta(days=day), revised_at=now) for day in range(5, 15)]
    with running(WORKER, environment):
        with transaction.atomic():
            announce_visits(clinic=clinic, patient=patient, visits=visits, summary_key="programme:1", now=now)
        wait_until(lambda: Message.objects.filter(status="sent").count() == 11, "all was sent")
    arrived = list_mails(mails)[::-1]
    assert [mail.method for mail in arrived] == [None] + ["REQUEST"] * 10
    assert arrived[0].subject == "Ваші візити: Health House"
    assert {mail.message_id for mail in arrived} == set(
        Message.objects.filter(status="sent").values_list("message_id", flat=True)
    )


def test_a_killed_worker_loses_nothing_and_repeats_at_most_two(environment, mails):
    now = timezone.now()
    clinic = make_clinic(settle_minutes=0)
    for _patient in range(30):
        visits = [make_visit(now + timedelta(days=day), revised_at=now) for day in range(5, 14)]
        with transaction.atomic():
            announce_visits(clinic=clinic, patient=make_patient(), visits=visits, summary_key="programme:1", now=now)
    with ExitStack() as stack:
        victim, _survivor = (stack.enter_context(running(WORKER, environment)) for _ in range(2))
        wait_until(lambda: len(list(mails.glob("*.eml"))) >= 40, "the workers were at it")
        victim.kill()
        victim.wait()
        wait_until(lambda: unsent() == 0, "the other worker had sent the rest")
        # What the dead one had leased comes due when its lease ends; that time is made to pass here.
        Message.objects.filter(status="leased").update(next_attempt_at=timezone.now())
        wake()
        wait_until(lambda: not Message.objects.filter(status="leased").exists() and unsent() == 0, "all was sent")
    wanted = set(Message.objects.exclude(kind="reminder").values_list("message_id", flat=True))
    arrived = Counter(mail.message_id for mail in list_mails(mails))
    assert set(arrived) == wanted
    assert len(wanted) == 300
    assert sum(arrived.values()) - len(wanted) <= 2
    assert set(Message.objects.exclude(kind="reminder").values_list("status", flat=True)) == {"sent"}
