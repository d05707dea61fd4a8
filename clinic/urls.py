"""Where everything is reached."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path

from clinic.health import health

urlpatterns = [
    path("health/", health, name="health"),
    path("api/", include("courses.api.urls")),
    path("", include("courses.pages.urls")),
]

if settings.METRICS:
    from django_prometheus.exports import ExportToDjangoView

    # Prometheus does not sign in; the proxy lets nobody else reach this page.
    urlpatterns.append(path("metrics", login_not_required(ExportToDjangoView), name="metrics"))
