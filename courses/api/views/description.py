"""The API's own description, and the answer where there is nothing."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.errors import NotFound
from courses.api.permissions import Open


class SchemaView(SpectacularAPIView):
    """OpenAPI 3.1. Open to all: it describes the software, not a clinic."""

    required_permission = Open.TO_ALL


class DocsView(SpectacularSwaggerSplitView):
    """The schema to read and to try. The page that puts it to work is a script of its own, so that the site's
    Content-Security-Policy holds here as everywhere: no inline script, no inline style element."""

    required_permission = Open.TO_ALL
    template_name = "api/docs.html"

    def _get_schema_url(self, request: Request) -> str:
        return reverse("api:schema")


class NothingHere(APIView):
    required_permission = Open.TO_ALL

    @extend_schema(exclude=True)
    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.http_method_names = [request.method.lower()]
        setattr(self, request.method.lower(), self._refuse)
        return super().dispatch(request, *args, **kwargs)

    def _refuse(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        raise NotFound
