"""A record under the canonical names of its columns, with typed cells that report their own defects."""

from collections.abc import Iterator
from collections.abc import Mapping as Words
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from courses.importing.issues import KINDS, Issue, Outcome, make_issue
from courses.importing.mapping import TABLES, Mapping
from courses.importing.reading import SourceFile
from courses.importing.records import Origin
from courses.importing.values import UnreadableError, fold, parse_date, parse_number, parse_time, parse_word, squeeze

MAX_TEXT = 2000
MAX_KEY = 50


@dataclass(slots=True)
class Row:
    """Cells of one record by canonical column. A getter that meets a defect reports it and returns an empty value.

    ``rejected`` becomes true with the first issue whose outcome is to leave the record out.
    """

    origin: Origin
    table: str
    cells: Words[str, str]
    mapping: Mapping
    issues: list[Issue]
    rejected: bool = field(default=False)

    def report(self, kind: str, column: str = "", *, related_record: int | None = None, **details: Any) -> None:
        heading = self.mapping.heading(self.table, column) if column else ""
        self.issues.append(
            make_issue(
                kind,
                file=self.origin.file,
                record=self.origin.record,
                line=self.origin.line,
                column=heading,
                related_record=related_record,
                raw_value=self.cells.get(column, ""),
                **details,
            )
        )
        self.rejected = self.rejected or KINDS[kind].outcome == Outcome.REJECT

    def raw(self, column: str) -> str:
        return self.cells.get(column, "")

    def has(self, column: str) -> bool:
        return bool(self.raw(column).strip())

    def text(self, column: str, *, limit: int = MAX_TEXT, required: bool = False) -> str:
        value = self.raw(column).strip()
        if required and not value:
            self.report("value_missing", column)
        if len(value) > limit:
            self.report("too_long", column, limit=limit)
            return ""
        return value

    def key(self, column: str, *, required: bool = True) -> str:
        """A key or a reference to one: inner white space does not count, leading zeros do."""
        return squeeze(self.text(column, limit=MAX_KEY, required=required))

    def words(self, column: str) -> tuple[str, ...]:
        """A list inside a cell, separated with ``|``."""
        return tuple(filter(None, (part.strip() for part in self.text(column).split("|"))))

    def number(self, column: str, *, low: int = 1, high: int, default: int | None = None) -> int:
        if not self.has(column) and default is not None:
            return default
        try:
            return parse_number(self.raw(column), low=low, high=high)
        except UnreadableError as error:
            self.report(error.kind, column, **error.details)
            return low

    def word(self, column: str, words: str, *, default: str = "") -> str:
        if not self.has(column):
            return default
        try:
            return parse_word(self.raw(column), self.mapping.words[words])
        except UnreadableError as error:
            self.report(error.kind, column, **error.details)
            return default

    def flag(self, column: str, *, words: str = "boolean") -> bool:
        return self.word(column, words, default="false") == "true"

    def date(self, column: str, *, required: bool = False) -> date | None:
        if not self.has(column):
            if required:
                self.report("value_missing", column)
            return None
        try:
            value, short = parse_date(self.raw(column))
        except UnreadableError as error:
            self.report(error.kind, column)
            return None
        if short:
            self.report("two_digit_year", column, value=value.isoformat())
        return value

    def time(self, column: str, *, required: bool = False) -> time | None:
        if not self.has(column):
            if required:
                self.report("value_missing", column)
            return None
        try:
            value, kinds = parse_time(self.raw(column))
        except UnreadableError as error:
            self.report(error.kind, column)
            return None
        for kind in kinds:
            self.report(kind, column)
        return value

    def moment(self, column: str, *, date_column: str = "", time_column: str = "") -> datetime | None:
        """A local date and time from one cell (``2026-11-30T07:30``), or from a cell each. Always required."""
        if self.has(column) or not date_column:
            day, _, hour = self.raw(column).strip().replace(" ", "T", 1).partition("T")
            try:
                return datetime.combine(parse_date(day)[0], parse_time(hour)[0])
            except UnreadableError as error:
                self.report(error.kind if self.has(column) else "value_missing", column)
                return None
        day_of, hour_of = self.date(date_column, required=True), self.time(time_column, required=True)
        return datetime.combine(day_of, hour_of) if day_of and hour_of else None


def open_rows(source: SourceFile, *, table: str, mapping: Mapping, issues: list[Issue]) -> Iterator[Row]:
    """Rows of a file that hold a record: empty rows, totals lines and exact copies are reported and left out.

    A file without a required column yields nothing but one issue per column.
    """
    places = {heading: place for place, heading in reversed(list(enumerate(source.header)))}
    folded = {fold(heading): place for heading, place in places.items()}
    columns = {}
    for number, part in enumerate(TABLES[table]):
        for column in part:
            heading = mapping.heading(table, column)
            place = places.get(heading, folded.get(fold(heading)))
            if place is not None:
                columns[column] = place
            elif number == 0 and source.header:
                issues.append(make_issue("missing_column", file=source.name, record=None, line=1, column=heading))
    if not source.header or not columns.keys() >= set(TABLES[table][0]):
        return
    seen: dict[tuple[str, ...], int] = {}
    for record in source.records:
        cells = {column: record.cells[place] for column, place in columns.items()}
        row = Row(Origin(source.name, record.number, record.line), table, cells, mapping, issues)
        filled = [cell for cell in record.cells if cell.strip()]
        if not filled:
            row.report("empty_row")
        elif len(filled) == 1 and fold(filled[0]).startswith(mapping.footer):
            row.report("footer_row")
        elif record.cells in seen:
            row.report("duplicate_row", related_record=seen[record.cells])
        else:
            seen[record.cells] = record.number
            yield _without_nbsp(row)


def _without_nbsp(row: Row) -> Row:
    for column, cell in row.cells.items():
        if "\xa0" in cell:
            row.report("nbsp", column)
    row.cells = {column: cell.replace("\xa0", " ") for column, cell in row.cells.items()}
    return row
