"""Emails by SMTP through the whole run of a lane, against the real mailbox: the same states as by HTTP."""

import datetime as dt
import secrets

import pytest

from audience.models import Channel, ContactPoint
from messaging.models import Attempt, Message, SendingIdentity
from messaging.providers.smtp_connection import Connection
from tests.messaging.conftest import NOON
from tests.messaging.mailbox import at_the_mailbox, mail_due, smtp_line
from trackstat.tenancy.scope import practice_scope

__all__ = ["at_the_mailbox", "mail_due", "smtp_line"]


@pytest.fixture
def attempts(northside):
    def read():
        with practice_scope(northside):
            return list(Attempt.objects.order_by("pk"))

    return read


@pytest.fixture
def later(northside, clock, run, smtp_line):
    """Runs the lane again, once what waits is due and a pause of the sender is over."""

    def go(hours=2):
        clock.at(NOON + dt.timedelta(hours=hours))
        return run(smtp_line)

    return go


def test_emails_are_sent_once_each_and_carry_the_attempts_key(smtp_line, mail_due, run, states, sandbox, attempts):
    messages = mail_due(*(f"{n}.{secrets.token_hex(4)}@mail.example" for n in range(40)))
    assert run(smtp_line).outcomes == {"accepted": 40}
    assert states() == ["sent"] * 40
    assert run(smtp_line).outcomes == {}
    domain = smtp_line.address.rpartition("@")[2]
    for message, attempt in zip(messages, attempts(), strict=True):
        (mail,) = sandbox.mails(message.to_address)
        assert mail["message_id"] == attempt.provider_id == f"<{attempt.key}@{domain}>"
        assert (mail["subject"], attempt.outcome, attempt.http_status) == ("See you soon", "accepted", 250)
    content = sandbox.mail(mail["id"])
    headers = dict(content["headers"])
    assert "Hi Ana, it is time." in content["text"] and "<p>Hi Ana, it is time.</p>" in content["html"]
    assert headers["From"] == f"Northside Chiropractic <{smtp_line.address}>"
    assert message.token in headers["List-Unsubscribe"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_connections_are_used_again_and_never_more_of_them_than_threads(
    smtp_line, mail_due, run, monkeypatch, settings
):
    opened = []

    def note(connection, server):
        opened.append(connection)
        open_it(connection, server)

    open_it = Connection.__init__
    monkeypatch.setattr(Connection, "__init__", note)
    settings.DISPATCH_THREADS = 4
    mail_due(*(f"{n}.{secrets.token_hex(4)}@mail.example" for n in range(40)))
    assert run(smtp_line).outcomes == {"accepted": 40}
    assert 1 <= len(opened) <= 4
    assert not any(connection.is_open() for connection in opened)


def test_what_the_server_does_not_take_yet_goes_out_later_and_once(
    smtp_line, mail_due, run, later, states, sandbox, attempts
):
    sandbox.set_faults([{"where": "smtp", "action": "smtp_4xx", "match": {"count": 1}}])
    (message,) = mail_due()
    assert run(smtp_line).outcomes == {"later": 1}
    (attempt,) = attempts()
    assert (attempt.outcome, attempt.error_code, attempt.http_status) == ("later", "mail_later", 451)
    assert (states(), run(smtp_line).outcomes) == (["pending"], {})
    assert later().outcomes == {"accepted": 1}
    assert (states(), len(sandbox.mails(message.to_address))) == (["sent"], 1)


def test_a_mailbox_that_wants_to_be_asked_twice_is(smtp_line, mail_due, run, later, states, sandbox, attempts):
    (message,) = mail_due(f"soft.{secrets.token_hex(4)}@mail.example")
    assert run(smtp_line).outcomes == {"later": 1}
    assert [a.http_status for a in attempts()] == [451]
    assert later().outcomes == {"accepted": 1}
    assert (states(), len(sandbox.mails(message.to_address))) == (["sent"], 1)


def test_a_mailbox_that_does_not_exist_is_never_written_to_again(smtp_line, northside, mail_due, run, states, sandbox):
    bad, good = f"bounce.{secrets.token_hex(4)}@mail.example", f"{secrets.token_hex(4)}@mail.example"
    mail_due(bad, good)
    assert run(smtp_line).outcomes == {"refused": 1, "accepted": 1}
    assert states() == ["failed", "sent"]
    with practice_scope(northside):
        assert Message.objects.first().error_code == "hard_bounce"
        point = ContactPoint.objects.get(channel=Channel.EMAIL, address=bad)
        assert point.validity == ContactPoint.Validity.SUPPRESSED
    assert sandbox.mails(bad) == []


def test_an_email_that_is_refused_has_failed_and_says_nothing_about_the_mailbox(
    smtp_line, northside, mail_due, run, later, states, sandbox
):
    sandbox.set_faults([{"where": "smtp", "action": "smtp_5xx"}])
    (message,) = mail_due()
    assert run(smtp_line).outcomes == {"refused": 1}
    sandbox.set_faults([])
    assert (later().outcomes, states(), sandbox.mails(message.to_address)) == ({}, ["failed"], [])
    with practice_scope(northside):
        assert Message.objects.get().error_code == "mail_refused"
        assert ContactPoint.objects.get(address=message.to_address).validity == ContactPoint.Validity.UNKNOWN


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [
        ({"action": "smtp_drop_after_data"}, 1),
        ({"action": "smtp_drop_before_data"}, 0),
        ({"action": "stall_after", "seconds": 3}, 1),
    ],
)
def test_without_an_answer_to_the_content_nothing_is_sent_again_by_itself(
    smtp_line, mail_due, run, later, states, sandbox, settings, fault, arrived
):
    settings.PROVIDER_READ_TIMEOUT = 0.5
    sandbox.set_faults([{"where": "smtp", **fault}])
    (message,) = mail_due()
    assert run(smtp_line).outcomes == {"unclear": 1}
    sandbox.set_faults([])
    assert (later().outcomes, states()) == ({}, ["unknown"])
    assert len(sandbox.mails(message.to_address)) == arrived


def test_a_slow_server_is_waited_for(smtp_line, mail_due, run, states, sandbox):
    sandbox.set_faults([{"where": "smtp", "action": "latency", "ms": 700}])
    mail_due()
    assert (run(smtp_line).outcomes, states()) == ({"accepted": 1}, ["sent"])


def test_a_refused_sign_in_pauses_the_sender_and_loses_nothing(
    smtp_line, northside, mail_due, run, later, states, sandbox
):
    with practice_scope(northside):
        smtp_line.secret = "user:wrong"
        smtp_line.save()
    mail_due()
    assert run(smtp_line).outcomes == {"refused": 1}
    with practice_scope(northside):
        paused = SendingIdentity.objects.get()
        assert paused.paused_until and "refused our user name or password" in paused.paused_reason
        paused.secret = "user:password"
        paused.save()
    assert states() == ["pending"]
    assert (later().outcomes, states()) == ({"accepted": 1}, ["sent"])
