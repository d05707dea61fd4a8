"""How fast due mails leave for a local SMTP server: `manage.py bench delivery`.

`python -m notifications.benchmark` is one of the workers: it says that it is ready, waits for a line, and delivers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

WORKERS = 2
VISITS = 10  # of each programme, which makes one mail more


def measure(options: Mapping[str, Any]) -> dict[str, Any]:
    """Programmes booked for new patients, every mail due at once; from the first claim to the last mark."""
    from django.utils import timezone

    wanted = options.get("requests") or 3300
    _enqueue(-(-wanted // (VISITS + 1)), timezone.now())
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        sink = stack.enter_context(_running("notifications.sink", "--directory", directory))
        environment = os.environ | {"EMAIL_URL": f"smtp://127.0.0.1:{_line(sink)}", "DATABASE_POOL": "false"}
        workers = [stack.enter_context(_running(__name__, environment=environment)) for _ in range(WORKERS)]
        for worker in workers:
            _line(worker)
        started = time.perf_counter()
        for worker in workers:
            assert worker.stdin is not None  # noqa: S101 - it was opened as a pipe
            worker.stdin.write("\n")
            worker.stdin.flush()
        sent = sum(int(_line(worker)) for worker in workers)
        seconds = time.perf_counter() - started
        kept = len(list(Path(directory).glob("*.eml")))
    return {"workers": WORKERS, "mails": sent, "kept": kept, "mails_per_minute": round(60 * sent / seconds)}


def _enqueue(programmes: int, now: datetime) -> None:
    from django.db import transaction

    from clinic.models import Clinic, Patient, Resource, ResourceKind
    from notifications.outbox import announce_visits
    from notifications.snapshots import VisitSnapshot

    clinic = Clinic.objects.create(
        name="Дом здоровья",
        zone="Europe/Moscow",
        country="RU",
        language="ru",
        settle_minutes=1,
        phone="+7 495 000-00-00",
    )
    for number in range(programmes):
        resource = Resource.objects.create(kind=ResourceKind.PATIENT)
        patient = Patient.objects.create(
            resource=resource,
            full_name=f"Анна Вымышленная {number}",
            email=f"patient{resource.pk}@example.org",
            consent_data=True,
            consent_email=True,
        )
        starts = [now + timedelta(days=5 + day) for day in range(VISITS)]
        visits = [
            VisitSnapshot(
                uid=f"{uuid4()}@example.org",
                sequence=0,
                revised_at=now,
                starts_at=start,
                ends_at=start + timedelta(minutes=50),
                zone=clinic.zone,
                clinic_name=clinic.name,
                clinic_phone=clinic.phone,
            )
            for start in starts
        ]
        with transaction.atomic():
            # Settled long ago, so that the workers of the measurement find everything at once.
            announce_visits(
                clinic=clinic,
                patient=patient,
                visits=visits,
                summary_key=f"benchmark:{number}",
                now=now,
                send_from=now - timedelta(minutes=10),
            )


@contextmanager
def _running(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
    line = process.stdout.readline().strip()
    if not line:
        raise RuntimeError(f"{process.args!r} ended without an answer")
    return line


def _work() -> None:
    import django

    django.setup()
    from notifications.delivery import deliver_due

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(f"{deliver_due().sent}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _work()
