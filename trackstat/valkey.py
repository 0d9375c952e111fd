"""The product's own way to Valkey, beside Celery's. Whoever asks knows what to do without an answer."""

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry


def client(**options) -> redis.Redis:
    """Tries twice at once, because a kept connection may be one from before a restart, and waits for nobody: a worker
    that waits seconds for rates sends nothing meanwhile. Raises RedisError where asked something in vain."""
    waits = {"socket_timeout": 1, "socket_connect_timeout": 1, "retry": Retry(NoBackoff(), 1)}
    return redis.Redis.from_url(settings.REDIS_URL, **waits, **options)
