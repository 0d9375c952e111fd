from django.urls import path

from messaging.views import conversation, inbox

app_name = "messaging"
urlpatterns = [
    path("", inbox.inbox, name="inbox"),
    path("patients/<int:pk>/", conversation.conversation, name="conversation"),
    path("patients/<int:pk>/opt-out/", conversation.opt_out, name="opt_out"),
    path("patients/<int:pk>/opt-in/", conversation.opt_in, name="opt_in"),
]
