"""How log lines look, and what never gets into one: a private link's token."""

import re
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

Event = MutableMapping[str, Any]
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# The paths of private pages and feeds end in the secret itself, wherever they are quoted: request lines, tracebacks.
_TOKEN = re.compile(r"(/(?:p|feeds)/)[A-Za-z0-9_=-]{8,}")


def scrub(text: str) -> str:
    """`text` with the token of every private link in it replaced by `[token]`."""
    return _TOKEN.sub(r"\1[token]", text)


def scrub_tokens(_logger: object, _method: str, event: Event) -> Event:
    """A structlog processor: `scrub` on every value of the event that is or contains text."""
    for key, value in event.items():
        event[key] = _scrubbed(value)
    return event


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {key: _scrubbed(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(inner) for inner in value]
    return value


def renderer(log_format: str) -> Callable[[Any, str, Event], str | bytes]:
    """The last processor: one JSON object a line, or text for a terminal where `log_format` is "console"."""
    if log_format == "console":
        return structlog.dev.ConsoleRenderer(colors=False)
    return structlog.processors.JSONRenderer(ensure_ascii=False, default=str)


SHARED: list[Callable[[Any, str, Event], Any]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    scrub_tokens,
]
