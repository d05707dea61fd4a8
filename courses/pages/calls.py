"""The call list: whom to telephone, what about, and what came of it."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from clinic.errors import NotFound
from clinic.models import Clinic, Patient
from clinic.permissions import Permission
from courses.dates import read_day
from courses.pages.permissions import PageRequest, page
from notifications.calls import Call, mark_confirmed, mark_not_reached, mark_reached, open_calls
from notifications.models import Message
from notifications.snapshots import VisitSnapshot

# How far ahead a list may be looked at.
MOST_AHEAD = dt.timedelta(days=60)

_Kind = Message.Kind
_NEWS: dict[str, Promise] = {
    _Kind.SUMMARY: pgettext_lazy("visit", "new"),
    _Kind.INVITATION: pgettext_lazy("visit", "new"),
    _Kind.CHANGE: pgettext_lazy("visit", "changed"),
    _Kind.CANCELLATION: pgettext_lazy("visit", "cancelled"),
    _Kind.REMINDER: pgettext_lazy("visit", "reminder"),
}


@dataclass(frozen=True)
class Outcome:
    """What may come of a call: the button and what it does."""

    name: str
    label: Promise
    said: Promise
    act: Callable[..., None]


OUTCOMES = {
    outcome.name: outcome
    for outcome in (
        Outcome("reached", pgettext_lazy("button", "Reached"), _("Kept: the patient was told."), mark_reached),
        Outcome(
            "confirmed",
            pgettext_lazy("button", "Confirmed"),
            _("Kept: the patient was told and will come."),
            mark_confirmed,
        ),
        Outcome(
            "not-reached",
            pgettext_lazy("button", "Not reached"),
            _("Kept: nobody answered. The call stays on the list."),
            mark_not_reached,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call as the list shows it: visits under the latest word about them; `keys` name what a press answers."""

    patient: Patient
    news: list[tuple[Promise, list[VisitSnapshot]]]
    before: dt.datetime
    attempts: int
    keys: str

    @classmethod
    def of(cls, call: Call) -> "CallLine":
        news: dict[Promise, list[VisitSnapshot]] = {}
        for visit in call.visits:
            news.setdefault(_news_of(visit, call.messages), []).append(visit)
        return cls(
            patient=call.patient,
            news=list(news.items()),
            before=call.before,
            attempts=call.attempts,
            keys=",".join(str(message.pk) for message in call.messages),
        )


def _news_of(visit: VisitSnapshot, about: Sequence[Message]) -> Promise:
    if visit.cancelled:
        return _NEWS[_Kind.CANCELLATION]
    # What changed is said before what is only reminded of, whichever is due first.
    kinds = {message.kind for message in about if visit.uid in message.visits_by_uid()}
    wanted = (_Kind.CHANGE, _Kind.INVITATION, _Kind.SUMMARY, _Kind.REMINDER)
    return _NEWS[next((kind for kind in wanted if kind in kinds), _Kind.REMINDER)]


@page(Permission.SEE_MESSAGES)
def calls(request: PageRequest) -> HttpResponse:
    """`?d=2026-11-24` lists what is due by the end of a later day; without it, of today."""
    today = request.clinic.local_date(request.now)
    date = _day(request, request.GET.get("d", ""))
    lines = [CallLine.of(call) for call in open_calls(clinic=request.clinic, day=date, now=request.now)]
    day = dt.timedelta(days=1)
    context: dict[str, Any] = {
        "date": date,
        "today": today,
        "lines": lines,
        "outcomes": OUTCOMES.values(),
        "earlier": _address(date - day) if date > today else "",
        "later": _address(date + day) if date < today + MOST_AHEAD else "",
    }
    return render(request, "pages/calls.html", context)


@page(Permission.SEE_MESSAGES, methods=("POST",))
def calls_answer(request: PageRequest, outcome: str) -> HttpResponse:
    """What came of one call; it answers exactly the messages that the list showed."""
    chosen = OUTCOMES[outcome]
    chosen.act(messages=_answered(request.clinic, request.POST.get("calls", "")), by=request.user, now=request.now)
    messages.success(request, str(chosen.said))
    return redirect(_address(_day(request, request.POST.get("d", ""))))


def _answered(clinic: Clinic, keys: str) -> list[Message]:
    wanted = {int(key) for key in keys.split(",") if key.isdecimal() and len(key) < 19}
    found = list(Message.objects.filter(clinic=clinic, channel=Message.Channel.CALL, pk__in=wanted))
    if not found or len(found) != len(wanted):
        raise NotFound
    return found


def _day(request: PageRequest, text: str) -> dt.date:
    today = request.clinic.local_date(request.now)
    return min(max(read_day(text, today), today), today + MOST_AHEAD)


def _address(date: dt.date) -> str:
    return f"{reverse('calls')}?{urlencode({'d': date.isoformat()})}"
