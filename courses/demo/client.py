"""A small client of the API: one connection that is kept, JSON in and out."""

import http.client
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

PATIENCE = 60.0
ATTEMPTS = 5


class ProblemError(Exception):
    """The API refused. `code` and `details` as in its problem document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", status))
        self.details: Mapping[str, Any] = problem.get("details") or problem.get("fields") or {}
        super().__init__(f"{status} {self.code}: {problem.get('detail', '')} {dict(self.details) or ''}".strip())


class Client:
    """Speaks to the product at `url` with a token. What may be repeated safely is repeated."""

    def __init__(self, url: str, token: str) -> None:
        self.address = urlsplit(url)
        self.headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en", "Connection": "keep-alive"}
        self.connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Raises ProblemError, and ConnectionError when the product cannot be reached."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": secrets.token_urlsafe(16)}
        return self._ask("POST", path, json.dumps(body or {}), headers)

    def get(self, path: str, **query: Any) -> Any:
        return self._ask("GET", f"{path}?{urlencode(query)}" if query else path, None, {})

    def rows(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All rows of a list, page after page."""
        page = self.get(path, page_size=200, **query)
        while True:
            yield from page["results"]
            if not page["next"]:
                return
            following = urlsplit(page["next"])
            page = self.get(f"{following.path}?{following.query}")

    def _ask(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Any:
        for attempt in range(ATTEMPTS):
            try:
                status, answer, wait = self._send(method, path, body, {**self.headers, **headers})
            except (OSError, http.client.HTTPException) as error:
                self._hang_up()
                if attempt == ATTEMPTS - 1:
                    raise ConnectionError(f"{self.address.geturl()} does not answer: {error}") from error
                time.sleep(0.2 * attempt)
                continue
            if status not in (429, 503) or attempt == ATTEMPTS - 1:
                break
            time.sleep(wait)
        if status >= 400:
            raise ProblemError(status, answer if isinstance(answer, dict) else {})
        return answer

    def _send(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> tuple[int, Any, float]:
        if self.connection is None:
            secure = self.address.scheme == "https"
            kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            self.connection = kind(self.address.hostname or "", self.address.port, timeout=PATIENCE)
        self.connection.request(method, path, body, dict(headers))
        response = self.connection.getresponse()
        raw = response.read()
        try:
            answer = json.loads(raw) if raw else None
        except ValueError:
            answer = None
        return response.status, answer, float(response.headers.get("Retry-After") or 1)

    def _hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None
