from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"

    def ready(self):
        from messaging import admin  # noqa: F401
        from messaging.notices import senders_that_rest, sending_is_off
        from messaging.views.inbox import unread_conversations
        from trackstat import navigation, notices

        navigation.counts["messaging:inbox"] = unread_conversations
        notices.sources += [sending_is_off, senders_that_rest]
