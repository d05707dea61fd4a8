"""What people write, held to what a column can hold: a refusal names the field, the database would not."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid

MOST_CHARACTERS = 300

_NO_NULL = _("Null characters are not allowed.")


def short_text(field: str, text: str) -> str:
    """The text without blanks around it. Raises Invalid, naming the field, for what no column holds."""
    text = text.strip()
    if len(text) > MOST_CHARACTERS:
        message = _("Enter at most %(most)s characters.") % {"most": MOST_CHARACTERS}
        raise Invalid(details={field: [message]})
    if "\0" in text:
        raise Invalid(details={field: [_NO_NULL]})
    return text


def required_text(field: str, text: str) -> str:
    """The same, and it must say something."""
    text = short_text(field, text)
    if not text:
        raise Invalid(details={field: [_("Give the reason.")]})
    return text


def require_valid_fields(row: Model) -> None:
    """Raises Invalid, a sentence per field, where a value of an unsaved row is too long or not among its choices.

    Related rows are not looked up.
    """
    related = {field.name for field in row._meta.concrete_fields if field.is_relation or field.primary_key}
    errors: dict[str, list[Any]] = {}
    try:
        row.clean_fields(exclude=related)
    except ValidationError as error:
        errors = dict(error.message_dict)
    for field in row._meta.concrete_fields:
        value = getattr(row, field.attname)
        if isinstance(value, str) and "\0" in value:
            errors.setdefault(field.name, []).append(_NO_NULL)
    if errors:
        raise Invalid(details=errors)
