"""The sandbox's own pages: what patients got, and what they can do about it."""

import re

import pytest
import requests

from tests.sandbox.conftest import a_number

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture
def get(sandbox_server):
    return lambda path: requests.get(sandbox_server.url + path, timeout=5)


@pytest.fixture
def mail(sandbox, sandbox_server, receiver):
    domain = f"mail{a_number()[-4:]}.example"
    sandbox.register_domain(domain, "key", "signing", f"{receiver.url}/tracking")

    def send(to="", subject="Come back", html="<p>Hello</p>", one_click=True) -> str:
        to = to or f"ana@{domain}"
        data = {"from": f"North <a@{domain}>", "to": to, "subject": subject, "text": "Hello", "html": html}
        if one_click:
            data |= {
                "h:List-Unsubscribe": f"<{receiver.url}/u/TOKEN>",
                "h:List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            }
        url = f"{sandbox_server.url}/v3/{domain}/messages"
        requests.post(url, auth=("api", "key"), data=data, timeout=5).raise_for_status()
        return sandbox.mails(to)[-1]["id"]

    return send


def text(line, phone, body):
    line.twilio.messages.create(to=phone, from_=line.number, body=body)


def test_the_list_shows_the_newest_first_and_is_searched(sandbox, line, phone, mail, get):
    text(line, phone, "See you on Tuesday, Zebulon")
    mail(subject="Zebulon's birthday")
    shown = f"({phone[2:5]}) {phone[5:8]}-{phone[8:]}"
    first = re.search(r'class="who">([^<]+?) <', get("/sandbox/").text)
    assert first[1] == shown
    for query in (phone[-7:], "zebulon", shown):
        assert shown in get(f"/sandbox/?q={query}").text
    assert "Zebulon&#x27;s birthday" in get("/sandbox/?q=zebulon").text
    assert "No phone fits." in get("/sandbox/?q=nobody-wrote-this").text
    assert "Open (617) 555-0178 and text from it" in get("/sandbox/?q=617-555-0178").text


def test_a_phone_shows_both_sides_of_the_thread_and_its_states(sandbox, line, phone, get):
    text(line, phone, "Come in this week?")
    sandbox.text_from(phone, line.number, "Yes please")
    sandbox.settle()
    page = get(f"/sandbox/phones/{phone}").text
    assert "Come in this week?" in page
    assert "Yes please" in page
    assert "Delivered" in page


def test_the_stop_button_opts_out_and_the_page_says_so(sandbox, sandbox_server, line, phone, receiver, get):
    text(line, phone, "Hi")
    url = f"{sandbox_server.url}/sandbox/phones/{phone}"
    answer = requests.post(url, data={"to": line.number, "word": "STOP", "body": "half a draft"}, timeout=5)
    assert answer.status_code == 200
    assert [each.fields["Body"] for each in receiver.at("/inbound")] == ["STOP"]
    assert "Opted out" in get(f"/sandbox/phones/{phone}").text


def test_a_reply_that_the_product_refuses_is_said(sandbox, sandbox_server, line, phone, receiver):
    receiver.answer = lambda received: (500, "text/plain", "")
    url = f"{sandbox_server.url}/sandbox/phones/{phone}"
    answer = requests.post(url, data={"to": line.number, "body": "Hello"}, timeout=5)
    assert "the product answered with HTTP 500" in answer.text


def test_a_phone_nobody_texted_can_begin(sandbox, line, phone, get):
    page = get(f"/sandbox/phones/{phone}").text
    assert "No texts yet." in page
    assert line.number in page


def test_an_email_shows_its_body_apart_headers_and_links(sandbox, mail, get):
    mail_id = mail(html='<p style="color:red">Hi <a href="https://example.org/book">book</a></p><script>x()</script>')
    page = get(f"/sandbox/mail/{mail_id}")
    assert 'sandbox="allow-popups' in page.text
    assert "https://example.org/book" in page.text
    assert "List-Unsubscribe-Post" in page.text
    assert "<script>x()" not in page.text
    body = get(f"/sandbox/mail/{mail_id}/body")
    assert body.headers["Content-Security-Policy"].startswith("sandbox allow-popups ")
    assert "script-src" not in body.headers["Content-Security-Policy"]
    assert "default-src 'none'" in body.headers["Content-Security-Policy"]


def test_the_unsubscribe_button_posts_one_click_and_says_what_came_of_it(sandbox, sandbox_server, mail, receiver):
    mail_id = mail()
    answer = requests.post(f"{sandbox_server.url}/sandbox/mail/{mail_id}/unsubscribe", timeout=5)
    assert "The product was told" in answer.text
    assert receiver.at("/u/TOKEN")[0].body == b"List-Unsubscribe=One-Click"
    receiver.answer = lambda received: (404, "text/plain", "")
    answer = requests.post(f"{sandbox_server.url}/sandbox/mail/{mail_id}/unsubscribe", timeout=5)
    assert "The product did not take it: HTTP 404" in answer.text


def test_an_email_without_one_click_says_so(mail, get):
    assert "offers no one-click unsubscribe" in get(f"/sandbox/mail/{mail(one_click=False)}").text


def test_pages_have_a_strict_policy_and_nothing_inline(sandbox, line, phone, mail, get):
    text(line, phone, HOSTILE)
    mail_id = mail(subject=HOSTILE)
    for path in ("/sandbox/", f"/sandbox/phones/{phone}", f"/sandbox/mail/{mail_id}", "/sandbox/?q=%3Cscript%3E"):
        page = get(path)
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert re.findall(r"<script(?![^>]* src=)", page.text) == []
        assert re.search(r"<[^>]* (style|on\w+)=", page.text) is None
        assert "<img" not in page.text


def test_forms_of_other_sites_are_refused(sandbox, sandbox_server, line, phone):
    url = f"{sandbox_server.url}/sandbox/phones/{phone}"
    answer = requests.post(
        url, data={"to": line.number, "word": "STOP"}, headers={"Origin": "https://evil.example"}, timeout=5
    )
    assert answer.status_code == 403
    assert sandbox.ledger("sms.inbound", since=sandbox.health()["ledger"] - 1) == []


@pytest.mark.parametrize("path", ["/sandbox/mail/nothing", "/sandbox/phones/me", "/sandbox/static/..%2Fserver.py"])
def test_what_is_not_there_is_not_found(get, path):
    assert get(path).status_code == 404


def test_styles_and_script_are_served_by_the_sandbox_itself(get):
    assert get("/sandbox/static/sandbox.css").headers["Content-Type"].startswith("text/css")
    assert get("/sandbox/static/sandbox.js").headers["Content-Type"].startswith("text/javascript")
