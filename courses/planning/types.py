"""What goes into the planner and what comes out: frozen values, no behaviour beyond small lookups.

Units. A *day* is an index 0..D-1 over consecutive calendar days from `Horizon.first_day`; a *slot* is one of
the 288 five-minute steps of a local day (slot 108 is 09:00); durations and margins are counted in slots.
A *mask* is a Python int with bit ``s`` set when something holds in slot ``s``; *masks* are a tuple of D of them.
A *day set* is an int too, bit ``d`` for day ``d``.  All costs are integers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from .rules import Key as AnyKey
from .rules import Rule

SLOTS_PER_DAY = 288
SLOT_MINUTES = 5

Masks = tuple[int, ...]
Key = AnyKey


class Strength(StrEnum):
    """A *must* is never broken; a *wish* costs when it is."""

    NONE = "none"
    WISH = "wish"
    MUST = "must"


class GapUnit(StrEnum):
    OPENING = "opening"  # the next opening day is 1
    CALENDAR = "calendar"  # the next day is 1


@dataclass(frozen=True, slots=True)
class Horizon:
    """The days a problem speaks of.  Sessions are only placed on opening days.

    Reach some weeks beyond the latest finish wanted: `explain` looks there for the earliest finish that opens a plan.
    """

    first_day: date
    opening: tuple[bool, ...]

    @property
    def days(self) -> int:
        return len(self.opening)


@dataclass(frozen=True, slots=True)
class ResourceDays:
    """One resource over the horizon; every mask is a subset of the one before it.

    works: its shifts (rooms, devices: the clinic's hours), absences and bookings ignored;
    present: works minus absences, closures and outages;
    free: present and at least one place is not taken — by anyone's live booking or unexpired hold;
    free_twice: at least two places are left, None for a resource of capacity one.  Needed only where margins let
    two sessions of the same patient overlap in one resource (turn-over of a device, a nurse).
    """

    works: Masks
    present: Masks
    free: Masks
    free_twice: Masks | None = None


@dataclass(frozen=True, slots=True)
class BookedSession:
    """A session booked already, as the rules between procedures see it.  course: None = of no course asked for."""

    day: int
    slot: int
    slots: int
    procedure: str
    tags: frozenset[str] = frozenset()
    course: Key | None = None


@dataclass(frozen=True, slots=True)
class Patient:
    """The one person all courses of a problem are for.

    free: masks of the time the patient has no booking, rests already taken away (full days: `FULL_DAY`);
    visits: day -> (first slot, slot after the last) of the visit already booked there in this clinic, all procedures;
    booked: day -> codes of the procedures already booked there, wherever they came from;
    sessions: what is booked and given, for the rules between procedures.
    Sessions that the problem re-plans are in none of them; pinned sessions are in all of them.
    """

    free: Masks
    visits: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    booked: Mapping[int, frozenset[str]] = field(default_factory=dict)
    sessions: tuple[BookedSession, ...] = ()


FULL_DAY = (1 << SLOTS_PER_DAY) - 1


@dataclass(frozen=True, slots=True)
class TherapistOption:
    """A qualified therapist.  List all of them: preferences and the gender asked for are the planner's business.

    valid_days: day set of the qualification, None = every day;
    hands: resource (capacity one) that stands for this therapist's own hands, where the procedure has hands-on slots.
    """

    therapist: int
    valid_days: int | None = None
    gender: str = ""
    languages: frozenset[str] = frozenset()
    hands: int | None = None


@dataclass(frozen=True, slots=True)
class RoomOption:
    """A suitable room and the devices of the needed kind that stand in it (empty: no device is needed).

    A room without the device the procedure needs must not be listed.
    """

    room: int
    devices: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Margins:
    """Slots reserved on one resource before and after the treatment itself."""

    before: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class ClassMeeting:
    """held = False: it falls out (holiday, instructor absent) and is only there for explanations."""

    meeting: int
    day: int
    slot: int
    slots: int
    seats_free: int
    held: bool = True


@dataclass(frozen=True, slots=True)
class ClassSeries:
    """A group class; meetings in the order of being held.  Room and instructor are reserved by the class itself."""

    series: int
    therapist: TherapistOption | None
    meetings: tuple[ClassMeeting, ...]
    room: int | None = None


@dataclass(frozen=True, slots=True)
class PinnedSession:
    """A session that stays as it is.  Gaps, weekly maximum and "one a day" hold against it."""

    day: int
    slot: int
    therapist: int | None = None


class Stay(StrEnum):
    """What a former time is worth when sessions are planned anew."""

    FREE = "free"  # a session may stay there only where the course's musts allow it
    MAY = "may"  # ... or though they do not: they bind the sessions that move
    MUST = "must"  # a session is there, and on that day nowhere else


@dataclass(frozen=True, slots=True)
class FormerSession:
    """Where one of the sessions to plan was until now; at most one a day.  Its places count as free."""

    day: int
    slot: int
    therapist: int | None = None
    room: int | None = None
    device: int | None = None
    stay: Stay = Stay.FREE


@dataclass(frozen=True, slots=True)
class CourseRequest:
    """`sessions` more sessions of one procedure, pinned and done ones not counted.

    Times.  A session takes `slots` slots; its resources are reserved for the margins around it as well, and the
    patient for `patient_margins` (rest).  Hands-on slots at its start and end need the therapist's hands.
    Resources.  A procedure without a therapist has needs_therapist = False, one without a room needs_room = False.
    Frequency.  From one session to the next gap_min..gap_max days of gap_unit; at most per_week in an ISO week;
    never two on one day.  gap_max None = no limit.  free_gaps: gaps cost nothing, as for visits that follow the
    sessions of another course.
    done_days: days inside the horizon on which sessions of this course have already been given; they count for the
    weekly maximum, and the first gap counts from the last of them (from above too, unless `resuming`).
    Wishes and musts.  Every session on one of `weekdays` (0 = Monday; empty = any) and whole between window[0]
    and window[1]; `preferred_therapist`; `gender` (always a must); `languages`, any of which will do.
    not_same_day_with: procedure codes that exclude this one on a day, in either direction.
    Changes.  `former`: the times from which sessions should move as little as can be (see `Profile.moved`);
    `hours` (whole session between them) and `excluded_therapists` are further musts, asked of what moves.
    Classes.  With `series` set the course is an enrolment: `sessions` consecutive held meetings of one series, each
    with a seat left; therapists, rooms and gaps do not apply, the other musts do.  List only series of the right
    procedure and rhythm.
    """

    key: Key
    procedure: str
    sessions: int
    slots: int
    therapists: tuple[TherapistOption, ...] = ()
    rooms: tuple[RoomOption, ...] = ()
    other_rooms: tuple[RoomOption, ...] = ()  # that would do if they were allowed; only concessions look at them
    needs_therapist: bool = True
    needs_room: bool = True
    therapist_margins: Margins = Margins()
    room_margins: Margins = Margins()
    device_margins: Margins = Margins()
    patient_margins: Margins = Margins()
    hands_on_start: int = 0
    hands_on_end: int = 0
    gap_min: int = 1
    gap_max: int | None = 3
    gap_unit: GapUnit = GapUnit.OPENING
    per_week: int | None = None
    free_gaps: bool = False
    start_day: int = 0
    finish_day: int | None = None  # inclusive; None = the whole horizon
    done_days: tuple[int, ...] = ()
    resuming: bool = False
    pinned: tuple[PinnedSession, ...] = ()
    excluded_days: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    weekdays_strength: Strength = Strength.NONE
    window: tuple[int, int] | None = None
    window_strength: Strength = Strength.NONE
    preferred_therapist: int | None = None
    therapist_strength: Strength = Strength.NONE
    gender: str = ""
    languages: frozenset[str] = frozenset()
    language_strength: Strength = Strength.NONE
    not_same_day_with: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    former: tuple[FormerSession, ...] = ()
    hours: tuple[int, int] | None = None
    excluded_therapists: frozenset[int] = frozenset()
    extra_therapist: int | None = None  # cost of each therapist beyond the first; None = the profile's, by tag
    series: tuple[ClassSeries, ...] | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """Weights of a plan's cost, integers.

    visit: each day on which the patient has to come who otherwise would not;
    finish: each calendar day until a course's last session, per course;
    wait: each slot between two sessions of one visit;
    arrival: each half hour between a visit's start and the programme's usual arrival time (a half hour of the day,
    chosen by the planner), counted in quarters;
    gap: each day beyond the minimal gap; hole: each calendar day of a gap beyond four;
    stub: each unusable stub of 1-3 free slots left beside a session in the therapist's calendar;
    window: each 15 minutes outside the wished part of the day; window_missed: each session that lies so;
    weekday: each session on a day not wished for;
    therapist: each session not with the preferred therapist; language: each session with a therapist who does not
    speak the wished language;
    extra_therapist: each therapist of a course beyond the first, by the procedure's dearest tag, without one
    `extra_therapist_default`; a course that brings its own figure goes by that. `extra_therapist_factor` multiplies it.
    Of a course with former times:
    moved: each session not at one of them with its therapist; as a rule more than all else that moving one could save;
    moved_day: ... and on a day without one; moved_time: ... and each 15 minutes from it (on another day: from the
    nearest of them); moved_therapist: ... and with another therapist (on another day: than any of them).
    """

    name: str = "balanced"
    visit: int = 20
    finish: int = 3
    wait: int = 1
    arrival: int = 2
    gap: int = 1
    hole: int = 2
    stub: int = 3
    window: int = 1
    window_missed: int = 8
    weekday: int = 12
    therapist: int = 15
    language: int = 5
    extra_therapist: Mapping[str, int] = field(
        default_factory=lambda: {
            "massage": 40,
            "acupuncture": 40,
            "manual": 60,
            "exercise": 15,
            "traction": 10,
            "device": 5,
        }
    )
    extra_therapist_default: int = 10
    extra_therapist_factor: int = 1
    combined_visit: int = 20  # added to `visit` where the patient asks for visits to be combined
    moved: int = 1000
    moved_day: int = 80
    moved_time: int = 10
    moved_therapist: int = 40


BALANCED = Profile()
EARLIEST_FINISH = Profile(name="earliest_finish", visit=8, finish=12, gap=0, arrival=1)
FEWEST_VISITS = Profile(name="fewest_visits", visit=90)
SAME_THERAPIST = Profile(
    name="same_therapist",
    therapist=40,
    extra_therapist_factor=6,
)
PROFILES: Mapping[str, Profile] = {p.name: p for p in (BALANCED, EARLIEST_FINISH, FEWEST_VISITS, SAME_THERAPIST)}


@dataclass(frozen=True, slots=True)
class Problem:
    """Courses of one patient to be planned together.  `resources` holds every id the courses name.

    rules: musts between procedures, see `rules`.
    """

    horizon: Horizon
    patient: Patient
    resources: Mapping[int, ResourceDays]
    courses: tuple[CourseRequest, ...]
    profile: Profile = BALANCED
    combine_visits: bool = False
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop improving; one course alone is always solved to the end.

    steps: placements of one course among the others and sweeps of a batch of combinations; it keeps answers
    reproducible.  seconds: needs a monotonic `clock`, looked at between steps, none of which takes more than about a
    tenth of a second.  Neither stops the search for a first plan before `last_resort` times the budget is spent;
    `cancelled` does.
    """

    steps: int | None = 300
    seconds: float | None = None
    clock: Callable[[], float] | None = None
    last_resort: int = 3
    cancelled: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class PlannedSession:
    """number: 1..sessions of the request, in time order, pinned and done ones not counted."""

    course: Key
    number: int
    day: int
    slot: int
    slots: int
    therapist: int | None = None
    room: int | None = None
    device: int | None = None
    series: int | None = None
    meeting: int | None = None


@dataclass(frozen=True, slots=True)
class PlanStats:
    """combinations: therapist sets x arrival times solved; rounds: steps taken, see `Budget.steps`."""

    combinations: int = 0
    rounds: int = 0
    visits: int = 0
    wait_slots: int = 0
    therapists: int = 0
    broken_wishes: int = 0
    arrival_slot: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Sessions in time order.  bound <= optimum <= cost; proven means cost == bound."""

    sessions: tuple[PlannedSession, ...]
    cost: int
    bound: int
    proven: bool
    stats: PlanStats = PlanStats()

    @property
    def gap(self) -> float:
        """How far, at most, the plan is from the best one, as a share of its cost; 0.0 when proven."""
        return 0.0 if self.cost <= self.bound else (self.cost - self.bound) / max(abs(self.cost), 1)


class Reason(StrEnum):
    """Why a course cannot be placed; the first that holds, in this order."""

    NO_QUALIFIED_THERAPIST = "no_qualified_therapist"
    NO_THERAPIST_OF_REQUESTED_GENDER = "no_therapist_of_requested_gender"
    NO_THERAPIST_OF_REQUESTED_LANGUAGE = "no_therapist_of_requested_language"
    NO_OTHER_THERAPIST = "no_other_therapist"  # all who may give it are excluded
    NO_ROOM = "no_room"
    NO_SHIFT_AT_REQUESTED_TIME = "no_shift_at_requested_time"
    CLASS_FULL = "class_full"
    WINDOW_TOO_SHORT = "window_too_short"
    REQUIRED_THERAPIST_ABSENT = "required_therapist_absent"
    KEPT_APART = "kept_apart"  # by rules between procedures, booked or asked for together
    FULLY_BOOKED = "fully_booked"


class Filter(StrEnum):
    """Steps of the waterfall; each counts the days left after all the steps up to it."""

    OPENING = "opening"  # opening days between start and finish
    WORKS = "works"  # an accepted therapist has a shift (a class is on the timetable)
    PRESENT = "present"  # ... and is not absent (the class is held)
    FREE = "free"  # ... and has time for a whole session (the class has a seat)
    ROOM = "room"  # ... while a room is free
    DEVICE = "device"  # ... and the device in it
    PATIENT = "patient"  # ... and the patient
    RULES = "rules"  # ... and rules between procedures allow it; only where there are any
    WEEKDAYS = "weekdays"  # ... on the weekdays asked for
    WINDOW = "window"  # ... in the part of the day asked for


@dataclass(frozen=True, slots=True)
class WaterfallStep:
    filter: Filter
    days: int


class Relaxation(StrEnum):
    """The families of concessions; what `Change.params` holds is named here."""

    WINDOW = "window"  # {"window": (first slot, end)}, or any time of day; {}
    WEEKDAYS = "weekdays"  # {"weekdays": (one more,)}, or any weekday; {}
    THERAPIST = "therapist"  # another qualified therapist; {"therapists": (id, ...)} that the plan then uses
    GENDER = "gender"  # a therapist of any gender; {"therapists": (id, ...)}
    LANGUAGE = "language"  # a therapist of any language; {"therapists": (id, ...)}
    GAP = "gap"  # more days between sessions; {"gap_max": n}
    WEEKLY = "weekly"  # more sessions a week; {"per_week": n}
    EXCLUDED = "excluded"  # the days excluded as well; {}
    FINISH = "finish"  # a later finish; {"finish_day": day}, the earliest that opens
    ROOM = "room"  # a room or device that is not the usual one; {}.  Not reception's to give up, nor are the next two
    SEQUENCING = "sequencing"  # without the rules that set this procedure beside others; {}
    FEWER = "fewer"  # fewer sessions; {"sessions": n}, the most that fit


@dataclass(frozen=True, slots=True)
class Change:
    """One must that one course gives up."""

    course: Key
    relaxation: Relaxation
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Concession:
    """A set of changes, solved: with them `plan` exists."""

    changes: tuple[Change, ...]
    plan: Plan
    first_day: int
    last_day: int


@dataclass(frozen=True, slots=True)
class CourseExplanation:
    """alone: the course could be placed if it were the only one; `reason` is None then.

    longest_hole: most days (of the course's gap unit) between two neighbouring usable days, to hold against gap_max.
    """

    course: Key
    alone: bool
    reason: Reason | None
    waterfall: tuple[WaterfallStep, ...]
    longest_hole: int
    gap_max: int | None
    most_sessions: int
    sessions: int
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why there is no plan, and the smallest concessions that open one, best first.

    partial: a plan of the sessions that do fit, every must kept; None where not one does.
    """

    reason: Reason
    course: Key | None
    courses: tuple[CourseExplanation, ...]
    concessions: tuple[Concession, ...] = ()
    partial: Plan | None = None


@dataclass(frozen=True, slots=True)
class NoPlan:
    """No plan was found; `explain` says why.  proven: there is none, else the search ended before that was shown."""

    proven: bool
    stats: PlanStats = PlanStats()


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a plan breaks: code, the course and session concerned, what to say it with."""

    code: str
    course: Key | None
    number: int | None = None
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with a problem itself, by field."""

    course: Key | None
    field: str
    code: str


class ProblemError(ValueError):
    """The problem is not one: `flaws` says which fields, before any solving."""

    def __init__(self, flaws: tuple[Flaw, ...]) -> None:
        super().__init__("; ".join(f"{f.course}: {f.field}: {f.code}" for f in flaws))
        self.flaws = flaws
