import pytest

from audience.models import Patient
from campaigns import drafts
from tests.factories import EmailIdentityFactory, PatientFactory, TextIdentityFactory

WOMEN = {"primary": None, "filters": [{"key": "sex", "mode": "include", "value": {"sex": ["female"]}}]}
MEN = {"primary": None, "filters": [{"key": "sex", "mode": "include", "value": {"sex": ["male"]}}]}
WORDS = "Hi {{PatientFirstName|there}}, we have new hours."


def make_patients():
    """Three women and three men who can be texted and emailed."""
    for n in range(3):
        PatientFactory(first_name=f"Ana{n}", sex=Patient.Sex.FEMALE)
        PatientFactory(first_name=f"Ben{n}", sex=Patient.Sex.MALE)


def make_blast(by, definition=WOMEN, channel="text", when="now", at_local=None, name="New hours"):
    """A draft with its filters and one message, not loaded yet."""
    campaign = drafts.create("blast", name, by)
    drafts.save_definition(campaign, definition, None, campaign.version, by)
    subject = "New hours" if channel == "email" else ""
    drafts.save_step(campaign, channel, subject, WORDS, when, at_local, 0, campaign.version, by)
    return campaign


@pytest.fixture
def senders(in_northside):
    TextIdentityFactory()
    EmailIdentityFactory()


@pytest.fixture
def draft(people, in_northside, senders):
    """A text blast to Northside's three women, with three men who are none of its business."""
    make_patients()
    return make_blast(people.uma)
