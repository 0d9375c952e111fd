"""Files that would fill the memory, the disk or a column: read as far as it is worth it, refused with a reason."""

import datetime as dt
import gzip
import json
import os
import resource
from zoneinfo import ZoneInfo

import pytest

from audience.ehr.fhir import folder as folders
from audience.ehr.fhir import reasons
from audience.ehr.reading import Reading
from audience.ehr.records import Rejection, StagedDiagnosis, StagedEntry, StagedPatient
from tests.audience.ehr.exports import ICD10, benefit, code, condition, patient, staged, write

READING = Reading(dt.date(2026, 11, 21), ZoneInfo("America/New_York"))


def refused(folder, **limits):
    return [(one.line, one.reason) for one in staged(folder, READING, **limits)[1]]


def test_a_line_of_ten_gigabytes_is_neither_held_nor_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "LONGEST_SKIP", 64 * 1024**2)
    write(tmp_path, patient(), name="a.ndjson")
    with (tmp_path / "b.ndjson").open("wb") as file:
        file.write(b'{"resourceType":"Patient","id":"')
        os.truncate(file.fileno(), 10 * 1024**3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    records, rejections = staged(tmp_path, READING)
    assert [record.external_id for record in records] == ["p1"]
    assert [(one.file, one.reason) for one in rejections] == [("b.ndjson", "The line is longer than 16 MB")]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


@pytest.mark.parametrize("lines", [b"[]\n", b"\n", b'{"id":1}\n', b"{}{}{}\n"])
def test_a_file_of_lines_that_are_no_records_is_given_up_and_the_next_one_read(tmp_path, monkeypatch, lines):
    monkeypatch.setattr(folders, "MOST_UNREADABLE", 50)
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(lines * 1_000_000))
    write(tmp_path, patient(), name="b.ndjson")
    records, rejections = staged(tmp_path, READING)
    assert [record.external_id for record in records] == ["p1"]
    assert (rejections[-1].line, rejections[-1].reason) == (50, reasons.NO_RECORDS)
    assert len(rejections) <= 51


def test_a_few_kilobytes_that_become_gigabytes_of_records_are_no_export(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "UNPACKED_AT_LEAST", 200_000)
    monkeypatch.setattr(folders, "UNPACKED_TIMES", 20)
    body = json.dumps(patient()).encode() + b"\n"
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(body * 10_000))
    records, rejections = staged(tmp_path, READING)
    assert 200_000 < len(records) * len(body) < 2_000_000
    assert [one.reason for one in rejections] == [reasons.GZIP_BOMB]


def test_an_honest_export_packs_far_less_than_what_is_refused(tmp_path):
    body = b"".join(
        json.dumps(patient(f"p{n}", birthDate=f"19{n % 90 + 10}-01-01")).encode() + b"\n" for n in range(9999)
    )
    assert len(body) < folders.UNPACKED_TIMES / 2 * len(gzip.compress(body))


def test_marks_of_byte_order_between_lines_are_no_reason_to_lose_them(tmp_path):
    lines = [b"\xef\xbb\xbf" + json.dumps(patient(f"p{number}")).encode() for number in range(3)]
    records, rejections = staged(write(tmp_path, *lines), READING)
    assert ([record.external_id for record in records], rejections) == (["p0", "p1", "p2"], [])


@pytest.mark.parametrize("name", ["deep.json", "deep.ndjson", "deep"])
def test_a_first_line_that_is_nested_too_deeply_does_not_hide_the_next(tmp_path, name):
    deep = '{"resourceType":"Patient","id":"deep","x":' + "[" * 50_000 + "]" * 50_000 + "}"
    folder = write(tmp_path, deep, patient(), name=name)
    assert [record.external_id for record in staged(folder, READING)[0]] == ["p1"]
    assert refused(folder) == [(1, "Nested too deeply")]


@pytest.mark.parametrize("length", [2**20 - 1, 2**20, 2**20 + 1, 1_200_000])
def test_a_first_line_longer_than_a_piece_is_a_line_like_any_other(tmp_path, length):
    long = json.dumps(patient("long"))[:-1]
    long += f', "text": "{"x" * (length - len(long.encode()) - 14)}"}}'
    write(tmp_path, long, patient("next"))
    assert len(long) + 1 == length
    records, rejections = staged(tmp_path, READING)
    assert [record.external_id for record in records] == ["long", "next"]
    assert rejections == []


def test_a_file_that_goes_away_while_reading_is_said(tmp_path):
    write(tmp_path, patient("p1"), name="a.ndjson")
    write(tmp_path, patient("p2"), name="b.ndjson")
    reading = folders.Folder(tmp_path)
    (tmp_path / "a.ndjson").unlink()
    first, second = reading.read()
    assert (first.file, first.reason) == ("a.ndjson", reasons.UNREADABLE_FILE)
    assert second.external_id == "p2"


def test_links_in_a_folder_are_not_followed(tmp_path):
    write(tmp_path / "elsewhere", patient("secret"), name="others.ndjson")
    write(tmp_path / "drop", patient("own"), name="own.ndjson")
    write(tmp_path / "drop" / "below", patient("below"), name="below.ndjson")
    (tmp_path / "drop" / "link.ndjson").symlink_to(tmp_path / "elsewhere" / "others.ndjson")
    (tmp_path / "drop" / "all").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "drop" / "latest").symlink_to(tmp_path / "drop" / "below")
    records, rejections = staged(tmp_path / "drop", READING)
    assert [record.external_id for record in records] == ["below", "own"]
    assert [(one.file, one.reason) for one in rejections] == [("all", reasons.LINK), ("link.ndjson", reasons.LINK)]

    swapped = folders.Folder(tmp_path / "drop")
    (tmp_path / "drop" / "own.ndjson").unlink()
    (tmp_path / "drop" / "own.ndjson").symlink_to(tmp_path / "elsewhere" / "others.ndjson")
    assert reasons.UNREADABLE_FILE in [one.reason for one in swapped.read() if isinstance(one, Rejection)]
    assert "secret" not in [one.external_id for one in swapped.read()]
    (link,) = folders.Folder(tmp_path / "drop" / "link.ndjson").read()
    assert link.external_id == "secret", "whoever names a file may name a link to it"


def test_what_is_longer_than_its_column_never_gets_there(tmp_path):
    long = f"{'m' * 64}@" + ".".join(["d" * 60] * 4) + ".com"
    telecom = [{"system": "email", "value": long}, {"system": "email", "value": "ana@mailbox.example"}]
    write(
        tmp_path,
        patient(telecom=telecom),
        condition("c1", code=code(ICD10, "M545" + "8" * 100)),
        condition("c2", code=code(ICD10, "\u200b", "M54.5")),
    )
    records, rejections = staged(tmp_path, READING)
    assert not rejections
    assert [record.email for record in records if isinstance(record, StagedPatient)] == ["ana@mailbox.example"]
    codes = [record.code for record in records if isinstance(record, StagedDiagnosis)]
    assert (max(map(len, codes)), codes[1:]) == (60, ["M54.5"]), "and a code that cannot be seen is none"


@pytest.mark.parametrize("amount", ["1e400", "-1e400", "1e999999999", '"NaN"', '"Infinity"', "9" * 5000])
def test_amounts_beyond_all_reason_are_refused(tmp_path, amount):
    line = json.dumps(benefit(amount=77)).replace("77", amount)
    (one,) = refused(write(tmp_path, line))
    assert one[1] in (
        "The amount cannot be right",
        "A number in it is too large",
        "payment.amount.value is text, expected a number",
    )
    assert not [record for record in staged(tmp_path, READING)[0] if isinstance(record, StagedEntry)]
