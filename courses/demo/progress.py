"""A bar for what takes longer than a moment. Where nobody watches, a line when it is done."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

WIDTH = 30
REDRAW_SECONDS = 0.1


class Bar:
    """`with Bar("Booking", 60) as bar: … bar.to(n)`"""

    def __init__(self, label: str, total: int, out: TextIO = sys.stderr) -> None:
        self.label = label
        self.total = total
        self.out = out
        self.done = 0
        self.note = ""
        self.started = time.monotonic()
        self.drawn = 0.0

    def __enter__(self) -> Self:
        self._draw()
        return self

    def to(self, done: int, *, note: str = "", total: int | None = None) -> None:
        self.done, self.note = done, note
        self.total = self.total if total is None else total
        if time.monotonic() - self.drawn >= REDRAW_SECONDS:
            self._draw()

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.note = f"{time.monotonic() - self.started:.1f} s"
        if self.out.isatty():
            self._draw()
            self.out.write("\n")
        elif kind is None:
            self.out.write(f"{self.label}: {self.done} of {self.total}, {self.note}\n")
        self.out.flush()

    def _draw(self) -> None:
        if not self.out.isatty():
            return
        self.drawn = time.monotonic()
        filled = WIDTH * self.done // self.total if self.total else WIDTH
        bar = "█" * filled + "·" * (WIDTH - filled)
        self.out.write(f"\r{self.label:<22} {bar} {self.done}/{self.total} {self.note}\x1b[K")
        self.out.flush()
