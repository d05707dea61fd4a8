"""Text of a delimited file, whatever program wrote it.

A file may be UTF-8, UTF-16 or Windows-1251, with or without a byte order mark, separated with commas, semicolons or
tabs, with any line ends, with line breaks inside quoted cells. The tokenizer is ours and not ``csv`` because a bad row
must not stop or swallow the good ones after it: a quote that is never closed costs its own line only.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from courses.importing.issues import Issue, make_issue

UTF8_BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
DELIMITERS = ";,\t"
LINE_END = re.compile(r"\r\n|\n|\r")
CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
UTF8_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One record: ``number`` counts from 1 after the header, ``line`` is the physical line where it starts."""

    number: int
    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as read; ``records`` hold as many cells as ``header``, the defects of its form are in ``issues``."""

    name: str
    header: tuple[str, ...]
    records: tuple[SourceRecord, ...]
    issues: tuple[Issue, ...]


@dataclass(slots=True)
class _Reader:
    name: str
    delimiter: str = ","
    issues: list[Issue] = field(default_factory=list)

    def report(self, kind: str, *, record: int | None, line: int, column: str = "", raw_value: str = "") -> None:
        self.issues.append(
            make_issue(kind, file=self.name, record=record, line=line, column=column, raw_value=raw_value)
        )


def read_file(path: Path) -> SourceFile:
    """Read a delimited file into records with their physical lines and the defects of its form.

    Raises ``OSError`` when the file cannot be opened; anything readable comes back as records and issues.
    """
    reader = _Reader(name=path.name)
    text = _decode(path.read_bytes(), reader)
    text = _drop_controls(text, reader)
    reader.delimiter = sniff_delimiter(text)
    rows = _tokenize(text, reader)
    heading = rows[0][1] if rows else None
    if not heading or not any(cell.strip() for cell in heading):
        reader.report("unclosed_quote" if rows and heading is None else "empty_file", record=None, line=1)
        return SourceFile(path.name, (), (), tuple(reader.issues))
    header = [" ".join(cell.split()) for cell in heading]
    width = len(header)
    while width and not header[width - 1]:
        width -= 1
    if width < len(header):
        reader.report("trailing_semicolon_file", record=None, line=1)
    _report_repeated_headers(header[:width], reader)
    records = []
    for number, (line, cells) in enumerate(rows[1:], start=1):
        if cells is None:
            reader.report("unclosed_quote", record=number, line=line)
            continue
        fitted = _fit(cells, width=width, header_width=len(header), number=number, line=line, reader=reader)
        if fitted is not None:
            records.append(SourceRecord(number, line, fitted))
            _note_quoted(records[-1], header, reader)
    return SourceFile(path.name, tuple(header[:width]), tuple(records), tuple(reader.issues))


def sniff_delimiter(text: str) -> str:
    """The separator that occurs most often in the header line, outside quotes; a comma for a single column."""
    header = re.sub(r'"[^"]*"', "", LINE_END.split(text, maxsplit=1)[0])
    return max(",;\t", key=header.count)


def _decode(data: bytes, reader: _Reader) -> str:
    if data.startswith(UTF16_BOMS):
        return data.decode("utf-16", errors="replace")
    marked = data.startswith(UTF8_BOM)
    body = data[len(UTF8_BOM) :] if marked else data
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if _is_damaged_utf8(body):
        text = body.decode("utf-8", errors="replace")
        reader.report("unreadable_character", record=None, line=_line_of("\ufffd", text))
        return text
    if marked:
        reader.report("utf8_bom", record=None, line=1, raw_value="EF BB BF")
    # 0x98 is the one byte that Windows-1251 leaves undefined.
    text = body.decode("cp1251", errors="replace")
    if "\ufffd" in text:
        reader.report("unreadable_character", record=None, line=_line_of("\ufffd", text))
    return text


def _is_damaged_utf8(data: bytes) -> bool:
    """Whether all but a few bytes are UTF-8: one lost byte must not turn every name of a file into gibberish.

    In Windows-1251 what would continue a letter of UTF-8 is a rare sign, so that hardly any two bytes look like one.
    """
    high = sum(byte >= 0x80 for byte in data)
    letters = sum(len(letter) for letter in UTF8_LETTER.findall(data))
    return letters >= 0.8 * high


def _line_of(character: str, text: str) -> int:
    return 1 + len(LINE_END.findall(text[: text.index(character)]))


def _drop_controls(text: str, reader: _Reader) -> str:
    # PostgreSQL text cannot hold NUL, and a terminal obeys some of the others; in a table none carries a meaning.
    if "\0" in text:
        reader.report("nul_character", record=None, line=_line_of("\0", text))
    # Old DOS programs end a file with Ctrl-Z.
    text = text.replace("\0", "").removesuffix("\x1a")
    if other := CONTROL.search(text):
        reader.report("control_character", record=None, line=_line_of(other[0], text))
    return CONTROL.sub("", text)


def _tokenize(text: str, reader: _Reader) -> list[tuple[int, list[str] | None]]:
    """Records as (first line, cells); cells are None where a quote opens and never closes properly."""
    delimiter = re.escape(reader.delimiter)
    # Possessive: a doubled quote is never reread as a closing one, so a broken cell fails in linear time.
    quoted = re.compile(rf'"((?:[^"]|"")*+)"(?={delimiter}|\r|\n|\Z)')
    plain = re.compile(rf"[^{delimiter}\r\n]*")
    rows: list[tuple[int, list[str] | None]] = []
    position, line, end = 0, 1, len(text.rstrip("\r\n"))
    while position < end:
        start, cells, broken = position, [], False
        while True:
            opened = text.startswith('"', position)
            if opened and (match := quoted.match(text, position)):
                cells.append(LINE_END.sub("\n", match[1].replace('""', '"')))
                position = match.end()
            elif opened:
                broken = True
            elif match := plain.match(text, position):
                cells.append(match[0])
                position = match.end()
            if broken or not text.startswith(reader.delimiter, position):
                break
            position += 1
        if broken:
            stop = LINE_END.search(text, start)
            position = stop.start() if stop else len(text)
        rows.append((line, None if broken else cells))
        line_end = LINE_END.match(text, position)
        position = line_end.end() if line_end else position
        line += len(LINE_END.findall(text, start, position))
    return rows


def _fit(
    cells: list[str], *, width: int, header_width: int, number: int, line: int, reader: _Reader
) -> tuple[str, ...] | None:
    if any(cell.strip() for cell in cells[width:]):
        reader.report("extra_cells", record=number, line=line, raw_value=reader.delimiter.join(cells))
        return None
    if len(cells) > header_width and any(cell.strip() for cell in cells):
        reader.report("trailing_semicolon", record=number, line=line)
    return tuple(cells[:width]) + ("",) * (width - len(cells))


def _note_quoted(record: SourceRecord, header: list[str], reader: _Reader) -> None:
    for column, cell in zip(header, record.cells, strict=False):
        kinds = ["quoted_newline"] if "\n" in cell else []
        # Writers of comma files quote as a matter of course; what breaks semicolon files is a semicolon in a text.
        if reader.delimiter == ";" and ";" in cell:
            kinds.append("semicolon_in_quotes")
        for kind in kinds:
            reader.report(kind, record=record.number, line=record.line, column=column, raw_value=cell)


def _report_repeated_headers(header: list[str], reader: _Reader) -> None:
    for column, times in Counter(header).items():
        if times > 1:
            reader.report("repeated_column", record=None, line=1, column=column)
