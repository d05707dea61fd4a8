"""Courses, their sessions, the visits these make up, and plans.

The database holds: no session number twice among live sessions, no appointment exactly when unplaced, no seat
sold twice, and every placed session reserved for its own patient.
"""

import uuid
from urllib.parse import urlsplit

import pghistory
import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from clinic.models import Appointment, Clinic, Patient, Reservation, Therapist, User
from clinic.models.appointments import refuse
from clinic.models.resources import Sex
from courses.booking.transitions import ENDED, LIVE, PLACED, Status
from courses.catalogue.models import GapUnit, Procedure
from courses.prescribing.models import Programme


class Strength(models.TextChoices):
    NONE = "none", _("no preference")
    WISH = "wish", _("wish")
    MUST = "must", _("must")


def _in(statuses: frozenset[Status]) -> list[str]:
    return sorted(str(status) for status in statuses)


def _quoted(statuses: frozenset[Status]) -> str:
    return ", ".join(f"'{status}'" for status in _in(statuses))


_SESSION_AGREEMENT = f"""
    SELECT a.live, a.seats INTO appointment_live, seats FROM clinic_appointment a WHERE a.id = session.appointment_id;
    IF session.status IN ({_quoted(PLACED)}) THEN
        SELECT c.patient_id INTO patient FROM courses_course c WHERE c.id = session.course_id;
        IF NOT appointment_live OR NOT EXISTS (
            SELECT 1 FROM clinic_reservation r WHERE r.appointment_id = session.appointment_id AND r.live
            AND r.resource_id = patient
        ) THEN
            {refuse("placed_session_reserves_its_patient")};
        END IF;
        IF (seats IS NULL) <> (session.seat IS NULL) OR session.seat > seats THEN
            {refuse("seat_within_class")};
        END IF;
    END IF;
"""

_SESSION_VARIABLES = [
    ("session", "courses_session%ROWTYPE"),
    ("appointment_live", "boolean"),
    ("seats", "integer"),
    ("patient", "bigint"),
]


@pghistory.track()
class Course(models.Model):
    """`sessions_total` sessions of one procedure; `done_before` of them were given before the software's time.

    Gaps count from one session to the next in `gap_unit`; empty frequency fields are asked for before planning.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        FINISHED = "finished", _("finished")
        STOPPED = "stopped", _("stopped")

    # Sessions get times while it is open, and are owed, whatever ends them, while it may go on.
    OPEN = (Status.DRAFT, Status.ACTIVE)
    OWING = (*OPEN, Status.PAUSED)

    class Origin(models.TextChoices):
        PRESCRIBED = "prescribed", _("prescribed")
        IMPORTED = "imported", _("imported")
        DESK = "desk", _("booked at the desk")

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="courses")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="courses")
    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="courses")
    programme = models.ForeignKey(Programme, on_delete=models.PROTECT, null=True, blank=True, related_name="courses")
    line_number = models.PositiveSmallIntegerField(default=1)
    origin = models.CharField(max_length=16, choices=Origin, default=Origin.DESK)
    status = models.CharField(max_length=16, choices=Status, default=Status.DRAFT)
    sessions_total = models.PositiveSmallIntegerField()
    done_before = models.PositiveSmallIntegerField(default=0)
    minutes = models.PositiveSmallIntegerField(help_text=_("patient's time in one session"))
    area = models.CharField(max_length=100, blank=True)
    side = models.CharField(max_length=16, blank=True)

    frequency = models.CharField(max_length=32, blank=True, help_text=_("name of the frequency, as prescribed"))
    gap_min = models.PositiveSmallIntegerField(null=True, blank=True)
    gap_max = models.PositiveSmallIntegerField(null=True, blank=True)
    gap_unit = models.CharField(max_length=16, choices=GapUnit, default=GapUnit.OPENING)
    per_week = models.PositiveSmallIntegerField(null=True, blank=True)
    start_from = models.DateField(null=True, blank=True)
    finish_by = models.DateField(null=True, blank=True)
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True, help_text=_("1 Monday … 7"))
    weekdays_strength = models.CharField(max_length=8, choices=Strength, default=Strength.NONE)
    window_from = models.TimeField(null=True, blank=True)
    window_until = models.TimeField(null=True, blank=True)
    window_strength = models.CharField(max_length=8, choices=Strength, default=Strength.NONE)
    preferred_therapist = models.ForeignKey(
        Therapist, on_delete=models.PROTECT, null=True, blank=True, related_name="preferred_in"
    )
    therapist_strength = models.CharField(max_length=8, choices=Strength, default=Strength.NONE)
    therapist_gender = models.CharField(max_length=1, choices=Sex, blank=True)
    therapist_language = models.CharField(max_length=8, blank=True)
    language_strength = models.CharField(max_length=8, choices=Strength, default=Strength.NONE)
    preference_text = models.CharField(max_length=300, blank=True)
    note = models.CharField(max_length=500, blank=True)
    paused_until = models.DateField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["programme", "line_number", "pk"]
        indexes = [models.Index(fields=["patient", "status"], name="course_by_patient")]
        constraints = [
            models.CheckConstraint(
                name="course_has_sessions",
                condition=Q(sessions_total__gte=1) & Q(done_before__lte=F("sessions_total")),
            ),
            models.CheckConstraint(name="course_minutes_on_grid", condition=Q(minutes__gte=5)),
            models.CheckConstraint(
                name="course_gaps_ordered",
                condition=Q(gap_min=None) | Q(gap_max=None) | Q(gap_min__lte=F("gap_max"), gap_min__gte=1),
            ),
            models.CheckConstraint(
                name="course_window_ordered",
                condition=Q(window_from=None, window_until=None) | Q(window_from__lt=F("window_until")),
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="sessions_keep_their_patient",
                when=pgtrigger.After,
                operation=pgtrigger.UpdateOf("patient_id"),
                timing=pgtrigger.Deferred,
                declare=_SESSION_VARIABLES,
                func=f"""
                    FOR session IN SELECT * FROM courses_session WHERE course_id = NEW.id LOOP
                    {_SESSION_AGREEMENT}
                    END LOOP;
                    RETURN NULL;
                """,
            ),
            pgtrigger.Trigger(
                name="merged_card_gets_no_course",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("patient_id"),
                declare=[("survivor", "bigint")],
                # Waits for a merge that is under way, and a merge waits for the course.
                func=f"""
                    SELECT p.merged_into_id INTO survivor FROM clinic_patient p
                        WHERE p.resource_id = NEW.patient_id FOR SHARE;
                    IF survivor IS NOT NULL THEN
                        {refuse("merged_card_takes_nothing")};
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


def new_visit_uid() -> str:
    """Random and final: it is stored whole, so that a later change of the site's address changes no event."""
    return f"{uuid.uuid4()}@{urlsplit(settings.PUBLIC_URL).hostname}"


@pghistory.track()
class Visit(models.Model):
    """A patient's appointments in one clinic on one local day.

    `uid` never changes; `sequence` rises with every change of time or place that a calendar must learn of.
    """

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="visits")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="visits")
    date = models.DateField()
    uid = models.CharField(max_length=200, default=new_visit_uid, unique=True, editable=False)
    sequence = models.PositiveIntegerField(default=0)
    revised_at = models.DateTimeField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    live = models.BooleanField(default=True)
    arrived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["starts_at", "pk"]
        indexes = [models.Index(fields=["clinic", "date"], name="visit_by_day")]
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "clinic", "date"], condition=Q(live=True), name="one_visit_a_day"
            ),
            models.CheckConstraint(name="visit_ends_after_start", condition=Q(starts_at__lt=F("ends_at"))),
        ]

    def __str__(self) -> str:
        return f"{self.date}"


class Plan(models.Model):
    """A stored proposal for all sessions of some courses. `items` holds one object per session:

    `{"session", "course", "start", "end", "therapist", "room", "device", "meeting", "takes"}` — primary keys, and
    UTC times in ISO 8601; `takes` lists the reservations as `[resource, start, end]`, margins included.
    `request` holds the wishes it answers, `explanation` the reasons where there is no plan.

    Plans proposed side by side share a `group`; `comparison` holds what each is best for and its figures.  A plan made
    from where sessions were lists the `changes`; of a proposal nudged it is `based_on` that one.
    """

    class Status(models.TextChoices):
        PROPOSED = "proposed", _("proposed")
        IMPOSSIBLE = "impossible", _("no plan")
        HELD = "held", _("held")
        BOOKED = "booked", _("booked")
        EXPIRED = "expired", _("expired")

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="plans")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="plans")
    courses = models.ManyToManyField(Course, related_name="plans")
    status = models.CharField(max_length=16, choices=Status)
    profile = models.CharField(max_length=32, default="balanced")
    request = models.JSONField(default=dict)
    items = models.JSONField(default=list)
    explanation = models.JSONField(null=True)
    cost = models.IntegerField(null=True)
    bound = models.IntegerField(null=True)
    proven = models.BooleanField(default=False)
    plan_ms = models.FloatField(default=0)
    versions = models.JSONField(default=dict, help_text=_("versions of the resources when it was made"))
    group = models.UUIDField(null=True, editable=False)
    comparison = models.JSONField(null=True)
    based_on = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="nudged")
    changes = models.JSONField(null=True)
    held_until = models.DateTimeField(null=True)
    renewals = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    booked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["group"], condition=Q(group__isnull=False), name="plan_by_group")]
        constraints = [
            models.CheckConstraint(
                name="held_plan_has_an_end",
                condition=Q(status="held", held_until__isnull=False) | (~Q(status="held") & Q(held_until=None)),
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def gap(self) -> float | None:
        """How far at most from the best plan, as a share of its cost; None where there is no plan."""
        if self.cost is None or self.bound is None:
            return None
        return max(0.0, (self.cost - self.bound) / max(abs(self.cost), 1))


@pghistory.track()
class Session(models.Model):
    """One of a course's sessions. Moved, it keeps its row; booked again after it ended, it is a new one."""

    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="sessions")
    number = models.PositiveSmallIntegerField()
    status = models.CharField(
        max_length=24, choices=[(str(s), s.replace("_", " ")) for s in Status], default=Status.UNPLACED
    )
    appointment = models.ForeignKey(
        Appointment, on_delete=models.PROTECT, null=True, blank=True, related_name="sessions"
    )
    seat = models.PositiveSmallIntegerField(null=True, blank=True)
    visit = models.ForeignKey(Visit, on_delete=models.PROTECT, null=True, blank=True, related_name="sessions")
    plan = models.ForeignKey(Plan, on_delete=models.SET_NULL, null=True, blank=True, related_name="sessions")
    held_until = models.DateTimeField(null=True, blank=True)
    replaces = models.OneToOneField("self", on_delete=models.PROTECT, null=True, blank=True, related_name="replaced_by")
    to_replace = models.BooleanField(_("to re-place"), default=False)
    pinned = models.BooleanField(default=False)
    reason = models.CharField(max_length=300, blank=True, help_text=_("why it ended without treatment"))
    arrived_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["course", "number", "pk"]
        indexes = [
            models.Index(fields=["held_until"], condition=Q(status="held"), name="session_holds"),
            models.Index(fields=["appointment"], name="session_by_appointment"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["course", "number"], condition=Q(status__in=_in(LIVE)), name="session_number_once"
            ),
            models.UniqueConstraint(
                fields=["appointment", "seat"],
                condition=Q(status__in=_in(PLACED)) & Q(seat__isnull=False),
                name="seat_sold_once",
            ),
            models.UniqueConstraint(
                fields=["appointment"],
                condition=Q(status__in=_in(PLACED)) & Q(seat=None),
                name="treatment_is_one_session",
            ),
            models.CheckConstraint(
                name="unplaced_has_no_appointment",
                condition=Q(status="unplaced", appointment=None)
                | (Q(appointment__isnull=False) & ~Q(status="unplaced"))
                | Q(appointment=None, status__in=["cancelled", "cancelled_by_clinic", "entered_in_error"]),
            ),
            models.CheckConstraint(
                name="hold_has_an_end",
                condition=Q(status="held", held_until__isnull=False) | (~Q(status="held") & Q(held_until=None)),
            ),
            # Another word would be neither live nor ended, and so slip through every rule above.
            models.CheckConstraint(name="session_status_is_known", condition=Q(status__in=_in(frozenset(Status)))),
            models.CheckConstraint(name="session_numbers_from_one", condition=Q(number__gte=1)),
            models.CheckConstraint(name="seats_from_one", condition=Q(seat=None) | Q(seat__gte=1)),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="agrees_with_reservation",
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("status", "appointment_id", "seat", "course_id"),
                timing=pgtrigger.Deferred,
                declare=_SESSION_VARIABLES,
                func=f"""
                    FOR session IN SELECT * FROM courses_session WHERE id = NEW.id LOOP
                    {_SESSION_AGREEMENT}
                    END LOOP;
                    RETURN NULL;
                """,
            ),
            pgtrigger.Trigger(
                name="ended_session_stays_ended",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("status"),
                condition=pgtrigger.Condition(f"OLD.status IN ({_quoted(ENDED)}) AND NEW.status <> OLD.status"),
                func=refuse("ended_session_stays_ended") + ";",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def time(self) -> Appointment:
        """The appointment of a session that has one. Raises ValueError for an unplaced session."""
        if self.appointment is None:
            raise ValueError(f"session {self.pk} has no time")
        return self.appointment


class SessionReservation(Reservation):
    """Reservations seen from sessions: no patient's place goes while a session still stands on it."""

    class Meta:
        proxy = True
        triggers = [
            pgtrigger.Trigger(
                name="sessions_keep_their_patient",
                when=pgtrigger.After,
                operation=pgtrigger.UpdateOf("live", "resource_id", "appointment_id") | pgtrigger.Delete,
                timing=pgtrigger.Deferred,
                declare=_SESSION_VARIABLES,
                func=f"""
                    FOR session IN SELECT s.* FROM courses_session s JOIN courses_course c ON c.id = s.course_id
                        WHERE s.appointment_id = OLD.appointment_id AND c.patient_id = OLD.resource_id LOOP
                    {_SESSION_AGREEMENT}
                    END LOOP;
                    RETURN NULL;
                """,
            )
        ]


class CoursePatient(Patient):
    """Cards seen from courses: one that was merged into another has nothing left of its own."""

    class Meta:
        proxy = True
        triggers = [
            pgtrigger.Trigger(
                name="merged_card_is_empty",
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("merged_into_id"),
                condition=pgtrigger.Condition("NEW.merged_into_id IS NOT NULL"),
                timing=pgtrigger.Deferred,
                func=f"""
                    IF EXISTS (SELECT 1 FROM courses_course c WHERE c.patient_id = NEW.resource_id)
                       OR EXISTS (SELECT 1 FROM courses_visit v WHERE v.patient_id = NEW.resource_id AND v.live)
                       OR EXISTS (SELECT 1 FROM clinic_reservation r WHERE r.resource_id = NEW.resource_id AND r.live)
                    THEN
                        {refuse("merged_card_is_empty")};
                    END IF;
                    RETURN NULL;
                """,
            )
        ]


class SessionAppointment(Appointment):
    """Appointments seen from sessions: a class does not lose a seat that is sold."""

    class Meta:
        proxy = True
        triggers = [
            pgtrigger.Trigger(
                name="sold_seats_stay",
                when=pgtrigger.After,
                operation=pgtrigger.UpdateOf("seats", "kind", "live"),
                timing=pgtrigger.Deferred,
                declare=_SESSION_VARIABLES,
                func=f"""
                    FOR session IN SELECT * FROM courses_session WHERE appointment_id = NEW.id LOOP
                    {_SESSION_AGREEMENT}
                    END LOOP;
                    RETURN NULL;
                """,
            )
        ]


__all__ = [
    "Course",
    "CoursePatient",
    "Plan",
    "Session",
    "SessionAppointment",
    "SessionReservation",
    "Strength",
    "Visit",
]
