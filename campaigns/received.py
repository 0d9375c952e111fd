"""On a patient's page: the campaigns whose messages were made for them."""

from audience.card import Row, Section, section
from audience.models import Patient
from campaigns.models import Campaign
from messaging.models import Message
from trackstat.tenancy.models import Membership, Practice

SHOWN = 30


@section
def campaigns_received(patient: Patient, practice: Practice, membership: Membership) -> Section:
    """The latest messages; each leads to its campaign for those who may see campaigns."""
    received = Message.objects.filter(patient=patient, campaign_id__isnull=False)
    messages = list(received.order_by("-created_at")[: SHOWN + 1])
    campaigns = Campaign.objects.in_bulk({message.campaign_id for message in messages})
    may_look = membership.can("campaigns.view_campaign")
    rows = []
    for message in messages[:SHOWN]:
        campaign = campaigns[message.campaign_id]
        page = "campaigns:blast" if campaign.kind == Campaign.Kind.BLAST else "campaigns:drip"
        url = practice.url(page, campaign.pk) if may_look else ""
        words = f"{campaign.name} ({message.get_channel_display().lower()})"
        rows.append(Row(words, message.sent_at or message.due_at, message.state, url))
    title = f"Campaigns received (the latest {SHOWN}; older ones are in the reports)"
    if len(messages) <= SHOWN:
        title = "Campaigns received"
    return Section(title, "No campaign has written to this patient.", rows)
