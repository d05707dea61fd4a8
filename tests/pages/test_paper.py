"""What goes on paper: who is named how, in which language, and what a list leaves room for."""

import datetime as dt

import pytest

from clinic.models import Patient
from courses.booking.transitions import Status
from courses.models import Session
from tests import factories as f
from tests.pages.conftest import Scene


def read(scene: Scene, path: str, who: str = "reception") -> str:
    answer = scene.client(who).get(path)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    ("own", "clinic", "lang"), [("ru", "pl", "ru"), ("uk", "ru", "ru"), ("pl", "pl", "en"), ("", "en", "en")]
)
def test_what_is_taken_home_is_in_the_patients_language(scene: Scene, own: str, clinic: str, lang: str) -> None:
    Patient.objects.filter(pk=scene.patient.pk).update(language=own)
    type(scene.clinic).objects.filter(pk=scene.clinic.pk).update(language=clinic)
    page = read(scene, f"/courses/{scene.session.course_id}/sheet/")
    assert f'<html lang="{lang}">' in page
    assert ("Массаж" if lang == "ru" else "Massage") in page


def test_a_course_sheet_has_all_dates_and_comes_large(scene: Scene) -> None:
    path = f"/courses/{scene.session.course_id}/sheet/"
    page = read(scene, path)
    total = scene.session.course.sessions_total
    assert page.count("no time yet") == total - 1
    assert "11:00" in page
    assert "Anna P." in page
    assert 'class=" large"' not in page
    assert 'class=" large"' in read(scene, f"{path}?large=yes")


def test_a_certificate_tells_of_attendance_and_not_of_treatment(scene: Scene) -> None:
    path = f"/visits/{scene.session.visit_id}/certificate/"
    assert "No attendance is recorded" in read(scene, path)
    Session.objects.filter(pk=scene.session.pk).update(status=Status.ARRIVED)
    page = read(scene, path)
    assert scene.patient.full_name in page
    assert "11:30" in page
    assert "Massage" not in page
    assert "11:30" in read(scene, f"/patients/{scene.patient.pk}/certificate/")
    earlier = f"/patients/{scene.patient.pk}/certificate/?until={f.MONDAY - dt.timedelta(days=1)}"
    assert "No attendance is recorded" in read(scene, earlier)


def test_a_card_has_a_line_for_each_session_to_fill(scene: Scene) -> None:
    page = read(scene, f"/courses/{scene.session.course_id}/card/", who="therapist")
    assert page.count("<tr>") == 1 + scene.session.course.sessions_total
    assert "Signature" in page


def test_cabinet_lists_are_by_room_and_short_of_names(scene: Scene) -> None:
    page = read(scene, f"/cabinets/?d={f.MONDAY}", who="therapist")
    assert "Room 3" in page
    assert "Ivanova A." in page
    assert page.count('class="tick"') == page.count('<td class="signature">') == 2
    hidden = read(scene, f"/cabinets/?d={f.MONDAY}&names=initials")
    assert "I. A." in hidden
    assert "Ivanova" not in hidden
    assert "No sessions on this day" in read(scene, f"/cabinets/?d={f.MONDAY - dt.timedelta(days=1)}")


def test_a_roster_has_lines_for_the_free_places(scene: Scene) -> None:
    page = read(scene, f"/classes/{scene.meeting.pk}/roster/")
    assert page.count('class="tick"') == scene.meeting.appointment.seats


def test_the_call_list_has_names_numbers_and_room_to_write(scene: Scene) -> None:
    page = read(scene, "/calls/sheet/")
    assert "Vera Zorin" in page
    assert "+48" in page
    assert page.count('<td class="tick">') == 1


def test_all_dates_of_a_patient_are_on_one_sheet(scene: Scene) -> None:
    page = read(scene, f"/patients/{scene.patient.pk}/sheet/")
    assert page.count("11:00") == 1
    assert "1/" in page


def test_pages_of_what_is_printed_are_linked(scene: Scene) -> None:
    paper = {name: url for name, url in scene.addresses().items() if scene.is_on_paper(name)}
    linking = ("patient", "course", "visit", "meeting", "calls", "board")
    pages = "".join(read(scene, scene.addresses()[name]) for name in linking)
    for name, url in paper.items():
        assert f'href="{url.partition("?")[0]}' in pages, name
