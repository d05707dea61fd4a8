"""Errors of the API as `application/problem+json` (RFC 9457), rendered in this one place.

A problem has `type` (`about:blank`), `title`, `status`, `code` (stable, for machines) and `detail` (a sentence for
people); `fields` maps the names of wrong fields to sentences, `details` holds structured facts, such as the places
just taken.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.response import Response

from clinic.errors import DomainError, Invalid, NotAllowed, NotFound

CONTENT_TYPE = "application/problem+json"


class TooLarge(DomainError):
    code = "too_large"
    status = 413
    sentence = _("The request is too large. Send less in one request.")


class KeyReused(Invalid):
    code = "idempotency_key_reused"


def problem(
    *,
    status: int,
    code: str,
    detail: str,
    fields: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if fields:
        body["fields"] = fields
    if details:
        body["details"] = details
    return Response(body, status=status, content_type=CONTENT_TYPE, headers=headers)


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler. Unknown errors are returned as None: they are defects, and are logged as such."""
    if isinstance(error, exceptions.APIException) and not isinstance(error, exceptions.ValidationError):
        return _from_drf(error)
    known = error if isinstance(error, DomainError) else _translate(error)
    return None if known is None else from_domain(known)


def _translate(error: Exception) -> DomainError | None:
    match error:
        case exceptions.ValidationError():
            return Invalid(details=flatten(error.detail))
        case Http404():
            return NotFound()
        case PermissionDenied():
            return NotAllowed()
        case RequestDataTooBig():
            return TooLarge()
        case DataError():
            # The last line of defence behind the validators: a number or a date that PostgreSQL cannot hold.
            return Invalid(_("A value is outside what can be stored. Correct it."))
    return None


def from_domain(error: DomainError) -> Response:
    headers = {"Retry-After": "1"} if error.status == HTTPStatus.SERVICE_UNAVAILABLE else None
    shown = {"fields" if isinstance(error, Invalid) else "details": plain(error.details)}
    return problem(status=error.status, code=error.code, detail=str(error), headers=headers, **shown)


def _from_drf(error: exceptions.APIException) -> Response:
    headers: dict[str, str] = {}
    scheme = getattr(error, "auth_header", None)
    if scheme:
        headers["WWW-Authenticate"] = str(scheme)
    wait = getattr(error, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(int(wait) + 1)
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else "invalid"
    return problem(status=error.status_code, code=code, detail=str(error.detail), headers=headers)


def flatten(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """DRF's nested errors as one level, counted from 1 as services do: `{"lines.1.sessions_total": ["…"]}`.

    Errors of the whole body are under `body`.
    """
    if isinstance(detail, Mapping):
        found: dict[str, list[str]] = {}
        for name, inner in detail.items():
            own = str(name + 1) if isinstance(name, int) else "" if name == "non_field_errors" else str(name)
            own = own.replace("\0", "\N{REPLACEMENT CHARACTER}")  # no answer that is to be kept may hold it
            found |= flatten(inner, ".".join(part for part in (prefix, own) if part))
        return found
    if isinstance(detail, Sequence) and not isinstance(detail, str):
        if all(isinstance(inner, str) for inner in detail):
            return {prefix or "body": [str(inner) for inner in detail]}
        found = {}
        for number, inner in enumerate(detail, 1):
            if inner:
                found |= flatten(inner, f"{prefix}.{number}" if prefix else str(number))
        return found
    return {prefix or "body": [str(detail)]}


def plain(value: Any) -> Any:
    """Facts of an error as JSON: lazy sentences, dates and the like become text."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)
