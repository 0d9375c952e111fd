"""The left menu: what a person may open in a practice. A page that does not exist (yet) is not offered."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.urls import NoReverseMatch


@dataclass(frozen=True)
class Item:
    label: str
    icon: str
    url_name: str = ""
    permission: str = ""
    children: tuple["Item", ...] = ()
    # What follows is found out for each request.
    url: str = ""
    key: str = ""
    current: bool = False
    count: int | None = None


MENU = (
    Item("Dashboard", "layout-dashboard", "reports:dashboard", "reports.view_report"),
    Item("Inbox", "inbox", "messaging:inbox", "messaging.view_conversation"),
    Item("Patients", "users", "audience:patients", "audience.view_patient"),
    Item(
        "Communication",
        "megaphone",
        children=(
            Item("Blast Campaigns", "send", "campaigns:blasts", "campaigns.view_campaign"),
            Item("Drip Campaigns", "droplets", "campaigns:drips", "campaigns.view_campaign"),
            Item("Text Campaigns", "message-square", "campaigns:texts", "campaigns.view_campaign"),
            Item("Message Library", "book-open", "messaging:library", "messaging.change_template"),
        ),
    ),
    Item("Audiences", "funnel", "audience:audiences", "audience.view_audience"),
    Item("Tags", "tag", "audience:tags", "audience.change_tag"),
    Item("Reports", "chart-column", "reports:index", "reports.view_report"),
    Item(
        "Settings",
        "settings",
        children=(
            Item("Practice", "building-2", "practice_settings", "tenancy.change_practicesettings"),
            Item("EHR Connections", "plug", "connections:index", "audience.manage_ehr"),
        ),
    ),
)
# Places in a phone's bottom bar; the rest is in the sheet its last button opens.
ON_PHONES = 4

# Numbers beside menu entries, by url name: later apps register theirs, because trackstat may not import them.
counts: dict[str, Callable[[Any], int]] = {}


def menu(request: Any) -> list[Item]:
    """The menu of the practice the request is in, for the person's role, with the current place marked.

    A view may say where it belongs: `request.place = "campaigns:drips"`.
    """
    offered = list(_offered(MENU, request))
    current = _current(offered, request)
    return [_marked(item, current) for item in offered]


def first_on_phones(offered: Iterable[Item]) -> list[Item]:
    """The first places of the menu; a group gives its first page, under the group's icon."""
    flat = [replace(item.children[0], icon=item.icon, label="Campaigns") if item.children else item for item in offered]
    return flat[:ON_PHONES]


def _offered(items: Iterable[Item], request: Any) -> Iterable[Item]:
    for item in items:
        if item.permission and not request.membership.can(item.permission):
            continue
        if item.children:
            if children := tuple(_offered(item.children, request)):
                yield replace(item, children=children, key=item.label.lower())
            continue
        try:
            url = request.practice.url(item.url_name)
        except NoReverseMatch:
            continue
        count = counts.get(item.url_name)
        yield replace(item, url=url, count=count(request) if count else None)


def _current(items: Iterable[Item], request: Any) -> str:
    """Name of the place the request is in: what the view says, else the longest address the path lies under, else
    the first place of the same app."""
    flat = [item for parent in items for item in (parent.children or (parent,))]
    names = [item.url_name for item in flat]
    if (said := getattr(request, "place", "")) in names:
        return said
    if under := [item for item in flat if request.path.startswith(item.url)]:
        return max(under, key=lambda item: len(item.url)).url_name
    match = getattr(request, "resolver_match", None)
    app = f"{match.app_name}:" if match and match.app_name else None
    return next((name for name in names if app and name.startswith(app)), "")


def _marked(item: Item, current: str) -> Item:
    children = tuple(_marked(child, current) for child in item.children)
    here = any(child.current for child in children) if children else bool(current) and item.url_name == current
    return replace(item, children=children, current=here)
