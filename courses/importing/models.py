"""Which row of a clinic's files became which row of ours, so that a second import changes nothing."""

from django.db import models

from clinic.models import Clinic


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
