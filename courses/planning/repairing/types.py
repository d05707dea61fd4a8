"""What goes into a repair and what comes out: frozen values.  Units are those of `courses.planning.types`.

A repair re-places sessions that lost their therapist, room or device, for many patients at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from courses.planning.types import CourseRequest, Horizon, Key, Masks, Patient


@dataclass(frozen=True, slots=True)
class PlacesDays:
    """One resource of any capacity over the horizon.

    works, present: as in `ResourceDays`; the disruption itself is missing from `present` and from every layer;
    layers: layers[k][day] has the slots in which at least k + 1 places are left, so each is a subset of the one before.
    Everything the problem re-places (lost and movable sessions alike) is taken out of the reservations beforehand.
    """

    works: Masks
    present: Masks
    layers: tuple[Masks, ...]


@dataclass(frozen=True, slots=True)
class BookedSession:
    """A session as it is booked now.

    day may lie outside the horizon (a session that fell out before today); it then only counts as the day to stay near.
    series, meeting: its seat in a class.
    same_time: it may get another therapist, room or device but no other time (a class meeting as a whole).
    """

    key: Key
    day: int
    slot: int
    therapist: int | None = None
    room: int | None = None
    device: int | None = None
    series: int | None = None
    meeting: int | None = None
    same_time: bool = False


@dataclass(frozen=True, slots=True)
class RepairCourse:
    """The sessions of one course that are to be re-placed, and the rules it keeps.

    request: `sessions` is not looked at; `pinned` are the sessions that stay in any case, `done_days` those given.
    Musts are kept, wishes cost; the minimal gap, the weekly maximum and one session a day hold, also against pinned and
    done ones; the maximal gap costs.  List every qualified therapist, the absent one too if she is back in the horizon.
    With `series` set a session gets a seat in any held meeting of any of the series (list those of the right kind).
    lost: what must get a new time or other resources; sessions of one course may take each other's times.
    movable: later sessions of the course that are as good as pinned unless moving them places a lost session more.
    """

    request: CourseRequest
    patient: Key
    lost: tuple[BookedSession, ...]
    movable: tuple[BookedSession, ...] = ()


@dataclass(frozen=True, slots=True)
class RepairWeights:
    """Costs of change, integers.

    other_day: a session on another day, and per_day for each calendar day between; quarter: each 15 minutes begun by
    which its time of day changes; other_therapist: another one than it was booked with;
    wish: each wish of the course (hours, weekdays, therapist, language) that the new time or therapist misses;
    gap: each day by which the gaps of a course exceed their maximum in all, beyond what they did before.
    """

    other_day: int = 8
    per_day: int = 2
    quarter: int = 1
    other_therapist: int = 4
    wish: int = 2
    gap: int = 4


@dataclass(frozen=True, slots=True)
class RepairProblem:
    """Courses of many patients whose sessions are re-placed together.

    resources: every id the courses name; `Patient.free`, `.visits` and `.booked` without lost and movable sessions.
    """

    horizon: Horizon
    resources: Mapping[int, PlacesDays]
    patients: Mapping[Key, Patient]
    courses: tuple[RepairCourse, ...]
    weights: RepairWeights = RepairWeights()


class Change(StrEnum):
    KEPT = "kept"  # same time, same therapist; the room or device may be another one
    OTHER_THERAPIST = "other_therapist"  # same time
    MOVED = "moved"  # another time; the therapist may be another one


@dataclass(frozen=True, slots=True)
class RepairMove:
    """Where a session goes; `session` is the key it was given with."""

    session: Key
    course: Key
    change: Change
    day: int
    slot: int
    slots: int
    therapist: int | None = None
    room: int | None = None
    device: int | None = None
    series: int | None = None
    meeting: int | None = None


class Obstacle(StrEnum):
    """Why a session has no place; the first that holds, in this order."""

    NOT_QUALIFIED = "not_qualified"  # nobody (in a handover: not the substitute) may treat it
    AGAINST_MUST = "against_must"  # a gender, language or therapist that is a must rules out everyone qualified
    NO_DAY = "no_day"  # no opening day within finish, weekdays, gaps, weekly maximum and exclusions
    OFF_SHIFT = "off_shift"  # nobody suitable works on such a day in the hours asked for
    ABSENT = "absent"  # those who would are absent
    THERAPIST_BUSY = "therapist_busy"  # those who are there are fully booked
    NO_ROOM = "no_room"  # no suitable room is free when one of them is
    NO_DEVICE = "no_device"  # no device in such a room
    PATIENT_BUSY = "patient_busy"  # nor is the patient
    CLASS_FULL = "class_full"  # no seat is left in any class held
    TAKEN = "taken"  # alone it could be placed; the other sessions of this repair need the times


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A session without a place, and why.

    params: {"therapists": ids that were in question, "days": how many days, "times": how many starts alone (TAKEN)}.
    """

    session: Key
    course: Key
    reason: Obstacle
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RepairStats:
    """sessions: how many were lost; moved_rest: movable ones that moved; columns: times considered.

    greedy_unplaced, greedy_cost: what placing one session after another gives; cancelled: the search was.
    """

    sessions: int = 0
    moved_rest: int = 0
    columns: int = 0
    greedy_unplaced: int = 0
    greedy_cost: int = 0
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Repair:
    """Moves in the order of the problem: one for each lost session that is placed, and for each movable one that moves.

    unplaced_bound <= fewest unplaced possible; bound <= least cost of a repair with this many unplaced and as few of
    the rest moved.  Both hold over all starts on the grid, not only those considered.
    proven: neither can be improved.
    """

    moves: tuple[RepairMove, ...]
    unplaced: tuple[Unplaced, ...]
    cost: int
    bound: int
    unplaced_bound: int
    proven: bool
    stats: RepairStats = RepairStats()

    @property
    def gap(self) -> float:
        """How far, at most, the cost is from the least, as a share of the bound; 0.0 when it is reached."""
        return 0.0 if self.cost <= self.bound else (self.cost - self.bound) / max(self.bound, 1)


@dataclass(frozen=True, slots=True)
class RepairBudget:
    """When to stop improving.

    deterministic: work of CP-SAT in its own measure, about a second and a half of one core each: the same answer
    everywhere.  None = 0.003 for each session, 0.6 for 200.  The relaxation before it takes up to as long again.
    A background task may well allow 5;
    seconds: wall-clock limit of each search of CP-SAT besides, None for answers that do not depend on the machine;
    gap: share of the bound that is good enough;
    progress: told the share of the work done (0..1) and how many sessions are unplaced so far;
    cancelled: asked now and then; once true, the best repair so far is the answer.
    """

    deterministic: float | None = None
    seconds: float | None = None
    gap: float = 0.03
    progress: Callable[[float, int], None] | None = None
    cancelled: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class Handover:
    """What goes over as it is when shifts are handed over or swapped, and what does not fit, with why.

    rest: the problem once the moves are settled (and the shifts exchanged), for `repair` to go on with.
    """

    moves: tuple[RepairMove, ...]
    left: tuple[Unplaced, ...]
    rest: RepairProblem
