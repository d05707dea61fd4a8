"""The board with five hundred sessions in a day: time on the server, statements, and what the browser must load."""

import datetime as dt
import gzip
import http.client
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.cached_db import SessionStore
from django.db import connection, transaction
from django.db.models import Count
from django.db.models.functions import TruncDate
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from psycopg.types.range import Range

from clinic.models import Appointment, Reservation, Resource, ResourceKind, Therapist
from courses.benchmarks.clinics import LoadedClinic, load_reference_clinic
from courses.benchmarks.timing import p50, p95
from courses.booking.models import Session, Visit
from courses.booking.transitions import Status
from courses.catalogue.models import Procedure
from courses.demo.progress import Bar

SESSIONS = 500
WARM_UP = 5
VIEWS = {
    "therapists": "",
    "rooms": "&by=room",
    "week": "&view=week",
    "month": "&view=month",
    "list": "&view=list",
}
_ASSETS = re.compile(r'(?:src|href)="(/static/[^"]+)"')
_IMPORTS = re.compile(r'from "\./([\w-]+\.js)"')


def measure(options: Mapping[str, Any]) -> dict[str, Any]:
    """`server_ms_*` are the worst view's, as the server's own header `Server-Timing` tells them; `page_kb` is the
    heaviest view with all its styles, scripts and pictures, compressed as they are sent.
    """
    requests = options["requests"] or 60
    loaded = load_reference_clinic(timezone.localdate())
    date = _fill(loaded)
    cookie = _sign_in(loaded)
    views: dict[str, dict[str, float]] = {}
    with Bar("Boards", requests * (len(VIEWS) + 1)) as bar:
        done = 0
        for name, parameters in VIEWS.items():
            path = f"/board/?d={date}{parameters}"
            times, body = _time(path, cookie, requests)
            done += requests
            bar.to(done)
            weight = len(gzip.compress(body)) + _weigh(body.decode(), cookie)
            views[name] = _figures(times) | {"queries": _count(loaded, path), "page_kb": round(weight / 1024, 1)}
        digest = re.search(r'data-digest="(\w+)"', _get(f"/board/?d={date}", cookie)[1].decode())
        seen = f"/board/?d={date}&seen={digest[1] if digest else ''}"
        times, _body = _time(seen, cookie, requests, status=204)
        views["refresh"] = _figures(times)
        bar.to(done + requests)
    return {
        "sessions": SESSIONS,
        "requests": requests,
        "server_ms_p50": max(view["server_ms_p50"] for view in views.values()),
        "server_ms_p95": max(view["server_ms_p95"] for view in views.values()),
        "queries": max(view.get("queries", 0) for view in views.values()),
        "page_kb": max(view.get("page_kb", 0) for view in views.values()),
        "views": views,
    }


def _figures(times: list[float]) -> dict[str, float]:
    return {"server_ms_p50": p50(times), "server_ms_p95": p95(times)}


def _fill(loaded: LoadedClinic) -> dt.date:
    """Bring the fullest day to five hundred sessions: more therapists with the same day as the others, new patients."""
    clinic = loaded.clinic
    placed = Session.objects.filter(appointment__live=True)
    per_day = placed.annotate(date=TruncDate("appointment__starts_at", tzinfo=clinic.tz)).values("date")
    fullest = per_day.annotate(count=Count("pk")).order_by("-count").first()
    if fullest is None:
        raise RuntimeError("The reference clinic has no bookings.")
    date: dt.date = fullest["date"]
    models = list(
        placed.filter(visit__date=date)
        .select_related("appointment", "course__procedure")
        .prefetch_related("appointment__reservations__resource")
        .order_by("appointment__starts_at")
    )
    doubles: dict[tuple[int, int], int] = {}
    with transaction.atomic():
        for number in range(SESSIONS - len(models)):
            model, turn = models[number % len(models)], number // len(models)
            _double(loaded, model, turn, doubles, date)
    return date


def _double(
    loaded: LoadedClinic, model: Session, turn: int, doubles: dict[tuple[int, int], int], date: dt.date
) -> None:
    """A session at the same time, with a double of its therapist and a patient of its own."""
    old = model.appointment
    if old is None:
        raise RuntimeError("a session of the day has no appointment")
    patient = loaded.new_patients(1)[0]
    procedure: Procedure = model.course.procedure
    course = loaded.course(patient, procedure.code.lower(), 1)
    course.save()
    span = {"starts_at": old.starts_at, "ends_at": old.ends_at}
    visit = Visit.objects.create(clinic=loaded.clinic, patient=patient, date=date, revised_at=old.starts_at, **span)
    new = Appointment.objects.create(clinic=loaded.clinic, **span)
    therapist = next(r.resource_id for r in old.reservations.all() if r.resource.kind == ResourceKind.THERAPIST)
    takes = (patient.pk, _double_of(therapist, turn, doubles))
    for resource in takes:
        Reservation.objects.create(appointment=new, resource_id=resource, places=Range(1, 2), **span)
    Session.objects.create(course=course, number=1, status=Status.BOOKED, appointment=new, visit=visit)


def _double_of(therapist: int, turn: int, doubles: dict[tuple[int, int], int]) -> int:
    if (therapist, turn) not in doubles:
        resource = Resource.objects.create(kind=ResourceKind.THERAPIST)
        Therapist.objects.create(resource=resource, full_name=f"Specialist {resource.pk}")
        doubles[therapist, turn] = resource.pk
    return doubles[therapist, turn]


def _sign_in(loaded: LoadedClinic) -> str:
    store = SessionStore()
    store[SESSION_KEY] = str(loaded.user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = loaded.user.get_session_auth_hash()
    store.create()
    return f"{settings.SESSION_COOKIE_NAME}={store.session_key}"


def _get(path: str, cookie: str) -> tuple[http.client.HTTPResponse, bytes]:
    address = urlsplit(settings.PUBLIC_URL)
    wire = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    headers = {"Cookie": cookie, "Accept-Encoding": "gzip", "Accept": "text/html"}
    wire.request("GET", path, headers=headers | ({"HX-Request": "true"} if "seen=" in path else {}))
    answer = wire.getresponse()
    body = answer.read()
    wire.close()
    return answer, gzip.decompress(body) if answer.getheader("Content-Encoding") == "gzip" else body


def _time(path: str, cookie: str, requests: int, *, status: int = 200) -> tuple[list[float], bytes]:
    times, body = [], b""
    for number in range(-WARM_UP, requests):
        answer, body = _get(path, cookie)
        told = re.search(r"dur=([\d.]+)", answer.getheader("Server-Timing") or "")
        if answer.status != status or told is None:
            raise RuntimeError(f"HTTP {answer.status} without its time: {path}")
        if number >= 0:
            times.append(float(told[1]))
    return times, body


def _weigh(page: str, cookie: str) -> int:
    """Compressed bytes of everything that a page names, and of the modules that those name."""
    wanted, weighed, total = list(dict.fromkeys(_ASSETS.findall(page))), set(), 0
    while wanted:
        path = wanted.pop()
        if path in weighed:
            continue
        weighed.add(path)
        _answer, body = _get(path, cookie)
        total += len(gzip.compress(body))
        if path.endswith(".js"):
            wanted += [f"{path.rsplit('/', 1)[0]}/{name}" for name in _IMPORTS.findall(body.decode())]
    return total


def _count(loaded: LoadedClinic, path: str) -> int:
    client = Client(SERVER_NAME="localhost")
    client.force_login(loaded.user, settings.AUTHENTICATION_BACKENDS[0])
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        client.get(path)
    return len(captured)
