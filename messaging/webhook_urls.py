from typing import Any

app_name = "webhooks"
urlpatterns: list[Any] = []
