"""A course: its sessions, pausing and resuming it, planning the rest anew."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.permissions import Permission
from courses.booking.access import course_for
from courses.booking.frequencies import CHOICES, FREQUENCIES, lacks_frequency
from courses.booking.lifecycle import pause_course, replan_course, resume_course
from courses.booking.models import Course, Session
from courses.booking.transitions import DONE, LIVE, PLACED, PLANNED, Status
from courses.dates import weekdays_text
from courses.pages.forms import DateField
from courses.pages.permissions import PageRequest, page


class PauseForm(forms.Form):
    until = DateField(
        label=gettext_lazy("Pause until"),
        required=False,
        help_text=gettext_lazy("Empty: until it is resumed. All future times are freed and the patient is told."),
    )


@page(Permission.VIEW_CALENDAR)
def course(request: PageRequest, pk: int) -> HttpResponse:
    one = course_for(request.user, Permission.VIEW_CALENDAR, pk)
    return render(request, "pages/course.html", _context(request, one))


def _context(request: PageRequest, one: Course) -> dict[str, object]:
    sessions = list(
        Session.objects.filter(course=one)
        .select_related("appointment")
        .prefetch_related("appointment__reservations__resource__therapist", "appointment__reservations__resource__room")
        .order_by("number", "pk")
    )
    for session in sessions:
        session.places = _places(session)  # type: ignore[attr-defined]
    live = [session for session in sessions if session.status in LIVE]
    may_book = request.user.may(Permission.BOOK, one.clinic)
    active = one.status in (Course.Status.DRAFT, Course.Status.ACTIVE)
    return {
        "course": one,
        "patient": one.patient,
        "sessions": live,
        "ended": [session for session in sessions if session.status not in LIVE],
        "done": one.done_before + sum(session.status in DONE for session in live),
        "booked": sum(session.status in PLACED - DONE for session in live),
        "unplaced": sum(session.status == Status.UNPLACED for session in live),
        "frequency": _frequency(one),
        "frequencies": CHOICES if lacks_frequency(one) else [],
        "wishes": _wishes(one),
        "may_book": may_book,
        "may_plan": may_book and active and any(session.status == Status.UNPLACED for session in live),
        "may_pause": may_book and one.status == Course.Status.ACTIVE,
        "may_resume": may_book and one.status == Course.Status.PAUSED,
        "may_replan": may_book and one.status == Course.Status.ACTIVE and any(s.status in PLANNED for s in live),
        "planned": PLANNED,
        "pause_form": PauseForm(),
    }


def _places(session: Session) -> dict[str, str]:
    if session.appointment is None:
        return {}
    resources = [reservation.resource for reservation in session.appointment.reservations.all()]
    return {r.kind: str(getattr(r, r.kind)) for r in resources if r.kind in ("therapist", "room")}


def _frequency(one: Course) -> str:
    parts = []
    if one.gap_min and one.gap_max:
        unit = str(one.get_gap_unit_display())
        parts.append(
            _("every %(least)d to %(most)d %(unit)s") % {"least": one.gap_min, "most": one.gap_max, "unit": unit}
        )
    if one.per_week:
        parts.append(_("at most %(n)d a week") % {"n": one.per_week})
    return "; ".join(parts)


def _wishes(one: Course) -> list[str]:
    """What the course asks for beyond its frequency, each with its strength."""
    wishes = []
    if one.weekdays:
        wishes.append(f"{weekdays_text(one.weekdays)} ({one.get_weekdays_strength_display()})")
    if one.window_from or one.window_until:
        first = f"{one.window_from:%H:%M}" if one.window_from else "…"
        last = f"{one.window_until:%H:%M}" if one.window_until else "…"
        wishes.append(f"{first}–{last} ({one.get_window_strength_display()})")
    if one.preferred_therapist:
        wishes.append(f"{one.preferred_therapist} ({one.get_therapist_strength_display()})")
    if one.therapist_gender:
        wishes.append(_("specialist: %(gender)s") % {"gender": one.get_therapist_gender_display()})
    return wishes


@page(Permission.BOOK, methods=("POST",))
def course_pause(request: PageRequest, pk: int) -> HttpResponse:
    one = course_for(request.user, Permission.BOOK, pk)
    form = PauseForm(request.POST)
    if not form.is_valid():
        context = _context(request, one) | {"pause_form": form}
        return render(request, "pages/course.html", context, status=422)
    pause_course(course=one, until=form.cleaned_data["until"], by=request.user, now=request.now)
    messages.success(request, _("Course paused. Its future times are free again."))
    return redirect("course", pk=one.pk)


@page(Permission.BOOK, methods=("POST",))
def course_resume(request: PageRequest, pk: int) -> HttpResponse:
    one = course_for(request.user, Permission.BOOK, pk)
    resume_course(course=one, by=request.user, now=request.now)
    messages.success(request, _("Course resumed. Find times for the rest."))
    return redirect("plan-courses", pk=one.pk)


@page(Permission.BOOK, methods=("POST",))
def course_replan(request: PageRequest, pk: int) -> HttpResponse:
    """Propose new times for what is still planned; `keep` are the sessions that stay where they are."""
    one = course_for(request.user, Permission.BOOK, pk)
    keep = [int(key) for key in request.POST.getlist("keep") if key.isdecimal()]
    # The desk ticks what stays, and wants other times for the rest.
    frequency = FREQUENCIES.get(request.POST.get("frequency", ""))
    wishes = frequency.terms if frequency else {}
    plan = replan_course(course=one, keep=keep, by=request.user, now=request.now, wishes=wishes, least_movement=False)
    return redirect("plan", pk=plan.pk)
