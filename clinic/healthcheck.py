"""`python -m clinic.healthcheck`: whether the web in this container answers, said by the exit code."""

import os
import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit


def is_healthy(host: str, port: int, *, name: str) -> bool:
    """Whether /health/ on `host` says so when asked for by the `name` that the application answers to."""
    connection = HTTPConnection(host, port, timeout=4)
    try:
        connection.request("GET", "/health/", headers={"Host": name})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    public_host = urlsplit(os.environ.get("PUBLIC_URL", "http://localhost:8000")).hostname or "localhost"
    sys.exit(not is_healthy("127.0.0.1", 8000, name=public_host))
