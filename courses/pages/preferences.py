"""What a member of staff sets for themselves: the language of pages and the clinic they work in."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from clinic.errors import NotFound
from clinic.models import User
from courses.pages.permissions import CLINIC_IN_SESSION, MEMBER, PageRequest, open_page, page


@open_page
@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Kept with the user when signed in, and in a cookie for the sign-in page."""
    language = request.POST.get("language", "")
    answer = HttpResponseRedirect(_way_back(request))
    if language in dict(settings.LANGUAGES):
        if isinstance(request.user, User):
            request.user.language = language
            request.user.save(update_fields=["language"])
        translation.activate(language)
        answer.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=365 * 24 * 60 * 60,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            samesite="Lax",
        )
    return answer


@page(MEMBER, methods=("POST",))
def set_clinic(request: PageRequest) -> HttpResponse:
    chosen = request.POST.get("clinic", "")
    if not chosen.isdecimal() or int(chosen) not in request.user.clinic_ids():
        raise NotFound
    request.session[CLINIC_IN_SESSION] = int(chosen)
    # Another clinic's pages are about other patients: the desk is where work there begins.
    return HttpResponseRedirect("/")


def _way_back(request: HttpRequest) -> str:
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return target
    return "/"
