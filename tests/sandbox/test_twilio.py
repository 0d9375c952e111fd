"""The real Twilio client against the sandbox, its answers against Twilio's own description."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from tests.sandbox.conftest import a_line, a_number
from tests.sandbox.description import check
from tests.sandbox.running import twilio_client

MESSAGES = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
MESSAGE = "/2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json"


def last_body(client) -> dict:
    return json.loads(client.http_client.bodies[-1])


def test_a_created_message_looks_as_twilio_describes_it(line, phone):
    client = line.twilio
    message = client.messages.create(to=phone, from_=line.number, body="Hello Ana")
    assert message.status == "queued"
    assert message.num_segments == "1"
    assert message.date_created.tzinfo is not None
    assert message.date_sent is None
    check(last_body(client), "twilio_api_v2010", MESSAGES, "post", "201")


def test_a_message_through_a_service_is_accepted_first_and_gets_its_number_later(sandbox, line, phone):
    client = line.twilio
    message = client.messages.create(to=phone, messaging_service_sid=line.service, body="Hello Ana")
    assert (message.status, message.from_, message.num_segments) == ("accepted", None, "0")
    check(last_body(client), "twilio_api_v2010", MESSAGES, "post", "201")
    sandbox.settle()
    later = client.messages(message.sid).fetch()
    assert (later.status, later.from_, later.num_segments) == ("delivered", line.service_number, "1")
    assert later.price.startswith("-")
    check(last_body(client), "twilio_api_v2010", MESSAGE, "get", "200")
    facts = [fact["status"] for fact in sandbox.ledger("sms.status") if fact["sid"] == message.sid]
    assert facts == ["queued", "sending", "sent", "delivered"]


def test_every_status_change_is_posted_to_the_callback_signed(sandbox, line, phone, receiver):
    callback = f"{receiver.url}/status/7b0c?practice=north&x=1%2F2"
    message = line.twilio.messages.create(
        to=phone, messaging_service_sid=line.service, body="Hi", status_callback=f"{callback}#rc=5&rp=all"
    )
    sandbox.settle()
    told = receiver.at("/status/7b0c")
    assert [each.fields["MessageStatus"] for each in told] == ["queued", "sending", "sent", "delivered"]
    for each in told:
        assert each.url == callback
        assert RequestValidator(line.token).validate(each.url, each.fields, each.headers["X-Twilio-Signature"])
        assert not RequestValidator("another token").validate(each.url, each.fields, each.headers["X-Twilio-Signature"])
        assert each.fields["MessageSid"] == each.fields["SmsSid"] == message.sid
        assert each.fields["AccountSid"] == line.sid
        assert each.fields["To"] == phone
        assert each.fields["MessagingServiceSid"] == line.service
        assert "ErrorCode" not in each.fields
    assert len(told[-1].fields["RawDlrDoneDate"]) == 10


@pytest.mark.parametrize(
    ("exchange_and_line", "status", "error"),
    [
        ("5530003", "undelivered", 30003),
        ("5530005", "undelivered", 30005),
        ("5530006", "undelivered", 30006),
        ("5530007", "undelivered", 30007),
        ("5530008", "undelivered", 30008),
        ("5530034", "undelivered", 30034),
        ("5530001", "failed", 30001),
        ("5541234", "undelivered", 30006),
        ("5521234", "sent", None),
        ("5550134", "delivered", None),
        ("5539999", "delivered", None),
    ],
)
def test_error_numbers_of_any_area_code_end_as_documented(sandbox, line, receiver, exchange_and_line, status, error):
    to = "+1617" + exchange_and_line
    message = line.twilio.messages.create(to=to, from_=line.number, body="Hi", status_callback=f"{receiver.url}/status")
    sandbox.settle()
    ended = line.twilio.messages(message.sid).fetch()
    assert (ended.status, ended.error_code) == (status, error)
    last = receiver.at("/status")[-1].fields
    assert last["MessageStatus"] == status
    assert last.get("ErrorCode") == (str(error) if error else None)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"to": "+15005550001"}, 21211),
        ({"to": "+15005550002"}, 21612),
        ({"to": "+15005550003"}, 21408),
        ({"to": "+15005550004"}, 21610),
        ({"to": "+15005550009"}, 21614),
        ({"from_": "+15005550001"}, 21212),
        ({"from_": "+15005550007"}, 21606),
        ({"from_": "+15005550008"}, 21611),
        ({"from_": "+12125550100"}, 21606),
        ({"from_": None}, 21603),
        ({"from_": None, "messaging_service_sid": "MG" + "0" * 32}, 21701),
        ({"to": ""}, 21604),
        ({"to": "call me"}, 21211),
        ({"to": "+1617555010"}, 21211),
        ({"body": ""}, 21602),
        ({"body": "x" * 1601}, 21617),
        ({"status_callback": "not a url"}, 21609),
        ({"send_at": datetime(2027, 1, 1, tzinfo=UTC), "schedule_type": "fixed"}, 20001),
    ],
)
def test_what_cannot_be_sent_is_refused_in_twilios_words(sandbox, line, phone, given, code):
    before = sandbox.health()["ledger"]
    asked = {"to": phone, "from_": line.number, "body": "Hi", **given}
    asked = {key: value for key, value in asked.items() if value is not None}
    with pytest.raises(TwilioRestException) as refused:
        line.twilio.messages.create(**asked)
    assert (refused.value.status, refused.value.code) == (400, code)
    facts = sandbox.ledger(since=before)
    assert [(fact["kind"], fact["code"]) for fact in facts] == [("sms.rejected", code)]


def test_an_error_has_the_four_fields_of_twilios_errors(line):
    answer = requests.post(
        f"{line.url}/2010-04-01/Accounts/{line.sid}/Messages.json", auth=(line.sid, line.token), timeout=5
    )
    assert answer.json() == {
        "code": 21604,
        "message": "A 'To' phone number is required.",
        "more_info": "https://www.twilio.com/docs/errors/21604",
        "status": 400,
    }


def test_a_wrong_token_or_another_accounts_path_is_refused(sandbox_server, sandbox, line, phone):
    stranger = a_line(sandbox_server)
    for client in (
        twilio_client(line.url, line.sid, "wrong"),
        twilio_client(line.url, "AC" + "0" * 32, line.token),
    ):
        with pytest.raises(TwilioRestException) as refused:
            client.messages.create(to=phone, from_=line.number, body="Hi")
        assert (refused.value.status, refused.value.code) == (401, 20003)
    path = f"{line.url}/2010-04-01/Accounts/{line.sid}/Messages.json"
    assert requests.get(path, auth=(stranger.sid, stranger.token), timeout=5).status_code == 401
    message = line.twilio.messages.create(to=phone, from_=line.number, body="Hi")
    with pytest.raises(TwilioRestException) as refused:
        stranger.twilio.messages(message.sid).fetch()
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("x" * 152 + "€" + "x" * 10, 2),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 134, 2),
        ("я" * 135, 3),
        ("👍" * 35, 1),
        ("👍" * 36, 2),
        ("x" * 66 + "👨‍👩‍👧‍👦" + "x" * 10, 2),
        ("it’s " + "x" * 66, 2),
    ],
)
def test_segments_are_counted_as_a_carrier_does(line, phone, body, count):
    assert line.twilio.messages.create(to=phone, from_=line.number, body=body).num_segments == str(count)


def test_listing_filters_by_recipient_sender_and_date_sent(sandbox, line, phone):
    client, other = line.twilio, a_number("415")
    ours = [client.messages.create(to=phone, from_=line.number, body=f"{n}") for n in range(3)]
    client.messages.create(to=other, from_=line.number, body="other")
    through_service = client.messages.create(to=phone, messaging_service_sid=line.service, body="service")
    sandbox.settle()
    newest_first = [through_service.sid, *(message.sid for message in reversed(ours))]
    assert [message.sid for message in client.messages.list(to=phone)] == newest_first
    check(last_body(client), "twilio_api_v2010", MESSAGES, "get", "200")
    assert [m.sid for m in client.messages.list(to=phone, from_=line.service_number)] == [through_service.sid]
    now = datetime.now(UTC)
    assert len(client.messages.list(to=phone, date_sent=now)) == 4
    assert len(client.messages.list(to=phone, date_sent_after=now - timedelta(minutes=1))) == 4
    assert client.messages.list(to=phone, date_sent_before=now - timedelta(minutes=1)) == []


def test_a_message_not_sent_yet_is_listed_but_not_by_date_sent(sandbox, line, phone):
    sandbox.set_pace(sending=60)
    message = line.twilio.messages.create(to=phone, from_=line.number, body="Hi")
    assert [m.sid for m in line.twilio.messages.list(to=phone)] == [message.sid]
    assert line.twilio.messages.list(to=phone, date_sent=datetime.now(UTC)) == []


def test_listing_pages_through_everything_while_new_messages_arrive(line, phone):
    client = line.twilio
    sids = [client.messages.create(to=phone, from_=line.number, body=f"{n}").sid for n in range(7)]
    seen = []
    for message in client.messages.stream(to=phone, page_size=3):
        if not seen:
            client.messages.create(to=phone, from_=line.number, body="just now")
        seen.append(message.sid)
    assert seen == list(reversed(sids))
    assert len(client.http_client.bodies) == 8 + 3
    for body in (client.http_client.bodies[7], *client.http_client.bodies[-2:]):
        check(json.loads(body), "twilio_api_v2010", MESSAGES, "get", "200")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("+16175550134", "mobile"),
        ("+16175541234", "landline"),
        ("+16175561234", "fixedVoip"),
        ("+18005551234", "tollFree"),
        ("+16175530006", "landline"),
    ],
)
def test_lookup_tells_the_line_type(line, number, kind):
    client = line.twilio
    found = client.lookups.v2.phone_numbers(number).fetch(fields="line_type_intelligence")
    assert found.valid
    assert found.line_type_intelligence["type"] == kind
    check(last_body(client), "twilio_lookups_v2", "/v2/PhoneNumbers/{PhoneNumber}", "get", "200")


def test_lookup_of_an_impossible_number_says_what_is_wrong(line):
    client = line.twilio
    found = client.lookups.v2.phone_numbers("+141599299600").fetch()
    assert (found.valid, found.validation_errors) == (False, ["TOO_LONG"])
    check(last_body(client), "twilio_lookups_v2", "/v2/PhoneNumbers/{PhoneNumber}", "get", "200")


def test_line_types_can_be_configured(sandbox, line):
    sandbox.set_line_types([{"match": "0199$", "type": "landline"}])
    found = line.twilio.lookups.v2.phone_numbers("+16175550199").fetch(fields="line_type_intelligence")
    assert found.line_type_intelligence["type"] == "landline"


def test_account_and_service_can_be_read(line):
    client = line.twilio
    assert client.api.v2010.accounts(line.sid).fetch().status == "active"
    check(last_body(client), "twilio_api_v2010", "/2010-04-01/Accounts/{Sid}.json", "get", "200")
    assert client.messaging.v1.services(line.service).fetch().sid == line.service
    check(last_body(client), "twilio_messaging_v1", "/v1/Services/{Sid}", "get", "200")
    assert [service.sid for service in client.messaging.v1.services.list()] == [line.service]
    check(last_body(client), "twilio_messaging_v1", "/v1/Services", "get", "200")
    numbers = client.messaging.v1.services(line.service).phone_numbers.list()
    assert [number.phone_number for number in numbers] == [line.service_number]
    check(last_body(client), "twilio_messaging_v1", "/v1/Services/{ServiceSid}/PhoneNumbers", "get", "200")


def test_dates_follow_the_sandbox_clock(sandbox, line, phone):
    sandbox.set_clock(-86400)
    message = line.twilio.messages.create(to=phone, from_=line.number, body="Hi")
    assert abs(message.date_created - (datetime.now(UTC) - timedelta(days=1))) < timedelta(seconds=5)


def test_a_lost_connection_to_the_callback_is_tried_as_often_as_the_url_asks(sandbox, line, phone):
    sandbox.set_pace(callbacks=["delivered"])
    closed = "http://127.0.0.1:9/status"
    once = line.twilio.messages.create(to=phone, from_=line.number, body="Hi", status_callback=closed)
    often = line.twilio.messages.create(to=phone, from_=line.number, body="Hi", status_callback=f"{closed}#rc=3")
    never = line.twilio.messages.create(to=phone, from_=line.number, body="Hi", status_callback=f"{closed}#rc=0")
    sandbox.settle()
    tried = [fact["sid"] for fact in sandbox.ledger("sms.callback")]
    assert [tried.count(message.sid) for message in (once, often, never)] == [2, 4, 1]


def test_an_error_answer_is_tried_again_only_where_the_url_asks(sandbox, line, phone, receiver):
    sandbox.set_pace(callbacks=["delivered"])
    receiver.answer = lambda received: (503, "text/plain", "")
    line.twilio.messages.create(to=phone, from_=line.number, body="Hi", status_callback=f"{receiver.url}/plain")
    line.twilio.messages.create(
        to=phone, from_=line.number, body="Hi", status_callback=f"{receiver.url}/all#rc=2&rp=all"
    )
    sandbox.settle()
    assert (len(receiver.at("/plain")), len(receiver.at("/all"))) == (1, 3)
