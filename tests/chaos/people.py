"""Practices with patients to write to. Every message of a run has words that no other has.

A message is known by its key: the channel and the patient's first name, which is unique in the run and stands in the
text or in the subject of the email.
"""

import datetime as dt
import re
import secrets
from dataclasses import dataclass, field

from django.conf import settings

from audience.models import Channel, Patient
from campaigns import blast, drafts, moves
from campaigns.models import Campaign, Step
from messaging.models import SendingIdentity
from trackstat.tenancy.models import Practice, PracticeSettings
from trackstat.tenancy.roles import seed_roles
from trackstat.tenancy.scope import practice_scope

Key = tuple[str, str]

TEXT = "Hi {{PatientFirstName}}, we miss you at {{PracticeName}}."
SUBJECT = "News for {{PatientFirstName}}"
EMAIL = "Hello,\n\nwe have new opening hours.\n\n{{PracticeName}}"
EVERYBODY = {
    "primary": {"key": "last_visit", "value": {"range": "more_than_ago", "least": 0, "unit": "days"}},
    "filters": [],
}
TOKEN = re.compile(r"\b([A-Z][a-z]+\d{6})\b")

# Numbers that the sandbox ends as undelivered (30003, 30008) or failed (30450), and that spoil nothing but the text.
_CODES = ("0003", "0008", "0450")
_AREAS = ("617", "857", "339", "781", "508", "774", "978", "351", "413", "603")


@dataclass
class Office:
    """A practice, its senders, and the keys of what it is to send."""

    practice: Practice
    name: str
    texts: SendingIdentity
    mails: SendingIdentity | None = None
    keys: set[Key] = field(default_factory=set)


def open_office(
    sandbox, name: str, *, service: bool = False, mail: str = "", rate: float = 100_000, mail_rate: float = 100_000
) -> Office:
    """`mail`: the mail service it sends through; '' for none. Rates are messages a second."""
    practice = Practice.objects.create(name=f"{name} Wellness", slug=name.lower())
    with practice_scope(practice):
        PracticeSettings.objects.create(
            practice=practice,
            time_zone="America/New_York",
            phone="+16175550100",
            address_line="1 Main Street",
            city="Boston",
            state="MA",
            postal_code="02118",
            attested_at=dt.datetime(2026, 1, 5, tzinfo=dt.UTC),
            attested_by="Olive Owner",
            attested_wording="I agree to receive texts about offers and news.",
            whole_database_percent=100,
        )
        seed_roles()
        texts = _text_line(sandbox, practice, service, rate)
        mails = _mail_line(sandbox, name, mail, mail_rate) if mail else None
    return Office(practice, name, texts, mails)


def webhook(identity: SendingIdentity, what: str) -> str:
    return f"{settings.PUBLIC_URL}/webhooks/{identity.provider}/{identity.key}/{what}/"


def _text_line(sandbox, practice: Practice, service: bool, rate: float) -> SendingIdentity:
    number = f"+1617201{practice.pk % 10_000:04d}"
    identity = SendingIdentity(
        channel=Channel.TEXT,
        provider=SendingIdentity.Provider.TWILIO,
        label="Front desk",
        address=number,
        messaging_service="MG" + secrets.token_hex(16) if service else "",
        account="AC" + secrets.token_hex(16),
        registration=SendingIdentity.Registration.APPROVED,
        is_sandbox=True,
        rate_per_second=rate,
    )
    identity.secret = secrets.token_hex(16)
    identity.save()
    services = {identity.messaging_service: [number]} if service else {}
    sandbox.register_account(
        identity.account,
        identity.secret,
        sms_url=webhook(identity, "inbound"),
        numbers=[number],
        services=services,
        advanced_opt_out=True,
    )
    return identity


def _mail_line(sandbox, name: str, provider: str, rate: float) -> SendingIdentity:
    domain = f"{name.lower()}.example"
    identity = SendingIdentity(
        channel=Channel.EMAIL,
        provider=provider,
        label="Newsletter",
        address=f"hello@{domain}",
        from_name=f"{name} Wellness",
        # Of the sandbox's mailbox the host and port are known without it.
        account=domain if provider == "mailgun" else "mail.example:587",
        registration=SendingIdentity.Registration.APPROVED,
        is_sandbox=True,
        rate_per_second=rate,
    )
    identity.secret, identity.webhook_secret = ("key-secret", "signing-key") if provider == "mailgun" else ("", "")
    identity.save()
    if provider == "mailgun":
        sandbox.register_domain(domain, "key-secret", "signing-key", tracking_url=webhook(identity, "tracking"))
    return identity


def fill(office: Office, texts: int, mails: int = 0, *, odd: bool = True) -> list[Patient]:
    """So many patients to text; the first so many are emailed as well, or alone where that is more.

    Two of three share their phone with one other, so half of the phones belong to two. `odd`: some numbers and
    mailboxes do not take what they are sent.
    """
    # Below the exchanges that the sandbox has for itself.
    base = 2_000_000 + office.practice.pk % 30 * 100_000
    failing = iter([f"+1{area}553{code}" for area in _AREAS for code in _CODES] if odd else [])
    patients = []
    for number in range(max(texts, mails)):
        first_name = f"{office.name}{number:06d}"
        place = number % 3
        cell = f"+1415{base + number - (place == 1):07d}"
        if place == 2 and number % 60 == 2:
            cell = next(failing, cell)
        box = f"bounce{number}" if odd and number % 50 == 3 else f"patient{number}"
        patients.append(
            Patient(
                practice=office.practice,
                source="chaos",
                external_id=f"Patient/{number}",
                first_name=first_name,
                last_name="Alvarez",
                birth_date=dt.date(1984, 3, 12),
                cell=cell if number < texts else "",
                email=f"{box}@{office.name.lower()}.patients.example" if number < mails else "",
                time_zone="America/New_York",
                last_visit_on=dt.date(2026, 3, 2),
                can_text=number < texts,
                can_email=number < mails,
            )
        )
        if number < texts:
            office.keys.add((Channel.TEXT, first_name))
        if number < mails:
            office.keys.add((Channel.EMAIL, first_name))
    with practice_scope(office.practice):
        return Patient.objects.bulk_create(patients, batch_size=2000)


def draft_campaign(office: Office, channel: str) -> Campaign:
    """To everybody who can be reached that way, loaded and ready to be switched on."""
    with practice_scope(office.practice):
        campaign = drafts.create(Campaign.Kind.BLAST, f"{office.name} by {channel}", None)
        subject, body = (SUBJECT, EMAIL) if channel == Channel.EMAIL else ("", TEXT)
        drafts.save_step(campaign, channel, subject, body, Step.When.NOW, None, 0, campaign.version, None)
        drafts.save_definition(campaign, EVERYBODY, None, campaign.version, None)
        # Half of the phones belong to two, and each of them is to get theirs.
        drafts.save_household(campaign, False, campaign.version, None)
        blast.load(campaign, None)
    return campaign


def switch_on(office: Office, campaign: Campaign) -> None:
    with practice_scope(office.practice):
        moves.enable(campaign, None, confirmed_count=campaign.loaded_count)


def key_of(channel: str, words: str) -> Key | None:
    """None for words that no message of a run has."""
    found = TOKEN.search(words)
    return (channel, found[1]) if found else None
