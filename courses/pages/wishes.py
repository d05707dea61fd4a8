"""What a patient wishes, as a form; only what the desk changed is asked beyond what the courses themselves say."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.models import Therapist
from clinic.models.resources import Sex
from courses.booking.frequencies import CHOICES, FREQUENCIES, lacks_frequency
from courses.booking.models import Course, Strength
from courses.dates import weekday_name
from courses.pages.forms import DateField, TimeField

PROFILES = [
    ("balanced", gettext_lazy("Balanced")),
    ("earliest_finish", gettext_lazy("Earliest finish")),
    ("fewest_visits", gettext_lazy("Fewest visits")),
    ("same_therapist", gettext_lazy("Same specialist")),
]
_STRENGTHS = [(Strength.WISH.value, gettext_lazy("would like")), (Strength.MUST.value, gettext_lazy("must"))]
_FIELDS = (
    "start_from",
    "finish_by",
    "weekdays",
    "weekdays_strength",
    "window_from",
    "window_until",
    "window_strength",
    "preferred_therapist",
    "therapist_strength",
    "therapist_gender",
)


class WishesForm(forms.Form):
    """Prefilled from a single course; of several courses the fields are empty, which means: as prescribed.

    Days before `today` are refused where they are entered, not where they are as old as the course.
    """

    frequency = forms.ChoiceField(label=gettext_lazy("How often"), required=False)
    start_from = DateField(label=gettext_lazy("Not before"), required=False)
    finish_by = DateField(label=gettext_lazy("Finish by"), required=False)
    weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Days"), coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )
    weekdays_strength = forms.ChoiceField(label=gettext_lazy("These days"), choices=_STRENGTHS)
    window_from = TimeField(label=gettext_lazy("Not earlier than"), required=False)
    window_until = TimeField(label=gettext_lazy("Ends by"), required=False)
    window_strength = forms.ChoiceField(label=gettext_lazy("This part of the day"), choices=_STRENGTHS)
    preferred_therapist = forms.TypedChoiceField(
        label=gettext_lazy("Specialist"), coerce=int, empty_value=None, required=False
    )
    therapist_strength = forms.ChoiceField(label=gettext_lazy("This specialist"), choices=_STRENGTHS)
    therapist_gender = forms.ChoiceField(
        label=gettext_lazy("Specialist's sex"), choices=[("", gettext_lazy("any")), *Sex.choices], required=False
    )
    profile = forms.ChoiceField(label=gettext_lazy("What matters most"), choices=PROFILES)

    def __init__(
        self,
        data: Any = None,
        *,
        courses: Sequence[Course] = (),
        therapists: Sequence[Therapist] = (),
        today: dt.date = dt.date.min,
    ) -> None:
        super().__init__(data, initial=_initial(courses))
        self.today = today
        # Those that say nothing of it, else all: what is asked for one course should not change another.
        self.asked = [course.pk for course in courses if lacks_frequency(course)] or [course.pk for course in courses]
        self._offer_frequencies(courses)
        self.fields["weekdays"].choices = [(n, weekday_name(n)) for n in range(1, 8)]  # type: ignore[attr-defined]
        people = [("", _("any")), *((t.pk, str(t)) for t in therapists)]
        self.fields["preferred_therapist"].choices = people  # type: ignore[attr-defined]

    def _offer_frequencies(self, courses: Sequence[Course]) -> None:
        if not courses:
            # Each line of a new order says its own.
            del self.fields["frequency"]
            return
        field = self.fields["frequency"]
        field.required = any(lacks_frequency(course) for course in courses)
        nothing = "—" if field.required else gettext_lazy("as prescribed")
        field.choices = [("", nothing), *CHOICES]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("window_from") and data.get("window_until") and data["window_from"] >= data["window_until"]:
            self.add_error("window_until", _("The end must be after the start."))
        if data.get("start_from") and data.get("finish_by") and data["start_from"] > data["finish_by"]:
            self.add_error("finish_by", _("The last day must not be before the first."))
        for name in ("start_from", "finish_by"):
            if name in self.changed_data and data.get(name) and data[name] < self.today:
                self.add_error(name, _("Date has passed. Enter today or later."))
        return data

    def wishes(self) -> dict[str, Any]:
        """What was changed, as `propose_plan` takes it. A strength goes with its wish."""
        data = self.cleaned_data
        changed = {name for name in self.changed_data if name in _FIELDS}
        pairs = (("weekdays",), "weekdays_strength"), (("window_from", "window_until"), "window_strength")
        for names, strength in (*pairs, (("preferred_therapist",), "therapist_strength")):
            if strength in changed or changed.intersection(names):
                changed |= {*names, strength}
        wishes = {name: _json(data[name]) for name in _FIELDS if name in changed}
        for names, strength in (*pairs, (("preferred_therapist",), "therapist_strength")):
            if strength in wishes and not any(data[name] for name in names):
                wishes[strength] = Strength.NONE.value
        if frequency := FREQUENCIES.get(data.get("frequency", "")):
            wishes["courses"] = {str(pk): frequency.terms for pk in self.asked}
        return wishes


def _json(value: Any) -> Any:
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.time):
        return value.strftime("%H:%M")
    return value


def _initial(courses: Sequence[Course]) -> dict[str, Any]:
    strengths = {
        "weekdays_strength": Strength.WISH.value,
        "window_strength": Strength.WISH.value,
        "therapist_strength": Strength.WISH.value,
        "profile": "balanced",
    }
    if len(courses) != 1:
        return strengths
    course = courses[0]
    own = {
        "start_from": course.start_from,
        "finish_by": course.finish_by,
        "weekdays": course.weekdays,
        "window_from": course.window_from,
        "window_until": course.window_until,
        "preferred_therapist": course.preferred_therapist_id,
        "therapist_gender": course.therapist_gender,
    }
    for name in ("weekdays_strength", "window_strength", "therapist_strength"):
        if getattr(course, name) != Strength.NONE:
            own[name] = getattr(course, name)
    return strengths | own
