"""The mails that the development sink has kept. In production there is no sink, and no such page."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render

from clinic.errors import NotFound
from clinic.permissions import Permission
from courses.pages.permissions import PageRequest, page
from notifications.sink import list_mails

MOST_MAILS = 200


@page(Permission.SEE_MESSAGES)
def mails(request: PageRequest) -> HttpResponse:
    if not settings.MAIL_SINK_DIRECTORY:
        raise NotFound
    return render(request, "pages/mails.html", {"mails": list_mails(settings.MAIL_SINK_DIRECTORY, limit=MOST_MAILS)})


@page(Permission.SEE_MESSAGES)
def mail(request: PageRequest, number: int) -> HttpResponse:
    if not settings.MAIL_SINK_DIRECTORY:
        raise NotFound
    found = next((m for m in list_mails(settings.MAIL_SINK_DIRECTORY) if m.number == number), None)
    if found is None:
        raise NotFound
    return render(request, "pages/mail.html", {"mail": found})
