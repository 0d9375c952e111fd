import json

import pytest
from django.contrib import messages
from django.contrib.messages.storage.cookie import CookieStorage
from django_htmx.middleware import HtmxMiddleware

from trackstat import htmx


@pytest.fixture
def request_of(rf, monkeypatch):
    def make(**headers):
        request = rf.get("/styleguide/", headers={name.replace("_", "-"): value for name, value in headers.items()})
        HtmxMiddleware(lambda request: None)(request)
        request._messages = CookieStorage(request)
        return request

    return make


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"HX_Request": "true", "HX_History_Restore_Request": "true"},
        {"HX_Request": "true", "HX_Boosted": "true"},
        {"HX_Request": "true", "HX_Request_Type": "full"},
    ],
)
def test_whole_pages_for_the_address_bar_history_and_full_swaps(request_of, headers):
    assert not htmx.wants_part(request_of(**headers))


def test_a_part_for_htmx_with_waiting_messages_out_of_band(request_of):
    request = request_of(HX_Request="true", HX_Request_Type="partial")
    messages.success(request, "Saved <b>it</b>.")
    response = htmx.page(request, "tests_ui_page.html", partial="rows", rows=["a"])
    html = response.content.decode()
    assert "<html" not in html and "<li>a</li>" in html
    assert 'hx-swap-oob="beforeend"' in html and "Saved &lt;b&gt;it&lt;/b&gt;." in html
    assert response["Vary"] == "HX-Request"


def test_redirects_become_a_page_load_under_htmx(request_of):
    assert htmx.redirect_to(request_of(), "/there/").status_code == 302
    answer = htmx.redirect_to(request_of(HX_Request="true"), "/there/")
    assert (answer.status_code, answer["HX-Redirect"]) == (200, "/there/")


def test_an_answer_without_a_body_still_brings_its_messages(request_of):
    request = request_of(HX_Request="true")
    messages.error(request, "Not saved.")
    answer = htmx.refresh(htmx.nothing(request), "counted")
    raised = json.loads(answer["HX-Trigger"])
    assert answer.status_code == 204
    assert raised["toast"] == {"toasts": [{"text": "Not saved.", "tone": "error"}]} and "counted" in raised


@pytest.fixture(autouse=True)
def a_template(settings, tmp_path):
    (tmp_path / "tests_ui_page.html").write_text(
        "<html>{% partialdef rows inline %}{% for x in rows %}<li>{{ x }}</li>{% endfor %}{% endpartialdef %}</html>"
    )
    engine = settings.TEMPLATES[0]
    settings.TEMPLATES = [engine | {"DIRS": [*engine["DIRS"], tmp_path]}]
