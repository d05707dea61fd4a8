"""A real browser on a real server. Where no browser is found the tests are skipped, and in CI they fail instead."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from clinic.models import Clinic, Patient, User
from clinic.permissions import Role
from clinic.searching import refresh_search_text
from tests import factories as f
from tests.browser.chromium import MISSING, find_chromium

# Playwright's synchronous interface runs a loop of its own, in which Django would refuse to touch the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield started
        started.close()


@dataclass
class Desk:
    """What a member of staff has before them: pages of one server, and whatever the browser complained about."""

    address: str
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def sign_in(self, user: User) -> None:
        self.open("/sign-in/")
        self.page.get_by_label("E-mail").fill(user.email)
        self.page.get_by_label("Password").fill(f.PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.address}/")

    def check(self, where: str) -> None:
        """No accessibility violation, no complaint of the browser, nothing wider than the window."""
        found = Axe().run(self.page).response["violations"]
        assert not found, (where, [(v["id"], v["nodes"][0]["html"]) for v in found])
        assert not self.complaints, (where, self.complaints)
        wider = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, (where, f"{wider} pixels wider than the window")


@dataclass
class Riverside:
    """A clinic with two specialists at work from tomorrow on, and a patient."""

    clinic: Clinic
    patient: Patient
    user: User
    doctor: User


@pytest.fixture
def riverside(transactional_db: None) -> Riverside:
    from django.db import transaction

    with transaction.atomic():
        clinic = f.ClinicFactory(name="Riverside", zone="UTC", book_until=None, opening_weekdays=[1, 2, 3, 4, 5, 6, 7])
        procedure = f.ProcedureFactory(clinic=clinic, code="MASSAGE", name_en="Massage", name_ru="Массаж", gap_max=3)
        f.RequirementFactory(procedure=procedure)
        f.RequirementFactory(procedure=procedure, role="room", type_code="massage")
        f.RoomFactory(clinic=clinic, name="Room 3", capacity=2)
        for name in ("Anna P.", "Boris K."):
            therapist = f.TherapistFactory(full_name=name, short_name=name)
            f.ShiftFactory(
                therapist=therapist,
                clinic=clinic,
                start_time="09:00",
                end_time="13:00",
                rrule="FREQ=DAILY",
                starts_on=timezone.localdate(),
            )
            f.QualificationFactory(therapist=therapist, procedure=procedure)
        patient = f.PatientFactory(family_name="Ivanova", given_name="Anna", language="en")
        f.PatientPhoneFactory(patient=patient, number="+48501234567")
        refresh_search_text(patient)
        user = f.user_with_role(Role.RECEPTION, clinic)
        doctor = f.user_with_role(Role.DOCTOR, clinic)
    return Riverside(clinic, patient, user, doctor)


def open_desk(browser: Browser, address: str, **options: object) -> Desk:
    context = browser.new_context(**options)  # type: ignore[arg-type]
    desk = Desk(address, context, context.new_page())
    desk.page.set_default_timeout(15_000)
    desk.page.on("console", lambda message: desk.complaints.append(message.text) if message.type == "error" else None)
    desk.page.on("pageerror", lambda error: desk.complaints.append(str(error)))
    return desk


@pytest.fixture
def desk(browser: Browser, live_server: object) -> Iterator[Desk]:
    opened = open_desk(browser, live_server.url)  # type: ignore[attr-defined]
    yield opened
    opened.context.close()
