"""Administrators keep the sending identities; their secrets are written, never shown."""

import pytest

from messaging.models import SendingIdentity
from tests.factories import EmailIdentityFactory, TextIdentityFactory
from trackstat.tenancy.models import AuditEvent
from trackstat.tenancy.scope import practice_scope

LIST = "/northside/admin/messaging/sendingidentity/"
NEW = {
    "label": "Front desk",
    "channel": "text",
    "provider": "twilio",
    "address": "+16175550177",
    "account": "AC" + "1" * 32,
    "registration": "approved",
    "is_active": "on",
    "rate_per_second": "1",
}


@pytest.fixture
def olive(client, people):
    client.force_login(people.olive)
    return client


def test_an_administrator_adds_a_line_and_its_secret_is_encrypted(olive, northside):
    assert "needs the secret" in olive.post(f"{LIST}add/", NEW).text
    assert olive.post(f"{LIST}add/", NEW | {"secret": "auth-token-1"}).status_code == 302
    with practice_scope(northside):
        identity = SendingIdentity.objects.get()
        assert identity.secret == "auth-token-1"
        assert "auth-token-1" not in identity.encrypted_secret
        assert not identity.is_sandbox
        assert "auth-token-1" not in str(AuditEvent.objects.get(action="sendingidentity.added").detail)
    page = olive.get(f"{LIST}{identity.pk}/change/").text
    assert "auth-token-1" not in page
    olive.post(f"{LIST}{identity.pk}/change/", NEW | {"label": "Renamed"})
    with practice_scope(northside):
        identity = SendingIdentity.objects.get()
        assert (identity.label, identity.secret) == ("Renamed", "auth-token-1")


def test_a_text_line_is_not_a_mail_service(olive):
    assert "Texts go through Twilio" in olive.post(f"{LIST}add/", NEW | {"provider": "mailgun", "secret": "x"}).text


BY_SMTP = NEW | {
    "label": "Newsletter",
    "channel": "email",
    "provider": "smtp",
    "address": "hello@northside.example",
    "account": "smtp.northside.example:587",
}


def test_a_mail_server_needs_host_and_port_but_no_sign_in(olive, northside):
    for account in ("smtp.northside.example", "smtp.northside.example:0", "https://smtp.northside.example:587", ""):
        page = olive.post(f"{LIST}add/", BY_SMTP | {"account": account})
        assert "Write the mail server as host:port, like smtp.example.com:587." in page.text
    assert olive.post(f"{LIST}add/", BY_SMTP).status_code == 302
    with practice_scope(northside):
        identity = SendingIdentity.objects.get()
        assert (identity.provider, identity.account, identity.secret) == ("smtp", BY_SMTP["account"], "")
        assert not identity.is_sandbox


def test_who_signs_in_at_a_mail_server_is_written_as_user_and_password(olive, northside):
    assert "Write user:password" in olive.post(f"{LIST}add/", BY_SMTP | {"secret": "password"}).text
    assert olive.post(f"{LIST}add/", BY_SMTP | {"secret": "hello:pass:word"}).status_code == 302
    with practice_scope(northside):
        identity = SendingIdentity.objects.get()
    assert identity.secret == "hello:pass:word"
    page = olive.get(f"{LIST}{identity.pk}/change/").text
    assert "pass:word" not in page and "STARTTLS" in page


def test_the_key_of_another_service_is_not_taken_for_a_sign_in(olive, northside):
    with practice_scope(northside):
        identity = EmailIdentityFactory(is_sandbox=False, address=BY_SMTP["address"])
    change = f"{LIST}{identity.pk}/change/"
    assert "Write user:password" in olive.post(change, BY_SMTP).text
    assert olive.post(change, BY_SMTP | {"secret": ":"}).status_code == 302


def test_emails_by_smtp_need_an_address_to_come_from(olive):
    for address in ("+16175550177", "hello", "zoë@northside.example"):
        assert "Emails need an address" in olive.post(f"{LIST}add/", BY_SMTP | {"address": address}).text


def test_texts_do_not_go_to_a_mail_server(olive):
    assert "Texts go through Twilio" in olive.post(f"{LIST}add/", BY_SMTP | {"channel": "text"}).text


def test_a_manager_may_change_settings_but_neither_lines_nor_people(client, people):
    client.force_login(people.mona)
    assert client.get("/northside/admin/").status_code == 200
    assert client.get("/northside/admin/tenancy/practicesettings/").status_code == 200
    for page in ("messaging/sendingidentity/", "tenancy/membership/", "tenancy/role/", "tenancy/auditevent/"):
        assert client.get(f"/northside/admin/{page}").status_code == 403


def test_another_practices_line_is_missing(olive, southside):
    with practice_scope(southside):
        theirs = TextIdentityFactory()
    assert olive.get(f"{LIST}{theirs.pk}/change/").status_code == 302
    assert theirs.address not in olive.get(LIST).text
