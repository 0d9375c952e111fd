"""Every setting, from the environment. `.env.example` lists the variables."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.utils.csp import CSP

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    return os.environ.get(name, default)


def env_bool(name: str, default: bool = False) -> bool:
    return env(name, "1" if default else "0").lower() in {"1", "true", "yes", "on"}


DEBUG = env_bool("DEBUG")
# Demo, development and tests: sandbox carrier, a clock that can be moved, a secret made up on the spot.
SANDBOX_URL = env("SANDBOX_URL")
SANDBOX = bool(SANDBOX_URL) or DEBUG

SECRET_KEY = env("SECRET_KEY") or ("development-only-secret" if SANDBOX else "")
SECRET_KEY_FALLBACKS = [key for key in env("SECRET_KEY_FALLBACKS").split(",") if key]
# Encrypts providers' credentials at rest; falls back to a key derived from SECRET_KEY.
CREDENTIALS_KEYS = [key for key in env("CREDENTIALS_KEYS").split(",") if key]

# Where browsers, carriers and mail services reach this installation.
PUBLIC_URL = env("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
_public = urlsplit(PUBLIC_URL)
ALLOWED_HOSTS = [host for host in env("ALLOWED_HOSTS").split(",") if host] or [_public.hostname or "localhost"]
if SANDBOX:
    ALLOWED_HOSTS = [*ALLOWED_HOSTS, "localhost", "127.0.0.1", "[::1]", "testserver"]
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.postgres",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "anymail",
    "django_htmx",
    "trackstat",
    "trackstat.tenancy",
    "audience",
    "messaging",
    "campaigns",
    "reports",
]

MIDDLEWARE = [
    "trackstat.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "trackstat.tenancy.middleware.PracticeMiddleware",
]

ROOT_URLCONF = "trackstat.urls"
WSGI_APPLICATION = "trackstat.wsgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "trackstat.context.frame",
            ],
            "builtins": ["trackstat.templatetags.ui", "trackstat.templatetags.practice"],
        },
    }
]


def database(url: str, *, pool: bool = False) -> dict:
    parts = urlsplit(url)
    options: dict = {"connect_timeout": 5, "application_name": env("TRACKSTAT_PROCESS", "trackstat")}
    if pool:
        options["pool"] = {"min_size": 1, "max_size": int(env("DATABASE_POOL_SIZE", "8")), "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "OPTIONS": options,
        # A pool keeps connections itself. Workers keep theirs from task to task.
        "CONN_MAX_AGE": 0 if pool else None,
        "CONN_HEALTH_CHECKS": True,
    }


# `default` is the restricted role everything runs as; `owner` exists where migrations, flushes and dumps are run.
DATABASES = {"default": database(env("DATABASE_URL", "postgres:///trackstat"), pool=env_bool("DATABASE_POOL"))}
if env("DATABASE_OWNER_URL"):
    DATABASES["owner"] = database(env("DATABASE_OWNER_URL")) | {"TEST": {"MIRROR": "default"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SANDBOX_DATABASE_URL = env("SANDBOX_DATABASE_URL")

REDIS_URL = env("REDIS_URL", "redis://127.0.0.1:6379/0")
# A database of its own: clearing the cache must not empty the queue.
CACHE_URL = env("CACHE_URL") or urlsplit(REDIS_URL)._replace(path="/1").geturl()
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}}

# People
AUTH_USER_MODEL = "tenancy.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "trackstat.tenancy.accounts.NoSelfSignUp"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_RATE_LIMITS = {"login_failed": "10/15m/key,30/15m/ip"}
ACCOUNT_CHANGE_EMAIL = False
ALLAUTH_TRUSTED_PROXY_COUNT = int(env("TRUSTED_PROXIES", "0"))
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]

SESSION_COOKIE_AGE = 12 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True

# Messages to patients go through messaging/providers; this is for mail to staff.
MAILERS = {
    "default": {
        "BACKEND": env("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend"),
        "OPTIONS": {
            "host": env("EMAIL_HOST", "127.0.0.1"),
            "port": int(env("EMAIL_PORT", "2526")),
            "username": env("EMAIL_HOST_USER"),
            "password": env("EMAIL_HOST_PASSWORD"),
            "use_tls": env_bool("EMAIL_USE_TLS"),
            "timeout": 20,
        },
    }
}
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", "TrackStat <no-reply@localhost>")

# Carrier and mail service: an empty address means the real one. Only these differ between demo, tests and production.
TWILIO_API_URL = env("TWILIO_API_URL")
MAILGUN_API_URL = env("MAILGUN_API_URL")
# Seconds. The carrier's own limit is below 30; giving up sooner would only make more answers uncertain.
PROVIDER_CONNECT_TIMEOUT = float(env("PROVIDER_CONNECT_TIMEOUT", "3"))
PROVIDER_READ_TIMEOUT = float(env("PROVIDER_READ_TIMEOUT", "30"))
DISPATCH_THREADS = int(env("DISPATCH_THREADS", "16"))
DISPATCH_CHUNK = int(env("DISPATCH_CHUNK", "100"))
DISPATCH_LEASE_SECONDS = float(env("DISPATCH_LEASE_SECONDS", "60"))
# An uncertain hand-over is looked up at the provider only after this long: later than any answer could still come.
RECONCILE_SETTLE_SECONDS = float(env("RECONCILE_SETTLE_SECONDS", "300"))
RECONCILE_BETWEEN_SECONDS = float(env("RECONCILE_BETWEEN_SECONDS", "600"))
# A sender rests when more than this share of its hand-overs of the last five minutes is uncertain and they are at least
# so many, or when they are more than BREAKER_MOST whatever the share; then one message is tried.
BREAKER_SHARE = float(env("BREAKER_SHARE", "0.005"))
BREAKER_AT_LEAST = int(env("BREAKER_AT_LEAST", "5"))
BREAKER_MOST = int(env("BREAKER_MOST", "25"))
BREAKER_SECONDS = float(env("BREAKER_SECONDS", "300"))
TICK_SECONDS = float(env("TICK_SECONDS", "15"))

# Where EHRs drop folders of exports, one for each practice by its short name; empty: nowhere.
EHR_DROP_FOLDER = env("EHR_DROP_FOLDER")
# Where downloads from EHRs lie until they are imported; empty: a folder of our own among the temporary ones.
EHR_WORK_FOLDER = env("EHR_WORK_FOLDER")

# Celery: a doorbell over PostgreSQL, see docs/life-of-a-message.md.
CELERY_BROKER_URL = REDIS_URL

# Pages
LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
DATE_FORMAT = "D j M Y"
# Off: it would turn ids in attributes into "1,284"; words say {{ n|number }}.
USE_THOUSAND_SEPARATOR = False
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = None if SANDBOX else BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if SANDBOX
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = SANDBOX
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# Safety
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "frame-src": [CSP.SELF],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
_https = _public.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_NAME = "__Host-session" if _https else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if _https else "csrf"
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = _https and env_bool("SECURE_SSL_REDIRECT", True)
SECURE_HSTS_SECONDS = 31536000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env_bool("BEHIND_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", "INFO")},
    # Request and response bodies hold phones and words to patients; they are never logged.
    "loggers": {"twilio": {"level": "WARNING"}, "urllib3": {"level": "WARNING"}, "httpx": {"level": "WARNING"}},
}
