"""The roster by keyboard alone, what it leaves outside, and an import that loses nothing, in a real browser."""

import datetime as dt
import re
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Browser, expect

from clinic.models import Room, Shift, User
from clinic.permissions import Role
from courses.importing.runs import work_through
from courses.models import Session
from tests import factories as f
from tests.browser.conftest import Desk, Riverside, open_desk

pytestmark = pytest.mark.browser


@pytest.fixture
def manager(riverside: Riverside) -> User:
    with transaction.atomic():
        return f.user_with_role(Role.MANAGER, riverside.clinic)


def _next_month() -> dt.date:
    return (timezone.localdate().replace(day=1) + dt.timedelta(days=32)).replace(day=1)


def test_a_day_of_the_roster_by_keyboard_alone(desk: Desk, riverside: Riverside, manager: User) -> None:
    first = _next_month()
    desk.sign_in(manager)
    page = desk.open(f"/manage/roster/?d={first}")
    anna = Shift.objects.order_by("pk").first()
    assert anna is not None
    key = anna.therapist_id
    for _press in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id").startswith("t"):
            break
    assert page.evaluate("document.activeElement.id") == f"t{key}-1"
    desk.check("roster")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == f"t{key}-3"
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"/manage/roster/{key}/"))
    desk.check("a day of the roster")
    page.locator("[name=start_time]").fill("10:00")
    page.locator("[name=end_time]").fill("12:30")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/manage/roster/\?d="))
    # Back on the day one came from.
    expect(page.locator(f"#t{key}-3")).to_be_focused()
    expect(page.locator(f"#t{key}-3")).to_contain_text("10–12:30")
    page.keyboard.press("End")
    last = (first + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)
    assert page.evaluate("document.activeElement.id") == f"t{key}-{last.day}"
    assert page.locator(".roster td a[tabindex='0']").count() == 1


@pytest.mark.parametrize(("width", "theme"), [(320, "dark"), (1440, "light")])
def test_what_a_free_day_leaves_outside(
    browser: Browser, live_server: object, riverside: Riverside, manager: User, *, width: int, theme: str
) -> None:
    date = _next_month() + dt.timedelta(days=5)
    with transaction.atomic():
        shift = Shift.objects.order_by("pk").first()
        assert shift is not None
        starts_at = dt.datetime.combine(date, dt.time(10), tzinfo=dt.UTC)
        session = f.booked_session(clinic=riverside.clinic, starts_at=starts_at, therapist=shift.therapist)
        f.QualificationFactory(therapist=shift.therapist, procedure=session.course.procedure)
    desk = open_desk(
        browser,
        live_server.url,  # type: ignore[attr-defined]
        viewport={"width": width, "height": 800},
        color_scheme=theme,
    )
    desk.sign_in(manager)
    page = desk.open(f"/manage/roster/{shift.therapist_id}/{date}/")
    page.get_by_label("Works this day").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#error-summary")).to_be_focused()
    expect(page.get_by_role("link", name=str(session.course.patient))).to_be_visible()
    desk.complaints.clear()  # the browser itself notes the status 409
    desk.check("outside")
    page.get_by_role("button", name="Save, and mark 1 session to re-place").click()
    page.wait_for_url(re.compile(r"/manage/roster/\?d="))
    assert Session.objects.get(pk=session.pk).to_replace
    desk.check("roster after")
    desk.context.close()


@pytest.mark.parametrize(("width", "theme", "language"), [(320, "light", "ru"), (1440, "dark", "en")])
def test_an_import_may_be_left_and_found_again(
    browser: Browser,
    live_server: object,
    riverside: Riverside,
    manager: User,
    tmp_path: Path,
    *,
    width: int,
    theme: str,
    language: str,
) -> None:
    table = tmp_path / "rooms.csv"
    table.write_text("room_id,room_type,name,capacity\nR1,massage,Room 41,two\nR2,massage,Room 42,2\n", "utf-8")
    desk = open_desk(
        browser,
        live_server.url,  # type: ignore[attr-defined]
        viewport={"width": width, "height": 800},
        color_scheme=theme,
    )
    desk.sign_in(manager)
    desk.page.locator(f"header button[value={language}]").click()
    page = desk.open("/manage/imports/")
    desk.check("import")
    page.locator("input[type=file]").set_input_files(table)
    page.locator("form[data-main] button").click()
    page.wait_for_url(re.compile(r"/manage/imports/\d+/"))
    address = page.url
    expect(page.locator("progress")).to_be_visible()
    desk.check("import under way")
    # The page is left while a worker does its work, and is there again.
    desk.open("/")
    work_through(now=timezone.now())
    page.goto(address)
    expect(page.locator("details.panel").first).to_be_visible()
    desk.check("import checked")
    page.locator("form[action$='/confirm/'] button").click()
    expect(page.locator("progress")).to_be_visible()
    work_through(now=timezone.now())
    # The page finds out by itself.
    expect(page.locator("progress")).to_have_count(0)
    expect(page.locator(".badge.good")).to_be_visible()
    desk.check("import done")
    assert Room.objects.filter(name="Room 42").count() == 1
    desk.context.close()
