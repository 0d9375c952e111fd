from django.urls import path

from messaging import unsubscribe

app_name = "public"
urlpatterns = [path("<slug:token>/", unsubscribe.unsubscribe, name="unsubscribe")]
