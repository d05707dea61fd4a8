"""Which row of a clinic's files became which row of ours, and imports that are under way."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from clinic.models import Clinic, User


class ImportedRecord(models.Model):
    """`noun` and `key` as in the files (`session`, `S00001`); `object_id` is the primary key it became."""

    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="+")
    noun = models.CharField(max_length=32)
    key = models.CharField(max_length=200)
    object_id = models.BigIntegerField()
    digest = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["clinic", "noun", "key"], name="imported_record_once")]
        indexes = [models.Index(fields=["clinic", "noun", "object_id"], name="imported_record_back")]

    def __str__(self) -> str:
        return f"{self.noun} {self.key}"


class ImportRun(models.Model):
    """An import from the browser: files given, checked in the background, looked at, loaded in the background.

    `issues` are those of `courses.importing.issues`; `accepted` counts rows by table, `created` and `differing` by
    noun.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting to be checked")
        CHECKING = "checking", _("being checked")
        CHECKED = "checked", _("checked")
        QUEUED = "queued", _("waiting to be imported")
        LOADING = "loading", _("being imported")
        DONE = "done", _("imported")
        FAILED = "failed", _("not imported")

    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="import_runs")
    status = models.CharField(max_length=16, choices=Status, default=Status.WAITING)
    mapping = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    step = models.PositiveSmallIntegerField(default=0)
    issues = models.JSONField(default=list)
    accepted = models.JSONField(default=dict)
    created = models.JSONField(default=dict)
    differing = models.JSONField(default=dict)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(
                fields=["created_at"],
                name="import_run_to_do",
                condition=models.Q(status__in=["waiting", "checking", "queued", "loading"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.clinic} {self.created_at:%Y-%m-%d %H:%M}"


class ImportFile(models.Model):
    """A file of a run, in the database because workers may run on another machine. Goes when it is imported."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=150)
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="import_file_once")]

    def __str__(self) -> str:
        return self.name
