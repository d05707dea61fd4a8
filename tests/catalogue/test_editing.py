"""A clinic's own figures."""

from typing import Any

import pytest

from clinic.errors import Conflict, Invalid, NotAllowed, NotFound
from clinic.models import User
from clinic.permissions import Role
from courses.catalogue.editing import (
    TO_BE_CONFIRMED,
    activate_procedure,
    deactivate_procedure,
    edit_procedure,
    figures_of,
)
from courses.catalogue.loading import load_catalogue
from courses.models import Procedure
from tests.factories import NOW, ClinicFactory, user_with_role


@pytest.fixture
def alice(db: None) -> User:
    clinic = ClinicFactory()
    load_catalogue(clinic=clinic, by=None, now=NOW)
    return user_with_role(Role.MANAGER, clinic)


def get(code: str) -> Procedure:
    return Procedure.objects.get(code=code)


def shown(code: str) -> dict[str, tuple[Any, str]]:
    return {figure.name: (figure.text, figure.confidence) for figure in figures_of(get(code))}


def test_what_nobody_published_says_so(alice: User) -> None:
    assert shown("AMPLIPULSE")["minutes"] == (TO_BE_CONFIRMED, "PRACTICE")
    assert shown("AMPLIPULSE")["sessions_default"] == ("10", "WEAK")
    assert shown("LASER")["minutes"] == ("10", "WELL")


def test_minutes_come_before_activity(alice: User) -> None:
    with pytest.raises(Conflict) as refused:
        activate_procedure(procedure=get("AMPLIPULSE"), by=alice, now=NOW)
    assert refused.value.code == "minutes_to_be_confirmed"
    edit_procedure(procedure=get("AMPLIPULSE"), minutes=15, by=alice, now=NOW)
    assert shown("AMPLIPULSE")["minutes"] == ("15", "CLINIC")
    assert activate_procedure(procedure=get("AMPLIPULSE"), by=alice, now=NOW).is_active
    with pytest.raises(Conflict):
        edit_procedure(procedure=get("AMPLIPULSE"), minutes=None, by=alice, now=NOW)
    assert get("AMPLIPULSE").minutes == 15
    assert not deactivate_procedure(procedure=get("AMPLIPULSE"), by=alice, now=NOW).is_active


def test_an_edit_survives_the_next_loading(alice: User) -> None:
    edit_procedure(procedure=get("LASER"), minutes=15, name_ru="Лазер", by=alice, now=NOW)
    load_catalogue(clinic=get("LASER").clinic, by=alice, now=NOW)
    assert (get("LASER").minutes, get("LASER").name_ru) == (15, "Лазер")
    assert shown("LASER")["minutes"] == ("15", "CLINIC")


@pytest.mark.parametrize(
    "fields", [{"minutes": -5}, {"minutes": "long"}, {"gap_min": 4, "gap_max": 2}, {"short_code": "x" * 9}]
)
def test_wrong_figures_are_named(alice: User, fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        edit_procedure(procedure=get("LASER"), by=alice, now=NOW, **fields)
    assert refused.value.details
    assert get("LASER").minutes == 10


def test_only_its_manager_edits(alice: User) -> None:
    clinic = get("LASER").clinic
    bob = user_with_role(Role.RECEPTION, clinic)
    charlie = user_with_role(Role.MANAGER, ClinicFactory(name="Hillside"))
    for verb in (edit_procedure, activate_procedure, deactivate_procedure):
        for who, refusal in ((bob, NotAllowed), (charlie, NotFound)):
            with pytest.raises(refusal):
                verb(procedure=get("LASER"), by=who, now=NOW)
