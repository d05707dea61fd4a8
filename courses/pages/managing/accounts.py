"""Accounts and roles; the link with which a new person chooses a password."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import password_validation
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clinic.errors import Invalid, NotAllowed, NotFound
from clinic.models import Membership
from clinic.permissions import Role
from courses.managing import accounts as service
from courses.managing.rights import MANAGE, staff_for
from courses.pages.managing.edits import act, edit_page
from courses.pages.permissions import PageRequest, open_page, page


class AccountForm(forms.Form):
    email = forms.EmailField(label=gettext_lazy("E-mail"))
    first_name = forms.CharField(label=gettext_lazy("Given name"), max_length=150, required=False)
    last_name = forms.CharField(label=gettext_lazy("Family name"), max_length=150, required=False)
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"), choices=Role.choices, widget=forms.CheckboxSelectMultiple
    )


class RolesForm(forms.Form):
    first_name = forms.CharField(label=gettext_lazy("Given name"), max_length=150, required=False)
    last_name = forms.CharField(label=gettext_lazy("Family name"), max_length=150, required=False)
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"),
        choices=Role.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=gettext_lazy("None: no access to this clinic."),
    )


@page(MANAGE)
def accounts(request: PageRequest) -> HttpResponse:
    users = list(service.accounts_of(request.clinic))
    roles: dict[int, list[str]] = {}
    for membership in Membership.objects.filter(clinic=request.clinic):
        roles.setdefault(membership.user_id, []).append(str(membership.get_role_display()))
    context = {"accounts": [(user, sorted(roles[user.pk])) for user in users]}
    return render(request, "managing/accounts.html", context)


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def account_new(request: PageRequest) -> HttpResponse:
    """`?therapist=5`: whose account it is to be."""
    chosen = request.GET.get("therapist", "")
    therapist = staff_for(request.user, int(chosen)) if chosen.isdecimal() and len(chosen) < 19 else None
    initial: dict[str, Any] = {"roles": []}
    if therapist is not None:
        given, _space, family = therapist.full_name.partition(" ")
        initial = {
            "email": therapist.email,
            "first_name": given,
            "last_name": family,
            "roles": [Role.DOCTOR if therapist.is_prescriber else Role.THERAPIST],
        }
    return edit_page(
        request,
        title=_("New account: %(name)s") % {"name": therapist} if therapist else _("New account"),
        lead=_("You get a link to pass on; behind it the person chooses a password. No password is sent anywhere."),
        form=AccountForm(request.POST or None, initial=initial),
        save=lambda data, _given: service.create_account(
            clinic=request.clinic, therapist=therapist, by=request.user, now=request.now, **data
        ),
        done=_("Account made."),
        back=reverse("manage-accounts"),
        to=lambda made: reverse("manage-account", args=[made.pk]),
    )


@page(MANAGE, methods=("GET", "HEAD", "POST"))
def account(request: PageRequest, pk: int) -> HttpResponse:
    one = service.account_for(request.user, pk)
    own = service.roles_of(one, request.clinic)
    initial = {"first_name": one.first_name, "last_name": one.last_name, "roles": [m.role for m in own]}
    try:
        service.require_whole_account(one, request.user)
        whole = True
    except (NotAllowed, NotFound):
        whole = False
    return edit_page(
        request,
        title=str(one),
        form=RolesForm(request.POST or None, initial=initial),
        save=lambda data, given: service.edit_account(
            account=one, clinic=request.clinic, by=request.user, now=request.now, seen=given.seen, **data
        ),
        done=_("Saved."),
        back=reverse("manage-accounts"),
        rows=[one, *own],
        template="managing/account.html",
        one=one,
        whole=whole,
        is_me=one.pk == request.user.pk,
        never_signed_in=one.last_login is None and not one.has_usable_password(),
    )


@page(MANAGE, methods=("POST",))
def account_invite(request: PageRequest, pk: int) -> HttpResponse:
    """The link is shown once, on the page that answers."""
    one = service.account_for(request.user, pk)
    path = service.invite(account=one, by=request.user, now=request.now)
    link = request.build_absolute_uri(reverse("invitation", args=path.split("/")))
    text = _("Please choose your password for %(clinic)s: %(link)s") % {"clinic": request.clinic, "link": link}
    query = urlencode({"subject": str(request.clinic), "body": text}).replace("+", "%20")
    context = {
        "one": one,
        "link": link,
        "mailto": f"mailto:{one.email}?{query}",
        "days": settings.PASSWORD_RESET_TIMEOUT // 86400,
    }
    return render(request, "managing/invite.html", context)


@page(MANAGE, methods=("POST",))
def account_switch(request: PageRequest, pk: int) -> HttpResponse:
    """`on=1` lets the person sign in again."""
    one = service.account_for(request.user, pk)
    turn_on = request.POST.get("on") == "1"
    return act(
        request,
        lambda _given: service.switch_account(account=one, on=turn_on, by=request.user, now=request.now),
        title=str(one),
        done=_("Can sign in again.") if turn_on else _("Cannot sign in any more."),
        back=reverse("manage-account", args=[pk]),
    )


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=gettext_lazy("New password"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=gettext_lazy("The same once more"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.fields["password"].help_text = " ".join(password_validation.password_validators_help_texts())

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if "password" in data and "again" in data and data["password"] != data["again"]:
            self.add_error("again", _("The two are not the same."))
        return data


@open_page
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, key: str, token: str) -> HttpResponse:
    """Choose a password. GET changes nothing: scanners of mail open links."""
    user = service.invited(key, token)
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        password = form.cleaned_data["password"]
        try:
            service.choose_password(key=key, token=token, password=password, now=timezone.now())
        except Invalid as wrong:
            form.add_error("password", [str(s) for s in wrong.details["password"]])
        else:
            return redirect("sign-in")
    context = {"form": form, "invited": user}
    return render(request, "managing/invitation.html", context, status=422 if form.errors else 200)
