"""How fast an identity may send: a token bucket in Valkey (segments a second), a daily cap counted in PostgreSQL."""

import datetime as dt
from collections.abc import Sequence
from functools import cache
from time import monotonic

import redis
from django.conf import settings
from django.db import connection

from messaging.models import SendingIdentity
from trackstat import valkey
from trackstat.clock import now
from trackstat.tenancy.models import PracticeSettings
from trackstat.tenancy.scope import current_practice_id

# After a 429 the rate halves; it doubles again in this many seconds, up to the identity's own.
RECOVER_SECONDS = 60
# Without Valkey nobody knows what other workers do: a quarter of the rate, kept by this process alone.
SHARE_WITHOUT_VALKEY = 0.25
# Celery's queue, where lanes that were woken wait for a worker.
QUEUE = "celery"

_TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local full, burst, recover = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'share', 'slowed')
local share, slowed = tonumber(kept[3] or 1), tonumber(kept[4] or 0)
share = math.min(1, share * 2 ^ ((now - slowed) / recover))
local rate = full * share
local most = math.max(rate * burst, 1)
local tokens = tonumber(kept[1] or math.max(rate, 1))
tokens = math.min(most, tokens + (now - tonumber(kept[2] or now)) * rate)
local granted, wait = 0, 0
for i = 4, #ARGV do
  local needed = math.min(tonumber(ARGV[i]), most)
  if tokens < needed then
    wait = (needed - tokens) / rate
    break
  end
  tokens = tokens - tonumber(ARGV[i])
  granted = granted + 1
end
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', now, 'share', share, 'slowed', now)
redis.call('EXPIRE', KEYS[1], 3600)
return {granted, tostring(wait)}
"""
_HALVE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local share = math.max(tonumber(redis.call('HGET', KEYS[1], 'share') or 1) / 2, 1 / 64)
redis.call('HSET', KEYS[1], 'share', share, 'slowed', now, 'tokens', 0, 'at', now)
redis.call('EXPIRE', KEYS[1], 3600)
"""


@cache
def _valkey() -> redis.Redis:
    return valkey.client()


@cache
def _script(source: str):
    return _valkey().register_script(source)


def take(identity: SendingIdentity, segments: Sequence[int]) -> tuple[int, float]:
    """How many of these messages, in their order, may go now, and after how many seconds the next one.

    A lane that was away for up to a tick may catch up: then the mean rate holds, not each second's.
    """
    arguments = [identity.rate_per_second, settings.TICK_SECONDS, RECOVER_SECONDS, *segments]
    try:
        granted, wait = _script(_TAKE)(keys=[_key(identity)], args=arguments)
    except redis.RedisError:
        return _bucket(str(identity.key)).take(identity.rate_per_second * SHARE_WITHOUT_VALKEY, segments)
    return int(granted), float(wait)


def halve(identity: SendingIdentity) -> None:
    """The provider asked us to slow down."""
    try:
        _script(_HALVE)(keys=[_key(identity)])
    except redis.RedisError:
        _bucket(str(identity.key)).empty()


def others_wait() -> bool:
    """Whether woken lanes wait for a worker: then this one does not sleep on its place."""
    try:
        return _valkey().llen(QUEUE) > 0
    except redis.RedisError:
        return True


def left_today(identity: SendingIdentity) -> int | None:
    """Segments the daily cap still allows on the practice's local day; None without a cap."""
    if identity.daily_cap is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(segments), 0) FROM messaging_message WHERE practice_id = %s AND identity_id = %s"
            " AND armed_at >= %s AND state NOT IN ('pending', 'claimed', 'aborted', 'cancelled')",
            [current_practice_id(), identity.pk, _midnight(0)],
        )
        return max(0, identity.daily_cap - cursor.fetchone()[0])


def tomorrow() -> dt.datetime:
    """The practice's next local midnight, from when the next day's cap counts. Quiet hours then hold until morning."""
    return _midnight(1)


def _midnight(days_ahead: int) -> dt.datetime:
    zone = PracticeSettings.objects.get().tz
    day = now().astimezone(zone).date() + dt.timedelta(days=days_ahead)
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)


def _key(identity: SendingIdentity) -> str:
    return f"trackstat:rate:{identity.key}"


class _Bucket:
    def __init__(self) -> None:
        self.tokens, self.at = 1.0, monotonic()

    def take(self, rate: float, segments: Sequence[int]) -> tuple[int, float]:
        at = monotonic()
        most = max(rate, 1.0)
        self.tokens, self.at = min(most, self.tokens + (at - self.at) * rate), at
        for granted, size in enumerate(segments):
            if self.tokens < min(size, most):
                return granted, (min(size, most) - self.tokens) / rate
            self.tokens -= size
        return len(segments), 0.0

    def empty(self) -> None:
        self.tokens, self.at = 0.0, monotonic()


@cache
def _bucket(identity_key: str) -> _Bucket:
    return _Bucket()
