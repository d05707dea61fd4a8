"""`manage.py setup_clinic`: the first steps of an installation, on a terminal or by a script."""

import io

import pytest
from django.core.management import CommandError, call_command

from clinic.models import Clinic, Membership, User
from clinic.permissions import Role

ANSWERS = {
    "name": "Lipa",
    "zone": "Europe/Warsaw",
    "country": "pl",
    "language": "pl",
    "email": "lipa@example.org",
    "manager_email": "Anna@example.org",
}

pytestmark = pytest.mark.django_db


def _setup(**changes: object) -> str:
    said = io.StringIO()
    call_command("setup_clinic", **ANSWERS | changes, stdout=said)
    return said.getvalue()


def test_creates_a_clinic_and_a_manager_who_can_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANAGER_PASSWORD", "rowan-berries-9")
    _setup()
    membership = Membership.objects.get()
    assert (membership.clinic.name, membership.clinic.country, membership.role) == ("Lipa", "PL", Role.MANAGER)
    assert membership.user.email == "anna@example.org"
    assert membership.user.check_password("rowan-berries-9")


def test_a_script_that_gives_no_password_is_told_the_one_made_up() -> None:
    said = _setup()
    password = said.rsplit(" ", 1)[-1].strip()
    assert User.objects.get().check_password(password)


def test_someone_who_signs_in_already_becomes_manager_with_the_password_unchanged() -> None:
    user = User.objects.create_user("anna@example.org", "the-old-one-2")
    _setup()
    user.refresh_from_db()
    assert user.check_password("the-old-one-2")
    assert Membership.objects.get().user == user


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("zone", "Europe/Warszawa", "zone: .*is not a time zone"),
        ("country", "Poland", "country: .*two letters"),
        ("email", "lipa", "email: "),
        ("manager_email", "anna", "manager_email: "),
        ("name", " " * 300, "name: "),
    ],
)
def test_a_wrong_answer_is_named_and_creates_nothing(field: str, value: str, complaint: str) -> None:
    with pytest.raises(CommandError, match=f"Nothing was created.\n{complaint}"):
        _setup(**{field: value})
    assert not Clinic.objects.exists()
    assert not User.objects.exists()


def test_a_weak_password_creates_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANAGER_PASSWORD", "password")
    with pytest.raises(CommandError, match="password: "):
        _setup()
    assert not Clinic.objects.exists()


def test_the_first_start_asks_only_where_there_is_no_clinic_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    said = io.StringIO()
    call_command("setup_clinic", if_empty=True, stdout=said)
    assert "manage setup_clinic" in said.getvalue()
    assert not Clinic.objects.exists()
    _setup()
    assert _setup(if_empty=True, name="Another") == ""
    assert Clinic.objects.count() == 1


def test_a_script_that_forgets_something_is_told_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(CommandError, match="--zone"):
        _setup(zone=None)
