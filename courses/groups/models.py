"""Group classes: a timetable and its meetings."""

import pghistory
from django.db import models
from django.utils.translation import gettext_lazy as _

from clinic.models import Appointment, Clinic, Room, Therapist
from clinic.models.availability import validate_rrule
from courses.catalogue.models import Procedure


@pghistory.track()
class GroupClass(models.Model):
    """A class that meets by a recurrence rule; it takes the whole hall and the instructor."""

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="group_classes")
    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="group_classes")
    name = models.CharField(max_length=200)
    instructor = models.ForeignKey(Therapist, on_delete=models.PROTECT, related_name="group_classes")
    room = models.ForeignKey(Room, on_delete=models.PROTECT, related_name="group_classes")
    capacity = models.PositiveSmallIntegerField()
    starts_on = models.DateField()
    start_time = models.TimeField()
    minutes = models.PositiveSmallIntegerField()
    rrule = models.CharField(max_length=500, validators=[validate_rrule])
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name", "pk"]
        verbose_name_plural = _("group classes")

    def __str__(self) -> str:
        return self.name


@pghistory.track()
class ClassMeeting(models.Model):
    """One meeting of a class; its appointment has the seats, the hall and the instructor."""

    appointment = models.OneToOneField(
        Appointment, on_delete=models.PROTECT, primary_key=True, related_name="class_meeting"
    )
    group_class = models.ForeignKey(GroupClass, on_delete=models.PROTECT, related_name="meetings")
    date = models.DateField(help_text=_("local date of the timetable"))

    class Meta:
        ordering = ["date"]
        constraints = [models.UniqueConstraint(fields=["group_class", "date"], name="class_meets_once_a_day")]

    def __str__(self) -> str:
        return f"{self.group_class} {self.date}"
