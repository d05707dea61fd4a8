"""Cards and paper in a real browser: merged by keyboard, found with one key, printed on as many sheets as there are."""

import re
from collections.abc import Iterator

import pytest
import time_machine
from django.db import transaction
from playwright.sync_api import Browser, Page

from clinic.models import Patient
from clinic.searching import refresh_search_text
from tests import factories as f
from tests.browser.conftest import Riverside, open_desk
from tests.pages.conftest import NOW, Scene, make_scene

pytestmark = pytest.mark.browser


@pytest.fixture
def scene(transactional_db: None) -> Iterator[Scene]:
    with time_machine.travel(NOW, tick=True):
        with transaction.atomic():
            made = make_scene()
        yield made


def sheets(page: Page) -> int:
    """How many sheets of paper the browser would print."""
    page.emulate_media(media="print")
    printed = page.pdf(prefer_css_page_size=True)
    return len(re.findall(rb"/Type\s*/Page\b", printed))


def test_paper_has_as_many_sheets_as_it_needs(browser: Browser, live_server: object, scene: Scene) -> None:
    with transaction.atomic():
        room = f.RoomFactory(clinic=scene.clinic, name="Room 9")
        f.booked_session(clinic=scene.clinic, starts_at=f.at("15:00"), room=room)
        long = f.CourseFactory(
            clinic=scene.clinic,
            procedure=scene.session.course.procedure,
            patient=scene.patient,
            sessions_total=20,
            sessions=True,
        )
    desk = open_desk(browser, live_server.url)  # type: ignore[attr-defined]
    desk.sign_in(scene.users["reception"])
    expected = {
        f"/courses/{scene.session.course_id}/sheet/": 1,
        f"/courses/{scene.session.course_id}/card/": 1,
        f"/patients/{scene.patient.pk}/sheet/": 1,
        f"/visits/{scene.session.visit_id}/certificate/": 1,
        f"/cabinets/?d={f.MONDAY}": 3,
        f"/classes/{scene.meeting.pk}/roster/": 1,
        "/calls/sheet/": 1,
        f"/courses/{long.pk}/sheet/": 1,
        f"/courses/{long.pk}/sheet/?large=yes": 2,
    }
    assert {path: sheets(desk.open(path)) for path in expected} == expected
    assert not desk.page.locator(".tools").is_visible()
    assert not desk.complaints
    desk.context.close()


def test_two_cards_are_merged_by_keyboard(browser: Browser, live_server: object, riverside: Riverside) -> None:
    with transaction.atomic():
        double = f.PatientFactory(
            family_name="Ivanowa", given_name="Anna", full_name="Ivanowa Anna", birth_date=riverside.patient.birth_date
        )
        refresh_search_text(double)
    desk = open_desk(browser, live_server.url, viewport={"width": 320, "height": 800})  # type: ignore[attr-defined]
    desk.sign_in(riverside.user)
    page = desk.page
    page.keyboard.press("/")
    page.keyboard.type("4567")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search/")
    desk.check("search")
    page.get_by_role("link", name=riverside.patient.full_name).first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/patients/{riverside.patient.pk}/")
    page.get_by_role("link", name="Merge cards").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/merge/")
    desk.check("merge")
    page.get_by_role("link", name="Ivanowa Anna").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/merge/{double.pk}/")
    desk.check("review")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(f"**/patients/{riverside.patient.pk}/")
    desk.check("merged")
    desk.open(f"/patients/{double.pk}/")
    assert page.url.endswith(f"/patients/{riverside.patient.pk}/")
    desk.context.close()
    assert Patient.objects.get(pk=double.pk).merged_into_id == riverside.patient.pk


def test_a_relative_with_the_same_phone_gets_a_card(
    browser: Browser, live_server: object, riverside: Riverside
) -> None:
    desk = open_desk(browser, live_server.url, color_scheme="dark")  # type: ignore[attr-defined]
    desk.sign_in(riverside.user)
    page = desk.open("/patients/new/")
    page.get_by_label("Family name").fill("Ivanov")
    page.get_by_label("Given name").fill("Pavel")
    page.get_by_label("Phone", exact=False).first.fill("+48501234567")
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Different person, same phone: save").wait_for()
    assert page.evaluate("document.activeElement.id") == "error-summary"
    assert page.get_by_label("Family name").input_value() == "Ivanov"
    # The browser reports every answer that is not a success.
    desk.complaints.clear()
    desk.check("same phone")
    page.keyboard.press("Control+Enter")
    page.get_by_role("heading", name="Pavel").wait_for()
    desk.context.close()
    assert Patient.objects.filter(phones__number="+48501234567").count() == 2
