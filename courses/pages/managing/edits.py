"""One way to save a form: errors beside their fields, what someone else changed, what is left outside, then onwards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Model
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.changes import token_of
from clinic.errors import Conflict, Invalid
from courses.booking.models import Session
from courses.managing.stranding import MOST_NAMED
from courses.pages.permissions import PageRequest

_NOT_KEPT = frozenset({"csrfmiddlewaretoken", "seen", "accepted"})


@dataclass(frozen=True, slots=True)
class Given:
    """What comes along with a form: the token of the rows it showed, and whether what is stranded was accepted."""

    seen: str | None
    accepted: bool


def edit_page(
    request: PageRequest,
    *,
    title: str,
    form: forms.Form,
    save: Callable[[dict[str, Any], Given], object],
    done: str | Callable[[Any], str],
    back: str,
    to: str | Callable[[Any], str] | None = None,
    rows: Sequence[Model] = (),
    button: str = "",
    lead: str = "",
    template: str = "managing/edit.html",
    named: Mapping[str, str] | None = None,
    **context: Any,
) -> HttpResponse:
    """Show the form, or save it through `save` and go to `to` (else `back`).

    `rows` are what the form shows, for their token. `named` maps the service's names of fields to the form's. The form
    must have been made with the rows' present values as initial ones: a conflict shows them beside those sent.
    """
    if request.method == "POST" and form.is_valid():
        given = Given(request.POST.get("seen") or None, "accepted" in request.POST)
        try:
            saved = save(dict(form.cleaned_data), given)
        except Invalid as wrong:
            _add_errors(form, wrong, named or {})
        except Conflict as conflict:
            return conflict_page(request, conflict, title=title, form=form, back=back)
        else:
            messages.success(request, done(saved) if callable(done) else done)
            return redirect(to(saved) if callable(to) else to or back)
    context |= {
        "title": title,
        "form": form,
        "back": back,
        "button": button or _("Save"),
        "lead": lead,
        "seen": request.POST.get("seen") or (token_of(*rows) if rows else ""),
    }
    return render(request, template, context, status=422 if form.errors else 200)


def act(
    request: PageRequest,
    verb: Callable[[Given], object],
    *,
    title: str,
    done: str,
    back: str,
) -> HttpResponse:
    """A form of one button."""
    given = Given(request.POST.get("seen") or None, "accepted" in request.POST)
    try:
        verb(given)
    except Conflict as conflict:
        return conflict_page(request, conflict, title=title, form=None, back=back)
    messages.success(request, done)
    return redirect(back)


@dataclass(frozen=True, slots=True)
class Difference:
    label: str
    yours: str
    present: str


def conflict_page(
    request: PageRequest, conflict: Conflict, *, title: str, form: forms.Form | None, back: str
) -> HttpResponse:
    """409: what changed and by whom, or which sessions are concerned, with the choices; the entries are kept."""
    named = [row["id"] for row in conflict.details.get("sessions", [])]
    sessions = (
        Session.objects.filter(pk__in=named)
        .select_related("course__patient", "course__procedure", "course__clinic", "appointment")
        .prefetch_related("course__patient__phones")
        .order_by("appointment__starts_at", "pk")
    )
    total = int(conflict.details.get("total", 0))
    context = {
        "title": title,
        "conflict": conflict,
        "back": back,
        "kept": [
            (name, value) for name in request.POST if name not in _NOT_KEPT for value in request.POST.getlist(name)
        ],
        "seen": conflict.details.get("token", "") if conflict.code == "row_changed" else request.POST.get("seen", ""),
        "sessions": list(sessions),
        "more": max(total - MOST_NAMED, 0),
        "differences": _differences(form) if form is not None and conflict.code == "row_changed" else [],
        "may_go_on": conflict.code == "sessions_outside",
        "may_repeat": conflict.code == "row_changed",
        "go_on": ngettext(
            "Save, and mark %(n)s session to re-place", "Save, and mark %(n)s sessions to re-place", total
        )
        % {"n": total},
    }
    return render(request, "managing/conflict.html", context, status=conflict.status)


def _differences(form: forms.Form) -> list[Difference]:
    found = []
    for name in form.changed_data:
        field = form[name]
        found.append(Difference(str(field.label), _told(field, field.value()), _told(field, field.initial)))
    return found


def _told(field: forms.BoundField, value: Any) -> str:
    """A value as the form's own choices call it."""
    names = {str(key): str(label) for key, label in getattr(field.field, "choices", [])}
    if isinstance(value, list | tuple):
        return ", ".join(names.get(str(one), str(one)) for one in value) or "—"
    if isinstance(value, bool) or value is None or value == "":
        return {True: _("yes"), False: _("no")}.get(value, "—") if isinstance(value, bool) else "—"
    return names.get(str(value), str(value))


def _add_errors(form: forms.Form, wrong: Invalid, named: Mapping[str, str]) -> None:
    for name, sentences in wrong.details.items():
        field = named.get(name, name)
        form.add_error(field if field in form.fields else None, [str(sentence) for sentence in sentences])
    if not wrong.details:
        form.add_error(None, str(wrong))
