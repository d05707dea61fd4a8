"""Who signs in to the demonstration: one invented person per role, all with one password made for this run."""

import secrets
from dataclasses import dataclass

from django.db import transaction

from clinic.models import ApiToken, Clinic, Membership, Therapist, User
from clinic.permissions import Role

DOMAIN = "lumbar-clinic.example"
TOKEN_NAME = "demonstration"  # noqa: S105 - a name


@dataclass(frozen=True)
class Staff:
    """`users` by role; `password` opens all of them; `token` is the front desk's key to the API."""

    users: dict[Role, User]
    password: str
    token: str


def sign_up_staff(*, clinic: Clinic, therapist: Therapist, doctor: Therapist) -> Staff:
    """Create the users, tie two of them to the staff of the files, and issue the token."""
    password = secrets.token_urlsafe(9)
    persons = {
        Role.RECEPTION: ("Maja", "Recepcja", "reception", None),
        Role.THERAPIST: (*_names(therapist), "therapist", therapist),
        Role.DOCTOR: (*_names(doctor), "doctor", doctor),
        Role.MANAGER: ("Julia", "Kierownik", "manager", None),
    }
    users = {}
    with transaction.atomic():
        for role, (first, last, mailbox, staff) in persons.items():
            user = User.objects.create_user(f"{mailbox}@{DOMAIN}", password, first_name=first, last_name=last)
            Membership.objects.create(user=user, clinic=clinic, role=role)
            if staff is not None:
                staff.user = user
                staff.save(update_fields=["user"])
            users[role] = user
        _token, text = ApiToken.issue(user=users[Role.RECEPTION], name=TOKEN_NAME)
    return Staff(users, password, text)


def _names(therapist: Therapist) -> tuple[str, str]:
    first, _space, last = therapist.full_name.partition(" ")
    return first, last
