"""Problems as text: what is written is read back the same, and a wrong line is named."""

import random
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import courses
from courses.planning import NoPlan, Plan, plan, verify
from courses.planning.costing import plan_cost
from courses.planning.instance_reading import read_instance
from courses.planning.instances import FIRST_LINE, Instance, InstanceError, Known, write_instance
from courses.planning.reference import reference_clinic
from courses.planning.rules import Apart, DayLimit, NotTogether, OpensAfter, Review, SameDay
from courses.planning.types import (
    PROFILES,
    BookedSession,
    ClassMeeting,
    ClassSeries,
    CourseRequest,
    FormerSession,
    Horizon,
    Margins,
    Patient,
    PinnedSession,
    PlannedSession,
    Profile,
    ResourceDays,
    RoomOption,
    Stay,
    Strength,
    TherapistOption,
)
from tests.planning.small import random_problem, with_class

SAMPLE = Path(courses.__file__).parent.parent / "docs" / "instances"


def assert_same(instance):
    assert read_instance(write_instance(instance)) == instance


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 3), st.booleans())
def test_any_problem_is_read_back_the_same(seed, count, has_class):
    problem = random_problem(seed, courses=count)
    assert_same(Instance("any", with_class(problem, seed) if has_class else problem))


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_profiles_and_what_is_known_are_read_back(profile):
    problem = replace(reference_clinic(days=14).problem(3, courses=2), profile=PROFILES[profile])
    known = Known(12, 10, False, (PlannedSession(0, 1, 3, 100, 6, 4, 101, None),))
    assert_same(Instance("with profile", problem, known, origin="made up, for a test"))


def uncommon(rng, hint):
    """Some value of a plain field, given its type as written."""
    return {
        "int": rng.randint(1, 50),
        "int | None": rng.randint(1, 50),
        "bool": True,
        "str": 'a "quoted" one, and #1',
        "tuple[int, ...]": (3, 1),
        "frozenset[int]": frozenset({4, 2}),
        "frozenset[str]": frozenset({"one, two", "none", "7"}),
        "Strength": Strength.WISH,
    }.get(hint)


def test_every_field_is_written():
    """Each field of the types, other than by default, one at a time and all together."""
    rng = random.Random(1)
    special = {
        "therapists": (TherapistOption(1, 5, "F", frozenset({"pl"}), 40), TherapistOption(2)),
        "rooms": (RoomOption(3), RoomOption(4, (7, 6))),
        "window": (100, 140),
        "pinned": (PinnedSession(3, 100, 1), PinnedSession(4, 96)),
        "series": (
            ClassSeries(1, None, ()),
            ClassSeries(2, TherapistOption(1), (ClassMeeting(9, 1, 96, 9, 0, False),), 3),
        ),
        "former": (FormerSession(2, 96, 1, 3, None, Stay.MAY), FormerSession(4, 100)),
        "hours": (96, 200),
        "other_rooms": (RoomOption(5, (8,)),),
        "key": "a key",
        "gap_unit": None,
    }
    base = random_problem(1)
    plain = CourseRequest(key=1, procedure="massage", sessions=3, slots=6)
    changed = {}
    for one in fields(CourseRequest):
        value = special.get(one.name, Margins(1, 2) if one.type == "Margins" else uncommon(rng, one.type))
        if one.type == "bool":
            value = not getattr(plain, one.name, False)
        if value is not None:
            changed[one.name] = value
            assert_same(Instance("one", replace(base, courses=(replace(plain, **{one.name: value}),))))
    assert len(changed) >= len(fields(CourseRequest)) - 1
    assert_same(Instance("all", replace(base, courses=(replace(plain, **changed),))))
    assert_same(Instance("no classes", replace(base, courses=(replace(plain, series=()),))))


def test_rules_and_what_is_booked_are_read_back():
    rules = (
        SameDay("heat", "massage", 2, 24),
        SameDay("a b", "device", ordered=False),
        Apart("heat", "laser", 1),
        DayLimit("device", 2),
        NotTogether("x", "y"),
        OpensAfter("a key", 1, 4),
        Review(2, 1, (5, 10), 3),
    )
    booked = (BookedSession(1, 96, 3, "heat", frozenset({"thermal"}), 7), BookedSession(2, 99, 6, "laser"))
    base = random_problem(1)
    assert_same(Instance("rules", replace(base, rules=rules, patient=replace(base.patient, sessions=booked))))


def test_odd_values_are_read_back():
    nobody = made_of(Patient((), {}, {}), Profile(name="no", extra_therapist={}), {})
    assert_same(Instance("same", nobody))
    full = ResourceDays((1, 2), (1, 2), (0, 2), (0, 0))
    somebody = made_of(
        Patient((0, 5), {1: (96, 100)}, {0: frozenset({"a b"}), 1: frozenset()}),
        Profile(extra_therapist={"a b": 3, "c": 0}, visit=0),
        {7: full, 9: replace(full, present=(0, 0), free=(0, 0), free_twice=None)},
    )
    assert_same(Instance("Größe 5", replace(somebody, combine_visits=True)))


def made_of(patient, profile, resources):
    return replace(
        random_problem(2),
        horizon=Horizon(date(2026, 2, 28), (True, False)),
        patient=patient,
        profile=profile,
        resources=resources,
        courses=(),
    )


WRONG = [
    ("", 1, "expected “clinic-courses instance"),
    (FIRST_LINE, 1, "expected one record “instance”"),
    (f"{FIRST_LINE}\nproblem", 2, "expected one record “instance”"),
    (f"{FIRST_LINE}\ninstance", 2, "lacks “name”"),
    (f"{FIRST_LINE}\n\n# a comment\ninstance name=x", 4, "lacks “problem”"),
    (f"{FIRST_LINE}\ninstance name=x size=3", 2, "no field “size”"),
    (f"{FIRST_LINE}\ninstance name=x\n  problems", 3, "“problems” does not belong below “instance”"),
    (f"{FIRST_LINE}\ninstance name=x\n   problem", 3, "indent by two"),
    (f"{FIRST_LINE}\ninstance name=x\n      problem", 3, "indented too far"),
    (f'{FIRST_LINE}\ninstance name="x', 2, "quotation mark"),
    (f"{FIRST_LINE}\ninstance name=x name=y", 2, "“name” is given twice"),
    (f"{FIRST_LINE}\ninstance x", 2, "expected name=value"),
    (f"{FIRST_LINE}\ninstance name=x\n  known cost=much", 3, "“much” is not a number or none"),
]


@pytest.mark.parametrize(("text", "line", "message"), WRONG)
def test_what_is_wrong_is_named_with_its_line(text, line, message):
    with pytest.raises(InstanceError) as caught:
        read_instance(text)
    assert caught.value.line == line
    assert message in str(caught.value)


REPLACED = [
    ("first_day=2026-11-30", "first_day=2026-13-30", "is not a date"),
    ("free_twice", "free_thrice", "does not belong"),
    ("works days=11", "works days=many", "is not a number"),
    ("works days=11", "works days=99999999999", "not between"),
    ("works days=11", "works", "expected “works days=…”"),
    ("works 0..10 96-138", "works 0..11 96-138", "day 11 lies outside the 11 days"),
    ("works 0..10 96-138", "works 0..10 138-96", "no time of the day"),
    ("works 0..10 96-138", "works 0..10", "expected “works”, days and slots"),
    ("works 0..10 96-138", "works 0..99999999999 96-138", "too many days"),
    ("gap_unit=calendar", "gap_unit=lunar", "is not opening or calendar"),
    ("  present same", "  present days=11\n      present none", "expected “present”, days and slots"),
    ("therapists therapist=10", "therapists therapist=ten", "“ten” is not a number"),
    ("therapists therapist=10", "therapists", "lacks “therapist”"),
    ("rooms room=22", "rooms nothing\n      rooms room=22", "was said to be nothing"),
    ("resources 11", "resources 10", "is given twice"),
    ("resources 11", "resources", "needs a key"),
    ("horizon first", "horizon first_day=2026-11-30 opening=1\n    horizon first", "is given twice"),
]


@pytest.mark.parametrize(("old", "new", "message"), REPLACED)
def test_a_broken_line_of_a_sound_instance_is_named(old, new, message):
    text = write_instance(Instance("sound", random_problem(7, courses=2)))
    assert old in text
    with pytest.raises(InstanceError) as caught:
        read_instance(text.replace(old, new, 1))
    before = text[: text.index(old)].count("\n") + 1
    assert before <= caught.value.line <= before + 1
    assert message in caught.value.message


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_text_with_a_hole_is_read_or_refused(data):
    text = write_instance(Instance("sound", with_class(random_problem(7, courses=2), 7), Known(3)))
    start = data.draw(st.integers(0, len(text) - 1))
    cut = text[:start] + data.draw(st.text(max_size=4)) + text[start + data.draw(st.integers(0, 40)) :]
    try:
        assert isinstance(read_instance(cut), Instance)
    except InstanceError as error:
        assert 1 <= error.line <= cut.count("\n") + 2  # noqa: PT017 - either way is right


def test_the_shipped_sample_is_what_it_says():
    paths = sorted(SAMPLE.glob("*.txt"))
    assert len(paths) >= 4
    for path in paths:
        instance = read_instance(path.read_text(encoding="utf-8"))
        assert instance.name == path.stem
        known = instance.known
        found = plan(instance.problem)
        if known.cost is None:
            assert isinstance(found, NoPlan)
            assert known.proven
            continue
        assert verify(instance.problem, Plan(known.sessions, known.cost, known.bound, known.proven)) == []
        assert plan_cost(instance.problem, known.sessions) == known.cost
        assert known.bound <= known.cost <= found.cost
        assert found.cost == known.cost or not found.proven
