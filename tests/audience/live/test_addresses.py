"""Nothing that a practice or its EHR names makes us reach into the network we stand in."""

import socket

import pytest

from audience.ehr.live import addresses
from audience.ehr.live.trouble import Refused
from tests.audience.live.conftest import rule


@pytest.mark.parametrize(
    "url",
    [
        "http://ehr.example/fhir",
        "ftp://ehr.example/fhir",
        "file:///etc/passwd",
        "https://user:secret@ehr.example/fhir",
        "https:///fhir",
        "https://[::1",
        "https://ehr.example:port/fhir",
    ],
)
def test_only_encrypted_addresses_without_a_password_are_asked(url):
    with pytest.raises(Refused):
        addresses.check(url)
    addresses.check("https://ehr.example/fhir")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.5",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "[::1]",
        "[fd00::1]",
        "[fe80::1]",
        "[::ffff:10.0.0.5]",
        "[64:ff9b::a00:5]",
    ],
)
def test_private_addresses_are_refused_before_anything_is_sent(host):
    with pytest.raises(Refused, match="private network"):
        addresses.session().get(f"https://{host}/fhir", timeout=2)


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(2)
        yield server


def test_a_name_is_looked_at_where_it_leads(monkeypatch):
    private = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **how: private)
    with pytest.raises(Refused, match=r"^ehr\.example is an address inside a private network"):
        addresses.session().get("https://ehr.example/fhir", timeout=2)


def test_a_name_that_leads_elsewhere_the_second_time_gets_nowhere(monkeypatch, listener):
    answers = iter(
        [
            [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 443))],
            [(socket.AF_INET, socket.SOCK_STREAM, 6, "", listener.getsockname())],
        ]
    )
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **how: next(answers))
    with pytest.raises(Refused, match="private network"):
        addresses.session().get("https://ehr.example/fhir", timeout=2)
    reached, _ = listener.accept()
    with reached:
        reached.settimeout(2)
        assert reached.recv(100) == b"", "connected, and hung up without a word"


def test_the_sandbox_is_the_one_exception_and_only_where_there_is_one(settings):
    settings.SANDBOX_URL = "http://127.0.0.1:8026"
    addresses.check("http://127.0.0.1:8026/ehr/one/fhir")
    with pytest.raises(Refused):
        addresses.check("http://127.0.0.1:8027/ehr/one/fhir")
    settings.SANDBOX_URL = ""
    with pytest.raises(Refused):
        addresses.check("http://127.0.0.1:8026/ehr/one/fhir")


def test_no_redirect_is_followed_and_no_password_of_the_machines_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert addresses.session().trust_env is False


def test_a_connection_to_a_private_address_says_so_in_words(clinic, no_sleep):
    clinic.set(base_url="https://192.168.7.7/fhir")
    sync = clinic.sync()
    words = "192.168.7.7 is an address inside a private network: nothing there is asked"
    assert (sync.state, sync.problem, clinic.connection.problem) == ("failed", words, words)


def test_a_server_cannot_send_us_into_the_network_either(clinic, monkeypatch):
    """The sandbox says where its files are; here it is made to name another address."""
    from audience.ehr.live import bulk

    ready = bulk._manifest

    def elsewhere(answer):
        manifest = ready(answer)
        manifest.output[0].url = "https://169.254.169.254/latest/meta-data"
        return manifest

    monkeypatch.setattr(bulk, "_manifest", elsewhere)
    clinic.sandbox.set_faults([rule(clinic.name, "ehr.file", "500_before", {})])
    sync = clinic.sync()
    assert (sync.state, sync.import_run) == ("failed", None)
    assert "169.254.169.254 is an address inside a private network" in sync.problem
