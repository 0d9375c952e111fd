from django.apps import AppConfig


class AudienceConfig(AppConfig):
    name = "audience"

    def ready(self):
        from audience.notices import ehr_does_not_work
        from trackstat import notices

        notices.sources.append(ehr_does_not_work)
