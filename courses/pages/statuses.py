"""Statuses in words and in shape: what is told by colour is told by a sign and a word too."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from courses.booking.transitions import Status


@dataclass(frozen=True)
class Look:
    mark: str
    word: Promise | str
    code: str  # class of the style sheet


LOOKS: dict[str, Look] = {
    Status.UNPLACED: Look("◌", pgettext_lazy("session", "no time yet"), "unplaced"),
    Status.HELD: Look("◔", pgettext_lazy("session", "held"), "held"),
    Status.BOOKED: Look("○", pgettext_lazy("session", "planned"), "booked"),
    Status.CONFIRMED: Look("✓", pgettext_lazy("session", "confirmed"), "confirmed"),
    Status.ARRIVED: Look("●", pgettext_lazy("session", "arrived"), "arrived"),
    Status.IN_TREATMENT: Look("▶", pgettext_lazy("session", "in treatment"), "treating"),
    Status.COMPLETED: Look("■", pgettext_lazy("session", "done"), "done"),
    Status.STOPPED_EARLY: Look("◧", pgettext_lazy("session", "stopped early"), "done"),
    Status.NOT_TREATED: Look("⊘", pgettext_lazy("session", "not treated"), "ended"),
    Status.CANCELLED: Look("–", pgettext_lazy("session", "cancelled"), "ended"),
    Status.LATE_CANCELLED: Look("–", pgettext_lazy("session", "cancelled late"), "ended"),
    Status.CANCELLED_BY_CLINIC: Look("–", pgettext_lazy("session", "cancelled by the clinic"), "ended"),
    Status.NO_SHOW: Look("✕", pgettext_lazy("session", "no-show"), "missed"),
    Status.ENTERED_IN_ERROR: Look("–", pgettext_lazy("session", "entered in error"), "ended"),
}

TO_REPLACE = Look("!", _("to re-place"), "replace")

# Tints of the style sheet; a category that is none of them is shown as treatment in general.
CATEGORIES = frozenset({"MS", "PT", "EX", "MT", "AC", "TR"})


def look_of(status: str) -> Look:
    return LOOKS[Status(status)]


def tint_of(category: str) -> str:
    return category if category in CATEGORIES else "TR"
