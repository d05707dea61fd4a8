"""Tasks of the desk."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from clinic.permissions import Permission
from clinic.settling import settle_task
from courses.booking.access import task_for
from courses.pages.permissions import PageRequest, page


@page(Permission.SEE_TASKS, methods=("POST",))
def task_done(request: PageRequest, pk: int) -> HttpResponse:
    settle_task(task=task_for(request.user, Permission.SEE_TASKS, pk), by=request.user, now=request.now)
    messages.success(request, _("Task done."))
    return redirect("desk")
