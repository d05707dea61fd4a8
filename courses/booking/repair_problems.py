"""The bridge between rows and repair: sessions of many patients become a RepairProblem, its answer items of a Repair.

Whatever the number of patients and courses, the number of statements is the same.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clinic.models import Clinic, Reservation, Resource, ResourceKind
from courses.booking.calendars import Days, free_layer, masks_of, read_days, read_presence, read_taken, slot_of
from courses.booking.models import Course, Session
from courses.booking.patient_days import read_patients
from courses.booking.problems import (
    DEFAULT_WINDOW,
    LONGEST_WINDOW,
    Asked,
    course_request,
    is_expired,
    placed_item,
)
from courses.booking.series import read_series
from courses.booking.supply import Supply
from courses.booking.transitions import LIVE, PLANNED, Status
from courses.booking.wishes import Wishes
from courses.planning import types as planning
from courses.planning.repairing.types import (
    BookedSession,
    Change,
    PlacesDays,
    RepairCourse,
    RepairMove,
    RepairProblem,
    Unplaced,
)
from courses.planning.types import FULL_DAY

# A course without a wanted finish may end so much later than it would have.
LATER = dt.timedelta(days=14)
# Gaps and weekly maxima look back so far.
LOOK_BACK = dt.timedelta(days=35)

UNPLACED = "unplaced"
_ROLES = (ResourceKind.THERAPIST, ResourceKind.ROOM, ResourceKind.EQUIPMENT)


@dataclass(frozen=True, slots=True)
class RepairBridge:
    """A problem with what it takes to read its answer. `taken_by` has what a session's appointment takes, by kind."""

    days: Days
    problem: RepairProblem
    sessions: Mapping[int, Session]
    lost: frozenset[int]
    taken_by: Mapping[int, Mapping[str, int]]
    hands: Mapping[int, int]
    versions: Mapping[int, int]

    def items(self, moves: Collection[RepairMove], unplaced: Collection[Unplaced]) -> list[dict[str, Any]]:
        """Items of `Repair`, in order of the time that was lost."""
        requests = {course.request.key: course for course in self.problem.courses}
        items = [
            self._item(
                int(move.session),
                move.change,
                to=placed_item(
                    self.days,
                    requests[move.course].request,
                    move,
                    patient=int(requests[move.course].patient),
                    hands=self.hands,
                ),
            )
            for move in moves
        ]
        items += [self._item(int(u.session), UNPLACED, reason=u.reason, params=dict(u.params)) for u in unplaced]
        return sorted(items, key=lambda item: (item["from"]["start"], item["session"]))

    def _item(
        self,
        pk: int,
        change: str,
        *,
        to: dict[str, Any] | None = None,
        reason: str = "",
        params: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        session = self.sessions[pk]
        takes = self.taken_by.get(pk, {})
        return {
            "session": pk,
            "course": session.course_id,
            "patient": session.course.patient_id,
            "change": str(change),
            "lost": pk in self.lost,
            "marked": session.to_replace,
            "from": {
                "start": session.time.starts_at.astimezone(dt.UTC).isoformat(),
                "end": session.time.ends_at.astimezone(dt.UTC).isoformat(),
                "therapist": takes.get(ResourceKind.THERAPIST),
                "room": takes.get(ResourceKind.ROOM),
                "device": takes.get(ResourceKind.EQUIPMENT),
                "meeting": session.appointment_id if session.seat is not None else None,
                "appointment": session.appointment_id,
            },
            "to": to,
            "reason": str(reason),
            "params": params or {},
            "applied": False,
        }


def build_repair(
    *, clinic: Clinic, lost: Sequence[Session], now: dt.datetime, moves_rest: bool = True, also: Collection[int] = ()
) -> RepairBridge:
    """Read everything a repair of these sessions of one clinic needs; with `moves_rest`, later sessions of their
    courses may move too. `also` names therapists to read besides those qualified. Sessions come with course, its
    clinic, patient, procedure and programme, plan and appointment.
    """
    courses = {session.course_id: session.course for session in lost}
    patients = {course.patient_id for course in courses.values()}
    # Read first: what changes from here on makes the repair stale rather than wrong.
    versions = dict(Resource.objects.filter(pk__in=patients).values_list("pk", "version"))
    parts = _parts(courses, lost, now=now, moves_rest=moves_rest)
    first = clinic.local_date(now)
    past = [date for part in parts for date in part.dates(clinic)]
    finishes = {part.course.pk: _last_day(part, clinic, first) for part in parts}
    days = read_days(
        clinic,
        min([first, *(date for date in past if date >= first - LOOK_BACK)]),
        max([first, *finishes.values(), *past]),
    )
    procedures = {course.procedure_id: course.procedure for course in courses.values()}
    supply = Supply.read(list(procedures.values()), days)
    moving = [session for part in parts for session in (*part.lost, *part.movable)]
    asked = [part.asked() for part in parts]
    series = read_series(asked, days, now=now, moving=moving)
    taken_by = _taken_by(moving)
    resources, free = _read_resources(
        days, supply, patients=patients, also=[*also, *_therapists(taken_by)], moving=moving, now=now
    )
    meetings = {s.appointment_id for s in moving if s.seat is not None}
    group_of: dict[planning.Key, planning.Key] = {
        m.meeting: one.series for own in series.values() for one in own for m in one.meetings if m.meeting in meetings
    }
    problem = RepairProblem(
        horizon=planning.Horizon(days.first, days.opening),
        resources=resources,
        patients=dict(read_patients(days, free, now=now, moving=moving).items()),
        courses=tuple(
            RepairCourse(
                request=course_request(
                    one, supply, days=days, first=first, finish=finishes[part.course.pk], series=series
                ),
                patient=part.course.patient_id,
                lost=tuple(_booked(s, days, taken_by.get(s.pk, {}), group_of) for s in part.lost),
                movable=tuple(_booked(s, days, taken_by.get(s.pk, {}), group_of) for s in part.movable),
            )
            for part, one in zip(parts, asked, strict=True)
        ),
    )
    return RepairBridge(
        days=days,
        problem=problem,
        sessions={session.pk: session for session in moving},
        lost=frozenset(session.pk for session in lost),
        taken_by=taken_by,
        hands={therapist: hands for hands, therapist in supply.hands.items()},
        versions=supply.versions | versions,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A course with its sessions: what fell out, what may move besides, what stays, when it was given."""

    course: Course
    lost: tuple[Session, ...]
    movable: tuple[Session, ...]
    kept: tuple[Session, ...]
    done: tuple[dt.date, ...]
    wishes: Wishes

    def asked(self) -> Asked:
        return Asked(
            self.course, self.course.procedure, (*self.lost, *self.movable), self.kept, self.done, self.wishes, 0
        )

    def dates(self, clinic: Clinic) -> Iterator[dt.date]:
        yield from self.done
        for session in (*self.kept, *self.movable):
            yield clinic.local_date(session.time.starts_at)

    def last_date(self, clinic: Clinic) -> dt.date:
        return max(clinic.local_date(s.time.starts_at) for s in (*self.lost, *self.movable, *self.kept))


def _parts(
    courses: Mapping[int, Course], lost: Sequence[Session], *, now: dt.datetime, moves_rest: bool
) -> list[_Part]:
    """Courses by primary key. One statement."""
    fallen = {session.pk: session for session in lost}
    by_course: dict[int, list[Session]] = defaultdict(list)
    rows = Session.objects.filter(course__in=courses, status__in=LIVE).exclude(status=Status.UNPLACED)
    for session in rows.select_related("appointment").order_by("course_id", "number"):
        session.course = courses[session.course_id]
        by_course[session.course_id].append(session)
    parts = []
    for key in sorted(courses):
        own, course = by_course[key], courses[key]
        gone = tuple(fallen[s.pk] for s in own if s.pk in fallen)
        stays = [s for s in own if s.pk not in fallen and not is_expired(s, now)]
        ahead = [s for s in stays if s.time.starts_at > now]
        movable = [s for s in ahead if moves_rest and _may_move(s)]
        kept = tuple(s for s in ahead if s not in movable)
        done = tuple(course.clinic.local_date(s.time.starts_at) for s in stays if s.time.starts_at <= now)
        parts.append(_Part(course, gone, tuple(movable), kept, done, _wishes(gone)))
    return parts


def _may_move(session: Session) -> bool:
    return session.status in PLANNED and session.seat is None and not session.pinned and not session.to_replace


def _wishes(sessions: Sequence[Session]) -> Wishes:
    """What was agreed when the latest of these sessions was planned, over what the course says."""
    course, plan = sessions[-1].course, sessions[-1].plan
    asked = plan.request.get("wishes") if plan is not None else None
    return Wishes.of(asked or {}, course).over(course)


def _last_day(part: _Part, clinic: Clinic, first: dt.date) -> dt.date:
    """A finish that was asked for holds while it can be kept; one that the course has passed does not."""
    last = part.last_date(clinic)
    wanted = part.wishes.finish_by
    latest = max(last, first) + LATER
    if wanted is not None and wanted >= max(first, last):
        latest = wanted
    latest = min(latest, first + max(LONGEST_WINDOW, DEFAULT_WINDOW))
    if clinic.book_until is not None:
        latest = min(latest, clinic.book_until)
    return max(latest, *filter(None, [first, part.wishes.start_from]))


def _taken_by(sessions: Sequence[Session]) -> dict[int, dict[str, int]]:
    """Session → kind → therapist, room, device that its appointment takes. One statement."""
    rows = Reservation.objects.filter(
        appointment__in=[s.appointment_id for s in sessions], live=True, resource__kind__in=_ROLES
    ).order_by("pk")
    by_appointment: dict[int, dict[str, int]] = defaultdict(dict)
    for appointment, kind, resource in rows.values_list("appointment_id", "resource__kind", "resource_id"):
        by_appointment[appointment].setdefault(kind, resource)
    return {s.pk: by_appointment[s.appointment_id] for s in sessions if s.appointment_id in by_appointment}


def _therapists(taken_by: Mapping[int, Mapping[str, int]]) -> set[int]:
    return {takes[ResourceKind.THERAPIST] for takes in taken_by.values() if ResourceKind.THERAPIST in takes}


def _read_resources(
    days: Days,
    supply: Supply,
    *,
    patients: Collection[int],
    also: Collection[int],
    moving: Sequence[Session],
    now: dt.datetime,
) -> tuple[dict[int, PlacesDays], dict[int, planning.Masks]]:
    """Every resource with its places, and each patient's time without a booking."""
    therapists = sorted({*supply.therapist_ids, *also})
    more = set(therapists) - set(supply.capacities)
    capacities = dict(supply.capacities) | dict(Resource.objects.filter(pk__in=more).values_list("pk", "capacity"))
    presence = read_presence(days, therapists=therapists, places=supply.place_ids, hands=supply.hands)
    taken = read_taken(
        days,
        [*presence, *patients],
        now=now,
        patients=patients,
        ignoring=[session.appointment_id for session in moving if session.appointment_id],
    )
    resources = {}
    for pk, (works, present) in presence.items():
        counts, capacity = taken.get(pk), capacities.get(pk, 1)
        if counts is None:
            layers = (present,) * capacity
        else:
            layers = tuple(free_layer(present, counts, capacity - k) for k in range(capacity))
        resources[pk] = PlacesDays(works, present, layers)
    whole = (FULL_DAY,) * days.count
    free = {pk: masks_of(taken[pk] == 0) if pk in taken else whole for pk in sorted(patients)}
    return resources, free


def _booked(
    session: Session, days: Days, takes: Mapping[str, int], group_of: Mapping[planning.Key, planning.Key]
) -> BookedSession:
    wall = session.time.starts_at.astimezone(days.clinic.tz)
    meeting = session.appointment_id if session.seat is not None else None
    series = group_of.get(meeting) if meeting is not None else None
    return BookedSession(
        key=session.pk,
        day=days.index(wall.date()),
        slot=slot_of(wall.time()),
        therapist=takes.get(ResourceKind.THERAPIST),
        room=takes.get(ResourceKind.ROOM),
        device=takes.get(ResourceKind.EQUIPMENT),
        series=int(series) if series is not None else None,
        meeting=meeting,
    )


def only_these(problem: RepairProblem, sessions: Collection[planning.Key]) -> RepairProblem:
    """The problem with only these of its lost sessions left to place."""
    courses = (replace(c, lost=tuple(s for s in c.lost if s.key in sessions)) for c in problem.courses)
    return replace(problem, courses=tuple(courses))


__all__ = ["UNPLACED", "Change", "RepairBridge", "build_repair", "only_these"]
