"""How forms look: one template per field, one for the summary of errors, the same on every page."""

import datetime as dt
from typing import Any

from django import forms
from django.forms.renderers import DjangoTemplates


class PageRenderer(DjangoTemplates):
    """FORM_RENDERER: fields with label, hint and error in `pages/field.html`."""

    form_template_name = "pages/form.html"
    field_template_name = "pages/field.html"


class DateField(forms.DateField):
    """A date picked or typed; shown and sent in ISO 8601, as the browser's own control does it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
            input_formats=["%Y-%m-%d", "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y"],
            **kwargs,
        )


class TimeField(forms.TimeField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            widget=forms.TimeInput(format="%H:%M", attrs={"type": "time", "step": 300}),
            input_formats=["%H:%M", "%H:%M:%S"],
            **kwargs,
        )


def on_grid(time: dt.time) -> bool:
    """Whether a time is a multiple of five minutes."""
    return time.minute % 5 == 0 and time.second == 0
