"""When a scheduled blast's time comes: who has come to match since it was loaded, where the campaign wants them (A14).

Who does not match any more is left out in any case, when the messages are written (campaigns.engine).
"""

from django.db.models import Exists, Max, OuterRef

from audience.filters import BadDefinition
from campaigns.blast import LAUNCH, enrol_members, insert_members
from campaigns.models import Campaign, Enrollment, Step
from campaigns.problems import whole_database
from campaigns.recipients import audience_of, practice_in_scope
from trackstat.formats import number
from trackstat.tenancy import audit


def freshen(campaign: Campaign) -> int:
    """Enrol who newly matches, beside those whom staff saw and confirmed; how many.

    Where that would come to the whole practice nobody is added (A3): those confirmed get it, and the campaign says why.
    In the transaction in which the blast begins to send, with its row locked.
    """
    first = campaign.steps.filter(position=1).first()
    if not campaign.keep_fresh or first is None or first.when != Step.When.AT:
        return 0
    due = Enrollment.objects.filter(campaign=campaign, occurrence=LAUNCH).aggregate(
        at=Max("due_at"), until=Max("not_after")
    )
    try:
        audience = audience_of(campaign)
    except BadDefinition as wrong:
        return _say(campaign, 0, f"Nobody could be added when its time came. {wrong}")
    newcomers = audience.queryset().filter(~Exists(campaign.members.filter(patient=OuterRef("pk"))))
    coming = newcomers.count()
    if not coming or due["at"] is None:
        return 0
    if too_many := whole_database(campaign, practice_in_scope(), audience.count()):
        more = (
            f"{_patients(coming)} came to match until its time came and {'was' if coming == 1 else 'were'} not added."
        )
        return _say(campaign, 0, f"{more} {too_many}", refused=coming)
    insert_members(campaign, newcomers)
    added = enrol_members(campaign, due["at"], due["until"])
    get = "gets" if added == 1 else "get"
    return _say(campaign, added, f"{_patients(added)} came to match until its time came and {get} it, too.")


def _say(campaign: Campaign, added: int, words: str, **detail: int) -> int:
    Campaign.objects.filter(pk=campaign.pk).update(freshened=words)
    audit.record("campaign.freshened", campaign, added=added, **detail)
    return added


def _patients(n: int) -> str:
    return f"{number(n)} more patient{'' if n == 1 else 's'}"
