"""Users, what they may do where, and how machines and repeated requests are told apart."""

import hashlib
import secrets
from typing import Any, Self

import pghistory
from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.utils.translation import gettext_lazy as _

from clinic.models.sites import Clinic
from clinic.permissions import Permission, Role, permissions_of


class UserManager(BaseUserManager["User"]):
    """Creates users by e-mail; Django's own manager insists on a user name."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


@pghistory.track(exclude=["password", "last_login"])
class User(AbstractUser):
    """A person who signs in, by e-mail."""

    username = None  # type: ignore[assignment]
    email = models.EmailField(_("e-mail"), unique=True)
    language = models.CharField(_("language of pages"), max_length=8, blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []
    objects = UserManager()  # type: ignore[misc,assignment]

    def __str__(self) -> str:
        return self.get_full_name() or self.email

    def may(self, permission: Permission, clinic: Clinic | int | None = None) -> bool:
        """Whether one of this user's roles, in `clinic` or in any, carries the permission."""
        clinic_id = clinic.pk if isinstance(clinic, Clinic) else clinic
        return any(
            permission in permissions_of(Role(m.role))
            for m in self.cached_memberships()
            if clinic_id is None or m.clinic_id == clinic_id
        )

    def cached_memberships(self) -> "list[Membership]":
        if not hasattr(self, "_memberships"):
            self._memberships = list(self.memberships.select_related("clinic")) if self.is_active else []
        return self._memberships

    def clinic_ids(self, permission: Permission | None = None) -> list[int]:
        """Clinics in which the user holds the permission (or any role at all)."""
        return sorted(
            {
                m.clinic_id
                for m in self.cached_memberships()
                if permission is None or permission in permissions_of(Role(m.role))
            }
        )


@pghistory.track()
class Membership(models.Model):
    """A user's role in a clinic."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "clinic", "role"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} · {self.clinic} · {self.get_role_display()}"


def hash_token(token: str) -> str:
    """SHA-256 in hex. Tokens have ≥128 random bits, so a slow password hash would add nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


@pghistory.track(exclude=["token_hash"])
class ApiToken(models.Model):
    """A machine's key; only its hash is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def issue(cls, *, user: User, name: str) -> tuple[Self, str]:
        """Create a token and return it with its text, which cannot be read again."""
        text = secrets.token_urlsafe(32)
        return cls.objects.create(user=user, name=name, token_hash=hash_token(text)), text


class IdempotentRequest(models.Model):
    """The first answer to a request that carried an Idempotency-Key, kept for a day."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=300)
    key = models.CharField(max_length=200)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "path", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.path} {self.key}"
