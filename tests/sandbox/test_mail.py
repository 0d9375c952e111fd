"""Anymail's real Mailgun backend and webhook view, and plain SMTP, against the sandbox."""

import json
import smtplib
from dataclasses import dataclass
from email.message import EmailMessage as Mime

import pytest
import requests
from anymail.backends.mailgun import EmailBackend
from anymail.exceptions import AnymailRequestsAPIError
from anymail.message import AnymailMessage
from anymail.signals import tracking
from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from django.test import RequestFactory

from tests.sandbox.conftest import a_number
from trackstat.sandbox.client import SandboxError

API_KEY, SIGNING_KEY = "key-of-the-practice", "signing-key-of-the-practice"


@dataclass
class Practice:
    domain: str
    sandbox: object
    url: str

    def connection(self, api_key: str = API_KEY):
        return EmailBackend(api_key=api_key, api_url=f"{self.url}/v3")

    def send(self, to: str, **more) -> str:
        headers = more.pop("headers", {})
        message = AnymailMessage(
            subject=more.pop("subject", "Your visit"),
            body="See you on Tuesday",
            from_email=f"Northside <hello@{self.domain}>",
            to=[to],
            headers=headers,
        )
        message.attach_alternative(
            '<p style="color:#036">See you <a href="https://example.org/book">here</a></p>', "text/html"
        )
        message.metadata = {"attempt": "0b9f", "practice": "7"}
        message.tags = ["blast"]
        for name, value in more.items():
            setattr(message, name, value)
        self.connection().send_messages([message])
        return message.anymail_status.message_id


@pytest.fixture
def practice(sandbox, sandbox_server, receiver) -> Practice:
    domain = f"mail{a_number()[-4:]}.example"
    sandbox.register_domain(domain, API_KEY, SIGNING_KEY, f"{receiver.url}/tracking")
    return Practice(domain, sandbox, sandbox_server.url)


def events(receiver) -> list:
    """What Anymail makes of every webhook that came; it refuses one whose signature is wrong."""
    view = MailgunTrackingWebhookView.as_view(webhook_signing_key=SIGNING_KEY)
    parsed = []

    def remember(event, **_):
        parsed.append(event)

    tracking.connect(remember)
    try:
        for each in receiver.at("/tracking"):
            request = RequestFactory().post("/tracking", each.body, content_type=each.headers["Content-Type"])
            assert view(request).status_code == 200
    finally:
        tracking.disconnect(remember)
    return parsed


@pytest.mark.parametrize(
    ("local_part", "types"),
    [
        ("ana", ["delivered"]),
        ("opensky", ["delivered"]),
        ("bounce", ["bounced"]),
        ("bounce.ana", ["bounced"]),
        ("soft1", ["deferred", "deferred", "delivered"]),
        ("complain+1", ["delivered", "complained"]),
        ("unsubscribe", ["delivered", "unsubscribed"]),
        ("open", ["delivered", "opened"]),
        ("click_ana", ["delivered", "opened", "clicked"]),
        ("reject", ["rejected"]),
        ("silent", []),
    ],
)
def test_the_recipient_decides_what_happens_and_anymail_understands_it(sandbox, practice, receiver, local_part, types):
    message_id = practice.send(f"{local_part}@patients.example")
    sandbox.settle()
    told = events(receiver)
    assert [event.event_type for event in told] == types
    for event in told:
        assert event.message_id == message_id
        assert event.recipient == f"{local_part}@patients.example"
        assert event.metadata == {"attempt": "0b9f", "practice": "7"}
        assert event.tags == ["blast"]
        assert event.timestamp is not None
    assert len({event.event_id for event in told}) == len(told)


def test_a_bounce_says_why(sandbox, practice, receiver):
    practice.send("bounce@patients.example")
    sandbox.settle()
    (event,) = events(receiver)
    assert event.reject_reason == "bounced"
    assert event.mta_response.startswith("5.1.1")


def test_a_click_names_the_link(sandbox, practice, receiver):
    practice.send("click@patients.example")
    sandbox.settle()
    assert events(receiver)[-1].click_url == "https://example.org/book"


def test_our_own_message_id_is_kept(sandbox, practice, receiver):
    own = f"<attempt-0b9f@{practice.domain}>"
    assert practice.send("ana@patients.example", headers={"Message-ID": own}) == own
    sandbox.settle()
    assert events(receiver)[0].message_id == own


def test_the_mailbox_holds_the_email_as_it_was_sent(sandbox, practice):
    to = f"Ana Álvarez <ana@{practice.domain}>"
    headers = {
        "List-Unsubscribe": "<https://example.org/u/TOKEN>, <mailto:u@example.org>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    practice.send(to, subject="Grüße ☀", headers=headers)
    (mail,) = sandbox.mails(f"ana@{practice.domain}")
    content = sandbox.mail(mail["id"])
    assert (mail["subject"], mail["via"]) == ("Grüße ☀", "mailgun")
    assert content["text"] == "See you on Tuesday"
    assert content["links"] == ["https://example.org/book"]
    assert ["List-Unsubscribe", headers["List-Unsubscribe"]] in content["headers"]


def test_one_click_posts_as_rfc_8058_says(sandbox, practice, receiver):
    headers = {
        "List-Unsubscribe": f"<mailto:u@example.org>, <{receiver.url}/u/TOKEN>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    practice.send(f"ana@{practice.domain}", headers=headers)
    (mail,) = sandbox.mails(f"ana@{practice.domain}")
    assert sandbox.unsubscribe(mail["id"]) == {"url": f"{receiver.url}/u/TOKEN", "answer": 200, "error": None}
    (posted,) = receiver.at("/u/TOKEN")
    assert posted.body == b"List-Unsubscribe=One-Click"
    assert "Cookie" not in posted.headers


def test_an_email_without_one_click_cannot_be_unsubscribed_from(sandbox, practice):
    practice.send(f"ana@{practice.domain}", headers={"List-Unsubscribe": "<https://example.org/u/TOKEN>"})
    (mail,) = sandbox.mails(f"ana@{practice.domain}")
    with pytest.raises(SandboxError, match="One-Click"):
        sandbox.unsubscribe(mail["id"])


def test_a_reader_opens_clicks_and_complains(sandbox, practice, receiver):
    practice.send(f"ana@{practice.domain}")
    (mail,) = sandbox.mails(f"ana@{practice.domain}")
    sandbox.settle()
    sandbox.open(mail["id"])
    sandbox.click(mail["id"], "https://example.org/book")
    sandbox.complain(mail["id"])
    sandbox.settle()
    assert [event.event_type for event in events(receiver)] == ["delivered", "opened", "clicked", "complained"]


def test_tracking_switched_off_reports_no_opens(sandbox, practice, receiver):
    practice.send(f"ana@{practice.domain}", track_opens=False, track_clicks=False)
    (mail,) = sandbox.mails(f"ana@{practice.domain}")
    assert sandbox.open(mail["id"])["event"] is None
    assert sandbox.click(mail["id"])["event"] is None
    sandbox.settle()
    assert [event.event_type for event in events(receiver)] == ["delivered"]


def test_batch_merging_gives_each_their_own(sandbox, practice):
    message = AnymailMessage("Hi %recipient.name%", "Dear %recipient.name%", f"hello@{practice.domain}")
    message.to = [f"ana@{practice.domain}", f"bob@{practice.domain}"]
    message.merge_data = {message.to[0]: {"name": "Ana"}, message.to[1]: {"name": "Bob"}}
    message.merge_metadata = {message.to[0]: {"attempt": "1"}, message.to[1]: {"attempt": "2"}}
    practice.connection().send_messages([message])
    for address, name, attempt in ((message.to[0], "Ana", "1"), (message.to[1], "Bob", "2")):
        (mail,) = sandbox.mails(address)
        assert (mail["subject"], sandbox.mail(mail["id"])["text"]) == (f"Hi {name}", f"Dear {name}")
        assert mail["variables"] == {"attempt": attempt}


def test_a_wrong_key_or_domain_is_refused(practice, sandbox):
    message = AnymailMessage("Hi", "Hi", f"hello@{practice.domain}", ["ana@patients.example"])
    with pytest.raises(AnymailRequestsAPIError) as refused:
        practice.connection(api_key="wrong").send_messages([message])
    assert refused.value.status_code == 401
    message = AnymailMessage("Hi", "Hi", "hello@unknown.example", ["ana@patients.example"])
    with pytest.raises(AnymailRequestsAPIError, match="Unknown sender domain"):
        practice.connection().send_messages([message])


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"from": "a@x.example", "text": "Hi"}, "to parameter"),
        ({"to": "ana@x.example", "text": "Hi"}, "from parameter"),
        ({"to": "ana@x.example", "from": "a@x.example"}, "at least one"),
        ({"to": "ana", "from": "a@x.example", "text": "Hi"}, "not a valid address"),
    ],
)
def test_what_is_missing_is_said(practice, sandbox, fields, word):
    answer = requests.post(
        f"{practice.url}/v3/{practice.domain}/messages", auth=("api", API_KEY), data=fields, timeout=5
    )
    assert answer.status_code == 400
    assert word in answer.json()["message"]
    assert sandbox.ledger("email.rejected")[-1]["status"] == 400


def test_a_whole_mime_message_is_taken(practice, sandbox):
    to = f"ana@{practice.domain}"
    mime = Mime()
    mime["From"], mime["To"], mime["Subject"], mime["Message-ID"] = "a@x.example", to, "Whole", "<whole@x.example>"
    mime.set_content("Plain")
    mime.add_alternative("<p>Rich</p>", subtype="html")
    answer = requests.post(
        f"{practice.url}/v3/{practice.domain}/messages.mime",
        auth=("api", API_KEY),
        data={"to": to, "v:attempt": "1"},
        files={"message": ("message.eml", mime.as_bytes())},
        timeout=5,
    )
    assert answer.json()["id"] == "<whole@x.example>"
    content = sandbox.mail(sandbox.mails(to)[0]["id"])
    assert (content["subject"], content["html"].strip(), content["variables"]) == (
        "Whole",
        "<p>Rich</p>",
        {"attempt": "1"},
    )


def test_a_webhook_answered_with_an_error_comes_again_and_406_ends_it(sandbox, practice, receiver):
    receiver.answer = lambda received: (500, "text/plain", "")
    practice.send("ana@patients.example")
    sandbox.settle()
    assert len(receiver.requests) == 5
    assert len({json.loads(each.body)["signature"]["token"] for each in receiver.requests}) == 1
    receiver.requests.clear()
    receiver.answer = lambda received: (406, "text/plain", "")
    practice.send("ana@patients.example")
    sandbox.settle()
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("action", "status", "copies"), [("429", 429, 0), ("500_before", 500, 0), ("500_after", 500, 1)]
)
def test_email_faults(sandbox, practice, action, status, copies):
    to = f"ana@{practice.domain}"
    sandbox.set_faults([{"where": "email", "action": action}])
    with pytest.raises(AnymailRequestsAPIError) as refused:
        practice.send(to)
    assert refused.value.status_code == status
    assert len([fact for fact in sandbox.ledger("email.accepted") if fact["to"] == to]) == copies


@pytest.mark.parametrize(("action", "count"), [("drop", 0), ("double", 2)])
def test_email_webhook_faults(sandbox, practice, receiver, action, count):
    sandbox.set_faults([{"where": "email.webhook", "action": action}])
    practice.send("ana@patients.example")
    sandbox.settle()
    assert len(receiver.requests) == count


def mime_to(to: str) -> Mime:
    mime = Mime()
    mime["From"], mime["To"], mime["Subject"] = "Northside <hello@north.example>", to, "By SMTP"
    mime["Message-ID"] = "<attempt-1@north.example>"
    mime.set_content("Plain\n.\ntext")
    return mime


def smtp(server):
    return smtplib.SMTP(server.smtp_host, server.smtp_port, timeout=5)


def test_smtp_mail_lies_in_the_mailbox_with_its_headers(sandbox, sandbox_server):
    to = f"ana{a_number()[-4:]}@patients.example"
    with smtp(sandbox_server) as connection:
        connection.login("user", "password")
        connection.send_message(mime_to(to))
    (mail,) = sandbox.mails(to)
    content = sandbox.mail(mail["id"])
    assert (mail["via"], mail["message_id"], mail["subject"]) == ("smtp", "<attempt-1@north.example>", "By SMTP")
    assert content["text"] == "Plain\n.\ntext\n"
    assert ["Message-ID", "<attempt-1@north.example>"] in content["headers"]
    assert [fact["message_id"] for fact in sandbox.ledger("smtp.accepted") if fact["to"] == to] == [mail["message_id"]]


def test_smtp_takes_any_password_but_one(sandbox_server):
    with smtp(sandbox_server) as connection:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            connection.login("user", "wrong")
        assert refused.value.smtp_code == 535
        connection.login("user", "right")


def test_smtp_refuses_bounce_for_good_and_soft_once(sandbox, sandbox_server):
    soft = f"soft{a_number()[-4:]}@patients.example"
    with smtp(sandbox_server) as connection:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            connection.send_message(mime_to("bounce@patients.example"))
        assert refused.value.recipients["bounce@patients.example"][0] == 550
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            connection.send_message(mime_to(soft))
        assert refused.value.recipients[soft][0] == 451
        connection.send_message(mime_to(soft))
    assert len(sandbox.mails(soft)) == 1


@pytest.mark.parametrize(
    ("action", "error", "copies"),
    [
        ("smtp_drop_after_data", smtplib.SMTPServerDisconnected, 1),
        ("smtp_drop_before_data", smtplib.SMTPServerDisconnected, 0),
        ("smtp_4xx", smtplib.SMTPDataError, 0),
        ("smtp_5xx", smtplib.SMTPDataError, 0),
    ],
)
def test_smtp_faults(sandbox, sandbox_server, action, error, copies):
    to = f"ana{a_number()[-4:]}@patients.example"
    sandbox.set_faults([{"where": "smtp", "action": action, "match": {"to": to}}])
    connection = smtp(sandbox_server)
    with pytest.raises(error):
        connection.send_message(mime_to(to))
    connection.close()
    assert len(sandbox.mails(to)) == copies


def listed(practice, **query) -> list[tuple[str, str]]:
    url = f"{practice.url}/v3/{practice.domain}/events"
    answer = requests.get(url, params=query, auth=("api", API_KEY), timeout=5)
    return [(item["event"], item["recipient"]) for item in answer.json()["items"]]


def test_what_was_accepted_can_be_looked_up_by_message_id(sandbox, practice):
    sandbox.set_faults([{"where": "email", "action": "500_after", "match": {"count": 1}}])
    own = f"<attempt-7@{practice.domain}>"
    with pytest.raises(AnymailRequestsAPIError):
        practice.send("bounce@patients.example", headers={"Message-ID": own})
    sandbox.settle()
    practice.send("other@patients.example")
    found = [("failed", "bounce@patients.example"), ("accepted", "bounce@patients.example")]
    assert listed(practice, **{"message-id": own.strip("<>")}) == found
    assert listed(practice, recipient="bounce@patients.example", event="accepted") == found[1:]
    assert listed(practice, **{"message-id": "never-arrived@x.example"}) == []


def test_the_list_of_events_lags_behind(sandbox, practice):
    sandbox.set_faults([{"where": "email.list", "action": "list_lag", "seconds": 60}])
    practice.send("ana@patients.example")
    assert listed(practice) == []
