"""Keys that other rows refer to: what is known, which rows were rejected, and the nearest name to a wrong one."""

from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from rapidfuzz import fuzz, process

from courses.importing.rows import Row
from courses.importing.values import fold

# Below this similarity (0-100) a suggestion misleads more than it helps.
_NEAR_ENOUGH = 70


@dataclass(slots=True)
class Register:
    """Accepted keys of one table. Keys that differ only in case, spacing or ``ё`` are the same key."""

    file: str
    keys: dict[str, str] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)

    def add(self, row: Row, key: str, *, column: str, kind: str = "duplicate_key") -> None:
        """Take the key of a row; a key already taken by an earlier accepted row rejects the row as ``kind``."""
        earlier = self.records.get(fold(key))
        if earlier is not None:
            row.report(kind, column, related_record=earlier)
        else:
            self.keys[fold(key)] = key
            self.records[fold(key)] = row.origin.record

    def reject(self, row: Row, key: str) -> None:
        """Free a key that the row took before it was rejected, and remember it for rows that hang on it."""
        taken = self._last_taken(row.origin.record)
        if taken is not None:
            del self.keys[taken], self.records[taken]
        if key and fold(key) not in self.keys:
            self.rejected.setdefault(fold(key), row.origin.record)

    def find(self, row: Row, key: str, *, column: str, kind: str, orphan: str = "") -> str:
        """The key as its own table writes it. Unknown ones are ``kind``, or ``orphan`` when their row was rejected."""
        if not key:
            return ""
        known = self.keys.get(fold(key))
        if known is not None:
            return known
        if orphan and fold(key) in self.rejected:
            row.report(orphan, column)
        else:
            row.report(kind, column, list=self.file, suggestion=self._suggest(key))
        return key

    def _last_taken(self, record: int) -> str | None:
        folded = next(reversed(self.records), None)
        return folded if folded is not None and self.records[folded] == record else None

    def _suggest(self, key: str) -> str:
        nearest = process.extractOne(fold(key), list(self.keys), scorer=fuzz.ratio, score_cutoff=_NEAR_ENOUGH)
        # Another number is another person, however near it looks.
        if nearest is None or key.isdigit():
            return ""
        return _("; nearest: “%(name)s”") % {"name": self.keys[nearest[0]]}
