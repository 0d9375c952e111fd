"""The same drop again, a part of it, all of it, and drops that somebody has spoilt."""

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audience import rollups
from audience.ehr.csv.table import LONGEST_LINE
from audience.ehr.staging import rows as ask
from audience.models import ImportRun, Patient
from tests.audience.ehr.csv.drops import appointment, bring, patient, rejections, text, write
from tests.audience.ehr.outcome import state, undone, written
from trackstat.tenancy.scope import practice_scope

_TABLES = (
    "patient", "appointment", "case", "diagnosis", "service", "payment", "coverage", "contactpoint", "consentevent",
)  # fmt: skip
ids = st.sampled_from(["1", "2", "3", ""])
days = st.sampled_from(["10/5/2026", "11/30/2026", "3/4/2026", "", "13/13/2026"])
_ROWS = {
    "patients.csv": st.fixed_dictionaries({
        "Patient ID": ids, "Name": st.sampled_from(["Alvarez, Ana", "Bo Li", ""]),
        "Cell": st.sampled_from(["6175550111", ""]),
        "Status": st.sampled_from(["Active", "Discharged", "?"]), "Marketing": st.sampled_from(["Yes", "No", ""]),
        "Insurance": st.sampled_from(["Aetna", "Cash", ""]), "Dx": st.sampled_from(["M54.5; M99.01", ""]),
    }),
    "appointments.csv": st.fixed_dictionaries({
        "Appt ID": ids, "Patient ID": ids, "Date": days, "Time": st.sampled_from(["10:00 AM", "2:30 AM", ""]),
        "Status": st.sampled_from(["Kept", "Scheduled", "No Show", "Cancelled", "Deleted", "?"]), "Case": ids,
    }),
    "cases.csv": st.fixed_dictionaries({
        "Case ID": ids, "Patient ID": ids, "Case Type": st.sampled_from(["Auto", ""]),
        "Dx": st.sampled_from(["M54.2", ""]),
    }),
    "payments.csv": st.fixed_dictionaries({
        "Patient ID": ids, "Date": days, "Amount": st.sampled_from(["12.00", "(1.50)", "x", ""]),
    }),
    "services.csv": st.fixed_dictionaries({"Patient ID": ids, "DOS": days, "CPT": st.sampled_from(["98940", ""])}),
    "optouts.csv": st.fixed_dictionaries({
        "Phone": st.sampled_from(["617-555-0111", "617-555-0122", ""]), "Patient ID": ids, "Opt Out Date": days,
    }),
}  # fmt: skip
_number = itertools.count()
drops = st.fixed_dictionaries({name: st.lists(row, max_size=5) for name, row in _ROWS.items()})


def _versions() -> list[tuple]:
    """Which transaction wrote each row of the practice's last."""
    return sorted(ask(" UNION ALL ".join(f"SELECT '{name}', id, xmin::text FROM audience_{name}" for name in _TABLES)))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drop=drops)
def test_whatever_twice_is_whatever_once(northside, tmp_path, drop):
    source = f"drop {next(_number)}"
    folder = tmp_path / source
    folder.mkdir()
    for name, found in drop.items():
        if found:
            write(folder, name, *found)
    with undone():
        assert bring(northside, folder, source=source).state == ImportRun.State.DONE
        with practice_scope(northside):
            before = _versions()
        after = state(northside)
        again = bring(northside, folder, source=source)
        assert (written(again), state(northside)) == (0, after)
        with practice_scope(northside):
            assert _versions() == before, "not one row was written again"
        assert rollups.rebuild(northside) == 0


def _statuses(practice) -> dict[str, str]:
    with practice_scope(practice):
        return dict(Patient.objects.values_list("external_id", "status"))


def test_who_is_missing_becomes_inactive_only_where_the_drop_has_everybody(northside, tmp_path):
    bring(northside, write(tmp_path, "patients.csv", patient("p1"), patient("p2"), patient("p3")))
    write(tmp_path, "patients.csv", patient("p1"), patient("p2", DOB="99/99/9999"))
    bring(northside, tmp_path)
    assert _statuses(northside) == {"p1": "active", "p2": "active", "p3": "active"}
    run = bring(northside, tmp_path, is_snapshot=True)
    assert _statuses(northside) == {"p1": "active", "p2": "active", "p3": "inactive"}, "who is refused is there"
    assert run.counts["Patient"]["missing"] == 1


@pytest.mark.parametrize(
    "spoilt",
    [
        text(patient("p1"), patient("p2")).rstrip()[:-4] + "\r\n" + "p3,Alv",
        text({"Patient ID": "p1", "Cell": "1"}),
        text(patient("p1"), patient("")),
    ],
)
def test_of_a_spoilt_snapshot_nobody_is_marked_as_missing(northside, tmp_path, spoilt):
    bring(northside, write(tmp_path, "patients.csv", patient("p1"), patient("p2"), patient("p3")))
    run = bring(northside, write(tmp_path, "patients.csv", spoilt), is_snapshot=True)
    assert set(_statuses(northside).values()) == {"active"}
    assert run.error.startswith("Nobody was marked as missing")


def test_of_several_snapshots_in_a_folder_the_newest_counts(northside, tmp_path):
    write(tmp_path, "patients_20241119.csv", patient("p1"), patient("p2"))
    bring(northside, tmp_path, is_snapshot=True)
    write(tmp_path, "patients_20241120.csv", patient("p1"))
    bring(northside, tmp_path, is_snapshot=True)
    assert _statuses(northside) == {"p1": "active", "p2": "inactive"}


def _spoil(random: random.Random, body: bytes) -> bytes:
    at, to = sorted(random.randrange(len(body)) for _ in range(2))
    return random.choice([
        lambda: body[:at],
        lambda: body[:at] + body[to:],
        lambda: body[:at] + bytes([random.randrange(256)]) + body[at + 1 :],
        lambda: body[:at] + random.choice([b"\0", b"\xff\xfe", b"\xed\xa0\x80", b'"', b"\r", b"\n", b",,"]) + body[at:],
        lambda: body + body[at:to],
        lambda: body[:at] + b"x" * random.choice([300, 140_000, LONGEST_LINE]) + body[at:],
        lambda: body.decode("utf-8", "replace").encode("utf-16")[: random.choice([None, -1, -7])],
        lambda: body.replace(b",", random.choice([b";", b"\t", b"|", b""])),
        lambda: body.replace(b"p1", random.choice([b"p2", b"", b"p1/../x", b"\xf0\x9f\x98\x80"]), 3),
        lambda: body.replace(b"2026", random.choice([b"0000", b"99999", b"-1", b"26"]), 2),
        lambda: b"".join(random.sample(body.splitlines(keepends=True), body.count(b"\n"))),
    ])()  # fmt: skip


def test_a_hundred_spoilt_files_are_applied_or_rejected_with_a_reason(northside, tmp_path):
    """All in one drop, where each also has to leave the others alone; each spoilt one has whole ones beside it."""
    for seed in range(100):
        bodies = {
            f"patients-{seed}.csv": text(*(_patient(f"p{seed}-{n}") for n in range(1, 4))),
            f"appointments-{seed}.csv": text(*(appointment(f"a{seed}-{n}", f"p{seed}-{n}") for n in range(1, 4))),
            f"payments-{seed}.csv": text({"Patient ID": f"p{seed}-1", "Date": "10/5/2026", "Amount": "$1,234.50"}),
            f"optouts-{seed}.csv": text({"Phone": f"617-555-{seed:04}", "Date": "3/4/2025"}),
        }
        chance = random.Random(seed)
        victim = chance.choice(list(bodies))
        for name, body in bodies.items():
            spoilt = body.encode()
            for _ in range(chance.choice((1, 1, 2, 3)) if name == victim else 0):
                spoilt = _spoil(chance, spoilt or b"x")
            (tmp_path / name).write_bytes(spoilt)
    _taken_or_told(northside, tmp_path)


def _patient(id: str) -> dict[str, str]:
    return patient(id, Note='a "b", c', City="Łódź")


def _taken_or_told(practice, folder: Path) -> None:
    run = bring(practice, folder)
    assert run.state == ImportRun.State.DONE
    said = rejections(practice, run)
    assert len(said) > 50
    assert all(file and reason for file, _, reason in said)
    accounted = ("new", "changed", "unchanged", "repeated", "rejected", "left_out", "joined")
    for kind, counts in run.counts.items():
        assert counts["read"] <= sum(counts.get(what, 0) for what in accounted), kind
    with practice_scope(practice):
        found = dict(Patient.objects.values_list("external_id", "last_name"))
        assert len(found) > 200
        assert all(id and name for id, name in found.items())
    assert written(bring(practice, folder)) == 0
