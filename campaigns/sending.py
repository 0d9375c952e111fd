"""Which of the practice's sending identities a campaign uses."""

from messaging.models import SendingIdentity


def identity_for(channel: str) -> SendingIdentity | None:
    """The identity in scope that texts or emails go out from: active, approved by the carriers, the oldest one."""
    return (
        SendingIdentity.objects.filter(
            channel=channel, is_active=True, registration=SendingIdentity.Registration.APPROVED
        )
        .order_by("pk")
        .first()
    )
