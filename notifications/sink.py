"""A local SMTP server that keeps every mail as a file: for development, demonstrations and tests.

`python -m notifications.sink --port 0 --directory DIR` prints the port it got as its first line. Files are numbered in
the order in which the mails arrived: `000001.eml`, … Nothing is relayed to anyone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

SUFFIX = ".eml"


@dataclass(frozen=True)
class StoredMail:
    """One mail of a sink. `calendar` is its text/calendar part, `method` what that part asks for."""

    number: int
    sent_at: datetime
    sender: str
    recipient: str
    subject: str
    text: str
    html: str
    calendar: str | None
    method: str | None
    message_id: str


def list_mails(directory: Path | str, *, limit: int | None = None) -> list[StoredMail]:
    """The mails that lie in a sink's directory, the newest first. A missing directory has none."""
    paths = sorted(Path(directory).glob(f"[0-9]*{SUFFIX}"), reverse=True)
    return [read_mail(path) for path in paths[:limit]]


def read_mail(path: Path) -> StoredMail:
    """One stored mail. Raises FileNotFoundError."""
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    headers = {name.lower(): read_header(value) for name, value in mail.raw_items()}
    calendar = next((part for part in mail.walk() if part.get_content_type() == "text/calendar"), None)
    return StoredMail(
        number=int(path.stem),
        sent_at=parsedate_to_datetime(headers["date"]),
        sender=headers["from"],
        recipient=headers["to"],
        subject=headers["subject"],
        text=_body(mail, "plain"),
        html=_body(mail, "html"),
        calendar=calendar.get_content() if calendar else None,
        method=str(calendar.get_param("method")) if calendar else None,
        message_id=headers["message-id"],
    )


def read_header(value: str) -> str:
    """A raw header decoded; the library's parser of addresses leaves blanks inside a long encoded name."""
    return str(make_header(decode_header(value.replace("\r\n", "").replace("\n", ""))))


def _body(mail: EmailMessage, subtype: str) -> str:
    part = mail.get_body((subtype,))
    return part.get_content().replace("\r\n", "\n") if part else ""


class FolderHandler:
    """aiosmtpd handler that writes each mail to the next numbered file, whole or not at all."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.last = max((int(path.stem) for path in directory.glob(f"[0-9]*{SUFFIX}")), default=0)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        # Everything happens on one event loop without a pause in between, so numbers follow the order of arrival.
        self.last += 1
        path = self.directory / f"{self.last:06}{SUFFIX}"
        unfinished = path.with_suffix(".part")
        content = envelope.original_content
        unfinished.write_bytes(content if content is not None else b"")
        os.replace(unfinished, path)
        return "250 kept"


async def serve(directory: Path, *, host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
    """Start a sink; its port is `server.sockets[0].getsockname()[1]`."""
    handler = FolderHandler(directory)

    def session() -> SMTP:
        return SMTP(handler, hostname="localhost", ident="sink", enable_SMTPUTF8=True)

    return await asyncio.get_running_loop().create_server(session, host, port)


async def _run(directory: Path, host: str, port: int) -> None:
    server = await serve(directory, host=host, port=port)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with server:
        await stopped.wait()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m notifications.sink", description="Keeps mails as files.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; the first line printed says which")
    parser.add_argument("--directory", type=Path, required=True)
    given: Any = parser.parse_args(arguments)
    asyncio.run(_run(given.directory, given.host, given.port))


if __name__ == "__main__":
    main()
