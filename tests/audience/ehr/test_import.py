"""What an import makes of the practice's tables."""

import datetime as dt
import gzip
import json
import random
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audience import consent, rollups, tasks
from audience.ehr.run import AlreadyRunning, import_folder
from audience.ehr.staging import rows
from audience.models import (
    Appointment,
    ConsentEvent,
    ContactPoint,
    Coverage,
    DiagnosisCode,
    ImportRejection,
    ImportRun,
    Patient,
    Payment,
    Provider,
    ServiceCode,
)
from tests.audience.ehr.exports import (
    appointment,
    benefit,
    claim,
    condition,
    coverage,
    deleted,
    encounter,
    episode,
    own,
    patient,
    sample_data,
    write,
)
from tests.audience.ehr.outcome import state, undone, written
from tests.conftest import owner_connection
from trackstat.seed.generator import SOUTHSIDE
from trackstat.seed.generator import write as write_demo
from trackstat.tenancy.scope import practice_scope

AT = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)


@pytest.fixture
def export(tmp_path):
    return tmp_path / "export"


def test_a_patient_comes_with_phone_mailbox_zone_visits_and_choices(northside, export, clock):
    clock.at(AT)
    write(
        export,
        appointment("past", start="2026-10-05T14:00:00Z", participant=[
            {"actor": {"reference": "Patient/p1"}},
            {"actor": {"reference": "Practitioner/dr"}},
            {"actor": {"reference": "Location/l1", "display": "Main office"}},
        ]),
        appointment("missed", status="noshow", start="2026-11-02T15:00:00Z"),
        appointment("ahead", status="booked", start="2026-12-01T03:30:00Z"),
        patient(address=[{"city": "Denver", "state": "CO", "postalCode": "80202"}]),
        {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Delgado", "prefix": ["Dr."]}]},
        {"resourceType": "Practitioner", "id": "unused", "name": [{"family": "Nobody"}]},
    )  # fmt: skip
    run = import_folder(northside, export)
    assert run.state == ImportRun.State.DONE
    with practice_scope(northside):
        found = Patient.objects.get()
        assert (found.name, found.cell, found.time_zone) == ("Ana Alvarez", "+16175550111", "America/Denver")
        assert found.birth_md == 312
        assert (found.can_text, found.can_email) == (True, True)
        assert (found.first_visit_on, found.last_visit_on, found.visit_count) == (*[dt.date(2026, 10, 5)] * 2, 1)
        assert found.next_visit_at == dt.datetime(2026, 12, 1, 3, 30, tzinfo=dt.UTC)
        ahead = Appointment.objects.get(external_id="Appointment/ahead")
        assert ahead.starts_on == dt.date(2026, 11, 30), "a date is the practice's own"
        past = Appointment.objects.select_related("provider", "location", "purpose").get(external_id="Appointment/past")
        assert (str(past.provider), str(past.location), str(past.purpose)) == (
            "Dr. Delgado",
            "Main office",
            "Adjustment",
        )
        assert list(Provider.objects.values_list("name", flat=True)) == ["Dr. Delgado"], "only what is used"
        events = ConsentEvent.objects.values_list("contact_point__address", "purpose", "given", "source")
        assert set(events) == {(a, "appointment", True, "ehr") for a in ("+16175550111", "ana@mailbox.example")}


def test_two_patients_may_share_a_phone_and_the_contact_point_is_one(northside, export):
    import_folder(northside, write(export, patient("p1"), patient("p2")))
    with practice_scope(northside):
        assert Patient.objects.filter(can_text=True).count() == 2
        assert ContactPoint.objects.count() == 2


def test_someone_who_opted_out_stays_out_when_the_ehr_brings_them_again(northside, export):
    import_folder(northside, write(export, patient()))
    with practice_scope(northside):
        ContactPoint.objects.filter(channel="text").update(all_opted_out_at=AT)
        consent.refresh_contactability(ContactPoint.objects.values_list("id", flat=True))
        assert not Patient.objects.get().can_text
    changed = patient(name=[{"family": "Alvarez-Reyes", "given": ["Ana"]}])
    import_folder(northside, write(export, changed, patient("p2")))
    with practice_scope(northside):
        assert list(Patient.objects.values_list("can_text", "can_email")) == [(False, True)] * 2


def test_the_same_export_again_changes_nothing(northside, export, owner):
    write_demo(_plan(60), export, AT)
    first = import_folder(northside, export)
    before, versions = state(northside), _row_versions()
    again = import_folder(northside, export)
    assert written(first) > 100
    assert written(again) == 0
    assert state(northside) == before
    assert _row_versions() == versions, "not one row was written again"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_importing_whatever_twice_is_importing_it_once(northside, tmp_path, data):
    folder = tmp_path / str(data.draw(st.uuids()))
    write(folder, *data.draw(st.lists(_resources, max_size=12)))
    source = folder.name
    with undone():
        import_folder(northside, folder, source)
        before, versions = state(northside), _row_versions()
        assert written(import_folder(northside, folder, source)) == 0
        assert state(northside) == before
        assert _row_versions() == versions
        assert rollups.rebuild(northside) == 0


_ids = st.sampled_from(["1", "2", "3"])
_when = st.sampled_from([None, "2020-02-29T09:00:00Z", "2026-10-05T14:00:00-04:00", "2027-01-04T10:00:00Z"])
_metas = st.sampled_from([None, {"lastUpdated": "2026-01-01T00:00:00Z"}, {"lastUpdated": "2026-02-01T00:00:00Z"}])
_claim_refs = st.one_of(st.none(), _ids.map(lambda id: {"reference": f"Claim/{id}"}))
_patient_refs = _ids.map(lambda id: f"Patient/{id}")
_resources = st.one_of(
    st.builds(
        patient,
        _ids,
        birthDate=st.sampled_from(["1984-03-12", "2000-02-29", "1990", "nonsense"]),
        active=st.sampled_from([True, False, None]),
        telecom=st.lists(
            st.fixed_dictionaries({
                "system": st.sampled_from(["phone", "email"]),
                "use": st.sampled_from(["mobile", "home", "old"]),
                "value": st.sampled_from(["617-555-0111", "617-555-0112", "ana@mailbox.example", "none"]),
            }),
            max_size=3,
        ),
        meta=_metas,
        link=st.one_of(st.none(), st.builds(
            lambda id, type: [{"type": type, "other": {"reference": f"Patient/{id}"}}],
            _ids, st.sampled_from(["replaced-by", "replaces", "seealso"]),
        )),
        extension=st.sampled_from([None, [own("marketing-ok", True)], [own("no-marketing", "Yes")],
                                   [own("attorney", "Ruiz & Lee"), own("referral-source", "Google")]]),
    ),
    st.builds(condition, _ids, _patient_refs, st.sampled_from(["active", "resolved"]), meta=_metas),
    st.builds(claim, _ids, _patient_refs, st.lists(st.sampled_from(["98940", "98941", "97110"]), max_size=3),
              status=st.sampled_from(["active", "cancelled"]), meta=_metas),
    st.builds(benefit, _ids, _patient_refs, st.sampled_from([0, 12.345, 99.99]), claim=_claim_refs, meta=_metas),
    st.builds(episode, _ids, _patient_refs, st.sampled_from(["active", "finished", "cancelled"]),
              diagnosis=_ids.map(lambda id: [{"condition": {"reference": f"Condition/{id}"}}])),
    st.builds(coverage, _ids, _patient_refs, st.sampled_from(["Aetna", "BlueCross", "self pay"])),
    st.builds(lambda kind, id: deleted(f"{kind}/{id}"),
              st.sampled_from(["Patient", "Appointment", "Claim", "EpisodeOfCare"]), _ids),
    st.builds(
        appointment, _ids, _patient_refs, st.sampled_from(["booked", "fulfilled", "noshow", "proposed", "odd"]), _when
    ),
    st.builds(
        encounter, _ids, _patient_refs, st.sampled_from(["finished", "planned"]), _when,
        appointment=st.one_of(st.none(), _ids.map(lambda id: [{"reference": f"Appointment/{id}"}])),
        episodeOfCare=st.one_of(st.none(), _ids.map(lambda id: [{"reference": f"EpisodeOfCare/{id}"}])),
    ),
)  # fmt: skip


def test_the_order_of_files_and_lines_does_not_matter(northside, southside, tmp_path):
    write_demo(_plan(60), tmp_path / "one", AT)
    lines = [line for file in sorted((tmp_path / "one").iterdir()) for line in _lines(file)]
    # The same id twice, equally new and different: which one stays must not hang on the order either.
    lines += [_json(patient("twice", gender="male")), _json(patient("twice", gender="female"))]
    random.Random(4).shuffle(lines)
    for number in range(3):
        write(tmp_path / "other", *lines[number::3], name=f"{number}.ndjson")
    write(tmp_path / "one", patient("twice", gender="female"), patient("twice", gender="male"), name="0.ndjson")
    _same_zone(southside, northside)
    first = import_folder(northside, tmp_path / "one")
    second = import_folder(southside, tmp_path / "other")
    assert state(northside) == state(southside)
    assert first.counts == second.counts


def test_what_changes_in_the_ehr_changes_here_and_nothing_else(northside, export):
    import_folder(northside, write(export, patient("p1"), patient("p2"), appointment("a1", status="booked")))
    run = import_folder(northside, write(export, patient("p2", active=False), appointment("a1", status="noshow")))
    assert run.counts["Patient"] == {"read": 1, "changed": 1}
    assert run.counts["Appointment"] == {"read": 1, "changed": 1}
    with practice_scope(northside):
        assert list(Patient.objects.order_by("external_id").values_list("status", flat=True)) == ["active", "inactive"]
        assert Appointment.objects.get().status == "missed"


def test_rejections_keep_file_line_and_reason_and_the_rest_comes_in(northside, export):
    write(export, patient(), "{", appointment("orphan", "Patient/nobody"), name="mixed.ndjson")
    run = import_folder(northside, export)
    assert run.state == ImportRun.State.DONE
    with practice_scope(northside):
        kept = ImportRejection.objects.order_by("line").values_list(
            "file", "line", "resource_type", "external_id", "reason"
        )
        assert list(kept) == [
            ("mixed.ndjson", 2, "", "", "Not complete JSON: the line is cut off"),
            ("mixed.ndjson", 3, "Appointment", "orphan",
             "Its patient is neither in this export nor known from an earlier one"),
        ]  # fmt: skip
        assert Patient.objects.count() == 1


def test_every_resource_read_is_accounted_for(northside, export):
    write_demo(_plan(80), export, AT)
    write(export, "{", appointment("orphan", "Patient/nobody"), {"resourceType": "Slot", "id": "s1"}, name="z.ndjson")
    run = import_folder(northside, export)
    for kind in ("Patient", "Appointment", "Encounter"):
        counts = dict(run.counts[kind])
        assert counts.pop("read") == sum(counts.values()), kind
    assert run.not_read == {"Slot": 1}
    with practice_scope(northside):
        assert Patient.objects.count() == run.counts["Patient"]["new"] == 80


def test_two_practices_with_the_same_ids_do_not_touch_each_other(northside, southside, export, tmp_path):
    import_folder(northside, write(export, patient(), appointment("a1")))
    before = state(northside)
    import_folder(southside, write(tmp_path / "other", patient(gender="male"), appointment("a1", status="noshow")))
    assert state(northside) == before
    assert state(southside)["patients"] != before["patients"]


def test_two_sources_of_one_practice_do_not_touch_each_other(northside, export):
    import_folder(northside, write(export, patient()), "one")
    import_folder(northside, write(export, patient(gender="male")), "other")
    with practice_scope(northside):
        assert dict(Patient.objects.values_list("source", "sex")) == {"one": "female", "other": "male"}


def test_one_import_at_a_time_for_a_practice_and_source(northside, export):
    write(export, patient())
    with owner_connection() as elsewhere:
        elsewhere.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"ehr import {northside.pk} fhir"])
        with pytest.raises(AlreadyRunning):
            import_folder(northside, export)
        import_folder(northside, export, "another source")


def test_rollups_can_be_rebuilt_and_say_how_many_were_wrong(northside, export):
    write_demo(_plan(40), export, AT)
    import_folder(northside, export)
    before = state(northside)
    assert rollups.rebuild(northside) == 0
    with practice_scope(northside):
        Patient.objects.update(visit_count=999, first_visit_on=None, can_text=False)
    assert rollups.rebuild(northside) >= 40
    assert state(northside) == before


def test_a_next_visit_that_has_passed_moves_on(northside, export, clock):
    clock.at(AT)
    booked = [appointment(f"a{day}", status="booked", start=f"2026-12-0{day}T15:00:00Z") for day in (1, 8)]
    import_folder(northside, write(export, patient(), *booked))
    clock.at(dt.datetime(2026, 12, 2, 15, 0, tzinfo=dt.UTC))
    tasks.tick()
    with practice_scope(northside):
        assert Patient.objects.get().next_visit_at == dt.datetime(2026, 12, 8, 15, 0, tzinfo=dt.UTC)
    assert rollups.refresh_next_visits(northside) == 0


def test_the_synthea_sample_comes_in_whole(northside):
    folder = sample_data("synthea-2019-60-patients-with-claims")
    run = import_folder(northside, folder)
    assert run.counts["Patient"] == {"read": 60, "new": 60}
    assert run.counts["Encounter"] == {"read": 1212, "new": 1212}
    assert run.not_read == {}
    # 763 bills were paid; the others say only whom they went to, what was done stands in their claim.
    assert run.counts["Claim"] == {"read": 1472, "new": 1472}
    assert run.counts["ExplanationOfBenefit"] == {"read": 1212, "new": 763, "joined": 449}
    assert run.counts["Condition"] == {"read": 384, "new": 384}
    assert run.counts["Procedure"] == {"read": 591, "new": 591}
    with practice_scope(northside):
        assert Patient.objects.filter(visit_count__gt=0).count() == 60
        assert Patient.objects.filter(inactive_reason="deceased").exists()
        assert not Patient.objects.exclude(cell="").exists(), "no number there is marked mobile"
        assert Patient.objects.filter(time_zone="America/New_York").count() > 50
        assert not ImportRejection.objects.exists()
        assert set(ServiceCode.objects.values_list("system", flat=True)) == {"snomed", "cvx"}
        assert set(DiagnosisCode.objects.values_list("system", flat=True)) == {"snomed"}
        paid = Patient.objects.aggregate(all=Sum("total_paid_cents"))["all"]
        assert paid == Payment.objects.aggregate(all=Sum("amount_cents"))["all"] == _paid_cents(folder)
        names = Coverage.objects.filter(is_active=True).values_list("insurer__name", flat=True)
        assert set(names) == {"private", "medicare", "medicaid", "dual_eligible"}, "and nobody is insured by nobody"
    assert written(import_folder(northside, folder)) == 0


def test_the_official_hl7_examples_come_in_with_reasons_for_the_rest(northside):
    folder = sample_data("hl7-r4-examples")
    run = import_folder(northside, folder)
    assert run.counts["Patient"] == {"read": 22, "new": 22}
    stranger = "Its patient is neither in this export nor known from an earlier one"
    with practice_scope(northside):
        reasons = ImportRejection.objects.values_list("resource_type", "reason")
        assert Counter(reasons) == {
            ("Encounter", "The encounter has no start time"): 7,
            ("Claim", "It names no patient"): 3,
            ("Claim", stranger): 13,
            ("Coverage", stranger): 3,
        }
        assert run.left_out == {
            "Account": {"It is an account for money and no case": 2},
            "Appointment": {"Its status is proposed": 1},
            "Claim": {"It only asks what would be paid": 1},
            "Coverage": {"The patient pays; it names no company": 1},
            "Invoice": {"It is not paid yet": 1},
        }
        assert run.not_read == {"AppointmentResponse": 2, "HealthcareService": 1, "Schedule": 3, "Slot": 4}
        assert sum(counts["read"] for counts in run.counts.values()) + sum(run.not_read.values()) == 79
        assert Patient.objects.get(external_id="example").preferred_name == "Jim"
    assert written(import_folder(northside, folder)) == 0


def _paid_cents(folder: Path) -> int:
    """What the insurers paid, read in the simplest way there is."""
    benefits = (json.loads(line, parse_float=Decimal) for line in _lines(folder / "ExplanationOfBenefit.ndjson.gz"))
    return sum(round(Decimal(benefit["payment"]["amount"]["value"]) * 100) for benefit in benefits)


def _plan(patients: int):
    return replace(SOUTHSIDE, patients=patients)


def _lines(file: Path) -> list[bytes]:
    body = file.read_bytes()
    return (gzip.decompress(body) if file.suffix == ".gz" else body).splitlines()


def _json(resource: dict) -> str:
    return json.dumps(resource)


def _same_zone(practice, other) -> None:
    for one in (practice, other):
        with practice_scope(one):
            one.settings.time_zone = "America/New_York"
            one.settings.save()


def _row_versions() -> set[tuple]:
    """Which versions of which rows there are: an UPDATE that changes nothing still makes a new one."""
    models = [
        model for model in apps.get_app_config("audience").get_models() if model not in (ImportRun, ImportRejection)
    ]
    return {
        (model._meta.db_table, *version)
        for model in models
        for version in rows(f"SELECT id, xmin::text, ctid::text FROM {model._meta.db_table}")
    }
