"""How long staff wait for the number after they changed a filter: the whole request, from its fields to its page."""

import time
from html.parser import HTMLParser
from typing import Any

from django.conf import settings
from django.test import Client

from tests.cast import PASSWORD
from trackstat.tenancy.models import Membership, Practice, User
from trackstat.tenancy.roles import seed_roles
from trackstat.tenancy.scope import practice_scope

_PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


class Desk:
    """An Administrator of the practice, signed in."""

    def __init__(self, practice: Practice) -> None:
        settings.ALLOWED_HOSTS = ["testserver"]
        self.practice, self.client = practice, Client()
        user = User.objects.create_user(f"desk@{practice.slug}.example", PASSWORD, name="Desk")
        with practice_scope(practice):
            Membership.objects.create(user=user, role=seed_roles()["Administrator"])
        self.client.force_login(user)

    def opens(self, definition: dict[str, Any], require: tuple[str, ...]) -> "Edit":
        """A saved audience's page, as it stands before a value is changed."""
        from audience.models import SavedAudience

        with practice_scope(self.practice):
            saved = SavedAudience.objects.create(
                name=f"Audience {SavedAudience.objects.count()}", definition=definition
            )
        page = f"/{self.practice.slug}/audiences/{saved.pk}/"
        fields = _Fields(f"{page}try/")
        fields.feed(self.client.get(page).text)
        return Edit(self.client, f"{page}try/", fields.found | {"require": list(require), "touched": ["1"]})


class Edit:
    def __init__(self, client: Client, address: str, fields: dict[str, list[str]]) -> None:
        self._client, self._address, self._fields = client, address, fields

    def milliseconds(self) -> float:
        """By the clock, until the answer with the number is there. Raises RuntimeError where there is none."""
        began = time.perf_counter()
        answer = self._client.post(self._address, self._fields, headers=_PART)
        took = (time.perf_counter() - began) * 1000
        if answer.status_code != 200 or 'class="n"' not in answer.text:
            raise RuntimeError(f"{self._address} answered {answer.status_code} without a number")
        return took


class _Fields(HTMLParser):
    """What a browser would send of the form with that address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}
        self._address, self._inside, self._select = address, False, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._inside = self._address in (given.get("action"), given.get("hx-post"))
        if not self._inside:
            return
        kind, name = given.get("type"), given.get("name") or ""
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self._add(self._select, given.get("value"))
        elif tag == "input" and name and (kind not in {"checkbox", "radio", "submit"} or "checked" in given):
            self._add(name, given.get("value"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "form":
            self._inside = False

    def _add(self, name: str, value: str | None) -> None:
        self.found.setdefault(name, []).append(value or "")
