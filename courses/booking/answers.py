"""A planner's "no" as JSON that pages, the API and a later request understand: dates and primary keys."""

from typing import Any

from courses.booking.problems import Bridge
from courses.planning.types import Change, Concession, Explanation, Relaxation


def explanation_json(bridge: Bridge, explanation: Explanation | None) -> dict[str, Any]:
    """Reasons per course, and concessions each with the wishes that apply it (see `propose_plan`).

    Without an explanation the search ended before it found a plan or showed that there is none.
    """
    if explanation is None:
        return {"reason": "not_found", "course": None, "courses": [], "concessions": []}
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
    }


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
        # Fewer sessions and rules between procedures are not wishes: a doctor decides them.
        "wishes": {"courses": wishes} if all(wishes.values()) else None,
    }


def _params(bridge: Bridge, change: Change) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for name, value in change.params.items():
        if name == "finish_day" and isinstance(value, int):
            params["finish_by"] = bridge.days.date(value).isoformat()
        elif isinstance(value, tuple | frozenset | set):
            params[name] = sorted(value)
        else:
            params[name] = value
    return params


def _wishes(bridge: Bridge, change: Change) -> dict[str, Any]:
    """The wishes that make this change; empty where it is not reception's to make."""
    params = _params(bridge, change)
    match change.relaxation:
        case Relaxation.WINDOW:
            return {"window_strength": "wish"}
        case Relaxation.WEEKDAYS:
            return {"weekdays_strength": "wish"}
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
