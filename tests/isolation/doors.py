"""Who may open which URL: the table. A URL of the URLconf without a row here fails the tests."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

NOBODY = UUID(int=0)


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
    csp: str = "script-src 'self'; style-src 'self'"


@dataclass(frozen=True)
class Public:
    """A page outside of practices: what somebody anonymous gets, and why that is right."""

    get: int
    why: str
    args: tuple[Any, ...] = ()
    post: int | None = None


PATIENT, TAG = "audience.view_patient", "audience.change_tag"
AUDIENCE = "audience.view_audience"
LAPSED = {"p-key": "last_visit", "p-range": "more_than_ago", "p-least": "6", "p-unit": "months"}
SEE, CHANGE, LAUNCH = "campaigns.view_campaign", "campaigns.change_campaign", "campaigns.launch_campaign"
RESOLVE = "messaging.resolve_uncertain"
EHR = "audience.manage_ehr"
SERVER = {
    "name": "Clinic",
    "base_url": "https://fhir.example.org/r4",
    "client_id": "trackstat",
    "export_level": "patient",
    "polled_types": "Appointment",
    "algorithm": "ES384",
    "every": "60",
}

DOORS: dict[str, Door] = {
    "practice_home": Door(get="audience.view_patient", ok_get=(302,)),
    # Conversations
    "messaging:inbox": Door(get="messaging.view_conversation"),
    "messaging:conversation": Door(get="messaging.view_conversation", args=("patient",)),
    "messaging:opt_out": Door(post="messaging.opt_out_patient", args=("patient",)),
    "messaging:opt_in": Door(post="messaging.opt_out_patient", args=("patient",)),
    # Patients
    "audience:patients": Door(get=PATIENT),
    "audience:patient_search": Door(get=PATIENT, query="?q=zz"),
    "audience:patient": Door(get=PATIENT, args=("patient",)),
    "audience:put_tag": Door(post=TAG, args=("patient",), data={"name": "VIP"}),
    "audience:take_tag": Door(post=TAG, args=("patient", "tag")),
    # Tags
    "audience:tags": Door(get=TAG),
    "audience:create_tag": Door(post=TAG, data={"name": "VIP"}),
    "audience:rename_tag": Door(post=TAG, args=("tag",), data={"name": "Gold"}),
    "audience:merge_tag": Door(get=TAG, post=TAG, args=("tag",)),
    "audience:take_tag_off_everyone": Door(post=TAG, args=("tag",)),
    # Whoever comes second finds it gone.
    "audience:delete_tag": Door(post=TAG, args=("loose_tag",), ok_post=(302, 404)),
    "audience:tag_patients": Door(get=TAG, post=TAG, data={"name": "VIP", "action": "put_on"}),
    "audience:tag_job": Door(get=TAG, args=("tag_job",)),
    "audience:undo_tag_job": Door(post=TAG, args=("tag_job",)),
    # Connections to EHRs
    "connections:index": Door(get=EHR),
    "connections:add": Door(get=EHR, post=EHR, query="?kind=fhir"),
    "connections:connection": Door(get=EHR, args=("connection",)),
    "connections:edit": Door(get=EHR, post=EHR, args=("connection",), data=SERVER),
    "connections:columns": Door(get=EHR, post=EHR, args=("drop",), data={"usual": "1"}),
    "connections:new_key": Door(post=EHR, args=("connection",)),
    "connections:switch": Door(post=EHR, args=("connection",), data={"on": "1"}),
    "connections:test": Door(post=EHR, args=("connection",)),
    "connections:run": Door(post=EHR, args=("connection",)),
    "connections:stop": Door(post=EHR, args=("connection",)),
    "connections:sync": Door(get=EHR, args=("connection", "sync")),
    "connections:rejected": Door(get=EHR, args=("connection", "sync")),
    # A list is a file: without one the form asks for it.
    "connections:opt_out_lists": Door(get=EHR, post=EHR, data={"scope": "all"}),
    "connections:opt_out_list": Door(get=EHR, args=("opt_out_list",)),
    # Whoever comes second finds it gone.
    "connections:remove": Door(post=EHR, args=("connection",), ok_post=(302, 404)),
    # Saved audiences
    "audience:choices": Door(get="audience.view_audience", query="?filter=tags&field=tags&row=f0"),
    "audience:audiences": Door(get=AUDIENCE),
    "audience:new_audience": Door(get=AUDIENCE),
    "audience:try_new_audience": Door(post=AUDIENCE, data=LAPSED),
    "audience:create_audience": Door(post=AUDIENCE, data=LAPSED | {"name": "Lapsed"}),
    "audience:audience": Door(get=AUDIENCE, args=("audience",)),
    "audience:audience_count": Door(get=AUDIENCE, args=("audience",), ok_get=(302,)),
    "audience:try_audience": Door(post=AUDIENCE, args=("audience",), data=LAPSED),
    "audience:save_audience": Door(post=AUDIENCE, args=("audience",), data=LAPSED | {"version": "1"}),
    "audience:rename_audience": Door(post=AUDIENCE, args=("audience",), data={"name": "Longer away"}),
    "audience:copy_audience": Door(post=AUDIENCE, args=("audience",)),
    # Whoever comes second finds it gone.
    "audience:delete_audience": Door(post=AUDIENCE, args=("audience",), ok_post=(302, 404)),
    # Reports
    "reports:index": Door(get="reports.view_report"),
    "reports:campaign": Door(get="reports.view_report", args=("campaign",)),
    # What may not have been sent. An id of another practice's message is one that is no longer there.
    "uncertain:index": Door(get="reports.view_report"),
    "uncertain:ask": Door(get=RESOLVE, query="?what=resend&message=1"),
    "uncertain:resend": Door(post=RESOLVE, data={"messages": "1", "seen": "2026-11-20T15:00:00+00:00"}),
    "uncertain:leave": Door(post=RESOLVE, data={"messages": "1", "seen": "2026-11-20T15:00:00+00:00"}),
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
    "campaigns:use_audience": Door(post=CHANGE, args=("campaign",), data={"saved": "@audience"}),
    "campaigns:keep_audience": Door(post=AUDIENCE, args=("campaign",), data={"name": "Closures"}),
    "campaigns:freshness": Door(post=CHANGE, args=("campaign",), data={"keep_fresh": "1"}),
    "campaigns:household": Door(post=CHANGE, args=("campaign",), data={"one": "1"}),
    "campaigns:households": Door(get=CHANGE, args=("campaign",)),
    "campaigns:tag_action": Door(post=CHANGE, args=("campaign",), data={"action": "put_on", "name": "VIP"}),
    "campaigns:tag_audience": Door(get=CHANGE, post=CHANGE, args=("campaign",), data={"name": "VIP"}),
    "campaigns:explain": Door(get=CHANGE, args=("campaign",)),
    "campaigns:message": Door(
        get=CHANGE, post=CHANGE, args=("campaign",), data={"channel": "text", "body": "Hello", "when": "now"}
    ),
    "campaigns:panel": Door(get=CHANGE, args=("campaign",)),
    "campaigns:preview": Door(get=SEE, args=("campaign",)),
    "campaigns:mail": Door(get=SEE, args=("letter", "patient"), csp="default-src 'none'"),
    "campaigns:review": Door(get=SEE, args=("campaign",)),
    "campaigns:new_drip": Door(
        get=CHANGE, post=CHANGE, data={"name": "Birthdays", "channel": "text", "time_of_day": "10:00", "body": "Hello"}
    ),
    "campaigns:drip": Door(
        get=SEE,
        post=CHANGE,
        args=("drip",),
        data={"name": "Birthdays", "channel": "text", "time_of_day": "10:00", "body": "Hello"},
    ),
    "campaigns:drip_audience": Door(get=CHANGE, args=("drip",)),
    "campaigns:save_drip_audience": Door(post=CHANGE, args=("drip",)),
    "campaigns:explain_drip": Door(get=CHANGE, args=("drip",)),
    "campaigns:use_drip_audience": Door(post=CHANGE, args=("drip",), data={"saved": "@audience"}),
    "campaigns:keep_drip_audience": Door(post=AUDIENCE, args=("drip",), data={"name": "Celebrated"}),
    "campaigns:enable": Door(post=LAUNCH, args=("campaign",)),
    "campaigns:disable": Door(post=LAUNCH, args=("campaign",)),
    "campaigns:pause": Door(post=LAUNCH, args=("campaign",)),
    "campaigns:resume": Door(post=LAUNCH, args=("campaign",)),
    "campaigns:stop": Door(post=LAUNCH, args=("campaign",)),
    # Whoever comes second finds it gone.
    "campaigns:archive": Door(post=CHANGE, args=("campaign",), ok_post=(302, 404)),
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
    # Signed by providers: what is not signed is refused without a look at the database's rows of any practice.
    "webhooks:twilio_status": Public(get=405, post=403, why="signed by the carrier", args=(NOBODY, NOBODY)),
    "webhooks:twilio_inbound": Public(get=405, post=403, why="signed by the carrier", args=(NOBODY,)),
    "webhooks:mailgun_tracking": Public(get=405, post=403, why="signed by the mail service", args=(NOBODY,)),
    "public:unsubscribe": Public(get=404, post=404, why="patients, by an unguessable token", args=("nobodys-token",)),
    "key_set": Public(get=404, why="EHRs fetch our public keys, by a signed address", args=("1-1.unsigned",)),
    "styleguide": Public(get=200, why="components without data; not there in production"),
}
