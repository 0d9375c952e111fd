from typing import Any

app_name = "messaging"
urlpatterns: list[Any] = []
