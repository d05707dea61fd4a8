"""Where everything is reached."""

from django.urls import include, path

urlpatterns = [
    path("api/", include("courses.api.urls")),
]
