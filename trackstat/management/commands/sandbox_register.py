from collections import defaultdict

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from messaging.models import SendingIdentity
from trackstat.clock import now, real_now
from trackstat.sandbox.client import SandboxClient
from trackstat.tenancy.scope import across_practices


class Command(BaseCommand):
    help = (
        "Introduce the sandbox identities of all practices to the sandbox: its accounts, numbers, domains and webhooks."
    )

    def handle(self, *args, **options):
        if not settings.SANDBOX_URL:
            raise CommandError("SANDBOX_URL is not set: there is no sandbox to introduce anyone to.")
        sandbox = SandboxClient(settings.SANDBOX_URL)
        with across_practices("sandbox_register"):
            identities = list(
                SendingIdentity.objects.filter(is_sandbox=True, is_active=True).select_related("practice")
            )
        texts, domains = _by_account(identities)
        for account, group in texts.items():
            sandbox.register_account(
                account,
                group[0].secret,
                sms_url=webhook(group[0], "inbound"),
                numbers=[identity.address for identity in group],
                services={i.messaging_service: [i.address] for i in group if i.messaging_service},
                friendly_name=group[0].practice.name,
                # The carrier confirms a STOP itself: what we said after it would be refused.
                advanced_opt_out=True,
            )
        for domain, identity in domains.items():
            sandbox.register_domain(
                domain, identity.secret, identity.webhook_secret, tracking_url=webhook(identity, "tracking")
            )
        sandbox.set_clock((now() - real_now()).total_seconds())
        self.stdout.write(f"{len(texts)} carrier accounts and {len(domains)} mail domains are known to the sandbox.")


def webhook(identity: SendingIdentity, what: str) -> str:
    return f"{settings.PUBLIC_URL}/webhooks/{identity.provider}/{identity.key}/{what}/"


def _by_account(identities):
    texts, domains = defaultdict(list), {}
    for identity in identities:
        if identity.provider == SendingIdentity.Provider.TWILIO:
            texts[identity.account].append(identity)
        elif identity.provider == SendingIdentity.Provider.MAILGUN:
            domains[identity.account] = identity
    return texts, domains
