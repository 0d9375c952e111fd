"""The ledger is the judge: what was answered for is in it, survives kill -9, and comes back."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.sandbox.conftest import a_line, a_number
from tests.sandbox.running import CHECKOUT, start_sandbox
from trackstat.sandbox.client import SandboxClient, SandboxError
from trackstat.sandbox.clock import Clock
from trackstat.sandbox.ledger import Ledger


@pytest.fixture
def own(tmp_path):
    """A sandbox that may be killed, started again in its folder by `own()`."""
    running = []

    def start(**more):
        running.append(start_sandbox(tmp_path / "data with spaces", **more))
        return running[-1]

    yield start
    for server in running:
        if server.process.poll() is None:
            server.stop()


def post(line, phone, body="Hi", callback=""):
    return requests.post(
        f"{line.url}/2010-04-01/Accounts/{line.sid}/Messages.json",
        auth=(line.sid, line.token),
        data={"To": phone, "From": line.number, "Body": body, "StatusCallback": callback},
        timeout=5,
    )


def test_everything_answered_for_survives_a_kill_in_the_middle_of_a_burst(own):
    server = own(speed=1)
    line = a_line(server)
    answered, halfway = [], threading.Event()

    def send_until_dead(worker: int) -> None:
        for n in range(500):
            try:
                answer = post(line, a_number("415"), body=f"{worker}-{n}")
            except requests.RequestException:
                return
            answered.append(answer.json()["sid"])
            if len(answered) > 100:
                halfway.set()

    with ThreadPoolExecutor(4) as pool:
        for worker in range(4):
            pool.submit(send_until_dead, worker)
        halfway.wait(20)
        server.kill()
    again = own()
    in_ledger = [fact["sid"] for fact in again.client.ledger("sms.accepted")]
    assert set(answered) <= set(in_ledger)
    # At most the one each worker was waiting for.
    assert len(in_ledger) - len(answered) <= 4
    assert len(set(in_ledger)) == len(in_ledger)


def test_a_restart_goes_on_where_it_was(own, receiver):
    server = own(speed=50)
    line = a_line(server, receiver)
    done, phone = a_number("415"), a_number("415")
    post(line, done)
    server.client.text_from(done, line.number, "STOP")
    server.client.register_domain("north.example", "key", "signing", f"{receiver.url}/tracking")
    server.client.set_clock(3600)
    server.client.settle()
    server.client.set_pace(sending=1_000_000)
    sid = post(line, phone, callback=f"{receiver.url}/status").json()["sid"]
    requests.post(
        f"{server.url}/v3/north.example/messages",
        auth=("api", "key"),
        data={"from": "a@north.example", "to": "ana@patients.example", "subject": "Hi", "text": "Hello"},
        timeout=5,
    )
    before = server.client.messages()
    server.kill()

    again = own(speed=50)
    line.url = again.url
    assert again.client.clock()["offset_seconds"] == 3600
    assert post(line, done).json()["code"] == 21610
    assert [m["sid"] for m in again.client.messages()] == [m["sid"] for m in before]
    again.client.settle()
    assert {m["sid"]: m["status"] for m in again.client.messages()}[sid] == "delivered"
    assert [each.fields["MessageStatus"] for each in receiver.at("/status")] == ["sending", "sent", "delivered"]
    (mail,) = again.client.mails("ana@patients.example")
    assert again.client.mail(mail["id"])["text"] == "Hello"
    assert json.loads(receiver.at("/tracking")[-1].body)["event-data"]["event"] == "delivered"


def test_a_callback_cut_off_by_a_kill_goes_out_after_the_restart(own, receiver):
    server = own(speed=50)
    server.client.set_pace(callbacks=["delivered"])
    line, phone = a_line(server), a_number("415")
    arrived, release = threading.Event(), threading.Event()

    def hold(received):
        arrived.set()
        release.wait(10)
        return 200, "text/plain", ""

    receiver.answer = hold
    post(line, phone, callback=f"{receiver.url}/status")
    assert arrived.wait(10)
    server.kill()
    release.set()
    receiver.answer = lambda received: (200, "text/plain", "")
    again = own(speed=50)
    again.client.settle()
    # Nothing but the one that was cut off, though the pace is back to telling of every status.
    assert [each.fields["MessageStatus"] for each in receiver.at("/status")] == ["delivered"] * 2


def test_a_torn_last_line_is_dropped(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path, Clock())
    ledger.append("sms.accepted", sid="SM1")
    ledger.append("sms.accepted", sid="SM2")
    ledger.close()
    with path.open("ab") as file:
        file.write(b'{"seq":3,"kind":"sms.acc')
    ledger = Ledger(path, Clock())
    assert [fact["sid"] for fact in ledger.replay()] == ["SM1", "SM2"]
    ledger.append("sms.accepted", sid="SM3")
    assert [fact["seq"] for fact in json.loads(ledger.read(0, 3, ()))] == [1, 2, 3]
    ledger.close()


def test_the_ledger_is_read_by_kind_and_from_where_one_was(sandbox, line, phone):
    start = sandbox.health()["ledger"]
    post(line, phone)
    sandbox.settle()
    facts = sandbox.ledger(since=start)
    assert [fact["kind"] for fact in facts] == ["sms.accepted"] + ["sms.status"] * 3
    assert [fact["seq"] for fact in facts] == list(range(start + 1, start + 5))
    assert len(sandbox.ledger("sms.status", since=start)) == 3
    assert len(sandbox.ledger("sms.", since=start)) == 4
    assert len(sandbox.ledger("sms.accepted,sms.status", since=start + 2)) == 2
    assert sandbox.ledger(since=start + 4) == []


def test_words_in_a_text_cannot_pass_for_a_kind(sandbox, line, phone):
    start = sandbox.health()["ledger"]
    post(line, phone, body='"kind":"email.accepted"')
    assert sandbox.ledger("email.accepted", since=start) == []


def test_two_sandboxes_cannot_share_a_folder(sandbox_server):
    second = subprocess.run(
        [
            sys.executable,
            "-m",
            "trackstat.sandbox",
            "--data",
            str(sandbox_server.folder),
            "--port",
            "0",
            "--smtp-port",
            "0",
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert second.returncode == 1
    assert "another sandbox is using" in second.stderr


def test_a_taken_port_is_said_and_not_a_trace(sandbox_server, tmp_path):
    port = sandbox_server.url.rpartition(":")[2]
    second = subprocess.run(
        [sys.executable, "-m", "trackstat.sandbox", "--data", str(tmp_path), "--port", port, "--smtp-port", "0"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert second.returncode == 1
    assert "already in use" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("sid", "said", "word"),
    [
        ("AC1", {"token": "t"}, "account sid"),
        ("AC" + "1" * 32, {}, "token"),
        ("AC" + "1" * 32, {"token": "t", "numbers": ["617 555"]}, "E.164"),
        ("AC" + "1" * 32, {"token": "t", "services": {"MG1": []}}, "service sid"),
        ("AC" + "1" * 32, {"token": "t", "colour": "red"}, "colour"),
    ],
)
def test_an_account_that_cannot_be_is_refused_with_a_sentence(sandbox, sid, said, word):
    with pytest.raises(SandboxError, match=word):
        sandbox._ask("PUT", f"/sandbox/api/accounts/{sid}", said)


def test_two_accounts_cannot_have_one_number(sandbox, line):
    with pytest.raises(SandboxError, match="another account has"):
        sandbox.register_account("AC" + "2" * 32, "token", numbers=[line.number])


def test_control_takes_json_only(sandbox_server):
    """A form or a plain-text post is what a web page elsewhere could send here."""
    answer = requests.post(f"{sandbox_server.url}/sandbox/api/phones/+14155550100/send", data="{}", timeout=5)
    assert answer.status_code == 400


def test_nothing_in_the_sandbox_imports_django_or_product_code(sandbox_server):
    code = (
        "import sys, trackstat.sandbox.server, trackstat.sandbox.client\n"
        "product = {'django', 'celery', 'audience', 'messaging', 'campaigns', 'reports'}\n"
        "names = {name.split('.')[0] for name in sys.modules} & product\n"
        "ours = {n for n in sys.modules if n.startswith('trackstat.') and not n.startswith('trackstat.sandbox')}\n"
        "print(sorted(names | ours))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=30)
    assert done.stdout == "[]\n"


def test_the_client_says_when_nothing_comes(sandbox):
    client = SandboxClient(sandbox.url)
    with pytest.raises(TimeoutError, match="fewer than 1"):
        client.wait_for("sms.never", timeout=0.1)
