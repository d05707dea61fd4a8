"""Rate limits: a fixed window of a minute per user, or per address for those who have not signed in."""

import time
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

log = structlog.get_logger(__name__)
WINDOW = 60


class MinuteThrottle(BaseThrottle):
    """At most `API_REQUESTS_PER_MINUTE` for a user, `API_ANONYMOUS_PER_MINUTE` for an address. One counter per window
    in the cache, so that a limit of thousands costs no more than one of ten."""

    def __init__(self) -> None:
        self.now = time.time()

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.user and request.user.is_authenticated:
            who, limit = f"user:{request.user.pk}", settings.API_REQUESTS_PER_MINUTE
        else:
            who, limit = f"address:{self.get_ident(request)}", settings.API_ANONYMOUS_PER_MINUTE
        return count(f"api:{who}:{int(self.now // WINDOW)}") <= limit

    def wait(self) -> float:
        return WINDOW - self.now % WINDOW


def count(key: str) -> int:
    """Counts one more. A cache that is down stops no one: limits protect the service, they must not end it."""
    try:
        try:
            return int(cache.incr(key))
        except ValueError:
            cache.add(key, 0, timeout=2 * WINDOW)
            return int(cache.incr(key))
    except (RedisError, ValueError):
        log.warning("rate_limit_without_cache")
        return 0
