"""The Russian catalogue is whole, and its compiled form is the one that belongs to it."""

import gettext
from pathlib import Path

from babel.messages.pofile import read_po

_FOLDER = Path(__file__).resolve().parents[2] / "locale" / "ru" / "LC_MESSAGES"


def test_every_text_is_translated_and_compiled() -> None:
    with (_FOLDER / "django.po").open("rb") as file:
        catalogue = read_po(file, locale="ru")
    with (_FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    checked = 0
    for message in catalogue:
        if not message.id:
            continue
        checked += 1
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(texts), message.id
        assert not message.fuzzy, message.id
        if isinstance(message.id, tuple):
            one, many = message.id
            found = (
                compiled.npgettext(message.context, one, many, 5)
                if message.context
                else compiled.ngettext(one, many, 5)
            )
            assert found == message.string[2], message.id
        elif message.context:
            assert compiled.pgettext(message.context, message.id) == message.string
        else:
            assert compiled.gettext(message.id) == message.string
    assert checked > 500
