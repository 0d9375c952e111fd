"""/styleguide/: every component in its states, where DEBUG or the sandbox is on. `?theme=dark` and `?theme=light` fix the colours."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse

from trackstat import navigation, states
from trackstat.htmx import page

CHANNELS = [("text", "Text"), ("email", "Email"), ("both", "Text and email")]
PEOPLE = [
    ("Alvarez, Ana", 42, "12 Mar 2026", "–", "+16175550134", "delivered"),
    ("Bennett, Theo", 67, "3 Jan 2026", "Tue 24 Nov, 9:00 AM", "+16175550177", "unknown"),
    ("Okafor, Chidinma", 29, "19 Feb 2026", "–", "+16175550102", "undelivered"),
]

MAIL = "Hi Ana,\n\nit has been a while since your last visit. Would Friday suit you?\n\nNorthside Chiropractic"
BLOCKERS = [
    ("The audience is empty.", "#", "Choose patients"),
    ("Your practice has not said that its intake form asks for marketing texts.", "#", "Open settings"),
]


class Example(forms.Form):
    name = forms.CharField(label="Campaign name", help_text="Only your practice sees it.", max_length=60)
    body = forms.CharField(
        label="Text",
        widget=forms.Textarea,
        initial="Hi {{PatientFirstName|there}}, it has been a while. Book your visit: ",
    )
    category = forms.ChoiceField(
        label="Category", choices=[("announcement", "Announcement"), ("appointment", "Appointment")]
    )
    channel = forms.ChoiceField(label="Send as", choices=CHANNELS, widget=forms.RadioSelect, initial="text")
    days = forms.MultipleChoiceField(
        label="Weekdays", choices=[(d, d) for d in ("Mon", "Tue", "Wed", "Thu", "Fri")], widget=forms.CheckboxSelectMultiple,
        required=False, initial=["Mon", "Wed"],
    )  # fmt: skip
    start = forms.DateField(label="Start", widget=forms.DateInput(attrs={"type": "date"}), required=False)
    fresh = forms.BooleanField(
        label="Keep the audience fresh", help_text="Whoever newly matches when the time comes is added.", required=False
    )


def styleguide(request: HttpRequest) -> HttpResponse:
    if "toast" in request.GET:
        messages.success(request, "Campaign copied. Check the schedule before you switch it on.")
        messages.error(request, "The campaign was not enabled: 0 of 412 patients can get texts.")
    wrong = Example({"name": "", "body": "Hi", "category": "announcement", "channel": "text"}, auto_id="wrong_%s")
    wrong.add_error(None, "Two things must be mended before this can be saved.")
    wrong.add_error("start", "The date is in the past. Choose today or later.")
    rows = Paginator(range(1284), 50).page(2)
    return page(request, "styleguide.html", **_frame(request), form=Example(), wrong=wrong, rows=rows, people=PEOPLE,
                states=sorted(states.STATES), steps=_steps(), blockers=BLOCKERS, mail=MAIL, sender="Northside Chiropractic <hello@northside.example>", theme=request.GET.get("theme"))  # fmt: skip


def _frame(request: HttpRequest) -> dict[str, Any]:
    """A made-up practice, so that the page shows the whole frame without signing in."""
    here = request.path
    menu = [
        replace(item, url=here + f"#{item.label}", key=item.label.lower(), count=3 if item.label == "Inbox" else None,
                current=bool(item.children), children=tuple(replace(child, url=here, current=n == 0) for n, child in enumerate(item.children)))
        for item in navigation.MENU
    ]  # fmt: skip
    names = ["Northside Chiropractic", "Southside Spine and Wellness"]
    return {
        "membership": SimpleNamespace(role="Manager"),
        "practice": SimpleNamespace(name=names[0], pk=1),
        "practices": [{"name": name, "url": here, "current": name == names[0]} for name in names],
        "navigation": menu,
        "phone_navigation": navigation.first_on_phones(menu),
        "home_url": here,
        "patients_url": here,
    }


def _steps() -> list[dict[str, Any]]:
    return [
        {"label": "Name", "url": "#", "done": True},
        {"label": "Audience", "url": "#", "problem": "The filters changed after loading"},
        {"label": "Message and schedule", "url": "#", "current": True},
        {"label": "Goal", "url": "#"},
        {"label": "Review", "url": "#"},
    ]
