"""An Administrator connects the practice's EHR: its key to the vendor, a test, the first run, what it brought."""

import json
import re

import pytest
from playwright.sync_api import expect

from audience.models import EhrConnection, Patient
from tests.audience.ehr.exports import appointment, patient
from tests.journeys.conftest import PASSWORD
from tests.journeys.walk import WORK
from trackstat.tenancy.models import Membership, Role, User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]

PEOPLE = 30


def test_an_ehr_is_connected_tested_and_read(walk, office, stack, tmp_path):
    olive = _administrator(office)
    name = office.practice.slug
    _write_export(tmp_path)
    page = walk.page
    walk.sign_in(olive, PASSWORD)
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("link", name="EHR Connections").click()
    page.get_by_role("link", name="Add Connection").first.click()
    page.get_by_role("link", name="Connect a FHIR server").click()
    walk.look("new connection")
    page.get_by_label("Name").fill("ChiroCloud")
    page.get_by_label("Address of the FHIR server").fill(f"{stack.sandbox_server.url}/ehr/{name}/fhir")
    page.get_by_label("Client id").fill("trackstat")
    page.get_by_label("Kind of key").select_option("ES384")
    page.get_by_role("button", name="Add connection").click()
    page.wait_for_url(re.compile(r"/connections/\d+/$"))
    walk.look("new key")

    # The vendor enters the key that stands on the page.
    keys = json.loads(page.get_by_label("Key set (JWKS)").input_value())
    stack.sandbox.register_ehr(name, str(tmp_path), {"trackstat": {"jwks": keys}}, polls=1, retry_after=1)
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text(f"It works: {PEOPLE} patients would come.")).to_be_visible(timeout=WORK)

    page.get_by_role("button", name="Run now").click()
    expect(page.locator("#live")).to_contain_text("You may leave this page")
    runs = page.locator("#runs")
    expect(runs.get_by_role("row").nth(1)).to_contain_text("Done", timeout=WORK)
    expect(page.locator("#live")).to_contain_text("just now")
    walk.look("connection after a run")
    runs.get_by_role("link").first.click()
    expect(page.get_by_role("row", name="Patients Patient")).to_contain_text(str(PEOPLE))
    expect(page.locator("#rows")).to_contain_text("start is not a date and time")
    walk.look("what a run brought")
    page.get_by_role("link", name="Patients", exact=True).first.click()
    expect(page.locator("#rows")).to_contain_text("EHR read")
    with office.data():
        assert Patient.objects.count() == PEOPLE
        assert EhrConnection.objects.get().state == "working"
    assert walk.said == []


def _administrator(office) -> str:
    email = office.email.replace("uma@", "olive@")
    with office.data():
        user = User.objects.create_user(email, PASSWORD, name="Olive")
        Membership.objects.create(user=user, role=Role.objects.get(name="Administrator"))
    return email


def _write_export(folder) -> None:
    """People with an appointment each, and one record that nobody can read."""
    records = [patient(f"p{n}") for n in range(PEOPLE)]
    records += [appointment(f"a{n}", f"Patient/p{n}") for n in range(PEOPLE)]
    records += [{"resourceType": "Appointment", "id": "broken", "status": "booked", "start": "whenever"}]
    (folder / "export.ndjson").write_text("".join(json.dumps(record) + "\n" for record in records))
