"""Structured answers of the planner as sentences, in the active language."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
    "no_other_therapist": lambda: _("Nobody else gives this procedure."),
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
    return reason_text(plan.explanation["reason"])


def reason_text(reason: str) -> str:
    return _REASONS.get(reason, _REASONS["not_found"])()


def waterfall_sentence(plan: Plan) -> str:
    """The days that survive each filter, for the course that fails first: “open 40 days → a shift on 21 days → …”."""
    if plan.explanation is None:
        return ""
    courses = plan.explanation["courses"]
    failing = next((c for c in courses if c["course"] == plan.explanation["course"]), None)
    failing = failing or (courses[0] if courses else None)
    if failing is None:
        return ""
    return waterfall_text(failing["waterfall"])


def waterfall_text(steps: Sequence[Mapping[str, Any]]) -> str:
    return " → ".join(_FILTERS[step["filter"]](step["days"]) for step in steps)


def concession_sentence(plan: Plan, concession: Mapping[str, Any]) -> str:
    """What would be given up, and what it gives: “Any specialist → 10 of 10, ends Fri 18 Dec 2026”."""
    parts = [change_text(change) for change in concession["changes"]]
    if len(plan.explanation["courses"] if plan.explanation else ()) > 1:
        names = _procedures([change["course"] for change in concession["changes"]])
        parts = [
            _("%(procedure)s: %(change)s") % {"procedure": name, "change": part}
            for name, part in zip(names, parts, strict=True)
        ]
    return _("%(changes)s → %(placed)s of %(asked)s, ends %(day)s") % {
        "changes": capfirst(_(" and ").join(parts)),
        "placed": concession["placed"],
        "asked": concession["asked"],
        "day": dates.day_text(dt.date.fromisoformat(concession["last_day"])),
    }


def partial_sentence(plan: Plan) -> str:
    """“Placed 7 of 10. Try a change below.”; empty where not one session fits."""
    partial = (plan.explanation or {}).get("partial")
    if not partial:
        return ""
    return _("Placed %(n)s of %(m)s. Try a change below.") % {"n": partial["placed"], "m": partial["asked"]}


def change_text(change: Mapping[str, Any]) -> str:
    """One must given up, in a few words."""
    return _RELAXATIONS[change["relaxation"]](change["params"])


def _window(params: Mapping[str, Any]) -> str:
    first, last = params.get("window_from"), params.get("window_until")
    if first is None:
        return _("any time of day")
    if last is None:
        return _("from %(first)s on") % {"first": first}
    return _("between %(first)s and %(last)s") % {"first": first, "last": last}


def _more_weekdays(params: Mapping[str, Any]) -> str:
    if not params.get("weekdays"):
        return _("any weekday")
    return _("also on %(weekdays)s") % {"weekdays": _listed([dates.every_weekday(n) for n in params["weekdays"]])}


def _days_between(params: Mapping[str, Any]) -> str:
    n = params["gap_max"]
    return ngettext("up to %(n)s day between sessions", "up to %(n)s days between sessions", n) % {"n": n}


def _a_week(params: Mapping[str, Any]) -> str:
    n = params["per_week"]
    return ngettext("%(n)s session a week", "%(n)s sessions a week", n) % {"n": n}


def _only(params: Mapping[str, Any]) -> str:
    n = params["sessions"]
    return ngettext("only %(n)s session", "only %(n)s sessions", n) % {"n": n}


def _people(params: Mapping[str, Any]) -> dict[str, str]:
    return {"names": _names(params.get("therapists", []))}


_RELAXATIONS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "window": _window,
    "weekdays": _more_weekdays,
    "therapist": lambda params: _("with %(names)s") % _people(params),
    "gender": lambda params: _("a specialist of any gender (%(names)s)") % _people(params),
    "language": lambda params: _("a specialist of any language (%(names)s)") % _people(params),
    "gap": _days_between,
    "weekly": _a_week,
    "excluded": lambda _params: _("also on the days that were excluded"),
    "finish": lambda _params: _("a later finish"),
    "room": lambda _params: _("another room or device"),
    "sequencing": lambda _params: _("without the rules between procedures"),
    "fewer": _only,
}


def _procedures(courses: list[int]) -> list[str]:
    found = {
        course.pk: course.procedure.name for course in Course.objects.filter(pk__in=courses).select_related("procedure")
    }
    return [found[pk] for pk in courses]


def _names(pks: list[int]) -> str:
    names = {t.pk: str(t) for t in Therapist.objects.filter(pk__in=pks)}
    return ", ".join(names[pk] for pk in pks if pk in names) or _("another specialist")


def plan_sentence(plan: Plan) -> str:
    """The plan to read aloud: “Starts Tuesday 24 November 17:30, then Tuesdays and Thursdays, all with Anna P., ends
    24 December.”"""
    if not plan.items:
        return ""
    zone = plan.clinic.tz
    starts: dict[dt.date, dt.datetime] = {}
    for item in sorted(plan.items, key=lambda item: item["start"]):
        start = dt.datetime.fromisoformat(item["start"]).astimezone(zone)
        starts.setdefault(start.date(), start)
    visits = list(starts.values())
    first, last = visits[0], visits[-1].date()
    parts = [_("starts %(day)s %(time)s") % {"day": dates.spoken_day(first.date()), "time": f"{first:%H:%M}"}]
    if len(visits) > 2:
        parts.append(_then(sorted({start.isoweekday() for start in visits[1:]})))
    parts += _usually(visits)
    parts += _with_whom(plan.items)
    if len(visits) > 1:
        parts.append(_("ends %(day)s") % {"day": dates.plain_day(last, year=last.year != first.year)})
    sentence = capfirst(_(", ").join(parts))
    return sentence if sentence.endswith(".") else _("%(sentence)s.") % {"sentence": sentence}


def _then(weekdays: list[int]) -> str:
    if len(weekdays) > 3 and weekdays == list(range(weekdays[0], weekdays[-1] + 1)):
        ends = {"first": dates.from_weekday(weekdays[0]), "last": dates.to_weekday(weekdays[-1])}
        return _("then %(first)s to %(last)s") % ends
    return _("then %(weekdays)s") % {"weekdays": _listed([dates.every_weekday(day) for day in weekdays])}


def _usually(visits: list[dt.datetime]) -> list[str]:
    """When visits start, where it is not always as at first: the usual time, or between which."""
    clocks = Counter(f"{start:%H:%M}" for start in visits)
    usual, count = clocks.most_common(1)[0]
    if len(clocks) == 1:
        return []
    if 3 * count >= 2 * len(visits):
        return [_("usually at %(time)s") % {"time": usual}]
    return [_("from %(first)s to %(last)s") % {"first": min(clocks), "last": max(clocks)}]


def _with_whom(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """“all with Anna P.”, or who gives which course."""
    people: dict[int, Counter[int]] = {}
    for item in items:
        if item["therapist"]:
            people.setdefault(item["course"], Counter())[item["therapist"]] += 1
    everyone = {pk for counts in people.values() for pk in counts}
    if not everyone:
        return []
    names = {t.pk: str(t) for t in Therapist.objects.filter(pk__in=everyone)}
    if len(everyone) == 1:
        [name] = names.values()
        return [(_("all with %(name)s") if len(items) > 1 else _("with %(name)s")) % {"name": name}]
    told = {course: _shares(counts, names) for course, counts in people.items()}
    if len(told) == 1:
        return list(told.values())
    procedures = dict(zip(told, _procedures(list(told)), strict=True))
    return [
        _("%(procedure)s: %(people)s") % {"procedure": procedures[course], "people": people_text}
        for course, people_text in told.items()
    ]


def _shares(counts: Counter[int], names: Mapping[int, str]) -> str:
    """Whoever gives more than half of a course first: “mostly with Anna P., also Boris K.”"""
    ranked = sorted(counts, key=lambda pk: (-counts[pk], names.get(pk, "")))
    told = [names.get(pk, "") for pk in ranked]
    if len(told) == 1:
        return _("with %(name)s") % {"name": told[0]}
    if 2 * counts[ranked[0]] > sum(counts.values()):
        return _("mostly with %(name)s, also %(names)s") % {"name": told[0], "names": _listed(told[1:])}
    return _("with different people: %(names)s") % {"names": _listed(told)}


def _listed(words: Sequence[str]) -> str:
    """Mondays, Wednesdays and Fridays"""
    *others, last = words
    return _("%(others)s and %(last)s") % {"others": ", ".join(others), "last": last} if others else last


# -- plans beside one another, and changes -------------------------------------------------------------------------

_PROFILES = {
    "balanced": lambda: _("Balanced"),
    "earliest_finish": lambda: _("Earliest finish"),
    "fewest_visits": lambda: _("Fewest visits"),
    "same_therapist": lambda: _("Same specialist"),
}

_BEST = {
    "last_day": lambda: _("earliest finish"),
    "visits": lambda: _("fewest visits"),
    "wait_minutes": lambda: _("least waiting"),
    "therapists": lambda: _("fewest specialists"),
    "changes": lambda: _("fewest changes of specialist"),
    "broken_wishes": lambda: _("most wishes kept"),
}


def profiles_text(plan: Plan) -> str:
    """What the plan was made for: “Earliest finish”, and where profiles coincide all of them."""
    names = (plan.comparison or {}).get("profiles", [plan.profile])
    return ", ".join(_PROFILES[name]() for name in names)


def best_text(plan: Plan) -> str:
    """What it is better at than the plans beside it: “Best: earliest finish, least waiting”; empty where at nothing."""
    best = (plan.comparison or {}).get("best_in", [])
    return _("Best: %(figures)s") % {"figures": ", ".join(_BEST[name]() for name in best)} if best else ""


def coinciding_sentence(plan: Plan) -> str:
    """“Earliest finish and Fewest visits are the same plan.”; empty where the plan is the best by one profile only."""
    names = (plan.comparison or {}).get("profiles", [])
    if len(names) < 2:
        return ""
    return _("%(profiles)s: one and the same plan.") % {"profiles": _listed([_PROFILES[name]() for name in names])}


_CHANGES = {
    "moved": lambda n: ngettext("%(n)s session moves", "%(n)s sessions move", n),
    "other_therapist": lambda n: ngettext(
        "%(n)s session with another specialist", "%(n)s sessions with another specialist", n
    ),
    "other_room": lambda n: ngettext("%(n)s session in another room", "%(n)s sessions in another room", n),
    "new": lambda n: ngettext("%(n)s session gets a time", "%(n)s sessions get a time", n),
    "kept": lambda n: ngettext("%(n)s session stays as it is", "%(n)s sessions stay as they are", n),
}


def changes_sentence(plan: Plan) -> str:
    """“1 session moves, 9 sessions stay as they are.”; empty for a plan made afresh."""
    if not plan.changes:
        return ""
    counts = Counter(change["change"] for change in plan.changes)
    parts = [text(counts[kind]) % {"n": counts[kind]} for kind, text in _CHANGES.items() if counts[kind]]
    return _("%(sentence)s.") % {"sentence": capfirst(", ".join(parts))}
