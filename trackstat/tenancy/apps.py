from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "trackstat.tenancy"
    label = "tenancy"

    def ready(self):
        from trackstat.tenancy import signing_in  # noqa: F401
