"""Short texts that people give with what they do."""

from django.utils.translation import gettext_lazy as _

from clinic.errors import Invalid

MOST_CHARACTERS = 300


def short_text(field: str, text: str) -> str:
    """The text without blanks around it. Raises Invalid, naming the field, for what no column holds."""
    text = text.strip()
    if len(text) > MOST_CHARACTERS:
        message = _("Enter at most %(most)s characters.") % {"most": MOST_CHARACTERS}
        raise Invalid(details={field: [message]})
    if "\0" in text:
        raise Invalid(details={field: [_("Null characters are not allowed.")]})
    return text


def required_text(field: str, text: str) -> str:
    """The same, and it must say something."""
    text = short_text(field, text)
    if not text:
        raise Invalid(details={field: [_("Give the reason.")]})
    return text
