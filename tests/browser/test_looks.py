"""Every page at every width, in both themes and languages: accessible, quiet, and never wider than the window."""

from collections.abc import Iterator

import pytest
import time_machine
from django.db import transaction
from playwright.sync_api import Browser

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


@pytest.mark.parametrize(
    ("width", "theme", "language"),
    [(1440, "dark", "ru"), (320, "light", "en")],
)
def test_every_page(
    browser: Browser, live_server: object, scene: Scene, *, width: int, theme: str, language: str
) -> None:
    desk = open_desk(
        browser,
        live_server.url,  # type: ignore[attr-defined]
        viewport={"width": width, "height": 800},
        color_scheme=theme,
    )
    desk.open("/sign-in/")
    desk.check("sign-in")
    desk.sign_in(scene.users["manager"])
    desk.page.locator(f"header button[value={language}]").click()
    for name, path in scene.addresses().items():
        desk.open(path)
        if not scene.is_on_paper(name):
            assert desk.page.locator("html").get_attribute("lang") == language
        desk.check(name)
    desk.context.close()


def test_focus_is_seen_and_targets_are_large_enough(browser: Browser, live_server: object, scene: Scene) -> None:
    desk = open_desk(browser, live_server.url)  # type: ignore[attr-defined]
    desk.sign_in(scene.users["reception"])
    for path in ("/", f"/board/?d={f.MONDAY}", f"/sessions/{scene.session.pk}/"):
        page = desk.open(path)
        small = page.evaluate(
            """[...document.querySelectorAll('button, select, input:not([type=hidden]), a.button, a.card')]
               .map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
               .filter(([, box]) => box.width && box.height && (box.height < 23.5 || box.width < 23.5))
               .map(([html]) => html).filter(html => !html.includes('checkbox'))"""
        )
        assert not small, (path, small)
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", path
    desk.context.close()


def test_the_board_refreshes_without_losing_focus_or_place(
    browser: Browser, live_server: object, riverside: Riverside
) -> None:
    with transaction.atomic():
        day = f.MONDAY
        sessions = [f.booked_session(clinic=riverside.clinic, starts_at=f.at(f"{9 + hour:02}:00")) for hour in range(3)]
    desk = open_desk(browser, live_server.url)  # type: ignore[attr-defined]
    desk.sign_in(riverside.user)
    page = desk.open(f"/board/?d={day}")
    card = page.locator(f"#s{sessions[1].pk}")
    card.focus()
    for number in range(2):
        with transaction.atomic():
            added = f.booked_session(clinic=riverside.clinic, starts_at=f.at(f"{14 + number}:00"))
        page.locator(f"#s{added.pk}").wait_for(state="attached", timeout=25_000)
        assert page.evaluate("document.activeElement.id") == f"s{sessions[1].pk}"
    assert page.locator("a.card[tabindex='0']").count() == 1
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.classList.contains('card')")
    desk.check("board after refreshes")
    desk.context.close()
