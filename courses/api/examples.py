"""Requests and answers of plans as the API's description shows them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

_GROUP = "5b0c1a52-6a3e-4c0e-9f0e-2f6a9d1f7c11"


def _place(start: str, end: str, *, therapist: int | None = 31, room: int | None = 51) -> dict[str, Any]:
    return {"start": start, "end": end, "therapist": therapist, "room": room, "device": None}


def _item(session: int, course: int, start: str, end: str, **place: Any) -> dict[str, Any]:
    return {"session": session, "course": course, **_place(start, end, **place), "meeting": None}


def _plan(pk: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": pk,
        "clinic": 1,
        "patient": 204,
        "courses": [12],
        "status": "proposed",
        "profile": "balanced",
        "items": [],
        "explanation": None,
        "sentence": "",
        "concessions": [],
        "comparison": None,
        "changes": None,
        "changes_sentence": "",
        "group": None,
        "based_on": None,
        "cost": 246,
        "bound": 246,
        "proven": True,
        "gap": 0.0,
        "plan_ms": 7.4,
        "held_until": None,
        "created_at": "2026-11-20T08:12:30Z",
        "booked_at": None,
    } | fields


_MASSAGE = [
    _item(901, 12, "2026-11-24T16:30:00+00:00", "2026-11-24T17:00:00+00:00"),
    _item(902, 12, "2026-11-26T16:30:00+00:00", "2026-11-26T17:00:00+00:00"),
    _item(903, 12, "2026-12-01T16:30:00+00:00", "2026-12-01T17:00:00+00:00"),
]
_AMPLIPULSE = [
    _item(911, 13, "2026-11-24T17:05:00+00:00", "2026-11-24T17:20:00+00:00", therapist=32, room=55),
    _item(912, 13, "2026-11-26T17:05:00+00:00", "2026-11-26T17:20:00+00:00", therapist=32, room=55),
]


def _asked(name: str, value: dict[str, Any], summary: str) -> OpenApiExample:
    return OpenApiExample(name, value=value, summary=summary, request_only=True)


def _told(name: str, value: dict[str, Any], summary: str) -> OpenApiExample:
    return OpenApiExample(name, value=value, summary=summary, response_only=True, status_codes=["201"])


PLAN_REQUESTS = [
    _asked(
        "several courses",
        {
            "courses": [12, 13],
            "profile": "fewest_visits",
            "wishes": {
                "window_from": "16:00",
                "window_strength": "wish",
                "courses": {"12": {"preferred_therapist": 31, "therapist_strength": "must"}},
            },
        },
        "Massage with one specialist, amplipulse with anyone, both in the afternoon if possible",
    ),
    _asked(
        "pins",
        {"courses": [12], "keep": [901], "wishes": {"excluded_days": ["2026-11-26"]}},
        "Session 901 stays, nothing on 26 November, the rest moves as little as can be",
    ),
    _asked(
        "demands",
        {
            "courses": [12],
            "demands": [
                {"sessions": [901, 902, 903], "excluded_therapists": [31]},
                {"not_before": "10:00"},
            ],
        },
        "Another specialist for these three, and none before ten",
    ),
]

PLANS = [
    _told(
        "a plan",
        _plan(
            77,
            courses=[12, 13],
            items=sorted([*_MASSAGE, *_AMPLIPULSE], key=lambda item: item["start"]),
            sentence="Starts Tuesday 24 November 17:30, then Tuesdays and Thursdays, massage: with Anna P., "
            "amplipulse: with Boris K., ends 1 December.",
        ),
        "Two courses planned together",
    ),
    _told(
        "no plan",
        _plan(
            78,
            status="impossible",
            cost=None,
            bound=None,
            gap=None,
            sentence="The times that would suit are booked already. Placed 7 of 10. Try a change below.",
            explanation={
                "reason": "fully_booked",
                "course": 12,
                "courses": [
                    {
                        "course": 12,
                        "alone": False,
                        "reason": "fully_booked",
                        "sentence": "The times that would suit are booked already.",
                        "waterfall_sentence": "Open 40 days → a shift on 21 days → time left on 17 days → the patient "
                        "free on 9 days",
                        "waterfall": [
                            {"filter": "opening", "days": 40},
                            {"filter": "works", "days": 21},
                            {"filter": "free", "days": 17},
                            {"filter": "patient", "days": 9},
                        ],
                        "longest_hole": 6,
                        "gap_max": 3,
                        "most_sessions": 7,
                        "sessions": 10,
                    }
                ],
                "partial": {"placed": 7, "asked": 10, "items": _MASSAGE},
            },
            concessions=[
                {
                    "sentence": "From 16:30 on → 10 of 10, ends Fri 18 Dec 2026",
                    "changes": [
                        {
                            "course": 12,
                            "relaxation": "window",
                            "params": {"window_from": "16:30", "window_until": None},
                        }
                    ],
                    "first_day": "2026-11-24",
                    "last_day": "2026-12-18",
                    "placed": 10,
                    "asked": 10,
                    "visits": 10,
                    "therapists": 1,
                    "wait_minutes": 0,
                    "wishes": {"courses": {"12": {"window_from": "16:30"}}},
                    "drops_demands": False,
                },
                {
                    "sentence": "Any weekday and with Boris K. → 10 of 10, ends Wed 16 Dec 2026",
                    "changes": [
                        {"course": 12, "relaxation": "weekdays", "params": {}},
                        {"course": 12, "relaxation": "therapist", "params": {"therapists": [32]}},
                    ],
                    "first_day": "2026-11-25",
                    "last_day": "2026-12-16",
                    "placed": 10,
                    "asked": 10,
                    "visits": 10,
                    "therapists": 1,
                    "wait_minutes": 0,
                    "wishes": {"courses": {"12": {"weekdays_strength": "wish", "therapist_strength": "wish"}}},
                    "drops_demands": False,
                },
            ],
        ),
        "Why there is no plan, what fits, and what would open one: of the last two neither is enough alone",
    ),
]

ALTERNATIVES_REQUESTS = [
    _asked(
        "three profiles",
        {"programme": 40, "profiles": ["earliest_finish", "fewest_visits", "same_therapist"]},
        "The courses of a programme, to be compared",
    )
]

_FIGURES = {"wait_minutes": 0, "broken_wishes": 0, "first_day": "2026-11-24", "usual_time": "17:30"}
ALTERNATIVES = [
    _told(
        "two plans",
        {
            "plans": [
                _plan(
                    79,
                    profile="earliest_finish",
                    items=_MASSAGE,
                    group=_GROUP,
                    sentence="Starts Tuesday 24 November 17:30, then Tuesdays and Thursdays, mostly with Anna P., "
                    "also Boris K., ends 24 December.",
                    comparison={
                        "profiles": ["earliest_finish"],
                        "best_in": ["last_day"],
                        "best": "Best: earliest finish",
                        "coincides": "",
                        "figures": _FIGURES | {"last_day": "2026-12-24", "visits": 10, "therapists": 2, "changes": 1},
                        "against": [
                            {
                                "plan": 80,
                                "days": -6,
                                "visits": 0,
                                "wait_minutes": 0,
                                "therapists": 1,
                                "changes": 1,
                                "broken_wishes": 0,
                            }
                        ],
                    },
                ),
                _plan(
                    80,
                    profile="same_therapist",
                    items=_MASSAGE,
                    group=_GROUP,
                    sentence="Starts Tuesday 24 November 17:30, then Tuesdays and Thursdays, all with Anna P., ends "
                    "30 December.",
                    comparison={
                        "profiles": ["same_therapist", "fewest_visits"],
                        "best_in": ["therapists", "changes"],
                        "best": "Best: fewest specialists, fewest changes of specialist",
                        "coincides": "Same specialist and Fewest visits: one and the same plan.",
                        "figures": _FIGURES | {"last_day": "2026-12-30", "visits": 10, "therapists": 1, "changes": 0},
                        "against": [
                            {
                                "plan": 79,
                                "days": 6,
                                "visits": 0,
                                "wait_minutes": 0,
                                "therapists": -1,
                                "changes": -1,
                                "broken_wishes": 0,
                            }
                        ],
                    },
                ),
            ],
            "impossible": None,
        },
        "Two of three profiles coincide",
    )
]

_MOVED: dict[str, Any] = {
    "session": 902,
    "course": 12,
    "change": "moved",
    "old": _place("2026-11-26T16:30:00+00:00", "2026-11-26T17:00:00+00:00"),
    "new": _place("2026-11-27T16:30:00+00:00", "2026-11-27T17:00:00+00:00"),
}

NUDGE_REQUESTS = [
    _asked("later", {"session": 902, "to": "later"}, "The next time at which the others can stay, if there is one"),
    _asked(
        "that time",
        {"session": 902, "starts_at": "2026-11-27T17:30:00+01:00", "keep_others": True},
        "One of the times of `slots`",
    ),
]
NUDGED = _told(
    "nudged",
    _plan(
        81,
        items=[_MASSAGE[0], {**_MASSAGE[1], **_MOVED["new"]}, _MASSAGE[2]],
        based_on=77,
        changes=[_MOVED],
        changes_sentence="1 session moves, 2 sessions stay as they are.",
        sentence="Starts Tuesday 24 November 17:30, then Tuesdays and Fridays, all with Anna P., ends 1 December.",
    ),
    "One session moved, the others stay",
)

REPLAN_REQUESTS = [
    _asked(
        "not this day",
        {"keep": [901], "wishes": {"excluded_days": ["2026-11-26"]}},
        "Session 901 stays, nothing on 26 November",
    ),
    _asked(
        "other therapist for these",
        {"demands": [{"sessions": [902, 903], "excluded_therapists": [31]}]},
        "Another specialist for these two; the others stay where they are if they can",
    ),
]
REPLANNED = _told(
    "replanned",
    _plan(82, items=[{**_MASSAGE[1], **_MOVED["new"]}], changes=[_MOVED], changes_sentence="1 session moves."),
    "What becomes of each session",
)
