"""How the API describes itself: what drf-spectacular cannot see by itself."""

import inspect
import re
from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from clinic.permissions import Permission
from courses.api.fields import LARGEST_KEY
from courses.api.permissions import required_for
from courses.api.problems import CONTENT_TYPE

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable, for machines."},
        "detail": {"type": "string", "description": "A sentence for people."},
        "fields": {"type": "object", "description": "Sentences by the name of the wrong field."},
        "details": {"type": "object", "description": "Structured facts, such as the times just taken."},
    },
}
_ALWAYS = {
    "401": "Not signed in, or the token is not valid.",
    "403": "The role does not allow it.",
    "404": "Not found, or in a clinic that is not yours.",
    "429": "Too many requests.",
}
_WRITING = {
    "400": "The body is not JSON.",
    "409": "The state has changed, a rule forbids it, or a time was just taken.",
    "413": "The body is too large.",
    "415": "The body is not application/json.",
    "422": "A field is wrong.",
    "503": "Others are booking the same times right now. Nothing was changed; try again.",
}
_READING = {"422": "A parameter is wrong."}


# Every row is found by its primary key, whatever the model calls it.
_ROW = re.compile(r"\{\w+\}")
_KEY = {"name": "id", "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_KEY}}


class Description(AutoSchema):
    """Adds to every operation its problems, its permission and, where it writes, the Idempotency-Key."""

    def get_override_parameters(self) -> list[Any]:
        if self.method != "POST":
            return list(super().get_override_parameters())
        key = OpenApiParameter(
            "Idempotency-Key",
            {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
            OpenApiParameter.HEADER,
            description="With it the request may be repeated: it is done once and answered alike for 24 hours.",
        )
        return [*super().get_override_parameters(), key]

    def get_description(self) -> str:  # type: ignore[override]
        verb = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        ours = verb if getattr(verb, "__module__", "").startswith("courses.") else type(self.view)
        text = inspect.cleandoc(ours.__doc__ or "")
        required = required_for(self.view)
        return f"{text}\n\nPermission: `{required.value}`.".strip() if isinstance(required, Permission) else text

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status, meaning in (_ALWAYS | (_READING if self.method == "GET" else _WRITING)).items():
            bodies.setdefault(status, self._problem(meaning))
        return bodies

    def _problem(self, meaning: str) -> dict[str, Any]:
        body: dict[str, Any] = self._get_response_for_code(
            OpenApiResponse(PROBLEM, description=meaning), "default", media_types=[CONTENT_TYPE]
        )
        return body


def close_bodies(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Bodies take the fields they name and no others; rows are found by `id`; the problem is described once."""
    components = result.setdefault("components", {}).setdefault("schemas", {})
    for name, component in components.items():
        if name.endswith("Body") and component.get("type") == "object":
            component["additionalProperties"] = False
    components["Problem"] = PROBLEM
    result["paths"] = {_ROW.sub("{id}", path): operations for path, operations in result["paths"].items()}
    for operations in result["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter.update(_KEY)
            for response in operation.get("responses", {}).values():
                if CONTENT_TYPE in response.get("content", {}):
                    response["content"][CONTENT_TYPE]["schema"] = {"$ref": "#/components/schemas/Problem"}
    return result
