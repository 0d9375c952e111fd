"""What a drop of CSV files makes of the practice's tables."""

import datetime as dt
from dataclasses import replace

from audience.ehr.csv.read import DropReader
from audience.ehr.dry_run import dry_run
from audience.ehr.run import import_folder as bring_fhir
from audience.models import Appointment, Patient
from tests.audience.ehr.csv import clinic
from tests.audience.ehr.csv.drops import appointment, bring, patient, rejections, write
from tests.audience.ehr.outcome import state, written
from trackstat.seed import generator
from trackstat.seed.generator import SOUTHSIDE
from trackstat.tenancy.scope import practice_scope

AT = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)


def test_patients_come_with_phone_mailbox_zone_and_visits(northside, tmp_path, clock):
    clock.at(AT)
    write(
        tmp_path, "Patients.csv", patient(Attorney="Lee & Sons", **{"Fee Schedule": "Cash", "Patient Marketing": "No"})
    )
    write(tmp_path, "Appointments.csv", appointment(), appointment("a2", Status="No Show", Date="11/2/2026"))
    run = bring(northside, tmp_path)
    assert rejections(northside, run) == []
    with practice_scope(northside):
        found = Patient.objects.select_related("attorney", "fee_schedule").get()
        assert (found.name, found.cell, found.time_zone) == ("Ana Alvarez", "+16175550111", "America/New_York")
        assert (str(found.attorney), str(found.fee_schedule), found.marketing_ok) == ("Lee & Sons", "Cash", False)
        assert found.visit_count == 1
        assert Appointment.objects.get(external_id="Appointment/a1").starts_at == dt.datetime(
            2026, 10, 5, 14, tzinfo=dt.UTC
        )


def test_a_dry_run_says_what_would_change_and_changes_nothing(northside, tmp_path):
    write(tmp_path, "Patients.csv", patient(), patient("p2"), patient(""))
    write(tmp_path, "Appointments.csv", appointment())
    before = state(northside)
    foreseen = dry_run(northside, DropReader(tmp_path), "csv")
    assert state(northside) == before
    assert foreseen.counts == {"Appointment": {"read": 1, "new": 1}, "Patient": {"read": 3, "new": 2, "rejected": 1}}
    assert foreseen.sentence == "2 patients would come: 2 new. 1 record would be rejected."
    run = bring(northside, tmp_path)
    assert run.counts == foreseen.counts
    assert written(bring(northside, tmp_path)) == 0


def test_the_same_practice_is_the_same_by_fhir_and_by_csv(northside, southside, tmp_path, clock):
    clock.at(AT)
    with practice_scope(southside):
        southside.settings.time_zone = str(northside.tz)
        southside.settings.save()
    plan = replace(SOUTHSIDE, patients=60, zone=str(northside.tz))
    generator.write(plan, tmp_path / "fhir", AT)
    for kind in ("Condition", "Coverage", "EpisodeOfCare"):
        (tmp_path / "fhir" / f"{kind}.000.ndjson.gz").unlink()
    clinic.write(plan, tmp_path / "csv", AT, encoding="utf-16", separator=";")
    assert bring_fhir(southside, tmp_path / "fhir").counts["Patient"]["new"] == 60
    run = bring(northside, tmp_path / "csv")
    assert rejections(northside, run) == []
    assert run.counts["Patient"] == {"read": 60, "new": 60}
    assert run.counts["Appointment"]["new"] == run.counts["Appointment"]["read"] > 500
    by_fhir, by_csv = state(southside), state(northside)
    assert len(by_fhir["services"]) > 100 and len(by_fhir["payments"]) > 100
    for name in ("services", "payments"):
        # Each export numbers its records in its own way.
        assert sorted(row[1:] for row in by_csv.pop(name)) == sorted(row[1:] for row in by_fhir.pop(name)), name
    for name, rows in by_fhir.items():
        assert by_csv[name] == rows, name
