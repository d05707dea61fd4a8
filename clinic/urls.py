"""Where everything is reached."""

from django.urls import include, path

from clinic.health import health

urlpatterns = [
    path("health/", health, name="health"),
    path("api/", include("courses.api.urls")),
    path("", include("courses.pages.urls")),
]
