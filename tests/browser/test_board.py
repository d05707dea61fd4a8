"""The board in a real browser: moved by pointer, by keys and by neither; raced for; refreshed; cut off."""

import datetime as dt
import re
from dataclasses import dataclass

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from clinic.models import Room, Therapist
from courses.catalogue.models import Procedure
from courses.models import Session
from tests import factories as f
from tests.browser.conftest import Desk, Riverside, open_desk

pytestmark = pytest.mark.browser

SIZE = {"width": 1440, "height": 900}


@dataclass
class Day:
    """Tomorrow at Riverside: Anna has Ivanova at nine and Petrov at ten."""

    riverside: Riverside
    date: dt.date
    anna: Therapist
    boris: Therapist
    ivanova: Session
    petrov: Session

    @property
    def path(self) -> str:
        return f"/board/?d={self.date}"

    def at(self, time: str) -> dt.datetime:
        return dt.datetime.combine(self.date, dt.time.fromisoformat(time), tzinfo=dt.UTC)

    def stands(self, session: Session) -> tuple[str, Therapist]:
        """Time and therapist of a session as the database has it."""
        fresh = Session.objects.select_related("appointment").get(pk=session.pk)
        assert fresh.appointment is not None
        taken = fresh.appointment.reservations.get(resource__kind="therapist")
        return f"{fresh.appointment.starts_at:%H:%M}", Therapist.objects.get(pk=taken.resource_id)


@pytest.fixture
def day(riverside: Riverside) -> Day:
    date = timezone.localdate() + dt.timedelta(days=1)
    anna, boris = Therapist.objects.order_by("full_name")
    sessions = []
    with transaction.atomic():
        for number, family in enumerate(("Ivanova", "Petrov")):
            patient = (
                riverside.patient if family == "Ivanova" else f.PatientFactory(family_name=family, given_name="Ivan")
            )
            course = f.CourseFactory(
                patient=patient,
                clinic=riverside.clinic,
                procedure=Procedure.objects.get(),
                sessions_total=1,
                start_from=None,
                finish_by=None,
            )
            starts_at = dt.datetime.combine(date, dt.time(9 + number), tzinfo=dt.UTC)
            sessions.append(f.booked_session(course, starts_at=starts_at, therapist=anna, room=Room.objects.get()))
    return Day(riverside, date, anna, boris, *sessions)


@pytest.fixture
def open_board(desk: Desk, day: Day) -> Page:
    desk.page.set_viewport_size(SIZE)
    desk.sign_in(day.riverside.user)
    return desk.open(day.path)


def _drag(page: Page, session: Session, *, to: tuple[float, float]) -> None:
    box = page.locator(f"#s{session.pk}").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 4)
    page.mouse.down()
    page.mouse.move(box["x"] + 24, box["y"] + 14, steps=3)
    page.mouse.move(to[0] + 20, to[1] + 4, steps=8)


def _spot(page: Page, therapist: Therapist, card: Session, minutes: int) -> tuple[float, float]:
    """Where a card's corner would be in a therapist's column, so many minutes below where it is."""
    column = page.locator(f"#c-t{therapist.pk} .body").bounding_box()
    box = page.locator(f"#s{card.pk}").bounding_box()
    step = page.locator("#board").evaluate("b => parseFloat(getComputedStyle(b).getPropertyValue('--step'))")
    assert column is not None
    assert box is not None
    return column["x"] + 3, box["y"] + minutes / 5 * step


def test_a_card_is_dragged_to_another_time_and_back_again(open_board: Page, desk: Desk, day: Day) -> None:
    _drag(open_board, day.petrov, to=_spot(open_board, day.boris, day.petrov, 60))
    expect(open_board.locator(".ghost")).to_have_text("11:00 Boris K.")
    open_board.mouse.up()
    toast = open_board.locator("#board-toast")
    expect(toast).to_contain_text(re.compile(r"Petrov I\.: Moved to .* 11:00\."))
    assert day.stands(day.petrov) == ("11:00", day.boris)
    expect(open_board.locator(f"#c-t{day.boris.pk} #s{day.petrov.pk}")).to_be_visible()
    desk.check("board with a toast")
    toast.get_by_role("button", name="Undo").click()
    expect(toast).to_contain_text("Back at")
    assert day.stands(day.petrov) == ("10:00", day.anna)
    expect(open_board.locator(f"#c-t{day.anna.pk} #s{day.petrov.pk}")).to_be_visible()
    expect(open_board.locator("#undo")).to_be_disabled()


def test_escape_puts_a_dragged_card_back_and_a_lock_holds_it(open_board: Page, day: Day) -> None:
    _drag(open_board, day.petrov, to=_spot(open_board, day.boris, day.petrov, 60))
    open_board.keyboard.press("Escape")
    expect(open_board.locator(".ghost")).to_have_count(0)
    open_board.mouse.up()
    assert day.stands(day.petrov) == ("10:00", day.anna)
    open_board.get_by_role("button", name="Lock dragging").click()
    _drag(open_board, day.petrov, to=_spot(open_board, day.boris, day.petrov, 60))
    expect(open_board.locator(".ghost")).to_have_count(0)
    open_board.mouse.up()
    assert day.stands(day.petrov) == ("10:00", day.anna)


def test_a_card_is_moved_by_the_keys_alone_in_a_cyrillic_layout_too(open_board: Page, desk: Desk, day: Day) -> None:
    open_board.locator(f"#s{day.petrov.pk}").focus()
    # The place of M on the keyboard gives ь there.
    open_board.evaluate(
        """document.activeElement.dispatchEvent(
             new KeyboardEvent('keydown', {key: 'ь', code: 'KeyM', bubbles: true, cancelable: true}))"""
    )
    said = open_board.locator("#announcements")
    expect(open_board.locator(".free-slot").first).to_be_visible()
    desk.check("board while moving")
    open_board.keyboard.press("ArrowRight")
    expect(said).to_have_text("10:00, Boris K., free")
    open_board.keyboard.press("ArrowUp")
    expect(said).to_have_text("09:55, Boris K., free")
    open_board.keyboard.press("ArrowLeft")
    expect(said).to_have_text("09:55, Anna P., free")
    for _time in range(11):
        open_board.keyboard.press("ArrowUp")
    expect(said).to_have_text("09:00, Anna P., not free")
    open_board.keyboard.press("Escape")
    expect(said).to_have_text("Left where it was.")
    open_board.keyboard.press("m")
    open_board.keyboard.press("ArrowRight")
    open_board.keyboard.press("Enter")
    expect(open_board.locator("#board-toast")).to_contain_text("Moved to")
    assert day.stands(day.petrov) == ("10:00", day.boris)
    expect(open_board.locator(f"#s{day.petrov.pk}")).to_be_focused()


def test_a_card_is_moved_without_dragging(open_board: Page, desk: Desk, day: Day) -> None:
    open_board.locator(f"#s{day.petrov.pk}").click()
    dialog = open_board.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_be_focused()
    desk.check("dialog of a session")
    dialog.get_by_role("button", name="Move on the board").click()
    open_board.get_by_role("button", name="11:30, Boris K.").click()
    expect(open_board.locator("#board-toast")).to_contain_text("Moved to")
    assert day.stands(day.petrov) == ("11:30", day.boris)


def test_the_tray_carries_a_session_to_another_day(open_board: Page, desk: Desk, day: Day) -> None:
    open_board.locator(f"#s{day.petrov.pk}").click()
    open_board.get_by_role("button", name="Into the tray").click()
    tray = open_board.get_by_role("region", name="Tray")
    expect(tray).to_contain_text("Petrov I.")
    open_board.keyboard.press("]")
    open_board.wait_for_url(f"**/board/?d={day.date + dt.timedelta(days=1)}")
    desk.check("board with a tray")
    open_board.locator(f"#parked-{day.petrov.pk}").click()
    open_board.get_by_role("button", name="12:00, Anna P.").click()
    expect(tray).to_have_count(0)
    fresh = Session.objects.select_related("appointment").get(pk=day.petrov.pk)
    assert fresh.appointment is not None
    assert fresh.appointment.starts_at == day.at("12:00") + dt.timedelta(days=1)


def test_a_conflict_says_who_is_in_the_way_and_offers_three_times(open_board: Page, desk: Desk, day: Day) -> None:
    _drag(open_board, day.petrov, to=_spot(open_board, day.anna, day.petrov, -60))
    open_board.mouse.up()
    dialog = open_board.get_by_role("dialog")
    expect(dialog).to_contain_text("Petrov I.: Anna P. has Ivanova A. 09:00–09:30.")
    choices = dialog.locator("form[data-drop] button")
    expect(choices).to_have_count(3)
    assert [text.strip() for text in choices.all_inner_texts()] == ["09:00 Boris K.", "09:05 Boris K.", "09:30 Anna P."]
    desk.complaints.clear()  # the browser tells of every answer 409
    desk.check("refusal")
    choices.nth(2).click()
    expect(open_board.locator("#board-toast")).to_contain_text("Moved to")
    assert day.stands(day.petrov) == ("09:30", day.anna)


def test_two_browsers_race_for_one_time(browser: Browser, live_server: object, day: Day) -> None:
    desks = [open_desk(browser, live_server.url, viewport=SIZE) for _one in range(2)]  # type: ignore[attr-defined]
    for desk, user in zip(desks, (day.riverside.user, day.riverside.doctor), strict=True):
        desk.sign_in(user)
        desk.open(day.path)
    for desk, session, minutes in zip(desks, (day.petrov, day.ivanova), (60, 120), strict=True):
        _drag(desk.page, session, to=_spot(desk.page, day.boris, session, minutes))
        expect(desk.page.locator(".ghost")).to_have_text("11:00 Boris K.")
    desks[0].page.mouse.up()
    expect(desks[0].page.locator("#board-toast")).to_contain_text("Moved to")
    desks[1].page.mouse.up()
    expect(desks[1].page.get_by_role("dialog")).to_contain_text("Boris K. has Petrov I. 11:00–11:30.")
    # What the other did is on the board already.
    expect(desks[1].page.locator(f"#c-t{day.boris.pk} #s{day.petrov.pk}")).to_be_attached()
    assert day.stands(day.petrov) == ("11:00", day.boris)
    assert day.stands(day.ivanova) == ("09:00", day.anna)
    for desk in desks:
        desk.context.close()


def test_a_refresh_changes_only_what_changed_and_keeps_focus_scroll_and_dialog(open_board: Page, day: Day) -> None:
    open_board.set_viewport_size({"width": 1000, "height": 500})
    open_board.clock.install()
    open_board.reload()
    kept = open_board.locator(f"#s{day.petrov.pk}")
    kept.evaluate("card => { card.sameCard = true; }")
    board = open_board.locator("#board")
    board.evaluate("b => { b.scrollTop = 40; }")
    kept.click()
    expect(open_board.get_by_role("dialog").get_by_role("heading")).to_be_focused()
    top = board.evaluate("b => b.scrollTop")
    assert top > 0
    for number in range(5):
        with transaction.atomic():
            added = f.booked_session(
                clinic=day.riverside.clinic,
                starts_at=day.at(f"{10 + number // 2}:{30 * (number % 2):02}"),
                therapist=day.boris,
            )
        open_board.clock.run_for(10_500)
        expect(open_board.locator(f"#s{added.pk}")).to_be_attached()
        assert board.evaluate("b => b.scrollTop") == top
        expect(open_board.get_by_role("dialog").get_by_role("heading")).to_be_focused()
    with open_board.expect_response(lambda r: "seen=" in r.url) as nothing:
        open_board.clock.run_for(10_500)
    assert nothing.value.status == 204
    assert kept.evaluate("card => card.sameCard === true")
    open_board.keyboard.press("Escape")
    expect(kept).to_be_focused()
    assert open_board.locator("a.card[tabindex='0']").count() == 1


def test_the_server_goes_away_and_comes_back(open_board: Page, day: Day) -> None:
    open_board.clock.install()
    open_board.reload()
    open_board.route("**/board/**", lambda route: route.abort())
    open_board.route("**/drop/", lambda route: route.abort())
    open_board.clock.run_for(10_500)
    expect(open_board.get_by_role("alert")).to_contain_text("No answer from the server")
    _drag(open_board, day.petrov, to=_spot(open_board, day.boris, day.petrov, 60))
    open_board.mouse.up()
    expect(open_board.get_by_role("alert")).to_contain_text("Not saved, nothing changed.")
    assert day.stands(day.petrov) == ("10:00", day.anna)
    open_board.unroute_all()
    open_board.clock.run_for(10_500)
    expect(open_board.locator("#announcements")).to_contain_text("The server answers again.")
    expect(open_board.get_by_role("alert")).to_have_count(0)


def test_signed_out_in_another_tab(open_board: Page, desk: Desk, day: Day) -> None:
    other = desk.context.new_page()
    other.goto(f"{desk.address}/")
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/sign-in/**")
    _drag(open_board, day.petrov, to=_spot(open_board, day.boris, day.petrov, 60))
    open_board.mouse.up()
    expect(open_board.get_by_role("alert")).to_contain_text("You are signed out.")
    assert day.stands(day.petrov) == ("10:00", day.anna)
    open_board.get_by_role("alert").get_by_role("link", name="Sign in").click()
    open_board.wait_for_url("**/sign-in/?next=*")


def test_keys_of_one_letter_can_be_switched_off(open_board: Page, day: Day) -> None:
    open_board.keyboard.press("?")
    expect(open_board.locator("#board-help")).to_have_attribute("open", "")
    open_board.get_by_label("Keys of one letter work").uncheck()
    open_board.locator(f"#s{day.petrov.pk}").focus()
    open_board.keyboard.press("m")
    open_board.keyboard.press("]")
    expect(open_board.locator(".ghost")).to_have_count(0)
    assert open_board.url.endswith(day.path)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_board_is_accessible_and_nothing_shifts(
    browser: Browser, live_server: object, day: Day, theme: str
) -> None:
    desk = open_desk(browser, live_server.url, viewport=SIZE, color_scheme=theme)  # type: ignore[attr-defined]
    desk.context.add_init_script(
        """window.shifts = []; window.broken = [];
           const note = (list) => {
             for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifts.push(shift.value);
           };
           new PerformanceObserver(note).observe({type: 'layout-shift', buffered: true});
           addEventListener('securitypolicyviolation', (event) => window.broken.push(event.violatedDirective));"""
    )
    desk.sign_in(day.riverside.user)
    views = (
        "",
        "&by=room",
        "&view=week",
        "&view=month",
        "&view=list",
        "&density=compact&zoom=18",
        "&status=booked,held",
    )
    for view in views:
        page = desk.open(day.path + view)
        page.wait_for_load_state("networkidle")
        desk.check(view)
        assert sum(page.evaluate("window.shifts")) == 0, view
        assert page.evaluate("window.broken") == [], view
    desk.context.close()


def test_narrow_or_enlarged_the_board_is_a_list(browser: Browser, live_server: object, day: Day) -> None:
    desk = open_desk(browser, live_server.url, viewport={"width": 320, "height": 640})  # type: ignore[attr-defined]
    desk.sign_in(day.riverside.user)
    page = desk.open(day.path)
    desk.check("board at 320 pixels")
    boxes = [page.locator(f"#s{one.pk}").bounding_box() for one in (day.ivanova, day.petrov)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]
    page.locator(f"#s{day.petrov.pk}").click()
    page.get_by_role("button", name="Move on the board").click()
    page.wait_for_url("**/move/")
    desk.context.close()
