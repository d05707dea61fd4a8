"""The pictures of docs/, taken of the demonstration that is running: `python3 run.py screenshots [--address URL]`.

Each page is taken in both languages: `docs/NAME.png` and `docs/NAME.ru.png`.
"""

import argparse
import datetime as dt
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import django

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop, in which Django would refuse to read
django.setup()

from django.conf import settings  # noqa: E402 - models are there once Django is set up
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.cached_db import SessionStore  # noqa: E402
from django.db.models import Count  # noqa: E402
from django.db.models.functions import TruncDate  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402

from clinic.models import Clinic, Membership, User  # noqa: E402
from clinic.permissions import Role  # noqa: E402
from courses.models import Session  # noqa: E402
from tests.browser.chromium import MISSING, find_chromium  # noqa: E402

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
SIZE = {"width": 1600, "height": 900}


@dataclass(frozen=True)
class Picture:
    """A page of the demonstration: its address on a `day`, and what is done there before it is taken."""

    name: str
    path: Callable[[dt.date], str]
    prepare: Callable[[Page], None] = lambda _page: None


PICTURES = (
    Picture("board", lambda day: f"/board/?d={day}"),
    Picture("board-week", lambda day: f"/board/?d={day}&view=week"),
    Picture("board-month", lambda day: f"/board/?d={day}&view=month"),
)


def take(pictures: tuple[Picture, ...], *, address: str, folder: Path) -> list[Path]:
    path = find_chromium()
    if path is None:
        raise SystemExit(MISSING)
    clinic, day = _fullest_day()
    user = _reception(clinic)
    taken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = browser.new_context(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": _sign_in(user), "url": address}
        context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        for language in ("ru", "en"):
            page.goto(f"{address}/")
            page.locator(f"header button[value={language}]").click()
            for picture in pictures:
                page.goto(address + picture.path(day))
                page.wait_for_load_state("networkidle")
                picture.prepare(page)
                target = folder / f"{picture.name}{'' if language == 'en' else f'.{language}'}.png"
                page.screenshot(path=target)
                taken.append(target)
        browser.close()
    return taken


def _fullest_day() -> tuple[Clinic, dt.date]:
    """The clinic and the local day with the most sessions."""
    row = (
        Session.objects.filter(appointment__live=True)
        .values("appointment__clinic", date=TruncDate("appointment__starts_at"))
        .annotate(count=Count("pk"))
        .order_by("-count", "date")
        .first()
    )
    if row is None:
        raise SystemExit("The demonstration has no sessions yet.")
    return Clinic.objects.get(pk=row["appointment__clinic"]), row["date"]


def _reception(clinic: Clinic) -> User:
    return Membership.objects.filter(clinic=clinic, role=Role.RECEPTION).select_related("user")[0].user


def _sign_in(user: User) -> str:
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return str(store.session_key)


def main() -> None:
    parser = argparse.ArgumentParser(prog="run.py screenshots", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which to take; all where none is named")
    parser.add_argument("--address", default="http://localhost:8000", help="of the running demonstration")
    parser.add_argument("--folder", type=Path, default=DOCS)
    options = parser.parse_args()
    wanted = tuple(one for one in PICTURES if not options.names or one.name in options.names)
    for path in take(wanted, address=options.address, folder=options.folder):
        print(path)


if __name__ == "__main__":
    main()
