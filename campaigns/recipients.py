"""Who a campaign's filters describe. The rules are audience.filters'; here they meet the campaign's settings."""

import datetime as dt

from audience.filters import Audience
from campaigns.models import AudienceRemoval, Campaign
from trackstat.clock import today
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import current_practice_id


def audience_of(campaign: Campaign, on: dt.date | None = None) -> Audience:
    """The campaign's audience on a local date (None: today), without those removed by hand. Raises BadDefinition."""
    practice, channels = practice_in_scope(), campaign.channels()
    return Audience(
        practice,
        campaign.definition,
        on or today(practice),
        require=campaign.effective_require(channels),
        category=campaign.category,
        removed=AudienceRemoval.objects.filter(campaign=campaign),
        may_be_blank=campaign.kind == Campaign.Kind.DRIP,
        household=campaign.household_channel(channels),
    )


def practice_in_scope() -> Practice:
    return Practice.objects.select_related("settings").get(pk=current_practice_id())
