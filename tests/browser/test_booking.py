"""The main job in a real browser: by keyboard, without a script, by two at once."""

import re

import pytest
from playwright.sync_api import Browser, expect

from clinic.models import Reservation, Resource, Therapist
from courses.booking.transitions import PLACED
from courses.models import Plan, Session
from tests import factories as f
from tests.browser.conftest import Desk, Riverside, open_desk

pytestmark = pytest.mark.browser


def test_a_course_is_booked_by_keyboard_then_moved_and_cancelled(desk: Desk, riverside: Riverside) -> None:
    desk.sign_in(riverside.user)
    page, keys = desk.page, desk.page.keyboard
    desk.check("desk")
    keys.press("n")
    page.wait_for_url("**/patients/")
    expect(page.locator("#q")).to_be_focused()
    keys.type("4567")
    keys.press("Enter")
    found = page.get_by_role("link", name="Book: Anna Ivanova")
    expect(found).to_be_visible()
    desk.check("patients")
    found.focus()
    keys.press("Enter")
    page.wait_for_url("**/courses/new/")
    desk.check("new course")
    page.get_by_label("Procedure", exact=True).first.focus()
    keys.type("mas")
    keys.press("Tab")
    keys.type("4")
    keys.press("Control+Enter")
    page.wait_for_url(re.compile(r"/plans/\d+/$"))
    expect(page.get_by_role("heading", name="Proposed plan")).to_be_visible()
    expect(page.locator(".say")).to_contain_text("Starts")
    desk.check("plan")
    page.get_by_role("button", name=re.compile("^Hold for")).focus()
    keys.press("Enter")
    expect(page.locator(".countdown")).to_have_text(re.compile(r"^\d+:\d\d$"))
    desk.check("held plan")
    keys.press("Control+Enter")
    page.wait_for_url("**/booked/")
    expect(page.get_by_text("4 sessions booked")).to_be_visible()
    desk.check("booked")
    sessions = list(Session.objects.filter(status="booked").select_related("appointment").order_by("number"))
    assert len(sessions) == 4
    assert not Reservation.objects.filter(held_until__isnull=False, live=True).exists()

    first = sessions[0]
    day = first.appointment.starts_at.date()
    desk.open(f"/board/?d={day}")
    card = page.locator(f"#s{first.pk}")
    expect(card).to_have_attribute("aria-label", re.compile(r"^Ivanova A\., Massage 1 of 4, .*, planned$"))
    desk.check("board")
    card.focus()
    keys.press("Enter")
    page.get_by_role("dialog").get_by_role("link", name="Open", exact=True).focus()
    keys.press("Enter")
    page.wait_for_url(f"**/sessions/{first.pk}/")
    keys.press("m")
    page.wait_for_url("**/move/")
    desk.check("move")
    before = first.appointment.starts_at
    page.locator("form:has(input[name=therapist][type=hidden]) button").nth(2).click()
    page.wait_for_url(f"**/sessions/{first.pk}/")
    expect(page.get_by_text(re.compile("^Moved to"))).to_be_visible()
    first.refresh_from_db()
    assert first.appointment.starts_at != before

    page.get_by_role("link", name="Cancel session").click()
    page.get_by_label("Reason").fill("has a cold")
    page.get_by_role("button", name="Cancel session").click()
    page.wait_for_url("**/courses/*/")
    desk.check("course")
    live = Session.objects.filter(course=first.course_id).exclude(status__in=["cancelled", "late_cancelled"])
    assert sorted(s.status for s in live) == ["booked", "booked", "booked", "unplaced"]


def test_all_of_it_works_without_a_script(browser: Browser, live_server: object, riverside: Riverside) -> None:
    desk = open_desk(browser, live_server.url, java_script_enabled=False)  # type: ignore[attr-defined]
    page = desk.page
    desk.sign_in(riverside.user)
    desk.open("/patients/")
    page.get_by_label("Name, phone digits or card number").fill("иванова")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="Book: Anna Ivanova").click()
    page.locator("select[name=line0-procedure]").select_option(label="MAS · Massage ×10")
    page.locator("input[name=line0-sessions_total]").fill("2")
    page.get_by_role("button", name="Find times").click()
    page.get_by_role("button", name="Book", exact=True).click()
    expect(page.get_by_text("2 sessions booked")).to_be_visible()
    desk.context.close()


def test_of_two_who_want_one_time_the_second_gets_choices(
    browser: Browser, live_server: object, riverside: Riverside
) -> None:
    Therapist.objects.get(short_name="Boris K.").qualifications.all().delete()
    Resource.objects.filter(kind="room").update(capacity=1)
    other = f.PatientFactory(family_name="Petrov", given_name="Jan")
    desks = []
    for patient in (riverside.patient, other):
        desk = open_desk(browser, live_server.url)  # type: ignore[attr-defined]
        desk.sign_in(riverside.user)
        page = desk.open(f"/patients/{patient.pk}/courses/new/")
        page.locator("select[name=line0-procedure]").select_option(index=1)
        page.locator("input[name=line0-sessions_total]").fill("2")
        page.get_by_role("button", name="Find times").click()
        page.wait_for_url(re.compile(r"/plans/\d+/$"))
        desks.append(desk)
    for desk in desks:
        desk.page.get_by_role("button", name="Book", exact=True).click()
    expect(desks[0].page.get_by_text("2 sessions booked")).to_be_visible()
    lost = desks[1].page
    expect(lost.get_by_role("heading", name="Just taken")).to_be_visible()
    lost.get_by_role("link", name="See the fresh plan").click()
    lost.get_by_role("button", name="Book", exact=True).click()
    expect(lost.get_by_text("2 sessions booked")).to_be_visible()
    assert Session.objects.filter(status__in=PLACED).count() == 4
    for desk in desks:
        desk.context.close()


def test_the_impossible_comes_with_reasons_and_one_press(desk: Desk, riverside: Riverside) -> None:
    desk.sign_in(riverside.user)
    page = desk.open(f"/patients/{riverside.patient.pk}/courses/new/")
    page.locator("select[name=line0-procedure]").select_option(index=1)
    page.locator("input[name=line0-sessions_total]").fill("3")
    page.get_by_label("Not earlier than").fill("15:00")
    page.get_by_label("This part of the day").select_option("must")
    page.get_by_role("button", name="Find times").click()
    expect(page.get_by_role("heading", name="No plan fits")).to_be_visible()
    desk.check("no plan")
    page.get_by_role("button", name="Use this").first.click()
    expect(page.get_by_role("heading", name="Proposed plan")).to_be_visible()
    assert Plan.objects.filter(status="impossible").count() == 1


def test_wrong_entries_stay_and_the_summary_has_the_focus(desk: Desk, riverside: Riverside) -> None:
    desk.sign_in(riverside.user)
    page = desk.open(f"/patients/{riverside.patient.pk}/courses/new/")
    page.get_by_label("Not earlier than").fill("12:00")
    page.get_by_label("Ends by").fill("10:00")
    page.get_by_role("button", name="Find times").click()
    expect(page.locator("#error-summary").first).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "error-summary"
    expect(page.get_by_label("Not earlier than")).to_have_value("12:00")
    desk.complaints.clear()  # the browser itself notes the status 422
    desk.check("wrong entries")
