"""Body areas and sides by the names that files use, as pages say them; what is not known is shown as it was written."""

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

AREAS: dict[str, Promise] = {
    "back": pgettext_lazy("area", "back"),
    "cervical": pgettext_lazy("area", "cervical"),
    "cervicothoracic": pgettext_lazy("area", "cervicothoracic"),
    "heel": pgettext_lazy("area", "heel"),
    "hip": pgettext_lazy("area", "hip"),
    "knee": pgettext_lazy("area", "knee"),
    "lumbar": pgettext_lazy("area", "lumbar"),
    "lumbosacral": pgettext_lazy("area", "lumbosacral"),
    "shoulder": pgettext_lazy("area", "shoulder"),
    "spine": pgettext_lazy("area", "spine"),
    "thoracic": pgettext_lazy("area", "thoracic"),
}
SIDES: dict[str, Promise] = {
    "left": pgettext_lazy("side", "left"),
    "right": pgettext_lazy("side", "right"),
    "both": pgettext_lazy("side", "both sides"),
}


def area_text(area: str, side: str = "") -> str:
    """The area and its side in the reader's language."""
    parts = AREAS.get(area, area), SIDES.get(side, side)
    return ", ".join(str(part) for part in parts if part)
