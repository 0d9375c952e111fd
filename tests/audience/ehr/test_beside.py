"""An import beside running campaigns: nothing deadlocks, nobody waits long, no opt-out is lost."""

import random
import threading
import time
from types import SimpleNamespace

import pytest
from django.db import connection

from audience import consent, tags
from audience.ehr import compare
from audience.ehr.run import import_folder
from audience.models import ContactPoint, Patient, Tag
from campaigns import blast
from messaging import checks
from tests.audience.ehr.exports import appointment, claim, own, patient, write
from tests.audience.ehr.outcome import state, written
from tests.factories import CampaignFactory
from trackstat.tenancy.scope import practice_scope

PATIENTS = 150


def export_of(folder, year: int):
    """Everybody has changed since the year before: names, phones shared by two, flags, visits, bills; some merged."""
    people = []
    for number in range(PATIENTS):
        id = f"p{number:03}"
        phone = [{"system": "phone", "use": "mobile", "value": f"617-555-{(number + year) // 2 % PATIENTS:04}"}]
        link = [{"type": "replaced-by", "other": {"reference": f"Patient/p{number - 1:03}"}}]
        people += [
            patient(id, name=[{"family": f"Of {year}", "given": ["Ana"]}], telecom=phone,
                    extension=[own("marketing-ok", (number + year) % 5 != 0)],
                    **({"link": link} if number % 30 == year % 30 and number else {})),
            appointment(f"a{number}", f"Patient/{id}", start=f"{year}-03-02T15:00:00Z"),
            claim(f"b{number}", f"Patient/{id}", cpt=[str(90000 + year)]),
        ]  # fmt: skip
    return write(folder, *people)


@pytest.mark.django_db(transaction=True)
def test_importing_while_audiences_load_messages_are_armed_tags_put_on_and_people_opt_out(
    northside, tmp_path, monkeypatch
):
    monkeypatch.setattr(compare, "CHUNK", 40)
    import_folder(northside, export_of(tmp_path, 2020))
    with practice_scope(northside):
        points = list(ContactPoint.objects.values_list("pk", flat=True))
        people = list(Patient.objects.values_list("pk", flat=True))
        numbers = list(ContactPoint.objects.filter(channel="text").values_list("address", flat=True))
        tag = Tag.objects.create(name="held", always_excluded=True)
        women = {"primary": None, "filters": [{"key": "sex", "mode": "include", "value": {"sex": ["female"]}}]}
        campaign = CampaignFactory(definition=women, require=[])
    over, failures, waits, opted_out = threading.Event(), [], [], set()

    def again_and_again(act):
        dice = random.Random(act.__name__)
        try:
            while not over.is_set():
                began = time.monotonic()
                act(dice)
                waits.append(time.monotonic() - began)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    def arm(dice):
        candidates = [
            SimpleNamespace(contact_point_id=dice.choice(points), patient_id=dice.choice(people), campaign_id=None)
            for _ in range(50)
        ]
        with practice_scope(northside):
            checks.take_locks(candidates)
            time.sleep(0.002)

    def put_tag_on(dice):
        with practice_scope(northside):
            tags.put_on(tag, Patient.objects.filter(pk__in=dice.sample(people, 60)))
        # Each locks its patients by id: two of them in one transaction would have no order.
        with practice_scope(northside):
            tags.take_off(tag, Patient.objects.all())

    def load(dice):
        with practice_scope(northside):
            assert blast.load(campaign, None) > 0

    def opt_out(dice):
        number = dice.choice(numbers)
        with practice_scope(northside):
            consent.opt_out("text", number, "all", "reply", "STOP")
        opted_out.add(number)
        time.sleep(0.01)

    threads = [threading.Thread(target=again_and_again, args=[act]) for act in (arm, arm, load, put_tag_on, opt_out)]
    for thread in threads:
        thread.start()
    try:
        for year in range(2021, 2025):
            run = import_folder(northside, export_of(tmp_path, year))
            assert written(run) >= 2 * PATIENTS
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert len(waits) > 50
    assert max(waits) < 5, "somebody waited for a whole import"
    before = state(northside)
    assert written(import_folder(northside, tmp_path)) == 0
    assert state(northside) == before
    with practice_scope(northside):
        assert opted_out
        assert not Patient.objects.filter(cell__in=opted_out, can_text=True).exists()
