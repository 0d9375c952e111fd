from django.urls import path

from messaging import webhooks

app_name = "webhooks"
urlpatterns = [
    path(
        "twilio/<uuid:identity_key>/status/<uuid:attempt_key>/",
        webhooks.twilio_status,
        name="twilio_status",
    ),
    path("twilio/<uuid:identity_key>/inbound/", webhooks.twilio_inbound, name="twilio_inbound"),
    path("mailgun/<uuid:identity_key>/tracking/", webhooks.mailgun_tracking, name="mailgun_tracking"),
]
