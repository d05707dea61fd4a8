"""Default deny: no address of the product is without a declared permission."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from clinic.permissions import Permission
from courses.api.permissions import Open
from courses.pages.permissions import ANYONE, MEMBER

ALLOWED = {*Permission, *Open, ANYONE, MEMBER}


def every_address(patterns: list[Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        address = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from every_address(pattern.url_patterns, address)
        elif isinstance(pattern, URLPattern):
            yield address, pattern.callback


def undeclared(patterns: list[Any]) -> list[str]:
    """Addresses, with the verb of the API, for which nobody has said who may use them."""
    missing = []
    for address, view in every_address(patterns):
        owner = getattr(view, "cls", None) or getattr(view, "view_class", None) or view
        declared = getattr(owner, "required_permission", None)
        actions = getattr(view, "actions", None)
        if actions:
            missing += [f"{address} {verb}" for verb in actions.values() if (declared or {}).get(verb) not in ALLOWED]
        elif declared not in ALLOWED:
            missing.append(address)
    return missing


def test_every_address_declares_its_permission() -> None:
    patterns = get_resolver().url_patterns
    assert len(list(every_address(patterns))) > 50
    assert undeclared(patterns) == []


def test_an_address_without_permission_is_found() -> None:
    from django.urls import path
    from rest_framework.views import APIView

    class Forgotten(APIView):
        pass

    patterns = [path("a/", Forgotten.as_view()), path("b/", lambda request: None)]
    assert undeclared(patterns) == ["a/", "b/"]


def test_a_view_without_declaration_refuses_everyone(receptionist: Any, rf: Any) -> None:
    from rest_framework.response import Response
    from rest_framework.test import force_authenticate
    from rest_framework.views import APIView

    class Forgotten(APIView):
        def get(self, request: Any) -> Response:
            return Response("secret")

    request = rf.get("/")
    force_authenticate(request, receptionist)
    assert Forgotten.as_view()(request).status_code == 403


@pytest.mark.parametrize("address", ["/api/v1/patients/", "/api/v1/sessions/", "/api/v1/plans/1/", "/api/v1/clinics/"])
def test_to_outsiders_nothing_exists(outsider: APIClient, address: str) -> None:
    answer = outsider.get(address)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_a_role_without_the_permission_is_refused_in_words(therapist: APIClient) -> None:
    answer = therapist.get("/api/v1/messages/")
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["code"] == "not_allowed"
    assert "manager" in answer.json()["detail"]


def test_strangers_are_asked_who_they_are(client: Any, db: None) -> None:
    answer = client.get("/api/v1/patients/")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
