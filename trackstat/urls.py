"""The whole URLconf. What belongs to a practice lies under `/<practice_slug>/`; the middleware opens its scope."""

from typing import Any

from django.conf import settings
from django.urls import include, path

from audience.views.key_set import key_set
from trackstat import home
from trackstat.tenancy.admin import site

practice_patterns: list[Any] = [
    path("", home.practice_home, name="practice_home"),
    path("", include("audience.urls")),
    path("messages/", include("messaging.urls")),
    path("campaigns/", include("campaigns.urls")),
    path("reports/uncertain/", include("messaging.uncertain_urls")),
    path("reports/", include("reports.urls")),
    path("settings/connections/", include("audience.connection_urls")),
    path("admin/", site.urls),
]

urlpatterns = [
    path("", home.choose_practice, name="home"),
    path("accounts/", include("trackstat.account_urls")),
    path("webhooks/", include("messaging.webhook_urls")),
    path("u/", include("messaging.public_urls")),
    path("keys/<str:token>/jwks.json", key_set, name="key_set"),
    path("<slug:practice_slug>/", include(practice_patterns)),
]

if settings.DEBUG or settings.SANDBOX:
    try:
        from trackstat.styleguide import styleguide
    except ImportError:
        pass
    else:
        urlpatterns.insert(0, path("styleguide/", styleguide, name="styleguide"))

handler500 = "trackstat.home.server_error"
