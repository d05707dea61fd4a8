"""One client of the API on one connection that is kept: no retries, so that what it times is one answer."""

import http.client
import json
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

PATIENCE = 120.0


class WebClient:
    """`with WebClient(url, token) as web: status, answer = web.post("/api/v1/plans/", {...})`"""

    def __init__(self, url: str, token: str) -> None:
        address = urlsplit(url)
        self.connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE)
        self.headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Accept-Language": "en",
            "Content-Type": "application/json",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def get(self, path: str, **query: Any) -> tuple[int, Any]:
        return self._ask("GET", f"{path}?{urlencode(query)}" if query else path, None)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        return self._ask("POST", path, json.dumps(body or {}))

    def _ask(self, method: str, path: str, body: str | None) -> tuple[int, Any]:
        self.connection.request(method, path, body, self.headers)
        response = self.connection.getresponse()
        raw = response.read()
        is_json = "json" in (response.getheader("Content-Type") or "")
        return response.status, json.loads(raw) if is_json else None
