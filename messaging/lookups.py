"""Asks the carrier what kind of line a number is, where the EHR does not say. Each answer costs the practice money."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import requests
from twilio.base.exceptions import TwilioException

from audience import line_types
from audience.models import Channel
from messaging import providers
from messaging.models import SendingIdentity
from messaging.providers.twilio import Twilio
from trackstat.tenancy.scope import practice_scope

AT_ONCE = 8
BATCH = 200
OURS = {"mobile": "mobile", "landline": "landline", "fixedVoip": "voip", "nonFixedVoip": "voip"}


class NoLine(Exception):
    """The practice has no texting line whose account could be asked."""


def look_up(practice_id: int, most: int = 10_000) -> Iterator[dict[str, int]]:
    """Yields after each batch how many numbers were found to be what; asking again asks only about the rest.

    Raises NoLine. No transaction is open while the carrier is asked.
    """
    with practice_scope(practice_id):
        lines = SendingIdentity.objects.filter(channel=Channel.TEXT, is_active=True)
        identity = lines.filter(provider=SendingIdentity.Provider.TWILIO).order_by("pk").first()
    if identity is None:
        raise NoLine
    provider = providers.of(identity)
    assert isinstance(provider, Twilio)
    found: dict[str, int] = {}
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while most > 0:
                with practice_scope(practice_id):
                    numbers = line_types.not_asked(min(BATCH, most))
                answers = [
                    (number, kind)
                    for number, kind in zip(numbers, pool.map(_ask(provider), numbers), strict=True)
                    if kind
                ]
                for number, kind in answers:
                    with practice_scope(practice_id):
                        line_types.learn(number, kind)
                    found[kind] = found.get(kind, 0) + 1
                yield dict(found)
                most -= len(numbers)
                # A carrier that does not answer is asked another time, not for ever.
                if not answers:
                    return
    finally:
        provider.close()


def _ask(provider: Twilio):
    def ask(number: str) -> str:
        try:
            said = provider.line_type(number)
        except (TwilioException, requests.RequestException):
            return ""
        return OURS.get(said, "other")

    return ask
