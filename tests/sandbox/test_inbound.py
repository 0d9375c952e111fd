"""Patients text us: signed webhooks, TwiML answers, and the carrier's own STOP, START and HELP."""

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from tests.sandbox.conftest import a_line
from trackstat.sandbox.client import SandboxError
from trackstat.sandbox.optouts import START_WORDS, STOP_WORDS


def twiml(content: str):
    return lambda received: (200, "text/xml", f'<?xml version="1.0" encoding="UTF-8"?><Response>{content}</Response>')


@pytest.fixture
def advanced(sandbox, sandbox_server, receiver):
    return a_line(sandbox_server, receiver, advanced_opt_out=True)


def refused_code(line, phone, **how) -> int | None:
    try:
        line.twilio.messages.create(to=phone, body="Hi", **(how or {"from_": line.number}))
    except TwilioRestException as refused:
        return refused.code
    return None


def test_a_text_reaches_the_webhook_signed(sandbox, line, phone, receiver):
    answer = sandbox.text_from(phone, line.service_number, "Can I come at 9?\nAna 👍")
    assert answer["webhook"] == {"answer": 200, "error": None}
    (told,) = receiver.at("/inbound")
    assert told.url == f"{receiver.url}/inbound?practice=north"
    assert RequestValidator(line.token).validate(told.url, told.fields, told.headers["X-Twilio-Signature"])
    fields = told.fields
    assert fields["MessageSid"] == fields["SmsSid"] == answer["sid"]
    assert (fields["From"], fields["To"], fields["Body"]) == (phone, line.service_number, "Can I come at 9?\nAna 👍")
    assert (fields["NumMedia"], fields["NumSegments"], fields["SmsStatus"]) == ("0", "1", "received")
    assert fields["MessagingServiceSid"] == line.service
    assert "OptOutType" not in fields
    listed = line.twilio.messages.list(to=line.service_number, from_=phone)
    assert [(message.direction, message.status) for message in listed] == [("inbound", "received")]


def test_a_number_outside_a_service_has_no_service_in_its_webhook(sandbox, line, phone, receiver):
    sandbox.text_from(phone, line.number, "Hello")
    assert "MessagingServiceSid" not in receiver.requests[0].fields


def test_twiml_answers_become_texts_to_the_phone(sandbox, line, phone, receiver):
    receiver.answer = twiml("<Message>Thanks &amp; see you</Message><Message><Body>Second</Body></Message>")
    answer = sandbox.text_from(phone, line.number, "Hello")
    assert answer["replies"] == ["Thanks & see you", "Second"]
    sandbox.settle()
    texts = sandbox.messages(phone)
    assert [(m["body"], m["from"], m["direction"], m["status"]) for m in texts] == [
        ("Thanks & see you", line.number, "outbound-reply", "delivered"),
        ("Second", line.number, "outbound-reply", "delivered"),
    ]
    assert [fact["kind"] for fact in sandbox.ledger("sms.reply") if fact["to"] == phone] == ["sms.reply"] * 2
    assert [fact for fact in sandbox.ledger("sms.accepted") if fact["to"] == phone] == []


@pytest.mark.parametrize(
    ("content_type", "content", "code"),
    [
        ("text/xml", "<Response><Message>half", "12100"),
        ("application/json", "{}", "12300"),
        ("text/xml", "<Hi/>", "12200"),
    ],
)
def test_an_answer_that_is_not_twiml_is_an_error_with_twilios_code(
    sandbox, line, phone, receiver, content_type, content, code
):
    receiver.answer = lambda received: (200, content_type, content)
    answer = sandbox.text_from(phone, line.number, "Hello")
    assert answer["webhook"]["error"].startswith(code)
    assert answer["replies"] == []


def test_empty_twiml_and_an_empty_answer_send_nothing(sandbox, line, phone, receiver):
    receiver.answer = twiml("")
    assert sandbox.text_from(phone, line.number, "Hello")["webhook"]["error"] is None
    receiver.answer = lambda received: (204, "text/plain", "")
    assert sandbox.text_from(phone, line.number, "Hello")["webhook"]["error"] is None
    assert sandbox.messages(phone) == []


@pytest.mark.parametrize("word", sorted(STOP_WORDS))
def test_every_stop_word_blocks_further_texts(sandbox, line, phone, word):
    sandbox.text_from(phone, line.number, f" {word.capitalize()} ")
    assert refused_code(line, phone) == 21610


@pytest.mark.parametrize("body", ["STOP PLEASE", "please stop", "STOP.", "don't stop"])
def test_stop_counts_only_as_the_whole_text(sandbox, line, phone, body):
    assert sandbox.text_from(phone, line.number, body)["keyword"] is None
    assert refused_code(line, phone) is None


@pytest.mark.parametrize("word", sorted(START_WORDS | {"YES"}))
def test_start_lets_texts_through_again(sandbox, line, phone, word):
    sandbox.text_from(phone, line.number, "STOP")
    assert sandbox.text_from(phone, line.number, word)["keyword"] == "START"
    assert refused_code(line, phone) is None


def test_yes_is_an_ordinary_answer_from_somebody_who_is_not_opted_out(sandbox, advanced, phone, receiver):
    assert sandbox.text_from(phone, advanced.number, "Yes")["keyword"] is None
    assert "OptOutType" not in receiver.requests[0].fields


def test_a_stop_to_one_number_of_a_service_blocks_the_service_and_nothing_else(sandbox, line, phone):
    sandbox.text_from(phone, line.service_number, "STOP")
    assert refused_code(line, phone, messaging_service_sid=line.service) == 21610
    assert refused_code(line, phone, from_=line.service_number) == 21610
    assert refused_code(line, phone, from_=line.number) is None


def test_a_stop_to_one_practice_leaves_the_other_alone(sandbox, sandbox_server, line, phone):
    other = a_line(sandbox_server)
    sandbox.text_from(phone, line.number, "STOP")
    assert refused_code(other, phone) is None


def test_default_handling_blocks_but_leaves_the_answer_to_the_product(sandbox, line, phone, receiver):
    answer = sandbox.text_from(phone, line.number, "STOP")
    assert answer["keyword"] == "STOP"
    assert "OptOutType" not in receiver.requests[0].fields
    assert sandbox.messages(phone) == []


@pytest.mark.parametrize("word", ["STOP", "START", "HELP"])
def test_advanced_opt_out_answers_itself_and_tells_the_product(sandbox, advanced, phone, receiver, word):
    sandbox.text_from(phone, advanced.service_number, word.lower())
    assert receiver.requests[0].fields["OptOutType"] == word
    assert len(sandbox.messages(phone)) == 1
    assert [fact["kind"] for fact in sandbox.ledger("sms.auto_reply") if fact["to"] == phone] == ["sms.auto_reply"]


def test_a_second_stop_gets_no_second_answer(sandbox, advanced, phone):
    sandbox.text_from(phone, advanced.number, "STOP")
    sandbox.text_from(phone, advanced.number, "STOP")
    assert len(sandbox.messages(phone)) == 1


def test_a_twiml_answer_to_a_stop_is_blocked(sandbox, line, phone, receiver):
    receiver.answer = twiml("<Message>But we have offers!</Message>")
    answer = sandbox.text_from(phone, line.number, "STOP")
    assert answer["replies"] == []
    assert answer["webhook"]["error"].startswith("21610")


def test_handling_switched_off_blocks_nothing(sandbox, sandbox_server, phone):
    line = a_line(sandbox_server, opt_out_handling="off")
    assert sandbox.text_from(phone, line.number, "STOP")["keyword"] is None
    assert refused_code(line, phone) is None


def test_a_text_waiting_at_the_carrier_is_not_sent_after_stop(sandbox, line, phone):
    sandbox.set_pace(sending=20)
    message = line.twilio.messages.create(to=phone, from_=line.number, body="Hi")
    sandbox.text_from(phone, line.number, "STOP")
    sandbox.settle()
    ended = line.twilio.messages(message.sid).fetch()
    assert (ended.status, ended.error_code) == ("failed", 21610)


def test_opt_outs_are_in_the_ledger_and_in_the_list(sandbox, line, phone):
    sandbox.text_from(phone, line.number, "stop")
    assert {"account": line.sid, "scope": line.number, "phone": phone} in sandbox.opt_outs()
    (fact,) = [fact for fact in sandbox.ledger("optout.") if fact["phone"] == phone]
    assert (fact["kind"], fact["word"]) == ("optout.added", "stop")


def test_a_text_to_nobodys_number_is_refused_with_a_sentence(sandbox, phone):
    with pytest.raises(SandboxError, match="not a number of any account"):
        sandbox.text_from(phone, "+12125550100", "Hello")


def test_a_product_that_is_down_is_told_twice_and_then_not(sandbox, line, phone, receiver):
    receiver.close()
    answer = sandbox.text_from(phone, line.number, "Hello")
    assert answer["webhook"] == {"answer": None, "error": "ClientConnectorError"}
    assert len([f for f in sandbox.ledger("sms.inbound_webhook") if f["sid"] == answer["sid"]]) == 2


@pytest.mark.parametrize(("action", "told"), [("drop", 0), ("double", 2), ("delay", 1)])
def test_inbound_webhooks_can_be_lost_doubled_and_late(sandbox, line, phone, receiver, action, told):
    sandbox.set_faults([{"where": "sms.inbound", "action": action, "seconds": 0.05, "match": {"from": phone[1:]}}])
    sandbox.text_from(phone, line.number, "Hello")
    sandbox.settle()
    assert len(receiver.at("/inbound")) == told
