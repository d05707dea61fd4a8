"""Signing in and out. Failures are counted in the cache, for each address of an account and for each client."""

import hashlib
from typing import Any

from django.conf import settings
from django.contrib.auth import views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _

from courses.pages.permissions import ANYONE


class SignInForm(AuthenticationForm):
    """E-mail and password. Too many failures shut it for a while, also for the right password."""

    error_messages = {
        "invalid_login": _("E-mail or password is not right. Check both, then try again."),
        "inactive": _("This account is switched off. Ask a manager."),
        "too_many": _("Too many attempts. Wait %(minutes)d minutes, then try again."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs |= {"autocomplete": "username", "inputmode": "email"}
        self.fields["username"].label = _("E-mail")
        self.fields["password"].label = _("Password")

    def clean_username(self) -> str:
        return str(self.cleaned_data["username"]).strip().lower()

    def clean(self) -> dict[str, Any]:
        counters = _counters(self.request, self.cleaned_data.get("username", ""))
        failures = cache.get_many([key for key, _limit in counters])
        if any(failures.get(key, 0) >= limit for key, limit in counters):
            raise ValidationError(
                self.error_messages["too_many"],
                code="too_many",
                params={"minutes": max(1, settings.SIGN_IN_WINDOW // 60)},
            )
        try:
            return super().clean()
        except ValidationError:
            for key, _limit in counters:
                cache.add(key, 0, settings.SIGN_IN_WINDOW)
                cache.incr(key)
            raise


def _counters(request: HttpRequest | None, email: str) -> list[tuple[str, int]]:
    """Cache keys and how many failures each bears. Hashed: the cache is no place for addresses."""

    def key(kind: str, value: str) -> str:
        return f"sign-in:{kind}:{hashlib.sha256(value.encode()).hexdigest()[:32]}"

    return [
        (key("user", email), settings.SIGN_IN_FAILURES_PER_USER),
        (key("client", _client(request)), settings.SIGN_IN_FAILURES_PER_CLIENT),
    ]


def _client(request: HttpRequest | None) -> str:
    if request is None:
        return ""
    forwarded = request.headers.get("X-Forwarded-For", "")
    if forwarded and settings.SECURE_PROXY_SSL_HEADER:
        # The last entry is what our own proxy saw; those before it are the client's word.
        return forwarded.rsplit(",", 1)[-1].strip()
    return str(request.META.get("REMOTE_ADDR", ""))


@method_decorator(login_not_required, name="dispatch")
class SignIn(views.LoginView):
    required_permission = ANYONE
    authentication_form = SignInForm
    template_name = "pages/sign_in.html"
    redirect_authenticated_user = True


@method_decorator(login_not_required, name="dispatch")
class SignOut(views.LogoutView):
    required_permission = ANYONE
