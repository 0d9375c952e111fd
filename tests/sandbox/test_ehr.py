"""The stand-in EHR: whom it lets in, what an export has, how pages go on, and what its faults look like."""

import itertools
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.sandbox.running import start_sandbox
from trackstat.sandbox.client import SandboxError

_names = (f"clinic-{number}" for number in itertools.count(1))
RSA, EC = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())
KEYS = {
    "RS384": (RSA, RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True)),
    "ES384": (EC, ECAlgorithm.to_jwk(EC.public_key(), as_dict=True)),
}
KEY_SET = {"keys": [jwk | {"kid": algorithm, "alg": algorithm} for algorithm, (_, jwk) in KEYS.items()]}
SCOPE = "system/Patient.read system/Appointment.read"


def resource(kind: str, id: str, changed: str = "2026-11-01T10:00:00Z") -> dict:
    return {"resourceType": kind, "id": id, "meta": {"lastUpdated": changed}}


@pytest.fixture
def ehr(sandbox, sandbox_server, tmp_path):
    """An EHR of its own, three patients and three appointments; `ehr.set()` registers it anew with other manners."""
    records = [resource("Patient", f"p{n}") for n in range(3)]
    records += [resource("Appointment", f"a{n}", f"2026-11-0{n + 1}T10:00:00Z") for n in range(3)]
    (tmp_path / "all.ndjson").write_text("".join(json.dumps(one) + "\n" for one in records))
    name = next(_names)

    def register(clients=None, **manners):
        clients = clients or {"trackstat": {"jwks": KEY_SET}}
        manners = {"groups": ["all"], "polls": 0} | manners
        return sandbox.register_ehr(name, str(tmp_path), clients, **manners)

    def fault(where: str, action: str, **more):
        sandbox.set_faults([{"where": where, "action": action, "match": {"to": f"^{name}$", "count": 1}} | more])

    return SimpleNamespace(
        name=name, base=register()["base_url"], folder=tmp_path, set=register, fault=fault, sandbox=sandbox
    )


def sign_in(ehr, algorithm="RS384", key=None, kid=None, scope=SCOPE, assertion=None, **claims) -> requests.Response:
    url = requests.get(f"{ehr.base}/.well-known/smart-configuration", timeout=5).json()["token_endpoint"]
    claims = {
        "iss": "trackstat", "sub": "trackstat", "aud": url, "jti": secrets.token_hex(8), "exp": int(time.time()) + 200,
    } | claims  # fmt: skip
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion
        or jwt.encode(claims, key or KEYS[algorithm][0], algorithm, {"kid": kid or algorithm}),
    }
    return requests.post(url, data=form, timeout=5)


def signed(ehr, **more) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign_in(ehr).json()['access_token']}"} | more


def begin(ehr, where="Patient/$export", headers=None, **params) -> requests.Response:
    headers = headers or signed(ehr, Prefer="respond-async")
    return requests.get(f"{ehr.base}/{where}", {"_type": "Patient"} | params, headers=headers, timeout=5)


def manifest(ehr, headers, **params) -> dict:
    status = begin(ehr, headers=headers | {"Prefer": "respond-async"}, **params).headers["Content-Location"]
    return requests.get(status, headers=headers, timeout=5).json()


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_a_signed_assertion_gives_a_token_for_the_scopes_that_are_granted(ehr, algorithm):
    ehr.set({"trackstat": {"jwks": KEY_SET, "scopes": ["system/Patient.read"]}})
    said = sign_in(ehr, algorithm).json()
    assert (said["token_type"], said["scope"]) == ("bearer", "system/Patient.read")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"key": rsa.generate_private_key(65537, 2048)}, "Signature verification failed"),
        ({"kid": "another"}, "no registered key"),
        ({"iss": "stranger"}, "nobody is registered"),
        ({"aud": "https://elsewhere.example/token"}, "Audience"),
        ({"exp": int(time.time()) - 5}, "expired"),
        ({"exp": int(time.time()) + 3600}, "five minutes"),
        ({"sub": "somebody"}, "sub is iss"),
        ({"assertion": "nonsense"}, "no JWT"),
    ],
)
def test_an_assertion_with_one_thing_wrong_opens_nothing(ehr, wrong, why):
    refused = sign_in(ehr, **wrong)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client")
    assert why in refused.json()["error_description"]


def test_an_assertion_is_good_once(ehr):
    url = f"{ehr.base.removesuffix('/fhir')}/token"
    claims = {"iss": "trackstat", "sub": "trackstat", "aud": url, "jti": "one", "exp": int(time.time()) + 200}
    assertion = jwt.encode(claims, RSA, "RS384", {"kid": "RS384"})
    assert sign_in(ehr, assertion=assertion).status_code == 200
    assert "used before" in sign_in(ehr, assertion=assertion).json()["error_description"]


def test_the_key_set_may_lie_at_an_address(ehr):
    class Keys(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/keys" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(KEY_SET).encode())

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        at = f"http://127.0.0.1:{server.server_port}"
        ehr.set({"trackstat": {"jwks_url": f"{at}/elsewhere"}})
        assert "cannot be fetched" in sign_in(ehr).json()["error_description"]
        ehr.set({"trackstat": {"jwks_url": f"{at}/keys"}})
        assert sign_in(ehr).status_code == 200
        server.shutdown()


def test_nothing_is_there_without_a_token_or_beyond_what_it_grants(ehr):
    assert begin(ehr, headers={"Prefer": "respond-async"}).status_code == 401
    assert begin(ehr, _type="Patient,Claim").status_code == 403
    assert requests.get(f"{ehr.base}/Claim", headers=signed(ehr), timeout=5).status_code == 403
    ehr.set(token_seconds=1)
    headers = signed(ehr)
    time.sleep(1.1)
    assert requests.get(f"{ehr.base}/Appointment", headers=headers, timeout=5).status_code == 401


def test_an_export_is_asked_for_waited_for_fetched_and_dropped(ehr):
    ehr.set(polls=1, retry_after=1)
    headers = signed(ehr)
    assert begin(ehr, headers=headers).status_code == 400, "without Prefer"
    begun = begin(ehr, headers=headers | {"Prefer": "respond-async"}, _type="Patient,Appointment")
    assert begun.status_code == 202
    status = begun.headers["Content-Location"]
    waiting = requests.get(status, headers=headers, timeout=5)
    assert (waiting.status_code, waiting.headers["Retry-After"]) == (202, "1")
    assert "%" in waiting.headers["X-Progress"]
    ready = requests.get(status, headers=headers, timeout=5).json()
    assert [(file["type"], file["count"]) for file in ready["output"]] == [("Patient", 3)], "no appointments"
    lines = requests.get(ready["output"][0]["url"], headers=headers, timeout=5).text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["p0", "p1", "p2"]
    assert requests.get(ready["output"][0]["url"], timeout=5).status_code == 401, "requiresAccessToken"
    assert ehr.sandbox.ehr(ehr.name)["exports"] == [urlsplit(status).path.rpartition("/")[2]]
    assert requests.delete(status, headers=headers, timeout=5).status_code == 202
    assert requests.get(status, headers=headers, timeout=5).status_code == 404
    assert ehr.sandbox.ehr(ehr.name)["exports"] == []


def test_asking_too_soon_is_answered_429(ehr):
    ehr.set(polls=2, retry_after=5)
    headers = signed(ehr)
    status = begin(ehr, headers=headers | {"Prefer": "respond-async"}).headers["Content-Location"]
    answers = [requests.get(status, headers=headers, timeout=5) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 429]
    assert answers[1].headers["Retry-After"] == "5"


def test_since_has_what_changed_and_what_was_deleted_after_it(ehr):
    (ehr.folder / "new.ndjson").write_text(json.dumps(resource("Patient", "p9", "2026-11-10T10:00:00Z")) + "\n")
    ehr.sandbox.delete_in_ehr(ehr.name, ["Patient/p1"])
    headers = signed(ehr)
    found = manifest(ehr, headers, _since="2026-11-05T00:00:00Z")
    assert [file["count"] for file in found["output"]] == [1]
    gone = requests.get(found["deleted"][0]["url"], headers=headers, timeout=5).json()
    assert [entry["request"] for entry in gone["entry"]] == [{"method": "DELETE", "url": "Patient/p1"}]
    whole = manifest(ehr, headers)
    assert (sum(file["count"] for file in whole["output"]), whole["deleted"]) == (3, [])


def test_files_are_split_and_only_known_groups_are_exported(ehr):
    ehr.set(per_file=2)
    assert [file["count"] for file in manifest(ehr, signed(ehr))["output"]] == [2, 1]
    assert begin(ehr, "Group/all/$export").status_code == 202
    assert begin(ehr, "Group/nobody/$export").status_code == 404


def test_a_search_goes_on_from_page_to_page(ehr):
    headers = signed(ehr)
    url = f"{ehr.base}/Appointment?_lastUpdated=gt2026-11-01T10:00:00Z&_count=1"
    ids = []
    while url:
        page = requests.get(url, headers=headers, timeout=5).json()
        assert page["total"] == 2
        ids += [entry["resource"]["id"] for entry in page["entry"]]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    assert ids == ["a1", "a2"]


@pytest.mark.parametrize(
    ("where", "action", "status"),
    [
        ("ehr.export", "429", 429),
        ("ehr.export", "500_before", 500),
        ("ehr.export", "expired_token", 401),
    ],
)
def test_a_fault_is_met_once_and_says_what_it_is(ehr, where, action, status):
    ehr.fault(where, action, retry_after=7)
    refused = begin(ehr)
    assert (refused.status_code, refused.json()["resourceType"]) == (status, "OperationOutcome")
    assert refused.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert begin(ehr).status_code == 202


def test_an_expired_token_is_taken_back_for_good(ehr):
    headers = signed(ehr, Prefer="respond-async")
    ehr.fault("ehr.export", "expired_token")
    assert [begin(ehr, headers=headers).status_code for _ in range(2)] == [401, 401]


def test_a_link_expires_by_itself_and_by_a_fault(ehr):
    ehr.set(link_seconds=1)
    headers = signed(ehr)
    url = manifest(ehr, headers)["output"][0]["url"]
    assert requests.get(url, headers=headers, timeout=5).status_code == 200
    ehr.fault("ehr.file", "expired_link")
    assert requests.get(url, headers=headers, timeout=5).status_code == 403
    time.sleep(1.5)
    assert requests.get(url, headers=headers, timeout=5).status_code == 403


def test_a_file_is_cut_so_that_its_length_tells_or_only_its_last_line(ehr):
    headers = signed(ehr)
    url = manifest(ehr, headers)["output"][0]["url"]
    ehr.fault("ehr.file", "cut")
    with pytest.raises(requests.RequestException):
        requests.get(url, headers=headers, timeout=5)
    ehr.fault("ehr.file", "cut_silently")
    cut = requests.get(url, headers=headers, timeout=5)
    assert cut.status_code == 200
    with pytest.raises(ValueError):
        json.loads(cut.text.splitlines()[-1])


def test_a_manifest_may_have_errors_and_an_export_may_be_gone(ehr):
    headers = signed(ehr)
    ehr.fault("ehr.status", "error")
    found = manifest(ehr, headers)
    assert requests.get(found["error"][0]["url"], headers=headers, timeout=5).json()["issue"][0]["code"] == "exception"
    ehr.fault("ehr.status", "gone")
    assert manifest(ehr, headers)["issue"][0]["code"] == "not-found"


def test_a_registration_that_makes_no_sense_is_refused(ehr):
    with pytest.raises(SandboxError, match="no folder"):
        ehr.sandbox.register_ehr(ehr.name, "/nowhere", {})
    with pytest.raises(SandboxError, match="jwks"):
        ehr.set({"trackstat": {}})
    with pytest.raises(SandboxError, match="such as Patient/7"):
        ehr.sandbox.delete_in_ehr(ehr.name, ["everybody"])


def test_what_is_registered_outlives_a_restart_but_exports_do_not(tmp_path):
    data, files = tmp_path / "data", tmp_path / "files"
    files.mkdir()
    (files / "all.ndjson").write_text(json.dumps(resource("Patient", "p0")) + "\n")
    server = start_sandbox(data)
    try:
        base = server.client.register_ehr("one", str(files), {"trackstat": {"jwks": KEY_SET}})["base_url"]
        ehr = SimpleNamespace(base=base)
        assert begin(ehr).status_code == 202
        assert len(server.client.ehr("one")["exports"]) == 1
        server.kill()
        server = start_sandbox(data)
        assert server.client.ehr("one") | {"base_url": ""} == {
            "name": "one", "base_url": "", "clients": ["trackstat"], "deleted": {}, "exports": [],
        }  # fmt: skip
        assert list((data / "ehr-exports").glob("*")) == []
    finally:
        server.stop()
