"""Who may open which URL: the table. A URL of the URLconf without a row here fails the tests."""

from dataclasses import dataclass, field
from typing import Any

LOGIN = 302


@dataclass(frozen=True)
class Door:
    """A page of a practice. `get` and `post` name the permission each method needs; None = 405."""

    get: str | None = None
    post: str | None = None
    # What the URL's arguments name, in order: keys of `tests.isolation.belongings`.
    args: tuple[str, ...] = ()
    # What a permitted person gets.
    ok_get: tuple[int, ...] = (200,)
    ok_post: tuple[int, ...] = (200, 204, 302, 422)
    data: dict[str, Any] = field(default_factory=dict)
    query: str = ""


@dataclass(frozen=True)
class Public:
    """A page outside of practices: what somebody anonymous gets, and why that is right."""

    get: int
    why: str
    args: tuple[Any, ...] = ()
    post: int | None = None


SEE, CHANGE, LAUNCH = "campaigns.view_campaign", "campaigns.change_campaign", "campaigns.launch_campaign"

DOORS: dict[str, Door] = {
    "practice_home": Door(get="audience.view_patient", ok_get=(302,)),
    # Campaigns
    "campaigns:blasts": Door(get=SEE),
    "campaigns:drips": Door(get=SEE),
    "campaigns:new_blast": Door(get=CHANGE, post=CHANGE, data={"name": "Closed", "category": "announcement"}),
    "campaigns:blast": Door(get=SEE, args=("campaign",), ok_get=(302,)),
    "campaigns:name": Door(
        get=CHANGE, post=CHANGE, args=("campaign",), data={"name": "New", "category": "appointment"}
    ),
    "campaigns:audience": Door(get=CHANGE, args=("campaign",)),
    "campaigns:save_audience": Door(post=CHANGE, args=("campaign",)),
    "campaigns:load": Door(post=CHANGE, args=("campaign",)),
    "campaigns:remove": Door(post=CHANGE, args=("campaign",), data={"patient": "@patient"}),
    "campaigns:undo_removal": Door(post=CHANGE, args=("campaign",), data={"patient": "@patient"}),
    "campaigns:explain": Door(get=CHANGE, args=("campaign",)),
    "campaigns:message": Door(
        get=CHANGE, post=CHANGE, args=("campaign",), data={"channel": "text", "body": "Hello", "when": "now"}
    ),
    "campaigns:preview": Door(get=CHANGE, args=("campaign",)),
    "campaigns:mail": Door(get=CHANGE, args=("letter", "patient")),
    "campaigns:review": Door(get=SEE, args=("campaign",)),
    "campaigns:new_drip": Door(
        get=CHANGE, post=CHANGE, data={"name": "Birthdays", "channel": "text", "time_of_day": "10:00", "body": "Hello"}
    ),
    "campaigns:drip": Door(
        get=CHANGE,
        post=CHANGE,
        args=("drip",),
        data={"name": "Birthdays", "channel": "text", "time_of_day": "10:00", "body": "Hello"},
    ),
    "campaigns:enable": Door(post=LAUNCH, args=("campaign",)),
    "campaigns:disable": Door(post=LAUNCH, args=("campaign",)),
    "campaigns:pause": Door(post=LAUNCH, args=("campaign",)),
    "campaigns:resume": Door(post=LAUNCH, args=("campaign",)),
    "campaigns:stop": Door(post=LAUNCH, args=("campaign",)),
    "campaigns:archive": Door(post=CHANGE, args=("campaign",)),
}

PUBLIC: dict[str, Public] = {
    "home": Public(get=302, why="leads to the sign-in page"),
    "account_login": Public(get=200, why="the sign-in page"),
    "account_logout": Public(get=302, why="nobody to sign out"),
    "account_inactive": Public(get=200, why="says that the account is switched off"),
    "account_reauthenticate": Public(get=302, why="leads to the sign-in page"),
    "account_change_password": Public(get=302, why="leads to the sign-in page"),
    "account_set_password": Public(get=302, why="leads to the sign-in page"),
    "account_reset_password": Public(get=200, why="a person who forgot the password"),
    "account_reset_password_done": Public(get=200, why="says that mail was sent"),
    "account_reset_password_from_key": Public(get=200, why="the link in that mail", args=("1", "2-3")),
    "account_reset_password_from_key_done": Public(get=200, why="says that the password is changed"),
    "styleguide": Public(get=200, why="components without data; not there in production"),
}
