"""Booking: courses to plan, the proposal, its hold, and what was booked."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.errors import Conflict, Invalid, NotAllowed, NotFound, PlaceTaken
from clinic.models import Clinic, Therapist
from clinic.permissions import Permission
from courses.booking import sentences
from courses.booking.access import course_for, plan_for
from courses.booking.bookings import book_plan
from courses.booking.holds import hold_plan, release_hold, renew_hold
from courses.booking.models import Course, Plan
from courses.booking.proposals import propose_again, propose_plan
from courses.booking.transitions import Status
from courses.dates import moment_text
from courses.pages.errors import error_page
from courses.pages.permissions import PageRequest, page
from courses.pages.proposals import concessions_of, days_of, months_of, quality_text, read_lines, summary_of
from courses.pages.wishes import PROFILES, WishesForm
from notifications.models import Message

PLANNABLE = (Course.Status.DRAFT, Course.Status.ACTIVE)


def together_with(course: Course) -> list[Course]:
    """The course and those of its programme that still have sessions without a time: they are planned as one."""
    courses = Course.objects.filter(status__in=PLANNABLE, sessions__status=Status.UNPLACED)
    courses = courses.filter(programme=course.programme) if course.programme_id else courses.filter(pk=course.pk)
    return list(
        courses.distinct()
        .select_related("clinic", "patient", "procedure", "programme__referral")
        .order_by("line_number", "pk")
    )


def therapists_for(clinic: Clinic, courses: list[Course]) -> QuerySet[Therapist]:
    return Therapist.objects.filter(
        is_active=True, qualifications__procedure__in={course.procedure_id for course in courses}
    ).distinct()


@page(Permission.BOOK, methods=("GET", "HEAD", "POST"))
def plan_courses(request: PageRequest, pk: int) -> HttpResponse:
    """Courses that are planned together, the wishes, and Find times."""
    course = course_for(request.user, Permission.BOOK, pk)
    courses = together_with(course)
    if not courses:
        raise Conflict(_("All sessions have a time already."))
    therapists = list(therapists_for(course.clinic, courses))
    today = course.clinic.local_date(request.now)
    form = WishesForm(request.POST or None, courses=courses, therapists=therapists, today=today)
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            plan = propose_plan(
                courses=courses,
                by=request.user,
                now=request.now,
                profile=form.cleaned_data["profile"],
                wishes=form.wishes(),
            )
            return redirect("plan", pk=plan.pk)
        except Invalid as refused:
            error = refused
    context = {"course": course, "courses": courses, "patient": course.patient, "form": form, "error": error}
    return render(request, "pages/plan_courses.html", context, status=422 if error or form.errors else 200)


@page(Permission.BOOK)
def plan(request: PageRequest, pk: int) -> HttpResponse:
    one = plan_for(request.user, Permission.BOOK, pk)
    if one.status == Plan.Status.BOOKED:
        return redirect("plan-booked", pk=one.pk)
    courses = list(one.courses.select_related("procedure", "programme__referral").order_by("line_number", "pk"))
    context: dict[str, Any] = {"plan": one, "patient": one.patient, "courses": courses, "profiles": PROFILES}
    if one.status == Plan.Status.IMPOSSIBLE:
        context |= {
            "reason": sentences.reason_sentence(one),
            "waterfall": sentences.waterfall_sentence(one),
            "partial": sentences.partial_sentence(one),
            "concessions": concessions_of(one),
        }
        return render(request, "pages/plan_impossible.html", context)
    is_held = one.status == Plan.Status.HELD and one.held_until is not None and one.held_until > request.now
    if one.status == Plan.Status.HELD and not is_held:
        one.status = Plan.Status.EXPIRED
    lines = read_lines(one)
    days = days_of(lines)
    context |= {
        "lines": lines,
        "days": days,
        "months": months_of(days),
        "summary": summary_of(lines),
        "sentence": sentences.plan_sentence(one),
        "quality": quality_text(one),
        "is_held": is_held,
        "is_open": one.status == Plan.Status.PROPOSED or is_held,
        "may_hold": one.status == Plan.Status.PROPOSED and not one.request.get("moving"),
        "unsigned": [c for c in courses if c.procedure.requires_referral and not _is_signed(c)],
    }
    return render(request, "pages/plan.html", context)


def _is_signed(course: Course) -> bool:
    referral = course.programme.referral if course.programme else None
    return course.origin == Course.Origin.IMPORTED or (referral is not None and referral.signed_at is not None)


@page(Permission.BOOK, methods=("POST",))
def plan_again(request: PageRequest, pk: int) -> HttpResponse:
    """The same courses planned anew: with a `concession` (its number in the explanation) or another `profile`."""
    one = plan_for(request.user, Permission.BOOK, pk)
    if one.status == Plan.Status.HELD and one.held_until and one.held_until > request.now:
        release_hold(plan=one, by=request.user, now=request.now)
    wishes = dict(one.request.get("wishes") or {})
    demands: list[Any] | None = None
    chosen = request.POST.get("concession", "")
    if chosen:
        concessions = (one.explanation or {}).get("concessions", [])
        if not chosen.isdecimal() or int(chosen) >= len(concessions):
            raise NotFound
        if concessions[int(chosen)]["wishes"] is None:
            raise NotAllowed(_("Only a doctor may change this. Ask the doctor for other terms."))
        wishes = merge_wishes(wishes, concessions[int(chosen)]["wishes"])
        demands = [] if concessions[int(chosen)].get("drops_demands") else None
    fresh = propose_again(
        plan=one,
        by=request.user,
        now=request.now,
        profile=request.POST.get("profile", "") or None,
        wishes=wishes,
        demands=demands,
    )
    return redirect("plan", pk=fresh.pk)


def merge_wishes(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """`second` on top of `first`, also within what is asked of each course."""
    by_course = dict(first.get("courses", {}))
    for key, wishes in second.get("courses", {}).items():
        by_course[key] = {**by_course.get(key, {}), **wishes}
    merged = {**first, **second}
    return merged | {"courses": by_course} if by_course else merged


@page(Permission.BOOK, methods=("POST",))
def plan_hold(request: PageRequest, pk: int) -> HttpResponse:
    one = plan_for(request.user, Permission.BOOK, pk)
    try:
        hold_plan(plan=one, by=request.user, now=request.now)
    except PlaceTaken as lost:
        return _lost(request, one, lost)
    return redirect("plan", pk=one.pk)


@page(Permission.BOOK, methods=("POST",))
def plan_renew(request: PageRequest, pk: int) -> HttpResponse:
    one = plan_for(request.user, Permission.BOOK, pk)
    renew_hold(plan=one, by=request.user, now=request.now)
    return redirect("plan", pk=one.pk)


@page(Permission.BOOK, methods=("POST",))
def plan_release(request: PageRequest, pk: int) -> HttpResponse:
    one = plan_for(request.user, Permission.BOOK, pk)
    release_hold(plan=one, by=request.user, now=request.now)
    messages.success(request, _("The times are free again."))
    return redirect("plan", pk=one.pk)


@page(Permission.BOOK, methods=("POST",))
def plan_book(request: PageRequest, pk: int) -> HttpResponse:
    one = plan_for(request.user, Permission.BOOK, pk)
    if one.status == Plan.Status.BOOKED:  # pressed twice: the first press has done it
        return redirect("plan-booked", pk=one.pk)
    try:
        book_plan(plan=one, by=request.user, now=request.now)
    except PlaceTaken as lost:
        return _lost(request, one, lost)
    return redirect("plan-booked", pk=one.pk)


def _lost(request: PageRequest, one: Plan, lost: PlaceTaken) -> HttpResponse:
    """A lost race: which times went, and the way to the fresh plan."""
    taken = [item for item in lost.details.get("taken", []) if isinstance(item, dict)]
    texts = [
        f"{line.course.procedure}, {moment_text(line.starts_at)}, {line.therapist}" for line in read_lines(one, taken)
    ]
    return error_page(request, lost, taken=texts, fresh_plan=lost.details.get("fresh_plan"))


@page(Permission.BOOK)
def plan_booked(request: PageRequest, pk: int) -> HttpResponse:
    one = plan_for(request.user, Permission.BOOK, pk)
    if one.status != Plan.Status.BOOKED:
        return redirect("plan", pk=one.pk)
    lines = read_lines(one)
    told = Message.objects.filter(
        patient=one.patient, clinic=one.clinic, created_at=one.booked_at or request.now
    ).exclude(status=Message.Status.WITHDRAWN)
    mails = [m for m in told if m.channel == Message.Channel.EMAIL and m.kind != Message.Kind.REMINDER]
    calls = [m for m in told if m.channel == Message.Channel.CALL and m.kind != Message.Kind.REMINDER]
    context = {
        "plan": one,
        "patient": one.patient,
        "phones": list(one.patient.phones.all()),
        "days": days_of(lines),
        "summary": summary_of(lines),
        "booked": ngettext("%(n)d session booked", "%(n)d sessions booked", len(lines)) % {"n": len(lines)},
        "mails": mails,
        "calls": calls,
        "first_mail": min((m.due_at for m in mails), default=None),
    }
    return render(request, "pages/plan_booked.html", context)
