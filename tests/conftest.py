"""What every test runs under."""

import os
import socket

import pytest
from hypothesis import settings as hypothesis_settings
from pytest_django import Settings

# CI judges a change by the same examples as the one before it; a run at a desk goes on looking for new ones.
hypothesis_settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis_settings.load_profile("ci")

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class NetworkBlockedError(RuntimeError):
    """A test tried to reach another machine."""


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unix sockets and the loopback are reachable, the rest of the world is not."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in _LOOPBACK:  # a unix socket's address is a path
            raise NetworkBlockedError(f"This test tried to reach {address[0]}.")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def fast_passwords(settings: Settings) -> None:
    """Hashing that is slow on purpose would be most of the time of many tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
