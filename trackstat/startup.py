"""What web and workers refuse to start with."""

import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection


def refuse_unsafe_start() -> None:
    """Raise ImproperlyConfigured for a role that passes the walls, a moved clock in production, a forgetful broker."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone()[0]:
            raise ImproperlyConfigured("DATABASE_URL must name the restricted role trackstat_app, not an owner.")
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user")
        if cursor.fetchone()[0]:
            raise ImproperlyConfigured("The role of DATABASE_URL owns tables: it could switch their protection off.")
        if not settings.SANDBOX and not settings.PUBLIC_URL.startswith("https://"):
            raise ImproperlyConfigured(
                "PUBLIC_URL must be the https address that carriers and patients reach: callbacks and links use it."
            )
        cursor.execute("SELECT shift <> '0' FROM trackstat.clock")
        if cursor.fetchone()[0] and not settings.SANDBOX:
            raise ImproperlyConfigured("trackstat.clock is moved: set its shift back to 0 before going live.")
    _refuse_forgetful_broker()


def _refuse_forgetful_broker() -> None:
    try:
        policy = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3).config_get("maxmemory-policy")
    except redis.RedisError:
        return  # A managed broker may forbid CONFIG; being away is no reason not to start: work waits in the database.
    if policy.get("maxmemory-policy", "noeviction") != "noeviction":
        raise ImproperlyConfigured("The broker may evict tasks: set maxmemory-policy to noeviction.")
