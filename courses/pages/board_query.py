"""What a board's address asks for. Keys and signs only: never a name, never a clinical word."""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from courses.dates import read_day
from courses.pages.days import BY_ROOM, BY_THERAPIST
from courses.pages.statuses import LOOKS

DAY, WEEK, MONTH, LIST = "day", "week", "month", "list"
COMPACT, ROOMY = "compact", "roomy"
# The signs by which cards can be chosen, besides classes.
STATUS_CODES = (*dict.fromkeys(look.code for look in LOOKS.values()), "class")
MOST_IDS = 60


@dataclass(frozen=True)
class BoardQuery:
    """`?d=2026-11-24&view=day|week|month|list&by=therapist|room&ids=4,7&status=booked,held&zoom=12&density=compact`."""

    date: dt.date
    view: str = DAY
    by: str = BY_THERAPIST
    ids: tuple[int, ...] = ()
    statuses: tuple[str, ...] = ()
    zoom: int | None = None
    density: str = ROOMY

    @classmethod
    def read(cls, data: QueryDict, today: dt.date) -> "BoardQuery":
        """What is not understood is as if it had not been asked for."""
        ids = [int(text) for text in _listed(data, "ids") if text.isdecimal() and len(text) < 10]
        zoom = data.get("zoom", "")
        return cls(
            date=read_day(data.get("d", ""), today),
            view=view if (view := data.get("view", "")) in {WEEK, MONTH, LIST} else DAY,
            by=BY_ROOM if data.get("by") == BY_ROOM else BY_THERAPIST,
            ids=tuple(dict.fromkeys(ids))[:MOST_IDS],
            statuses=tuple(code for code in STATUS_CODES if code in _listed(data, "status")),
            zoom=int(zoom) if zoom.isdecimal() and len(zoom) < 4 else None,
            density=COMPACT if data.get("density") == COMPACT else ROOMY,
        )

    @property
    def fields(self) -> dict[str, str]:
        """The parameters of an address; what is usual is left out, but for the day."""
        given = {
            "d": self.date.isoformat(),
            "view": "" if self.view == DAY else self.view,
            "by": "" if self.by == BY_THERAPIST else self.by,
            "ids": ",".join(map(str, self.ids)),
            "status": ",".join(self.statuses),
            "zoom": str(self.zoom or ""),
            "density": "" if self.density == ROOMY else self.density,
        }
        return {name: value for name, value in given.items() if value}

    @property
    def url(self) -> str:
        return f"{reverse('board')}?{urlencode(self.fields, safe=',')}"

    def but(self, **changes: Any) -> str:
        """Address of a board that differs in this."""
        return replace(self, **changes).url

    def other_fields(self, *names: str) -> dict[str, str]:
        """The parameters that a form without these fields keeps."""
        return {name: value for name, value in self.fields.items() if name not in names}

    @property
    def step(self) -> dt.timedelta:
        """From this board to the next."""
        return dt.timedelta(days=7 if self.view == WEEK else 1)

    @property
    def monday(self) -> dt.date:
        return self.date - dt.timedelta(days=self.date.weekday())

    def neighbour(self, sign: int) -> dt.date:
        """The day that the board before (−1) or after (+1) is opened with."""
        if self.view != MONTH:
            return self.date + sign * self.step
        first = self.date.replace(day=1)
        return (first - dt.timedelta(days=1) if sign < 0 else first + dt.timedelta(days=31)).replace(day=1)


def _listed(data: QueryDict, name: str) -> list[str]:
    """Values of a parameter, whether a form repeats it or a link joins them with commas."""
    return [part for value in data.getlist(name) for part in value.split(",")]
