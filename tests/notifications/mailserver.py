"""A real SMTP server in a thread, keeping mails as the sink does, which can be told to answer as bad servers do."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from notifications.sink import FolderHandler, StoredMail, list_mails

Answer = Callable[[str], str | None]


class MailServer(FolderHandler):
    """`answer(recipient)` may give another reply than 250, or "hang up"; `mails` are in order of arrival."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.answer: Answer = lambda _recipient: None
        self.break_after_data = False
        self.sessions = 0
        self.port = 0

    async def handle_EHLO(self, _server, session: Session, _envelope, hostname: str, responses: list[str]) -> list[str]:
        self.sessions += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server: SMTP, _session, envelope: Envelope, address: str, _options: list[str]) -> str:
        reply = self.answer(address)
        if reply == "hang up":
            server.transport.abort()
        if reply:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        reply = await super().handle_DATA(server, session, envelope)
        if self.break_after_data:
            server.transport.abort()
        return reply

    @property
    def mails(self) -> list[StoredMail]:
        return list_mails(self.directory)[::-1]


@contextmanager
def running_mail_server(directory: Path) -> Iterator[MailServer]:
    handler = MailServer(directory)
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop: asyncio.Event = asyncio.Event()

    async def main() -> None:
        server = await loop.create_server(
            lambda: SMTP(handler, hostname="localhost", enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0
        )
        handler.port = server.sockets[0].getsockname()[1]
        started.set()
        async with server:
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    started.wait(10)
    try:
        yield handler
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
