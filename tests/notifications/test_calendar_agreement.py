"""Whatever happens to visits and to mails on their way, the patient's calendar ends as the clinic's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import icalendar
import pytest
from hypothesis import HealthCheck, Phase, given, strategies
from hypothesis import settings as effort

from clinic.models import Clinic, Patient
from notifications.delivery import deliver_due
from notifications.models import Message
from notifications.outbox import announce_visits
from notifications.sink import StoredMail, read_mail
from notifications.snapshots import VisitSnapshot
from tests.notifications.conftest import NOW, make_clinic, make_patient, make_visit
from tests.notifications.mailserver import MailServer

pytestmark = pytest.mark.django_db

STATIONS = 3


class PatientsCalendar:
    """Applies invitations as RFC 5546 tells a calendar program to (sections 3.2.2 and 3.2.5, and 2.1.5 on order)."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[int, datetime]] = {}
        self.events: dict[str, tuple[datetime, datetime]] = {}

    def receive(self, mail: StoredMail) -> None:
        if mail.calendar is None:
            return
        calendar = icalendar.Calendar.from_ical(mail.calendar)
        [event] = calendar.events
        uid, revision = str(event["UID"]), (int(event["SEQUENCE"]), event["DTSTAMP"].dt)
        if calendar["METHOD"] == "CANCEL":
            # Google and Outlook show an error for the cancellation of what they never had.
            assert uid in self.known, "a CANCEL without a REQUEST"
        if uid in self.known and revision < self.known[uid]:
            return
        self.known[uid] = revision
        self.events.pop(uid, None)
        if calendar["METHOD"] == "REQUEST":
            assert event["STATUS"] == "CONFIRMED"
            self.events[uid] = (event.start.astimezone(UTC), event.end.astimezone(UTC))


# What happens: at a station (a visit's place in the programme) something, after so many minutes; and how the worker and
# the mail server are at that time.
STEPS = strategies.lists(
    strategies.tuples(
        strategies.integers(0, STATIONS - 1),
        strategies.sampled_from(["book", "move", "move back", "cancel", "nothing"]),
        strategies.integers(0, 90),
        strategies.sampled_from(["works", "works", "greylists", "hangs up", "is down", "worker dies"]),
    ),
    min_size=1,
    max_size=14,
)


class Story:
    def __init__(self, clinic: Clinic, patient: Patient, server: MailServer) -> None:
        self.clinic, self.patient, self.server = clinic, patient, server
        self.now = NOW
        self.standing: dict[int, VisitSnapshot] = {}
        self.origins: dict[int, datetime] = {}

    def change(self, station: int, what: str) -> None:
        visit = self.standing.get(station)
        if what == "book" and visit is None:
            start = NOW + timedelta(days=10 + station)
            visit = make_visit(start, uid=f"{uuid4()}@health-house.example", revised_at=self.now)
            self.origins[station] = start
        elif what == "nothing" or visit is None:
            return
        else:
            start = {"move": visit.starts_at + timedelta(hours=1), "move back": self.origins[station]}.get(what)
            start = start or visit.starts_at
            visit = replace(
                visit,
                sequence=visit.sequence + 1,
                revised_at=self.now,
                starts_at=start,
                ends_at=start + timedelta(minutes=50),
                cancelled=what == "cancel",
            )
        self.standing[station] = visit
        announce_visits(
            clinic=self.clinic, patient=self.patient, visits=[visit], summary_key=f"programme:{visit.uid}", now=self.now
        )
        if visit.cancelled:
            del self.standing[station]

    def next_mail(self) -> datetime | None:
        unsent = Message.objects.filter(patient=self.patient, channel="email", status__in=Message.UNSENT)
        return unsent.order_by("next_attempt_at").values_list("next_attempt_at", flat=True).first()

    def work(self, state: str) -> None:
        due = self.next_mail()
        if due is None or due > self.now:
            return
        self.server.answer = {"greylists": lambda _to: "451 later", "hangs up": lambda _to: "hang up"}.get(
            state, lambda _to: None
        )
        if state == "worker dies":
            # The server has the mails, the marks are lost: all are leased still, and will be sent again.
            sent = set(Message.objects.filter(patient=self.patient, status="sent").values_list("pk", flat=True))
            deliver_due(clock=lambda: self.now)
            Message.objects.filter(patient=self.patient, status="sent").exclude(pk__in=sent).update(
                status="leased", lease=uuid4(), sent_at=None, next_attempt_at=self.now + timedelta(seconds=90)
            )
        elif state != "is down":
            deliver_due(clock=lambda: self.now)


@given(steps=STEPS)
@effort(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a story is slow, and short enough to read as it is
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_patients_calendar_ends_as_the_clinics(db: None, mail_server: MailServer, steps):
    arrived = mail_server.last
    story = Story(make_clinic(), make_patient(), mail_server)
    for station, what, minutes, state in steps:
        story.now += timedelta(minutes=minutes)
        story.change(station, what)
        story.work(state)
    while (waiting := story.next_mail()) and waiting < NOW + timedelta(days=3):
        story.now = max(story.now, waiting)
        story.work("works")
    calendar = PatientsCalendar()
    for number in range(arrived + 1, mail_server.last + 1):
        calendar.receive(read_mail(mail_server.directory / f"{number:06}.eml"))
    assert calendar.events == {visit.uid: (visit.starts_at, visit.ends_at) for visit in story.standing.values()}
