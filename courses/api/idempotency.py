"""`Idempotency-Key`: a POST that is repeated with its key is done once and answered alike for a day.

The row is committed before the work begins, outside any transaction of the service, so that a repeat that comes while
the first is still at work sees it and gets 409. An answer of 5xx promises nothing and is forgotten: the repeat is
tried anew.
"""

import datetime as dt
import hashlib
import json
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from clinic.errors import Conflict, Invalid
from clinic.models import IdempotentRequest, User
from courses.api.problems import CONTENT_TYPE, KeyReused

KEPT = dt.timedelta(hours=24)
# A web process that died at work leaves its row without an answer. Requests are ended long before this.
ABANDONED = dt.timedelta(minutes=5)
LONGEST_KEY = 200


class StillRunning(Conflict):
    code = "still_running"
    sentence = _("The first request with this Idempotency-Key is still being worked on. Ask again in a moment.")


def begin(*, user: User, path: str, key: str, body: bytes, now: dt.datetime) -> IdempotentRequest:
    """The row of this request: without a `status` it is ours to do, with one it is the first answer.

    Raises Invalid for a bad key, KeyReused when the same key came with another body, StillRunning.
    """
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise Invalid(details={"Idempotency-Key": [_("Use 1 to 200 printable characters.")]})
    body_hash = hashlib.sha256(body).hexdigest()
    scope = {"user": user, "path": path[:300], "key": key}
    fresh_row = _insert(IdempotentRequest(**scope, body_hash=body_hash, created_at=now))
    if fresh_row is not None:
        return fresh_row
    row = IdempotentRequest.objects.get(**scope)
    limit = ABANDONED if row.status is None else KEPT
    if row.created_at < now - limit:
        fresh = {"body_hash": body_hash, "created_at": now, "status": None, "body": None}
        # Of several repeats only one takes the old row over: the one that still sees its old time.
        if IdempotentRequest.objects.filter(pk=row.pk, created_at=row.created_at).update(**fresh):
            return IdempotentRequest(pk=row.pk, **scope, **fresh)
        raise StillRunning
    if row.body_hash != body_hash:
        raise KeyReused(details={"Idempotency-Key": [_("This key was used with another body. Use a new key.")]})
    if row.status is None:
        raise StillRunning
    return row


def _insert(row: IdempotentRequest) -> IdempotentRequest | None:
    """One statement, which commits by itself: the row with its key, or None where it is there already."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO clinic_idempotentrequest (user_id, path, key, body_hash, created_at) "
            "VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
            [row.user_id, row.path, row.key, row.body_hash, row.created_at],
        )
        inserted = cursor.fetchone()
    if inserted is None:
        return None
    row.pk = inserted[0]
    return row


def finish(row: IdempotentRequest, response: Response) -> None:
    """Keep the answer, or forget the request if it could not be worked on."""
    rows = IdempotentRequest.objects.filter(pk=row.pk)
    if response.status_code >= 500:
        rows.delete()
    else:
        rows.update(status=response.status_code, body=json.loads(JSONRenderer().render(response.data) or b"null"))


class Replay(Exception):
    """Carries the first answer past the view."""

    def __init__(self, row: IdempotentRequest) -> None:
        self.row = row


class IdempotentPosts:
    """Mix into a view, before APIView."""

    _kept: IdempotentRequest | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        key = request.headers.get("Idempotency-Key")
        if request.method != "POST" or key is None:
            return
        assert isinstance(request.user, User)  # noqa: S101 - permissions were checked above
        row = begin(user=request.user, path=request.path, key=key, body=request.body, now=timezone.now())
        if row.status is not None:
            raise Replay(row)
        self._kept = row

    def handle_exception(self, error: Exception) -> Response:
        if isinstance(error, Replay):
            row = error.row
            failed = row.status is not None and row.status >= 400
            return Response(
                row.body,
                status=row.status,
                headers={"Idempotency-Replayed": "true"},
                content_type=CONTENT_TYPE if failed else None,
            )
        try:
            return super().handle_exception(error)  # type: ignore[misc]
        except BaseException:
            if self._kept is not None:
                IdempotentRequest.objects.filter(pk=self._kept.pk).delete()
            raise

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        if self._kept is not None:
            finish(self._kept, response)
        return response
