"""Who may sign in, and as what in which clinic. A new person chooses the password behind a link that works once."""

import datetime as dt
from collections.abc import Collection

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode
from django.utils.translation import gettext_lazy as _

from clinic.changes import require_unchanged
from clinic.errors import Conflict, Invalid, NotAllowed, NotFound
from clinic.locking import writing
from clinic.models import Clinic, Membership, Therapist, User
from clinic.permissions import Role
from courses.managing.rights import MANAGE, require_manager, require_manager_of_staff


def accounts_of(clinic: Clinic) -> QuerySet[User]:
    """Users with a role in the clinic."""
    return User.objects.filter(memberships__clinic=clinic).distinct().order_by("last_name", "first_name", "email")


def roles_of(user: User, clinic: Clinic) -> list[Membership]:
    return list(Membership.objects.filter(user=user, clinic=clinic).order_by("pk"))


def account_for(user: User, pk: int) -> User:
    """A user of a clinic that `user` manages. Raises NotFound."""
    found = User.objects.filter(memberships__clinic__in=user.clinic_ids(MANAGE), pk=pk).distinct().first()
    if found is None:
        raise NotFound()
    return found


def create_account(
    *,
    clinic: Clinic,
    email: str,
    roles: Collection[str],
    by: User | None,
    now: dt.datetime,
    first_name: str = "",
    last_name: str = "",
    therapist: Therapist | None = None,
) -> User:
    """An account without a password, which its link of invitation lets the person choose; an existing one of that
    e-mail gets the roles here and keeps all else.

    `therapist` is whose account it is. Raises Invalid, NotAllowed, NotFound, and Conflict for a therapist who has one.
    """
    require_manager(clinic, by)
    if therapist is not None:
        require_manager_of_staff(therapist, by)
    email = _checked_email(email)
    wanted = _checked_roles(roles)
    with writing():
        user = User.objects.select_for_update().filter(email=email).first()
        if user is None:
            user = User(email=email, first_name=first_name.strip(), last_name=last_name.strip())
            _clean(user)
            user.set_unusable_password()
            user.save()
        for role in wanted:
            Membership.objects.get_or_create(user=user, clinic=clinic, role=role)
        if therapist is not None:
            _connect(therapist, user)
    return user


def edit_account(
    *,
    account: User,
    clinic: Clinic,
    roles: Collection[str],
    by: User | None,
    now: dt.datetime,
    first_name: str | None = None,
    last_name: str | None = None,
    seen: str | None = None,
) -> User:
    """Set the roles in the clinic, none to take them all away, and the name.

    Raises Conflict where the clinic would be left without a manager, or with managers who locked themselves out.
    """
    require_manager(clinic, by)
    wanted = {role for role in Role if role in set(roles)}
    if unknown := set(roles) - {*Role.values}:
        raise Invalid(details={"roles": [_("There is no role “%(role)s”.") % {"role": sorted(unknown)[0]}]})
    with writing():
        # One after the other in a clinic: two managers who remove each other leave one.
        Clinic.objects.select_for_update(no_key=True, of=("self",)).get(pk=clinic.pk)
        row = User.objects.select_for_update(of=("self",)).get(pk=account.pk)
        require_unchanged(seen, row, *roles_of(row, clinic))
        if first_name is not None and last_name is not None:
            row.first_name, row.last_name = first_name.strip(), last_name.strip()
            _clean(row)
            row.save(update_fields=["first_name", "last_name"])
        own = Membership.objects.filter(user=row, clinic=clinic)
        present = {Role(role) for role in own.values_list("role", flat=True)}
        own.filter(role__in=present - wanted).delete()
        Membership.objects.bulk_create(Membership(user=row, clinic=clinic, role=role) for role in wanted - present)
        _require_a_manager(clinic)
    return row


def switch_account(*, account: User, on: bool, by: User | None, now: dt.datetime) -> User:
    """Let a person sign in or no more, everywhere. Only by who manages all their clinics."""
    require_whole_account(account, by)
    if by is not None and by.pk == account.pk and not on:
        raise Conflict(_("You cannot switch off your own account. Ask another manager."))
    with writing():
        row = User.objects.select_for_update(of=("self",)).get(pk=account.pk)
        row.is_active = on
        row.save(update_fields=["is_active"])
        for clinic in Clinic.objects.filter(memberships__user=row, memberships__role=Role.MANAGER).distinct():
            _require_a_manager(clinic)
    return row


def invite(*, account: User, by: User | None, now: dt.datetime) -> str:
    """The path of a link behind which the person chooses a password; it works once and for a few days.

    Only by who manages all the person's clinics: whoever has the link can sign in as them.
    """
    require_whole_account(account, by)
    if not account.is_active:
        raise Conflict(_("This account is switched off. Switch it on first."))
    key = urlsafe_base64_encode(str(account.pk).encode())
    return f"{key}/{default_token_generator.make_token(account)}"


def invited(key: str, token: str) -> User:
    """Whose link it is. Raises NotFound for one that is used, old or wrong."""
    try:
        pk = int(urlsafe_base64_decode(key).decode())
    except (ValueError, OverflowError) as error:
        raise NotFound() from error
    user = User.objects.filter(pk=pk, is_active=True).first() if 0 < pk < 2**63 else None
    if user is None or not default_token_generator.check_token(user, token):
        raise NotFound(_("Link expired. Request a new one."))
    return user


def choose_password(*, key: str, token: str, password: str, now: dt.datetime) -> User:
    """Set the password of an invited person; the link is used up. Raises NotFound, Invalid for a weak password."""
    with writing():
        user = User.objects.select_for_update(of=("self",)).get(pk=invited(key, token).pk)
        if not default_token_generator.check_token(user, token):
            raise NotFound(_("Link expired. Request a new one."))
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise Invalid(details={"password": error.messages}) from error
        user.set_password(password)
        user.save(update_fields=["password"])
    return user


def require_whole_account(account: User, by: User | None) -> None:
    """Raises NotFound for a user of none of the manager's clinics, NotAllowed where others have a say too."""
    if by is None:
        return
    theirs = {*account.memberships.values_list("clinic_id", flat=True)}
    managed = {*by.clinic_ids(MANAGE)}
    if not theirs & managed:
        raise NotFound()
    if not theirs <= managed or (account.is_superuser and not by.is_superuser):
        raise NotAllowed(_("This person works in other clinics too. Ask their managers."))


def _require_a_manager(clinic: Clinic) -> None:
    managers = Membership.objects.filter(clinic=clinic, role=Role.MANAGER, user__is_active=True)
    if not managers.exists():
        raise Conflict(
            _("%(clinic)s would be left without a manager. Make someone else one first.") % {"clinic": clinic},
            code="last_manager",
        )


def _connect(therapist: Therapist, user: User) -> None:
    row = Therapist.objects.select_for_update(of=("self",)).get(pk=therapist.pk)
    if row.user_id not in {None, user.pk} or Therapist.objects.filter(user=user).exclude(pk=row.pk).exists():
        raise Conflict(_("This person or this account is connected already."), code="already_connected")
    row.user = user
    row.save(update_fields=["user"])


def _checked_email(email: str) -> str:
    email = User.objects.normalize_email(email.strip()).lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid(details={"email": error.messages}) from error
    return email


def _checked_roles(roles: Collection[str]) -> list[Role]:
    wanted = [role for role in Role if role in set(roles)]
    if not wanted or set(roles) - {*Role.values}:
        raise Invalid(details={"roles": [_("Choose at least one role.")]})
    return wanted


def _clean(user: User) -> None:
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        raise Invalid(details=error.message_dict) from error
    if "\0" in user.first_name + user.last_name:
        raise Invalid(details={"first_name": [_("Null characters are not allowed.")]})
