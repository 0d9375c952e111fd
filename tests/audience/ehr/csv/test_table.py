"""One file as rows: encodings, separators, quotes, line ends, and whatever is broken."""

import csv
import gzip
import tracemalloc
from pathlib import Path

import pytest

from audience.ehr.csv import table
from audience.ehr.csv.table import LONGEST_LINE, Table, Unusable

HEADINGS = ("Id", "Name", "Phone")


def read(path: Path, **how) -> list[tuple[int, list[str], str]]:
    table = Table(path, **how)
    headings = table.headings(lambda fields: len(set(fields) & set(HEADINGS)))
    return [tuple(row) for row in table.rows(headings)]


def file(tmp_path, body: str | bytes, encoding="utf-8", name="file.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(body if isinstance(body, bytes) else body.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_separators_and_line_ends_are_told_from_the_file(tmp_path, encoding, separator, end):
    lines = [HEADINGS, ("1", "José Nuñez", "617"), ("2", f'"a{separator} b"', ""), ("3", f'"two{end}lines"', "5")]
    path = file(tmp_path, end.join(separator.join(line) for line in lines) + end, encoding)
    assert read(path) == [
        (2, ["1", "José Nuñez", "617"], ""),
        (3, ["2", f"a{separator} b", ""], ""),
        (4, ["3", f"two{end}lines", "5"], ""),
    ]


def test_gzip_titles_above_the_headings_and_a_said_separator(tmp_path):
    body = "sep=;\r\nPatient list, printed 11/20/2026\r\n\r\nId;Name;Phone;;\r\n1;Ana;617;;\r\n;;\r\n2;Bo;618\r\n"
    packed = file(tmp_path, gzip.compress(body.encode()), name="file.csv.gz")
    assert read(packed) == [(5, ["1", "Ana", "617"], ""), (7, ["2", "Bo", "618"], "")]


def test_rows_that_cannot_be_read_are_told_and_the_next_ones_are_read(tmp_path):
    body = (
        'Id,Name,Phone\n1,Ana\n2,Lee, Bo,617\n3,"Cy,617\n4,Di,618\n5,"Ed "Eddy" Fox",619\n6,"Flo",620\n'
        '7,Gus,621\n8,"Hal,622'
    )
    fields = "It has {} fields, the headings are 3"
    more = "; a value with the separator in it has to be in quotes"
    quotes = "Its quotes are not closed, or quotes within a value are not doubled"
    assert [(line, row[0] if row else "", problem) for line, row, problem in read(file(tmp_path, body))] == [
        (2, "1", fields.format(2)), (3, "2", fields.format(4) + more), (4, "", quotes), (5, "4", ""), (6, "", quotes),
        (7, "6", ""), (8, "7", ""), (9, "", "The file ends in the middle of a row"),
    ]  # fmt: skip


def test_a_row_cut_off_at_the_end_is_told_from_a_short_one(tmp_path):
    assert read(file(tmp_path, "Id,Name,Phone\n1,Ana,617\n2,Bo"))[-1] == (3, [], "The file ends in the middle of a row")
    assert read(file(tmp_path, "Id,Name,Phone\n1,Ana,617\n2,Bo\n"))[-1][2] == "It has 2 fields, the headings are 3"
    assert read(file(tmp_path, "Id,Name,Phone\n1,Ana,617"))[-1] == (2, ["1", "Ana", "617"], "")


def test_bytes_of_another_encoding_spoil_their_row_only(tmp_path):
    body = "Id,Name,Phone\n1,José,617\n2,Zoë,618\n".encode() + b"3,Ren\xe9,619\n4,Bo,620\n"
    assert [(row[0], problem) for _, row, problem in read(file(tmp_path, body))] == [
        ("1", ""), ("2", ""), ("3", "It has bytes that are no UTF-8"), ("4", ""),
    ]  # fmt: skip
    windows = "Id,Name,Phone\n" + "".join(f"{n},René,6{n}\n" for n in range(9))
    assert {row[1] for _, row, _ in read(file(tmp_path, windows, "cp1252"))} == {"René"}
    surrogate = "Id,Name,Phone\n1,A\ud800na,617\n2,Bo,618\n".encode("utf-16-le", "surrogatepass")
    assert [(row[0], bool(problem)) for _, row, problem in read(file(tmp_path, surrogate))] == [
        ("1", True),
        ("2", False),
    ]


def test_zeros_are_read_over_and_half_a_letter_at_the_end_is_told(tmp_path):
    assert read(file(tmp_path, "Id,Name,Phone\n1,A\0na,617\n"))[0][1] == ["1", "A\0na", "617"]
    cut = "Id,Name,Phone\n1,Ana,617\n2,Bo,618\n".encode("utf-16")[:-1]
    assert [problem for _, _, problem in read(file(tmp_path, cut))][-1] == "The file cannot be read to its end"
    broken = gzip.compress(b"Id,Name,Phone\n" + b"1,Ana,617\n" * 20_000)[:-20]
    assert read(file(tmp_path, broken, name="x.csv.gz"))[-1][2] == "The file cannot be read to its end"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "None of its first lines has the headings"),
        (b"nothing, known, here\n1,2,3\n", "None of its first lines has the headings"),
        (b"PK\x03\x04rest", "It is a spreadsheet or an archive"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, body, reason):
    with pytest.raises(Unusable, match=reason):
        read(file(tmp_path, body))


def test_a_line_without_end_takes_no_memory_and_costs_its_own_row(tmp_path):
    path = tmp_path / "long.csv"
    with path.open("w") as out:
        out.write("Id,Name,Phone\n1,Ana,617\n2,")
        for _ in range(40):
            out.write("x" * LONGEST_LINE)
        out.write(",618\n3,Bo,619\n4," + "y" * (csv.field_size_limit() + 1) + ",1\n5,Cy,620\n")
    tracemalloc.start()
    found = read(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    too_long = f"A line is longer than {LONGEST_LINE:,} characters"
    assert [(line, row[:1], problem) for line, row, problem in found] == [
        (2, ["1"], ""), (3, [], too_long), (4, ["3"], ""), (5, [], too_long), (6, ["5"], ""),
    ]  # fmt: skip
    assert most < 20_000_000


def test_a_small_file_that_unpacks_to_one_line_without_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "LONGEST_SKIP", 3 * LONGEST_LINE)
    monkeypatch.setattr(table, "_PIECES", 2)
    bomb = gzip.compress(b"Id,Name,Phone\n1,Ana,617\n2," + b"x" * (6 * LONGEST_LINE) + b",1\n3,Bo,618\n")
    assert len(bomb) < 20_000
    assert [(line, problem) for line, _, problem in read(file(tmp_path, bomb, name="b.csv.gz"))] == [
        (2, ""),
        (3, "The file cannot be read to its end"),
    ]


def test_quotes_that_never_close_do_not_swallow_the_rest(tmp_path):
    body = "Id,Name,Phone\n" + "".join(f'{n},"Ana,617\n' for n in range(300)) + "300,Bo,618\n"
    found = read(file(tmp_path, body))
    assert (len(found), found[-1]) == (301, (302, ["300", "Bo", "618"], ""))
    assert all(problem for _, _, problem in found[:-1])
