from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"

    def ready(self):
        from messaging import admin  # noqa: F401
        from messaging.views.inbox import unread_conversations
        from trackstat import navigation

        navigation.counts["messaging:inbox"] = unread_conversations
