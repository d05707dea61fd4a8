"""A planner's "no" as JSON that pages, the API and a later request understand: dates and primary keys."""

from typing import Any

from courses.booking.calendars import time_of
from courses.booking.problems import Bridge
from courses.planning.types import SLOT_MINUTES, SLOTS_PER_DAY, Change, Concession, Explanation, Plan, Relaxation


def explanation_json(bridge: Bridge, explanation: Explanation | None) -> dict[str, Any]:
    """Reasons per course, and concessions each with the wishes that apply it (see `propose_plan`).

    Without an explanation the search ended before it found a plan or showed that there is none.
    """
    if explanation is None:
        return {"reason": "not_found", "course": None, "courses": [], "concessions": [], "partial": None}
    return {
        "reason": str(explanation.reason),
        "course": explanation.course,
        "courses": [
            {
                "course": course.course,
                "alone": course.alone,
                "reason": str(course.reason) if course.reason else None,
                "waterfall": [{"filter": str(step.filter), "days": step.days} for step in course.waterfall],
                "longest_hole": course.longest_hole,
                "gap_max": course.gap_max,
                "most_sessions": course.most_sessions,
                "sessions": course.sessions,
            }
            for course in explanation.courses
        ],
        "concessions": [_concession(bridge, concession) for concession in explanation.concessions],
        "partial": _partial(bridge, explanation.partial),
    }


def _asked(bridge: Bridge) -> int:
    return sum(course.sessions for course in bridge.problem.courses)


def _partial(bridge: Bridge, plan: Plan | None) -> dict[str, Any] | None:
    """The sessions that do fit: “7 of 10”, with the items of a plan."""
    if plan is None:
        return None
    return {"placed": len(plan.sessions), "asked": _asked(bridge), "items": bridge.items(plan)}


def _concession(bridge: Bridge, concession: Concession) -> dict[str, Any]:
    wishes: dict[str, Any] = {}
    for change in concession.changes:
        wishes.setdefault(str(change.course), {}).update(_wishes(bridge, change))
    return {
        "changes": [
            {"course": change.course, "relaxation": str(change.relaxation), "params": _params(bridge, change)}
            for change in concession.changes
        ],
        "first_day": bridge.days.date(concession.first_day).isoformat(),
        "last_day": bridge.days.date(concession.last_day).isoformat(),
        "placed": len(concession.plan.sessions),
        "asked": _asked(bridge),
        "visits": concession.plan.stats.visits,
        "therapists": concession.plan.stats.therapists,
        "wait_minutes": concession.plan.stats.wait_slots * SLOT_MINUTES,
        # Fewer sessions, other rooms and rules between procedures are not wishes: a doctor decides them.
        "wishes": {"courses": wishes} if all(_is_wish(change) for change in concession.changes) else None,
        "drops_demands": any(_is_demanded(bridge, change) for change in concession.changes),
    }


def _is_wish(change: Change) -> bool:
    return change.relaxation not in {Relaxation.FEWER, Relaxation.ROOM, Relaxation.SEQUENCING}


def _is_demanded(bridge: Bridge, change: Change) -> bool:
    """Whether the change is against what was demanded of single sessions, which then goes."""
    course = next(c for c in bridge.problem.courses if c.key == change.course)
    match change.relaxation:
        case Relaxation.WINDOW:
            return course.hours is not None
        case Relaxation.THERAPIST:
            return bool(course.excluded_therapists)
        case Relaxation.WEEKDAYS | Relaxation.EXCLUDED:
            return any(f for f in course.former)
        case _:
            return False


def _params(bridge: Bridge, change: Change) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for name, value in change.params.items():
        if name == "finish_day" and isinstance(value, int):
            params["finish_by"] = bridge.days.date(value).isoformat()
        elif name == "window" and isinstance(value, tuple):
            params["window_from"], params["window_until"] = (_clock(slot) for slot in value)
        elif name == "weekdays" and isinstance(value, tuple):
            params["weekdays"] = [day + 1 for day in value]
        elif isinstance(value, tuple | frozenset | set):
            params[name] = sorted(value)
        else:
            params[name] = value
    return params


def _wishes(bridge: Bridge, change: Change) -> dict[str, Any]:
    """The wishes that make this change; empty where it is not reception's to make."""
    params = _params(bridge, change)
    match change.relaxation:
        case Relaxation.WINDOW if params:
            # An end of the day that was left open stays open.
            return {name: value for name, value in params.items() if value is not None}
        case Relaxation.WINDOW:
            return {"window_strength": "wish"}
        case Relaxation.WEEKDAYS if params:
            course = next(c for c in bridge.problem.courses if c.key == change.course)
            return {"weekdays": sorted({*params["weekdays"], *(day + 1 for day in course.weekdays)})}
        case Relaxation.WEEKDAYS:
            return {"weekdays_strength": "wish"}
        case Relaxation.EXCLUDED:
            return {"excluded_days": []}
        case Relaxation.THERAPIST:
            return {"therapist_strength": "wish"}
        case Relaxation.GENDER:
            return {"therapist_gender": ""}
        case Relaxation.LANGUAGE:
            return {"language_strength": "wish"}
        case Relaxation.GAP:
            return {"gap_max": params["gap_max"]}
        case Relaxation.WEEKLY:
            return {"per_week": params["per_week"]}
        case Relaxation.FINISH:
            return {"finish_by": params["finish_by"]}
        case _:
            return {}


def _clock(slot: int) -> str | None:
    """A local time; None for the end of the day."""
    return time_of(slot).isoformat("minutes") if slot < SLOTS_PER_DAY else None
