"""The first steps of an installation: a clinic, and someone who may set up the rest."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from clinic.errors import Invalid
from clinic.models import Clinic, Membership, User
from clinic.permissions import Role


@transaction.atomic
def found_clinic(
    *,
    name: str,
    zone: str,
    country: str,
    language: str,
    email: str,
    manager_email: str,
    password: str,
) -> Membership:
    """Create a clinic and its manager, or make an existing user its manager, whose password then stays as it is.

    `country` is an ISO 3166 code of two letters, `zone` an IANA name. Raises Invalid, naming each wrong field.
    """
    clinic = Clinic(name=name, zone=zone, country=country.upper(), language=language, email=email)
    manager = User.objects.filter(email=manager_email.lower()).first()
    wrong: dict[str, list[str]] = {}
    try:
        clinic.full_clean()
    except ValidationError as error:
        wrong |= error.message_dict
    if not clinic.country.isalpha() or len(clinic.country) != 2:
        wrong["country"] = [_("Write the country as two letters: PL, RU, …")]
    if manager is None:
        manager = User(email=manager_email.lower())
        wrong |= _what_is_wrong(manager, password)
    if wrong:
        raise Invalid(details=wrong)
    if manager.pk is None:
        manager.set_password(password)
        manager.save()
    clinic.save()
    return Membership.objects.create(user=manager, clinic=clinic, role=Role.MANAGER)


def _what_is_wrong(manager: User, password: str) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    try:
        manager.clean_fields(exclude=["password"])
    except ValidationError as error:
        wrong["manager_email"] = error.messages
    try:
        validate_password(password, manager)
    except ValidationError as error:
        wrong["password"] = error.messages
    return wrong
