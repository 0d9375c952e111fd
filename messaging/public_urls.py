from typing import Any

app_name = "public"
urlpatterns: list[Any] = []
