"""Which key of the files has already become which row, so that importing again changes nothing."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, TypeVar

from clinic.models import Clinic
from courses.importing.models import ImportedRecord

Record = TypeVar("Record")

# Where a record stands in its file is not part of what it says.
_NOT_CONTENT = frozenset({"origin", "duplicate_of", "breaks"})


class ImportedKeys:
    """Keys of one clinic by noun. Read once per file group, inside its transaction; `save` writes the new ones."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.created: Counter[str] = Counter()
        self.differing: Counter[str] = Counter()
        self._new: list[ImportedRecord] = []
        self._known: dict[tuple[str, str], int] = {}
        self._digests: dict[tuple[str, str], str] = {}
        rows = ImportedRecord.objects.filter(clinic=clinic).values_list("noun", "key", "object_id", "digest")
        for noun, key, object_id, digest in rows:
            self._known[noun, key] = object_id
            self._digests[noun, key] = digest

    def find(self, noun: str, key: str) -> int | None:
        """Primary key of what a key of the files became, or None."""
        return self._known.get((noun, key))

    def __getitem__(self, place: tuple[str, str]) -> int:
        return self._known[place]

    def sift(self, noun: str, records: Iterable[Record], key: Callable[[Record], str]) -> list[Record]:
        """Records not imported yet. Those that say something else than when they were imported are only counted."""
        fresh = []
        for record in records:
            place = (noun, key(record))
            if place not in self._known:
                fresh.append(record)
            elif self._digests[place] != digest_of(record):
                self.differing[noun] += 1
        return fresh

    def remember(self, noun: str, key: str, object_id: int, record: Any = None) -> None:
        self._known[noun, key] = object_id
        self.created[noun] += 1
        digest = "" if record is None else digest_of(record)
        self._digests[noun, key] = digest
        self._new.append(ImportedRecord(clinic=self.clinic, noun=noun, key=key, object_id=object_id, digest=digest))

    def save(self) -> None:
        ImportedRecord.objects.bulk_create(self._new, batch_size=1000)
        self._new = []


def digest_of(record: Any) -> str:
    """A fingerprint of what a canonical record says."""
    content = [(field.name, getattr(record, field.name)) for field in fields(record) if field.name not in _NOT_CONTENT]
    return hashlib.sha256(repr(content).encode()).hexdigest()
