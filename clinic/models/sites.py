"""Clinics (sites) and their calendars."""

import datetime as dt
import zoneinfo

import pghistory
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from clinic.models.versions import ROOMS_OF_CLINIC, raises_version


def validate_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(zone)s” is not a time zone. Write it like Europe/Warsaw."), params={"zone": name})


def monday_to_saturday() -> list[int]:
    return [1, 2, 3, 4, 5, 6]


def default_reminder_offsets() -> list[int]:
    """Hours before a visit. Two reminders, 3 days and 1 day: Steiner 2018, AJMC, 54,066 randomised."""
    return [72, 24]


@pghistory.track()
class Clinic(models.Model):
    """A site: its zone, its language, its opening days and its policies."""

    name = models.CharField(_("name"), max_length=200)
    zone = models.CharField(_("time zone"), max_length=64, validators=[validate_zone])
    country = models.CharField(_("country"), max_length=2, help_text=_("For proposing public holidays: PL, RU, …"))
    language = models.CharField(_("language of texts to patients"), max_length=8, default="en")
    address = models.CharField(_("address"), max_length=300, blank=True)
    phone = models.CharField(_("phone"), max_length=32, blank=True)
    email = models.EmailField(_("e-mail, sender of messages"), blank=True)
    opening_weekdays = ArrayField(
        models.PositiveSmallIntegerField(), default=monday_to_saturday, help_text=_("1 Monday … 7 Sunday")
    )
    grid_minutes = models.PositiveSmallIntegerField(default=5)
    book_until = models.DateField(_("last day open for booking"), null=True, blank=True)
    quiet_from = models.TimeField(default=dt.time(20, 0))
    quiet_until = models.TimeField(default=dt.time(8, 0))
    settle_minutes = models.PositiveSmallIntegerField(
        default=3, help_text=_("Messages wait this long, so that a correction never reaches the patient.")
    )
    reminder_offsets = ArrayField(models.PositiveSmallIntegerField(), default=default_reminder_offsets)
    hold_minutes = models.PositiveSmallIntegerField(default=10)
    late_cancel_hours = models.PositiveSmallIntegerField(default=24)
    moves_await_word = models.BooleanField(
        default=True,
        help_text=_("A session that the clinic moved is not confirmed until the patient says so."),
    )
    room_change_minutes = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(name="clinic_grid_is_five", condition=models.Q(grid_minutes=5)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def tz(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.zone)

    def local_date(self, moment: dt.datetime) -> dt.date:
        return moment.astimezone(self.tz).date()


@pghistory.track()
class CalendarDay(models.Model):
    """A day on which the clinic differs from its week: closed, shortened, or worked as another weekday."""

    class Kind(models.TextChoices):
        CLOSED = "closed", _("closed")
        SHORTENED = "shortened", _("shortened")
        WORKED_AS = "worked_as", _("worked as another weekday")

    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="calendar_days")
    date = models.DateField()
    kind = models.CharField(max_length=16, choices=Kind)
    name = models.CharField(max_length=200, blank=True)
    closes_at = models.TimeField(null=True, blank=True)
    works_as = models.PositiveSmallIntegerField(null=True, blank=True, help_text=_("1 Monday … 7 Sunday"))

    class Meta:
        ordering = ["date"]
        constraints = [
            models.UniqueConstraint(fields=["clinic", "date"], name="calendar_day_once"),
            models.CheckConstraint(
                name="calendar_day_says_how",
                condition=models.Q(kind="closed", closes_at=None, works_as=None)
                | models.Q(kind="shortened", closes_at__isnull=False, works_as=None)
                | models.Q(kind="worked_as", closes_at=None, works_as__isnull=False, works_as__range=(1, 7)),
            ),
        ]
        triggers = [raises_version(ROOMS_OF_CLINIC)]

    def __str__(self) -> str:
        return f"{self.date} {self.get_kind_display()}"
