"""One table in every encoding, separator and line end; and rows that are broken alone."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courses.importing.reading import SourceFile, read_file

ROWS = [["key", "name", "note"], ["1", "Анна", "первая\nвторая"], ["2", 'сказала: "да"', "a;b,c"], ["3", "", ""]]


def encode(rows: list[list[str]], *, delimiter: str, line_end: str, encoding: str, bom: bytes = b"") -> bytes:
    stream = io.StringIO()
    # csv quotes a line feed only where its own line ends have one.
    if "\n" in line_end:
        writer = csv.writer(stream, delimiter=delimiter, lineterminator=line_end)
    else:
        writer = csv.writer(stream, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows(rows)
    return bom + stream.getvalue().encode(encoding)


def read_bytes(data: bytes) -> SourceFile:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "table.csv"
        path.write_bytes(data)
        return read_file(path)


def found(source: SourceFile) -> list[tuple[int | None, int, str]]:
    return [(issue.record, issue.line, issue.kind) for issue in source.issues]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("encoding", "bom"),
    [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("cp1251", b""), ("cp1251", b"\xef\xbb\xbf"), ("utf-16", b"")],
)
def test_every_form_gives_the_same_records(delimiter: str, line_end: str, encoding: str, bom: bytes) -> None:
    source = read_bytes(encode(ROWS, delimiter=delimiter, line_end=line_end, encoding=encoding, bom=bom))
    assert source.header == ("key", "name", "note")
    assert [list(record.cells) for record in source.records] == ROWS[1:]
    assert [(record.number, record.line) for record in source.records] == [(1, 2), (2, 4), (3, 5)]


def test_bom_before_windows_1251_is_told_and_before_utf_8_is_not() -> None:
    one, other = (
        encode(ROWS, delimiter=";", line_end="\n", encoding=encoding, bom=b"\xef\xbb\xbf")
        for encoding in ("cp1251", "utf-8")
    )
    assert (None, 1, "utf8_bom") in found(read_bytes(one))
    assert (None, 1, "utf8_bom") not in found(read_bytes(other))


def test_empty_cells_at_the_end_are_left_out_per_line_or_per_file() -> None:
    assert found(read_bytes(b"a;b\n1;2;;\n3;4\n")) == [(1, 2, "trailing_semicolon")]
    whole = read_bytes(b"a;b;\n1;2;\n3;4;\n")
    assert found(whole) == [(None, 1, "trailing_semicolon_file")]
    assert whole.header == ("a", "b")


def test_a_short_row_is_filled_up_and_a_long_one_rejected() -> None:
    source = read_bytes(b"a,b,c\n1,2\n1,2,3,4\n5,6,7\n")
    assert [record.cells for record in source.records] == [("1", "2", ""), ("5", "6", "7")]
    assert found(source) == [(2, 3, "extra_cells")]


@pytest.mark.parametrize("broken", ['1,"never closed', '1,"closed" too early'])
def test_a_broken_quote_costs_its_own_line_only(broken: str) -> None:
    source = read_bytes(f'a,b\n{broken}\n2,fine\n3,"fine, too"\n'.encode())
    assert [record.cells for record in source.records] == [("2", "fine"), ("3", "fine, too")]
    assert found(source) == [(1, 2, "unclosed_quote")]


def test_an_empty_file_and_a_nul_are_told() -> None:
    assert found(read_bytes(b"")) == found(read_bytes(b",,\n1,2,3\n")) == [(None, 1, "empty_file")]
    assert found(read_bytes(b'a,"b\n1,2\n')) == [(None, 1, "unclosed_quote")]
    assert found(read_bytes(b"a,b\n1,x\0y\n")) == [(None, 2, "nul_character")]
    assert read_bytes(b"a,b\n1,x\0y\n").records[0].cells == ("1", "xy")


def test_a_lost_byte_leaves_the_other_names_of_utf_8_as_they_are() -> None:
    source = read_bytes("a,b\n1,Węgrzyn\n2,Łukasz\n".encode().replace("ę".encode(), b"\xff") + "3,Żółw\n".encode())
    assert [record.cells[1] for record in source.records] == ["W\ufffdgrzyn", "Łukasz", "Żółw"]
    assert found(source) == [(None, 2, "unreadable_character")]


def test_control_characters_are_removed_and_told() -> None:
    source = read_bytes(b"a,b\n1,x\x1b[31my\x07\n2,z\n\x1a")
    assert [record.cells for record in source.records] == [("1", "x[31my"), ("2", "z")]
    assert found(source) == [(None, 2, "control_character")]


# A cell of line breaks only at the end of a file cannot be told from no cell; a lone CR is made LF inside cells.
CELL = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters='\n;,"'), max_size=12)


@given(
    st.lists(st.tuples(CELL.filter(bool), CELL), max_size=6), st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"])
)
def test_what_csv_writes_is_read_back(rows: list[tuple[str, str]], delimiter: str, line_end: str) -> None:
    data = encode([["a", "b"], *map(list, rows)], delimiter=delimiter, line_end=line_end, encoding="utf-8")
    source = read_bytes(data)
    assert [record.cells for record in source.records] == rows
    for record in source.records:
        before = data.decode().replace("\r\n", "\n").split("\n")[: record.line - 1]
        assert len(before) == record.line - 1


@given(st.binary(max_size=300))
def test_no_bytes_stop_the_reader(data: bytes) -> None:
    source = read_bytes(data)
    assert all(len(record.cells) == len(source.header) for record in source.records)
