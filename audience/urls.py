from typing import Any

app_name = "audience"
urlpatterns: list[Any] = []
