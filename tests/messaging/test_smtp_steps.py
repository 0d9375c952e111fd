"""Where the line lies between surely not sent and unclear, step by step."""

import socket
import ssl
import uuid

import pytest

from messaging import providers
from messaging.errors import Effect, effect
from messaging.providers import smtp, smtp_connection
from messaging.providers.base import Accepted, Later, Outgoing, ProviderUnusable, Refused, Unclear
from messaging.providers.smtp import host_and_port
from tests.factories import EmailIdentityFactory
from tests.messaging.mail_server import MailServer, certificate
from tests.messaging.mailbox import leads_to

pytestmark = pytest.mark.usefixtures("in_northside")
DROP, STALL = MailServer.DROP, MailServer.STALL
BEFORE = ["greeting", "ehlo", "mail", "rcpt", "data"]


def made(**fields) -> Outgoing:
    return Outgoing(uuid.uuid4(), **{"to": "ana@mail.example", "body": "Hi", "subject": "Hello", **fields})


def of_server(port: int, **fields):
    return EmailIdentityFactory(**{"provider": "smtp", "account": f"localhost:{port}", "secret": "", **fields})


@pytest.fixture
def server():
    server = MailServer()
    yield server
    server.close()


@pytest.fixture
def provider(server, settings):
    settings.PROVIDER_READ_TIMEOUT = 0.5
    settings.SANDBOX_URL = "http://127.0.0.1:1"
    leads_to(settings, "127.0.0.1", server.port)
    with providers.of(of_server(server.port)) as provider:
        yield provider


@pytest.mark.parametrize(
    ("step", "failure"),
    # Any 2yz goes on after MAIL and RCPT.
    [(step, failure) for step in BEFORE for failure in (DROP, STALL, "what did you say?")]
    + [(step, "299 nonsense") for step in ("greeting", "ehlo", "data")],
)
def test_whatever_breaks_off_before_the_content_is_surely_unsent(provider, server, step, failure):
    server.answers[step] = failure
    assert provider.send(made()) == Later(15, "connect")
    assert server.contents == []


def test_what_was_checked_too_long_ago_is_not_begun(provider, server, monkeypatch):
    monkeypatch.setattr(smtp, "CONTENT_WITHIN_SECONDS", 0)
    assert provider.send(made()) == Later(15, "connect")
    assert [step for _, step in server.steps] == ["greeting", "ehlo", "mail", "rcpt", "data"]
    assert server.contents == []


@pytest.mark.parametrize("failure", [DROP, STALL, "what did you say?", "354 go on"])
def test_content_without_an_answer_is_unclear(provider, server, failure):
    server.answers["content"] = failure
    assert isinstance(provider.send(made()), Unclear)
    assert len(server.contents) == 1


@pytest.mark.parametrize("step", [*BEFORE, "content"])
@pytest.mark.parametrize("reply", ["421 4.3.2 closing", "450 4.2.1 greylisted", "451 later"])
def test_an_answer_that_asks_for_later_says_it_was_not_taken(provider, server, step, reply):
    server.answers[step] = reply
    assert provider.send(made()) == Later(300, "mail_later", int(reply[:3]))


@pytest.mark.parametrize(
    ("step", "reply", "code"),
    [
        ("greeting", "554 no service here", "mail_server"),
        ("ehlo", "550 no", "mail_server"),
        ("mail", "530 5.7.0 sign in first", "mail_sign_in"),
        ("mail", "550 5.7.1 not your address", "mail_sender"),
        ("rcpt", "550 5.1.1 nobody of that name", "hard_bounce"),
        ("rcpt", "550 5.1.10 takes no mail", "hard_bounce"),
        ("rcpt", "553 5.1.8 your domain does not exist", "mail_sender"),
        ("rcpt", "552 5.2.2 mailbox full", "soft_bounce"),
        ("rcpt", "550 go away", "mail_refused"),
        ("rcpt", "554 5.7.1 <ana@mail.example>: Relay access denied", "mail_sender"),
        ("rcpt", "554 5.7.1 blocked", "mail_refused"),
        ("data", "554 5.5.1 no valid recipients", "mail_refused"),
        ("content", "554 5.7.1 looks like spam", "mail_refused"),
        ("content", "550 5.1.1 nobody of that name", "hard_bounce"),
        ("content", "550 5.4.5 daily quota exceeded", "mail_quota"),
        ("content", "554", "mail_refused"),
    ],
)
def test_a_refusal_has_a_reason_that_is_explained(provider, server, step, reply, code):
    server.answers[step] = reply
    assert provider.send(made()) == Refused(code, int(reply[:3]))
    suppresses, pauses = {"hard_bounce"}, {"mail_server", "mail_sign_in", "mail_sender", "mail_quota"}
    assert (effect(code) == Effect.SUPPRESS, effect(code) == Effect.PAUSE_SENDER) == (
        code in suppresses,
        code in pauses,
    )


def test_one_connection_serves_one_email_after_the_other(provider, server):
    sent = [made(body=f"Hi {n}") for n in range(5)]
    assert [provider.send(each).provider_id.split("@")[0] for each in sent] == [f"<{each.attempt_key}" for each in sent]
    assert server.connections == 1
    assert [step for _, step in server.steps] == ["greeting", "ehlo"] + ["mail", "rcpt", "data", "content"] * 5
    provider.close()


def test_after_a_refusal_the_connection_is_emptied_and_used_again(provider, server):
    server.answers["rcpt"] = ["550 5.1.1 nobody"]
    assert [type(provider.send(made())) for _ in range(2)] == [Refused, Accepted]
    assert server.connections == 1
    assert [step for _, step in server.steps][3:6] == ["rcpt", "rset", "mail"]


@pytest.mark.parametrize("reply", [DROP, "421 4.3.2 closing"])
def test_a_connection_that_cannot_be_emptied_is_not_used_again(provider, server, reply):
    server.answers |= {"rcpt": ["550 5.1.1 nobody"], "rset": reply}
    assert [type(provider.send(made())) for _ in range(2)] == [Refused, Accepted]
    assert server.connections == 2


@pytest.mark.parametrize("farewell", [b"", b"421 4.4.2 you said nothing\r\n"])
def test_a_server_that_hung_up_between_two_emails_is_called_again(provider, server, farewell):
    assert isinstance(provider.send(made()), Accepted)
    server.hang_up(farewell)
    assert isinstance(provider.send(made()), Accepted)
    assert (server.connections, len(server.contents)) == (2, 2)


def test_after_a_drop_a_new_connection_is_opened_for_the_next_email(provider, server):
    server.answers["content"] = [DROP]
    assert [type(provider.send(made())) for _ in range(2)] == [Unclear, Accepted]
    assert (server.connections, len(server.contents)) == (2, 2)


def test_dots_that_begin_a_line_are_doubled_on_the_way_only(provider, server):
    provider.send(made(body=".\n..\n.hidden\nend", html="<p>\n.css\n</p>"))
    (content,) = server.contents
    assert content.count(b"\r\n.\r\n") == 1 and content.endswith(b"--\r\n.\r\n")
    assert b"\r\n...\r\n..hidden\r\nend\r\n" in content and b"\r\n..css\r\n" in content
    assert b"\n" not in content.replace(b"\r\n", b"")


def test_a_refused_port_is_surely_unsent(server, provider):
    server.close()
    assert provider.send(made()) == Later(15, "connect")


def test_what_cannot_be_a_header_is_never_begun(provider, server):
    assert provider.send(made(headers={"X\r\nBcc": "everybody@mail.example"})) == Refused("mail_refused")
    assert provider.send(made(to="ana@mail.example>\r\nRCPT TO:<b@mail.example")) == Refused("mail_address")
    assert server.connections == 0


def test_a_mail_server_tells_and_lists_nothing(provider, rf):
    request = rf.post("/", {"event": "delivered"})
    assert not provider.verify(request)
    with pytest.raises(ValueError, match="webhook"):
        provider.parse(request)
    assert not provider.lists


@pytest.fixture
def encrypted(tmp_path, settings, monkeypatch):
    """Makes a server that speaks TLS, and an identity for it that is not the sandbox's."""
    servers = []
    settings.SANDBOX_URL = ""
    settings.PROVIDER_READ_TIMEOUT = 5

    def make(*extensions, host="localhost", from_the_start=False, trusted=True, secret="", tls=True):
        file = certificate(tmp_path, host)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        server = MailServer(*extensions, tls=context if tls else None, from_the_start=from_the_start)
        servers.append(server)
        if from_the_start:
            monkeypatch.setattr(smtp_connection, "TLS_FROM_THE_START", server.port)
        trust = ssl.create_default_context(cafile=file if trusted else None)
        monkeypatch.setattr(smtp_connection, "trust", lambda: trust)
        return server, of_server(server.port, is_sandbox=False, secret=secret)

    yield make
    for server in servers:
        server.close()


def send(identity):
    with providers.of(identity) as provider:
        return provider.send(made())


def test_what_is_written_goes_out_only_after_starttls(encrypted):
    server, identity = encrypted("STARTTLS", "AUTH PLAIN LOGIN", secret="user:pass:word")
    assert isinstance(send(identity), Accepted)
    steps = [step for _, step in server.steps]
    assert steps[:7] == ["greeting", "ehlo", "starttls", "ehlo", "auth", "mail", "rcpt"]


def test_port_465_is_encrypted_from_the_start(encrypted):
    server, identity = encrypted("AUTH PLAIN", from_the_start=True, secret="user:password")
    assert isinstance(send(identity), Accepted)
    assert [step for _, step in server.steps][:4] == ["greeting", "ehlo", "auth", "mail"]


def test_a_server_without_encryption_gets_neither_password_nor_mail(encrypted):
    server, identity = encrypted("AUTH PLAIN", secret="user:password", tls=False)
    assert send(identity).code == "mail_tls"
    assert [step for _, step in server.steps] == ["greeting", "ehlo"]


@pytest.mark.parametrize("from_the_start", [False, True])
@pytest.mark.parametrize("wrong", [{"trusted": False}, {"host": "other.example"}])
def test_a_certificate_that_is_not_the_servers_is_not_believed(encrypted, wrong, from_the_start):
    server, identity = encrypted("STARTTLS", from_the_start=from_the_start, secret="user:password", **wrong)
    assert send(identity) == Refused("mail_tls")
    assert effect("mail_tls") == Effect.PAUSE_SENDER
    assert {step for _, step in server.steps} <= {"greeting", "ehlo", "starttls"}


@pytest.mark.parametrize(
    ("extensions", "reply", "expected"),
    [
        (["STARTTLS", "AUTH PLAIN"], "535 5.7.8 wrong", Refused("mail_sign_in", 535)),
        (["STARTTLS", "AUTH PLAIN"], "454 4.7.0 not now", Later(300, "mail_later", 454)),
        (["STARTTLS", "AUTH PLAIN"], DROP, Later(15, "connect")),
        (["STARTTLS"], "", Refused("mail_sign_in", 504)),
    ],
)
def test_without_signing_in_nothing_is_sent(encrypted, extensions, reply, expected):
    server, identity = encrypted(*extensions, secret="user:password")
    server.answers["auth"] = reply
    assert send(identity) == expected
    assert "mail" not in {step for _, step in server.steps}


def test_a_password_the_protocol_cannot_carry_is_a_wrong_one(encrypted):
    _, identity = encrypted("STARTTLS", "AUTH PLAIN", secret="user:pässwörd")
    assert send(identity).code == "mail_sign_in"


def test_an_identity_of_the_sandbox_reaches_no_server_but_its_mailbox(settings, server):
    elsewhere = MailServer()
    identity = of_server(elsewhere.port)
    settings.SANDBOX_URL = "http://127.0.0.1:1"
    leads_to(settings, "127.0.0.1", server.port)
    assert isinstance(send(identity), Accepted)
    assert (server.connections, elsewhere.connections) == (1, 0)
    elsewhere.close()
    leads_to(settings, "mail.practice.example", 25)
    with pytest.raises(ProviderUnusable, match="EMAIL_HOST"):
        providers.of(identity)


@pytest.mark.parametrize("account", ["", "mail.example", "mail.example:", "mail.example:0", "mail.example:99999"])
def test_a_server_without_host_and_port_is_no_server(settings, account):
    settings.SANDBOX_URL = ""
    with pytest.raises(ProviderUnusable, match="host:port"):
        providers.of(of_server(1, account=account, is_sandbox=False))
    with pytest.raises(ProviderUnusable, match="mistyped"):
        providers.of(of_server(1, account="mail.example:587", address="hello", is_sandbox=False))


def test_host_and_port_are_told_apart():
    assert host_and_port("smtp.mail.example:587") == ("smtp.mail.example", 587)
    assert host_and_port("[2001:db8::1]:465") == ("2001:db8::1", 465)


def test_the_sending_thread_waits_no_longer_than_it_may_for_a_connection(settings, monkeypatch):
    """The connect timeout is for connecting, the read timeout for everything the server says."""
    waited = []
    real = socket.create_connection
    settings.PROVIDER_CONNECT_TIMEOUT, settings.PROVIDER_READ_TIMEOUT = 1.25, 0.5
    monkeypatch.setattr(socket, "create_connection", lambda to, timeout: waited.append(timeout) or real(to, timeout))
    server = MailServer()
    settings.SANDBOX_URL = "http://127.0.0.1:1"
    leads_to(settings, "127.0.0.1", server.port)
    server.answers["greeting"] = STALL
    assert send(of_server(server.port)) == Later(15, "connect")
    assert waited == [1.25]
    server.close()
