"""What plans say of themselves, in English and in Russian."""

import datetime as dt
import re
from typing import Any

import pytest
from django.utils import translation

from courses.booking import sentences
from courses.booking.models import Course, Plan
from courses.planning.types import Filter, Reason, Relaxation
from tests import factories
from tests.booking.conftest import Desk

LANGUAGES = ["en", "ru"]
CYRILLIC, LATIN = re.compile("[А-я]"), re.compile("[A-Za-z]")
MONDAY = dt.date(2026, 11, 23)

PARAMS: dict[Relaxation, list[dict[str, Any]]] = {
    Relaxation.WINDOW: [
        {},
        {"window_from": "16:30", "window_until": None},
        {"window_from": "08:00", "window_until": "10:00"},
    ],
    Relaxation.WEEKDAYS: [{}, {"weekdays": [6]}],
    Relaxation.GAP: [{"gap_max": n} for n in (1, 2, 5, 21)],
    Relaxation.WEEKLY: [{"per_week": n} for n in (1, 3, 5)],
    Relaxation.FEWER: [{"sessions": n} for n in (1, 3, 7)],
}


def in_language(text: str, language: str) -> bool:
    """Something is said, in letters of the language alone."""
    wanted, other = (CYRILLIC, LATIN) if language == "ru" else (LATIN, CYRILLIC)
    return bool(wanted.search(text)) and not other.search(text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", [*Reason, "not_found"])
def test_every_reason_is_a_sentence(reason: str, language: str) -> None:
    with translation.override(language):
        text = sentences.reason_sentence(Plan(explanation={"reason": str(reason)}))
    assert in_language(text, language)
    assert text.endswith(".")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("days", [0, 1, 2, 5, 11, 21, 112])
def test_every_filter_counts_its_days(days: int, language: str) -> None:
    steps = [{"filter": str(one), "days": days} for one in Filter]
    explanation = {"course": 1, "courses": [{"course": 1, "waterfall": steps}]}
    with translation.override(language):
        parts = sentences.waterfall_sentence(Plan(explanation=explanation)).split(" → ")
    assert len(set(parts)) == len(Filter)
    assert all(in_language(part, language) and f"{days}" in part for part in parts)


@pytest.mark.django_db
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("relaxation", Relaxation)
def test_every_relaxation_is_said_in_words(relaxation: Relaxation, language: str) -> None:
    told = set()
    with translation.override(language):
        for params in PARAMS.get(relaxation, [{}]):
            text = sentences.change_text({"relaxation": str(relaxation), "params": params})
            assert in_language(text, language)
            told.add(text)
    assert len(told) == len(PARAMS.get(relaxation, [{}]))


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "From 16:30 on and also on Saturdays → 10 of 10, ends Fri 18 Dec 2026"),
        ("ru", "Начиная с 16:30 и также по субботам → 10 из 10, окончание пт, 18 декабря 2026"),
    ],
)
def test_a_concession_says_what_it_gives(language: str, expected: str) -> None:
    concession = {
        "changes": [
            {"course": 1, "relaxation": "window", "params": {"window_from": "16:30", "window_until": None}},
            {"course": 1, "relaxation": "weekdays", "params": {"weekdays": [6]}},
        ],
        "placed": 10,
        "asked": 10,
        "last_day": "2026-12-18",
    }
    with translation.override(language):
        assert sentences.concession_sentence(Plan(explanation={"courses": [{}]}), concession) == expected


def test_the_partial_plan_is_counted() -> None:
    plan = Plan(explanation={"partial": {"placed": 7, "asked": 10}})
    assert sentences.partial_sentence(plan) == "Placed 7 of 10. Try a change below."
    with translation.override("ru"):
        assert sentences.partial_sentence(plan) == "Размещено 7 из 10. Измените условие ниже."
    assert sentences.partial_sentence(Plan(explanation={"partial": None})) == ""


# -- read aloud --------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """Its therapists are known by short names."""
    for therapist in (desk.anna, desk.boris):
        therapist.short_name = therapist.full_name
        therapist.save()
    return desk


def plan_of(desk: Desk, *visits: tuple[int, str, int | None], course: Course | None = None) -> list[dict[str, Any]]:
    """Items: days from Monday 23 November 2026, clock time, therapist."""
    course = course or desk.course(sessions=1)
    items = []
    for day, clock, therapist in visits:
        start = dt.datetime.combine(MONDAY + dt.timedelta(days=day), dt.time.fromisoformat(clock), desk.clinic.tz)
        items.append({"course": course.pk, "start": start.astimezone(dt.UTC).isoformat(), "therapist": therapist})
    return items


def spoken(desk: Desk, items: list[dict[str, Any]], language: str = "en") -> str:
    with translation.override(language):
        return sentences.plan_sentence(Plan(clinic=desk.clinic, items=items))


def test_the_sentence_of_the_specification(desk: Desk) -> None:
    desk.anna.short_name = "Anna"
    desk.anna.save()
    days = [1, 3, 8, 10, 15, 17, 22, 24, 29, 31]
    items = plan_of(desk, *((day, "17:30", desk.anna.pk) for day in days))
    assert (
        spoken(desk, items)
        == "Starts Tuesday 24 November 17:30, then Tuesdays and Thursdays, all with Anna, ends 24 December."
    )
    desk.anna.short_name = "Анна П."
    desk.anna.save()
    assert spoken(desk, items, "ru") == (
        "Начало: вторник, 24 ноября, 17:30; далее по вторникам и четвергам; все сеансы: Анна П.; окончание 24 декабря."
    )


def test_one_visit_two_visits_and_the_turn_of_the_year(desk: Desk) -> None:
    assert spoken(desk, plan_of(desk, (0, "09:00", None))) == "Starts Monday 23 November 09:00."
    one = plan_of(desk, (0, "09:00", desk.anna.pk))
    assert spoken(desk, one) == "Starts Monday 23 November 09:00, with Anna P."
    two = plan_of(desk, (0, "09:00", None), (42, "09:00", None))
    assert spoken(desk, two) == "Starts Monday 23 November 09:00, ends 4 January 2027."
    assert spoken(desk, two, "ru") == "Начало: понедельник, 23 ноября, 09:00; окончание 4 января 2027."


def test_every_weekday_and_times_that_change(desk: Desk) -> None:
    weekdays = [0, 1, 2, 3, 4, 7, 8, 9]
    daily = plan_of(desk, *((day, "09:00" if day else "10:15", None) for day in weekdays))
    assert spoken(desk, daily) == (
        "Starts Monday 23 November 10:15, then Mondays to Fridays, usually at 09:00, ends 2 December."
    )
    assert "далее с понедельника по пятницу; обычно в 09:00" in spoken(desk, daily, "ru")
    mixed = plan_of(desk, (0, "09:00", None), (2, "10:00", None), (4, "12:30", None))
    assert "then Wednesdays and Fridays, from 09:00 to 12:30" in spoken(desk, mixed)
    assert "далее по средам и пятницам; приход с 09:00 до 12:30" in spoken(desk, mixed, "ru")


def test_several_people_of_one_course(desk: Desk) -> None:
    anna, boris = desk.anna.pk, desk.boris.pk
    mostly = plan_of(desk, (0, "09:00", anna), (2, "09:00", boris), (4, "09:00", anna))
    assert "mostly with Anna P., also Boris K." in spoken(desk, mostly)
    assert "в основном Anna P., также Boris K." in spoken(desk, mostly, "ru")
    equal = plan_of(desk, (0, "09:00", boris), (2, "09:00", anna))
    assert "with different people: Anna P. and Boris K." in spoken(desk, equal)


def test_the_courses_of_a_programme_are_told_apart(desk: Desk) -> None:
    laser = factories.ProcedureFactory(clinic=desk.clinic, name_en="Laser", name_ru="Лазер")
    other = factories.CourseFactory(clinic=desk.clinic, procedure=laser, patient=desk.patient)
    mine = desk.course(sessions=1)
    items = plan_of(desk, (0, "09:00", desk.anna.pk), (2, "09:00", desk.anna.pk), course=mine)
    together = [*items, *plan_of(desk, (0, "09:30", desk.boris.pk), course=other)]
    name = mine.procedure.name
    assert f"{name}: with Anna P., Laser: with Boris K., ends" in spoken(desk, together)
    same = [*items, *plan_of(desk, (0, "09:30", desk.anna.pk), course=other)]
    assert "all with Anna P." in spoken(desk, same)


@pytest.mark.parametrize("language", LANGUAGES)
def test_comparisons_are_words(language: str) -> None:
    every = ["last_day", "visits", "wait_minutes", "therapists", "changes", "broken_wishes"]
    plan = Plan(comparison={"best_in": every, "profiles": ["balanced", "earliest_finish"]})
    with translation.override(language):
        texts = [sentences.best_text(plan), sentences.profiles_text(plan), sentences.coinciding_sentence(plan)]
    assert all(in_language(text, language) for text in texts)
    assert sentences.best_text(Plan(comparison={"best_in": []})) == ""
    assert sentences.coinciding_sentence(Plan(comparison={"profiles": ["balanced"]})) == ""


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "1 session moves, 2 sessions with another specialist, 5 sessions stay as they are."),
        ("ru", "Переносится 1 сеанс, 2 сеанса с другим специалистом, без изменений: 5 сеансов."),
    ],
)
def test_changes_are_counted(language: str, expected: str) -> None:
    kinds = ["moved", *["other_therapist"] * 2, *["kept"] * 5]
    with translation.override(language):
        assert sentences.changes_sentence(Plan(changes=[{"change": kind} for kind in kinds])) == expected
    assert sentences.changes_sentence(Plan()) == ""
