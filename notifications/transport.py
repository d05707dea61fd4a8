"""The way out: one connection to the mail server, reused for many mails, and what its answers mean for a message."""

from __future__ import annotations

import smtplib
from email import message_from_bytes
from email import policy as policies
from types import TracebackType
from typing import Any, Self

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.smtp import EmailBackend


class Deferred(Exception):
    """The server may take this mail later (4xx), or the connection broke.

    `may_have_arrived` is true when the connection broke after the mail was handed over but before the answer.
    """

    def __init__(self, reason: str, *, may_have_arrived: bool = False) -> None:
        super().__init__(reason)
        self.may_have_arrived = may_have_arrived


class Refused(Exception):
    """The server will never take this mail (5xx)."""


class Unreachable(Exception):
    """No mail goes out at the moment: no connection, sign-in or sender refused. No message is to blame."""


class Transport:
    """A context manager around Django's mail settings. Connects with the first mail, reconnects after a break."""

    def __init__(self) -> None:
        self._backend = get_connection()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def send(self, *, sender: str, to: str, content: bytes) -> None:
        """Hand one mail to the server. Raises Deferred, Refused or Unreachable."""
        if not isinstance(self._backend, EmailBackend):
            # Django's backends for development and tests take messages, not bytes.
            self._backend.send_messages([_Finished(sender, to, content)])
            return
        smtp = self._connect(self._backend)
        handed_over = False
        try:
            # Step by step rather than `sendmail`, which does not tell before or after which step a connection broke.
            smtp.ehlo_or_helo_if_needed()
            code, answer = smtp.mail(sender)
            if code != 250:
                self._close()
                raise Unreachable(_sentence(code, answer))
            code, answer = smtp.rcpt(to)
            if code not in (250, 251):
                raise self._verdict(smtp, code, answer)
            handed_over = True
            code, answer = smtp.data(content)
            if code != 250:
                raise self._verdict(smtp, code, answer)
        except smtplib.SMTPResponseException as error:
            raise self._verdict(smtp, error.smtp_code, error.smtp_error) from None
        except (smtplib.SMTPException, OSError) as error:
            self._close()
            raise Deferred(f"connection lost: {type(error).__name__}", may_have_arrived=handed_over) from None

    def _connect(self, backend: EmailBackend) -> smtplib.SMTP:
        if backend.connection is None:
            try:
                backend.open()
            except (smtplib.SMTPException, OSError) as error:
                backend.connection = None
                raise Unreachable(f"no connection: {type(error).__name__}") from None
        smtp = backend.connection
        if smtp is None:
            raise Unreachable("no connection")
        return smtp

    def _verdict(self, smtp: smtplib.SMTP, code: int, answer: bytes | str) -> Exception:
        try:
            smtp.rset()
        except (smtplib.SMTPException, OSError):  # code 421 closes the connection, whatever was asked
            self._close()
        return (Refused if code >= 500 else Deferred)(_sentence(code, answer))

    def _close(self) -> None:
        try:
            self._backend.close()
        except (smtplib.SMTPException, OSError):
            if isinstance(self._backend, EmailBackend):
                self._backend.connection = None


class _Finished(EmailMessage):
    """A mail that is written already."""

    def __init__(self, sender: str, to: str, content: bytes) -> None:
        parsed = message_from_bytes(content, policy=policies.default)
        super().__init__(subject=str(parsed["Subject"]), from_email=sender, to=[to])
        self.content = content

    def message(self, *, policy: Any = None) -> Any:
        return message_from_bytes(self.content)


def _sentence(code: int, answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join(f"{code} {text}".split())[:200]
