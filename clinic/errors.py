"""Errors that people see: raised in services, rendered in one place for pages and one for the API."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _


class DomainError(Exception):
    """Something a person asked for cannot be done, and the sentence says why and what to do.

    `code` is stable and machine-readable, `sentence` is for people (translated lazily), `status` is the
    HTTP status, `details` holds structured facts for the API (never a clinical word beyond what was asked).
    """

    code = "error"
    status = 400
    sentence = _("This cannot be done.")

    def __init__(self, sentence: Any = None, *, code: str | None = None, details: Mapping[str, Any] | None = None):
        if sentence is not None:
            self.sentence = sentence
        if code is not None:
            self.code = code
        self.details: dict[str, Any] = dict(details or {})
        super().__init__(self.code)

    def __str__(self) -> str:
        return str(self.sentence)


class Invalid(DomainError):
    """A field is wrong. `details` maps field names to lists of sentences."""

    code = "invalid"
    status = 422
    sentence = _("Some entries are not valid. Correct the fields named.")


class NotAllowed(DomainError):
    code = "not_allowed"
    status = 403
    sentence = _("Your role does not allow this. Ask a manager.")


class NotFound(DomainError):
    code = "not_found"
    status = 404
    sentence = _("Not found.")


class Conflict(DomainError):
    """The state has changed, or a rule forbids it in this state."""

    code = "conflict"
    status = 409
    sentence = _("This changed meanwhile. Check, then repeat.")


class Busy(Conflict):
    """Another person is changing the same calendars; nothing was done and the request may be repeated."""

    code = "busy"
    status = 503
    sentence = _("Someone else is booking the same times right now. Nothing was changed. Try again.")


class PlaceTaken(Conflict):
    """A lost race: some of the wanted times were taken meanwhile. `details["taken"]` lists them."""

    code = "place_taken"
    sentence = _("A time was just taken by someone else. Nothing was booked. Choose from the fresh plan.")


class OutsideAvailability(Conflict):
    """Outside a shift, inside an absence, a closure or an outage. May be overridden with a reason."""

    code = "outside_availability"
    sentence = _("This time is outside working hours. Choose another time, or give a reason to override.")


class RuleBroken(Conflict):
    """A rule of the course forbids it. `details["overridable"]` says whether a reason may override it."""

    code = "rule_broken"
    sentence = _("This breaks a rule of the course.")
