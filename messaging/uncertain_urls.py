"""Below a practice's reports: what may not have been sent."""

from django.urls import path

from messaging.views import uncertain

app_name = "uncertain"
urlpatterns = [
    path("", uncertain.index, name="index"),
    path("ask/", uncertain.ask, name="ask"),
    path("resend/", uncertain.resend, name="resend"),
    path("leave/", uncertain.leave, name="leave"),
]
