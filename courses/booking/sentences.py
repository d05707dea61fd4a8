"""Structured answers of the planner as sentences, in the active language."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.models import Therapist
from courses import dates
from courses.booking.models import Course, Plan

_REASONS = {
    "no_qualified_therapist": lambda: _("Nobody on the staff is qualified for this procedure."),
    "no_therapist_of_requested_gender": lambda: _("No specialist of the requested gender gives this procedure."),
    "no_therapist_of_requested_language": lambda: _("No specialist who speaks the requested language gives this."),
    "no_room": lambda: _("There is no room or device for this procedure."),
    "no_shift_at_requested_time": lambda: _("Nobody who may give this works at the requested days and hours."),
    "class_full": lambda: _("Every class at the requested time is full."),
    "window_too_short": lambda: _("The sessions do not fit between the first and the last allowed day."),
    "required_therapist_absent": lambda: _("The requested specialist is away for too many of these days."),
    "kept_apart": lambda: _("The rules between these procedures leave no time for all of them."),
    "fully_booked": lambda: _("The times that would suit are booked already."),
    "not_found": lambda: _("No plan was found in time."),
}

_FILTERS = {
    "opening": lambda n: ngettext("open %(n)s day", "open %(n)s days", n) % {"n": n},
    "works": lambda n: ngettext("a shift on %(n)s day", "a shift on %(n)s days", n) % {"n": n},
    "present": lambda n: ngettext("not away on %(n)s day", "not away on %(n)s days", n) % {"n": n},
    "free": lambda n: ngettext("time left on %(n)s day", "time left on %(n)s days", n) % {"n": n},
    "room": lambda n: ngettext("a room on %(n)s day", "a room on %(n)s days", n) % {"n": n},
    "device": lambda n: ngettext("a device on %(n)s day", "a device on %(n)s days", n) % {"n": n},
    "patient": lambda n: ngettext("the patient free on %(n)s day", "the patient free on %(n)s days", n) % {"n": n},
    "rules": lambda n: (
        ngettext("kept apart from others on %(n)s day", "kept apart from others on %(n)s days", n) % {"n": n}
    ),
    "weekdays": lambda n: (
        ngettext("the wished weekday on %(n)s day", "the wished weekdays on %(n)s days", n) % {"n": n}
    ),
    "window": lambda n: ngettext("the wished hours on %(n)s day", "the wished hours on %(n)s days", n) % {"n": n},
}


def reason_sentence(plan: Plan) -> str:
    """Why there is no plan; empty where there is one."""
    if plan.explanation is None:
        return ""
    return _REASONS.get(plan.explanation["reason"], _REASONS["not_found"])()


def waterfall_sentence(plan: Plan) -> str:
    """The days that survive each filter, for the course that fails first: “open 40 days → a shift on 21 days → …”."""
    if plan.explanation is None:
        return ""
    courses = plan.explanation["courses"]
    failing = next((c for c in courses if c["course"] == plan.explanation["course"]), None)
    failing = failing or (courses[0] if courses else None)
    if failing is None:
        return ""
    return " → ".join(_FILTERS[step["filter"]](step["days"]) for step in failing["waterfall"])


def concession_sentence(plan: Plan, concession: Mapping[str, Any]) -> str:
    """What would be given up, and what it gives: “Any specialist → ends Fri 18 Dec 2026”."""
    parts = [_change(change) for change in concession["changes"]]
    if len(plan.explanation["courses"] if plan.explanation else ()) > 1:
        names = _procedures([change["course"] for change in concession["changes"]])
        parts = [
            _("%(procedure)s: %(change)s") % {"procedure": name, "change": part}
            for name, part in zip(names, parts, strict=True)
        ]
    changes = _(" and ").join(parts)
    return _("%(changes)s → ends %(day)s") % {
        "changes": capfirst(changes),
        "day": dates.day_text(dt.date.fromisoformat(concession["last_day"])),
    }


def _change(change: Mapping[str, Any]) -> str:
    params = change["params"]
    match change["relaxation"]:
        case "window":
            return _("any time of day")
        case "weekdays":
            return _("any weekday")
        case "therapist":
            return _("with %(names)s") % {"names": _names(params.get("therapists", []))}
        case "gender":
            return _("a specialist of any gender (%(names)s)") % {"names": _names(params.get("therapists", []))}
        case "language":
            return _("a specialist of any language (%(names)s)") % {"names": _names(params.get("therapists", []))}
        case "gap":
            n = params["gap_max"]
            return ngettext("up to %(n)s day between sessions", "up to %(n)s days between sessions", n) % {"n": n}
        case "weekly":
            n = params["per_week"]
            return ngettext("%(n)s session a week", "%(n)s sessions a week", n) % {"n": n}
        case "finish":
            return _("a later finish")
        case "fewer":
            n = params["sessions"]
            return ngettext("only %(n)s session", "only %(n)s sessions", n) % {"n": n}
        case "same_day":
            return _("procedures that are kept apart on one day (doctor only)")
    return str(change["relaxation"])


def _procedures(courses: list[int]) -> list[str]:
    found = {
        course.pk: course.procedure.name for course in Course.objects.filter(pk__in=courses).select_related("procedure")
    }
    return [found[pk] for pk in courses]


def _names(pks: list[int]) -> str:
    names = {t.pk: str(t) for t in Therapist.objects.filter(pk__in=pks)}
    return ", ".join(names[pk] for pk in pks if pk in names) or _("another specialist")


def _moment(moment: dt.datetime) -> str:
    """“Tue 24 Nov 2026, 17:30”; `moment` in the clinic's zone."""
    return f"{dates.day_text(moment.date())}, {moment:%H:%M}"


def plan_sentence(plan: Plan) -> str:
    """The plan to read aloud: “Starts Tue 24 Nov 2026, 17:30, then Tuesdays and Thursdays, with Anna P., ends …”."""
    if not plan.items:
        return ""
    zone = plan.clinic.tz
    starts = sorted(dt.datetime.fromisoformat(item["start"]).astimezone(zone) for item in plan.items)
    therapists = list(dict.fromkeys(item["therapist"] for item in plan.items if item["therapist"]))
    parts = [_("Starts %(moment)s") % {"moment": _moment(starts[0])}]
    if len(starts) > 1:
        weekdays = sorted({start.isoweekday() for start in starts[1:]})
        parts.append(_("then %(weekdays)s") % {"weekdays": _weekdays(weekdays)})
    if therapists:
        parts.append(_("with %(names)s") % {"names": _names(therapists)})
    if len(starts) > 1:
        parts.append(_("ends %(day)s") % {"day": dates.day_text(starts[-1].date())})
    return _("%(sentence)s.") % {"sentence": ", ".join(parts)}


def _weekdays(numbers: list[int]) -> str:
    """ISO weekdays: “Mon–Fri” where they are five or more in a row, else “Mon, Wed”."""
    if len(numbers) > 4 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        first, last = dates.weekday_name(numbers[0]), dates.weekday_name(numbers[-1])
        return _("%(first)s–%(last)s") % {"first": first, "last": last}
    return dates.weekdays_text(numbers)
