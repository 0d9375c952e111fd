"""A made-up practice before its first patient: settings, lines to send from, tags."""

import datetime as dt
import hashlib
import secrets

from audience.models import Channel, Tag
from messaging.models import SendingIdentity
from trackstat.seed.generator import PracticePlan
from trackstat.tenancy.models import Practice, PracticeSettings
from trackstat.tenancy.scope import practice_scope

WORDING = (
    "I agree to receive text messages about appointments, offers and news from the practice at the mobile number I "
    "gave. Message and data rates may apply. Reply STOP to opt out. My care does not depend on it."
)
# Name → (keeps announcements away, set by the system only).
TAGS = {
    "not qualified": (True, False),
    "np start": (False, True),
    "VIP": (False, False),
    "Workshop": (False, False),
    "Auto accident": (False, False),
    "Refer a friend": (False, False),
}


def seed_practice(plan: PracticePlan, at: dt.datetime) -> Practice:
    """The practice with its settings, made where missing. `at`: when it is (aware)."""
    practice, _ = Practice.objects.get_or_create(slug=plan.slug, defaults={"name": plan.name})
    with practice_scope(practice):
        PracticeSettings.objects.get_or_create(
            practice=practice,
            defaults={
                "time_zone": plan.zone,
                "phone": plan.phone,
                "address_line": plan.address,
                "city": plan.city,
                "state": plan.state,
                "postal_code": plan.postal_code,
                "attested_at": at - dt.timedelta(days=200),
                "attested_by": "The practice's Administrator",
                "attested_wording": WORDING,
            },
        )
        for name, (always_excluded, reserved) in TAGS.items():
            Tag.objects.get_or_create(name=name, defaults={"always_excluded": always_excluded, "reserved": reserved})
        _seed_identities(plan)
    return practice


def _seed_identities(plan: PracticePlan) -> None:
    """One approved text number and one approved mail domain, which exist in the sandbox alone."""
    of_sandbox = {
        "registration": SendingIdentity.Registration.APPROVED,
        "is_sandbox": True,
        "rate_per_second": 50,
    }
    if not SendingIdentity.objects.filter(channel=Channel.TEXT).exists():
        SendingIdentity.objects.create(
            channel=Channel.TEXT,
            provider=SendingIdentity.Provider.TWILIO,
            label="Front desk",
            address=plan.text_number,
            account="AC" + hashlib.md5(plan.slug.encode(), usedforsecurity=False).hexdigest(),
            secret=secrets.token_hex(16),
            **of_sandbox,
        )
    if not SendingIdentity.objects.filter(channel=Channel.EMAIL).exists():
        SendingIdentity.objects.create(
            channel=Channel.EMAIL,
            provider=SendingIdentity.Provider.MAILGUN,
            label="Newsletter",
            address=f"hello@{plan.mail_domain}",
            from_name=plan.name,
            reply_to=f"frontdesk@{plan.slug}.example",
            account=plan.mail_domain,
            secret=f"key-{secrets.token_hex(16)}",
            webhook_secret=secrets.token_hex(16),
            **of_sandbox,
        )
