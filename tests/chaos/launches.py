"""Twenty presses on the toggle of one campaign at the same moment, over HTTP to gunicorn: one launch."""

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import requests
from django.conf import settings
from django.db import connection

from audience.models import Patient
from campaigns import blast, drafts
from campaigns.models import Campaign
from tests import cast
from tests.chaos.processes import Process
from tests.chaos.score import Score
from tests.factories import TextIdentityFactory
from trackstat.embedded.launch import answers
from trackstat.embedded.surroundings import without_keys
from trackstat.tenancy.models import Membership, Practice, User
from trackstat.tenancy.roles import seed_roles
from trackstat.tenancy.scope import practice_scope

PRESSES = 20
PATIENTS = 25
EVERY_WOMAN = {"primary": None, "filters": [{"key": "sex", "mode": "include", "value": {"sex": ["female"]}}]}


def run(launches: int, folder: Path) -> Score:
    if not launches:
        return Score()
    practice = cast.northside()
    user = User.objects.create_user("mona@northside.example", cast.PASSWORD)
    with practice_scope(practice):
        Membership.objects.create(user=user, role=seed_roles()["Manager"])
        campaigns = _campaigns(launches, user)
    port = settings.PUBLIC_URL.rpartition(":")[2]
    options = ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", str(PRESSES), "--worker-class", "gthread"]
    # A connection that is kept may be closed just when it is pressed on again.
    web = Process(
        ["gunicorn", "trackstat.wsgi:application", *options, "--keep-alive", "0", "--no-control-socket"],
        without_keys(os.environ),
        folder / "web.log",
    )
    try:
        _until_it_answers()
        answered = _press_all(practice, campaigns)
    finally:
        web.kill()
    with practice_scope(practice):
        return _judge(campaigns, answered)


def _campaigns(launches: int, user: User) -> list[Campaign]:
    """Text blasts that wait for nothing but the toggle, in the practice in scope."""
    TextIdentityFactory()
    Patient.objects.bulk_create(
        Patient(
            source="races",
            external_id=f"Patient/{number}",
            sex=Patient.Sex.FEMALE if number < PATIENTS else Patient.Sex.MALE,
            cell=f"+1617{2_000_000 + number}",
            can_text=True,
        )
        for number in range(2 * PATIENTS)
    )
    made = []
    for number in range(launches):
        campaign = drafts.create(Campaign.Kind.BLAST, f"Launch {number}", user)
        drafts.save_definition(campaign, EVERY_WOMAN, None, campaign.version, user)
        drafts.save_step(campaign, "text", "", "We have new hours.", "now", None, 0, campaign.version, user)
        assert blast.load(campaign, user) == PATIENTS
        made.append(campaign)
    return made


def _until_it_answers() -> None:
    deadline = time.monotonic() + 60
    while not answers(f"{settings.PUBLIC_URL}/readyz"):
        assert time.monotonic() < deadline, "gunicorn does not answer"
        time.sleep(0.1)


def _press_all(practice: Practice, campaigns: list[Campaign]) -> list[list[int]]:
    """Status codes of each campaign's presses."""
    signed_in = _sign_in()
    barrier = Barrier(PRESSES)

    def presses(_: int) -> list[int]:
        codes = []
        with requests.Session() as browser:
            browser.cookies.update(signed_in.cookies)
            for campaign in campaigns:
                barrier.wait(120)
                answer = browser.post(
                    settings.PUBLIC_URL + practice.url("campaigns:enable", campaign.pk),
                    {"confirmed_count": PATIENTS, "csrfmiddlewaretoken": browser.cookies["csrf"]},
                    allow_redirects=False,
                    timeout=60,
                )
                codes.append(answer.status_code)
        return codes

    with ThreadPoolExecutor(PRESSES) as threads:
        return list(zip(*threads.map(presses, range(PRESSES)), strict=True))


def _sign_in() -> requests.Session:
    browser = requests.Session()
    page = browser.get(f"{settings.PUBLIC_URL}/accounts/login/", timeout=60)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token, page.status_code
    answer = browser.post(
        f"{settings.PUBLIC_URL}/accounts/login/",
        {"login": "mona@northside.example", "password": cast.PASSWORD, "csrfmiddlewaretoken": token[1]},
        allow_redirects=False,
        timeout=60,
    )
    assert answer.status_code == 302, answer.status_code
    return browser


_FOUND = """
SELECT c.id, c.state, c.loaded_count,
       (SELECT count(*) FROM campaigns_enrollment e WHERE e.practice_id = c.practice_id AND e.campaign_id = c.id),
       (SELECT count(DISTINCT e.patient_id) FROM campaigns_enrollment e
         WHERE e.practice_id = c.practice_id AND e.campaign_id = c.id),
       (SELECT count(*) FROM tenancy_auditevent a WHERE a.practice_id = c.practice_id
           AND a.action = 'campaign.enabled' AND a.object_id = c.id)
  FROM campaigns_campaign c WHERE c.id = ANY(%s)"""


def _judge(campaigns: list[Campaign], answered: list[list[int]]) -> Score:
    with connection.cursor() as cursor:
        cursor.execute(_FOUND, [[campaign.pk for campaign in campaigns]])
        found = {row[0]: row[1:] for row in cursor.fetchall()}
    score = Score(races=len(campaigns))
    for campaign, codes in zip(campaigns, answered, strict=True):
        state, loaded, enrolled, patients, launched = found[campaign.pk]
        as_wanted = (state, loaded, enrolled, patients, launched) == ("enabled", PATIENTS, PATIENTS, PATIENTS, 1)
        if not as_wanted or set(codes) != {302}:
            score.mistake(
                f"campaign {campaign.pk}: {state}, {enrolled} enrollments of {patients} patients,"
                f" {launched} launches, answers {sorted(set(codes))}"
            )
    return score
