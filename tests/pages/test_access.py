"""Who may open what: each address declares it, members see their pages, and to others nothing exists."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from clinic.permissions import ROLE_PERMISSIONS, Permission, Role
from courses.pages.permissions import ANYONE, MEMBER
from courses.pages.urls import urlpatterns
from tests import factories as f
from tests.pages.conftest import Scene

_NEEDS = {
    "patient-new": Permission.EDIT_PATIENTS,
    "patient-edit": Permission.EDIT_PATIENTS,
    "patient-merge": Permission.EDIT_PATIENTS,
    "patient-merge-review": Permission.EDIT_PATIENTS,
    "call-sheet": Permission.SEE_MESSAGES,
    "course-new": Permission.BOOK,
    "referral-new": Permission.BOOK,
    "plan-courses": Permission.BOOK,
    "plan": Permission.BOOK,
    "session-move": Permission.BOOK,
    "session-cancel": Permission.BOOK,
    "visit-cancel": Permission.BOOK,
    "calls": Permission.SEE_MESSAGES,
    "absence-new": Permission.RECORD_ABSENCE,
    "absence": Permission.RECORD_ABSENCE,
}


def _patterns(patterns: list[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns)
        else:
            yield pattern


def _declared(pattern: URLPattern) -> object:
    view = getattr(pattern.callback, "view_class", pattern.callback)
    return getattr(view, "required_permission", None)


@pytest.mark.parametrize("pattern", urlpatterns, ids=lambda pattern: pattern.name)
def test_every_page_declares_who_may_open_it(pattern: URLPattern) -> None:
    declared = _declared(pattern)
    assert declared in {ANYONE, MEMBER} or isinstance(declared, Permission), pattern.name


def test_only_signing_in_and_out_and_the_language_are_open_to_anyone() -> None:
    opened = {p.name for p in urlpatterns if _declared(p) == ANYONE}
    assert opened == {"sign-in", "sign-out", "set-language", "invitation"}


def test_an_unknown_address_is_not_found(scene: Scene) -> None:
    answer = scene.client("reception").get("/nothing/")
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()


def test_every_address_asks_strangers_to_sign_in(scene: Scene) -> None:
    for name, url in scene.addresses().items():
        answer = Client().get(url)
        assert answer.status_code == 302, name
        assert answer["Location"].startswith("/sign-in/?next="), name


@pytest.mark.parametrize("role", list(Role))
def test_each_role_sees_exactly_its_pages(scene: Scene, role: Role) -> None:
    client = scene.client(role.value)
    for name, url in scene.addresses().items():
        managed = Permission.MANAGE_CLINIC if name.startswith(("own ", "manage ")) else Permission.VIEW_CALENDAR
        needed = _NEEDS.get(name, managed)
        expected = 200 if needed in ROLE_PERMISSIONS[role] else 403
        assert client.get(url).status_code == expected, name


@pytest.mark.parametrize("who", ["outsider", "stranger"])
def test_to_outsiders_nothing_of_the_clinic_exists(scene: Scene, who: str) -> None:
    client = scene.client(who)
    own = {
        "desk",
        "board",
        "board by room",
        "board as list",
        "board of a week",
        "board of a month",
        "patients",
        "patient-new",
        "calls",
        "search",
        "cabinets",
        "call-sheet",
    }
    shared = {  # a patient's card belongs to the organisation
        "patient",
        "patient-edit",
        "patient-merge",
        "patient-merge-review",
        "patient-sheet",
        "patient-certificate",
        "course-new",
        "referral-new",
    }
    for name, url in scene.addresses().items():
        if who == "stranger" and (name in own | shared or name.startswith("own ")):
            answer = client.get(url)
            assert answer.status_code == 200, name
            assert "Anna P." not in answer.content.decode(), name
        else:
            assert client.get(url).status_code == 404, name


def test_writing_needs_the_permission_too(scene: Scene) -> None:
    client = scene.client("therapist")
    for name in ("plan-book", "plan-hold"):
        answer = client.post(f"/plans/{scene.plan.pk}/{name.removeprefix('plan-')}/")
        assert answer.status_code == 403, name
    assert client.post(f"/sessions/{scene.session.pk}/confirm/").status_code == 403
    assert client.post(f"/prescriptions/{scene.referral.pk}/sign/").status_code == 403
    assert client.post("/calls/reached/", {"calls": "1"}).status_code == 403
    assert client.post(f"/therapists/{scene.absence.therapist_id}/absences/new/").status_code == 403


def test_no_write_answers_a_get(scene: Scene) -> None:
    client = scene.client("manager")
    session, visit, plan = scene.session, scene.session.visit_id, scene.plan.pk
    for url in (
        f"/sessions/{session.pk}/arrive/",
        f"/visits/{visit}/arrive/",
        f"/visits/{visit}/undo/",
        f"/tasks/{scene.clinic.tasks.get().pk}/done/",
        "/calls/reached/",
        f"/plans/{plan}/hold/",
        f"/plans/{plan}/book/",
        f"/plans/{plan}/again/",
        f"/courses/{session.course_id}/pause/",
        "/language/",
        "/clinic/",
        "/sign-out/",
    ):
        assert client.get(url).status_code == 405, url


def test_a_post_without_a_token_is_refused_with_a_friendly_page(scene: Scene) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(scene.users["reception"])
    answer = client.post(f"/visits/{scene.session.visit_id}/arrive/")
    assert answer.status_code == 403
    assert "This page was open too long" in answer.content.decode()


def test_too_many_wrong_passwords_shut_the_door_for_the_right_one(scene: Scene, settings: object) -> None:
    user = scene.users["reception"]
    client = Client(REMOTE_ADDR="10.1.2.3")
    for _attempt in range(5):
        answer = client.post("/sign-in/", {"username": user.email, "password": "wrong"})
        assert "E-mail or password is not right" in answer.content.decode()
    answer = client.post("/sign-in/", {"username": user.email, "password": f.PASSWORD})
    assert "Too many attempts" in answer.content.decode()
    other = Client(REMOTE_ADDR="10.1.2.4").post(
        "/sign-in/", {"username": scene.users["doctor"].email, "password": f.PASSWORD}
    )
    assert other.status_code == 302


def test_sign_in_takes_an_address_as_people_type_it(scene: Scene) -> None:
    client = Client()
    email = scene.users["manager"].email
    answer = client.post("/sign-in/", {"username": f" {email.upper()} ", "password": f.PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_all_patterns_of_the_project_are_reachable_by_name() -> None:
    names = {pattern.name for pattern in _patterns(get_resolver().url_patterns) if pattern.name}
    assert {pattern.name for pattern in urlpatterns} <= names
