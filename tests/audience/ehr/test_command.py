"""`ehr_import` as a person runs it."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.audience.ehr.exports import appointment, patient, write


def run(*arguments) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("ehr_import", *map(str, arguments), stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


def test_it_shows_progress_counts_and_rejections_by_reason(northside, tmp_path):
    orphans = [appointment(f"a{number}", "Patient/nobody") for number in range(5)]
    folder = write(tmp_path, patient(), *orphans, {"resourceType": "Slot", "id": "s1"}, name="all.ndjson")
    out, err = run("northside", folder)
    assert "Reading: 100%, 7 records" in err
    lines = [line.split() for line in out.splitlines()]
    assert ["read", "new", "rejected"] in lines
    assert ["Appointment", "5", "0", "5"] in lines
    assert ["Patient", "1", "1", "0"] in lines
    assert ["Slot", "1", "not", "read:", "free", "times", "are", "not", "kept"] in lines
    assert "5 rejected: Its patient is neither in this export nor known from an earlier one" in out
    assert "all.ndjson:2 Appointment a0" in out
    assert "and 2 more" in out


def test_it_says_which_practices_there_are_and_that_the_folder_is_missing(northside, southside, tmp_path):
    with pytest.raises(CommandError, match=r"no practice “nowhere”. There are: northside, southside"):
        run("nowhere", tmp_path)
    with pytest.raises(CommandError, match="There is no folder"):
        run("northside", tmp_path / "nowhere")


def test_an_empty_folder_is_said(northside, tmp_path):
    assert "Nothing in this folder is a FHIR resource or a CSV file that is read." in run("northside", tmp_path)[0]
