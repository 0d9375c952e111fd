"""Numbers the EHR does not mark as mobile: the carrier is asked once, and its answer holds in later imports."""

import datetime as dt
import json

import pytest

from audience.ehr.run import import_folder
from audience.models import ContactPoint, Patient
from messaging.lookups import NoLine, look_up
from messaging.models import SendingIdentity
from tests.factories import PatientFactory
from trackstat.tenancy.scope import practice_scope

MOBILE, LANDLINE = "+16175557001", "+16175547002"


def asked(practice):
    answers = list(look_up(practice.pk))
    return answers[-1] if answers else {}


def test_a_mobile_becomes_the_cell_and_a_landline_is_never_texted(text_line, northside, sandbox):
    with practice_scope(northside):
        mobile = PatientFactory(cell="", home_phone=MOBILE)
        family = PatientFactory(cell="", work_phone=MOBILE)
        landline = PatientFactory(cell="", home_phone=LANDLINE)
        marked = PatientFactory(home_phone=MOBILE)
        inactive = PatientFactory(cell="", home_phone="+16175557003", status=Patient.Status.INACTIVE)
    assert asked(northside) == {"mobile": 1, "landline": 1}
    with practice_scope(northside):
        for patient in (mobile, family, landline, marked, inactive):
            patient.refresh_from_db()
        assert (mobile.cell, mobile.can_text) == (family.cell, family.can_text) == (MOBILE, True)
        assert (landline.cell, landline.can_text) == ("", False)
        assert ContactPoint.objects.get(address=LANDLINE).validity == ContactPoint.Validity.LANDLINE
        assert marked.cell != MOBILE
        assert inactive.cell == ""


def test_nobody_is_asked_about_twice(text_line, northside, sandbox):
    with practice_scope(northside):
        PatientFactory(cell="", home_phone=MOBILE)
    asked(northside)
    before = len(sandbox.ledger())
    assert asked(northside) == {}
    assert len(sandbox.ledger()) == before


def test_the_answer_holds_when_the_same_export_comes_again(text_line, northside, tmp_path):
    patient = {
        "resourceType": "Patient",
        "id": "p1",
        "name": [{"family": "Alvarez", "given": ["Ana"]}],
        "telecom": [{"system": "phone", "use": "home", "value": "(617) 555-7001"}],
    }
    (tmp_path / "Patient.ndjson").write_text(json.dumps(patient))
    import_folder(northside, tmp_path)
    asked(northside)
    run = import_folder(northside, tmp_path)
    assert run.counts["Patient"] == {"read": 1, "unchanged": 1}
    with practice_scope(northside):
        assert Patient.objects.get().cell == MOBILE


def test_a_practice_without_a_line_says_so(northside):
    with practice_scope(northside):
        assert not SendingIdentity.objects.exists()
    with pytest.raises(NoLine):
        list(look_up(northside.pk))


def test_a_carrier_that_does_not_answer_is_asked_another_time(text_line, northside, sandbox, settings):
    settings.TWILIO_API_URL = "http://127.0.0.1:9"
    with practice_scope(northside):
        patient = PatientFactory(cell="", home_phone=MOBILE)
    started = dt.datetime.now(dt.UTC)
    assert asked(northside) == {}
    assert dt.datetime.now(dt.UTC) - started < dt.timedelta(seconds=20)
    with practice_scope(northside):
        patient.refresh_from_db()
        assert patient.cell == ""
