"""/styleguide/: every component in its states, where DEBUG or the sandbox is on. `?theme=dark` fixes the colours."""

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

STEPS = [
    {"label": "Name", "url": "#", "done": True},
    {"label": "Audience", "url": "#", "problem": "The filters changed after loading"},
    {"label": "Message and schedule", "url": "#", "current": True},
    {"label": "Goal", "url": "#"},
    {"label": "Review", "url": "#"},
]
PRACTICES = ["Northside Chiropractic", "Southside Spine and Wellness"]
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
        label="Weekdays",
        choices=[(day, day) for day in ("Mon", "Tue", "Wed", "Thu", "Fri")],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        initial=["Mon", "Wed"],
    )
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
    return page(
        request,
        "styleguide.html",
        **_frame(request.path),
        theme=request.GET.get("theme"),
        form=Example(),
        wrong=wrong,
        rows=Paginator(range(1284), 50).page(2),
        people=PEOPLE,
        states=sorted(states.STATES),
        steps=STEPS,
        blockers=BLOCKERS,
        mail=MAIL,
        sender="Northside Chiropractic <hello@northside.example>",
    )


def _frame(here: str) -> dict[str, Any]:
    """A made-up practice, so that the page shows the whole frame without signing in."""
    menu = [_offered(item, here) for item in navigation.MENU]
    return {
        "membership": SimpleNamespace(role="Manager"),
        "practice": SimpleNamespace(name=PRACTICES[0]),
        "practices": [{"name": name, "url": here, "current": name == PRACTICES[0]} for name in PRACTICES],
        "navigation": menu,
        "phone_navigation": navigation.first_on_phones(menu),
        "home_url": here,
        "patients_url": here,
    }


def _offered(item: navigation.Item, here: str) -> navigation.Item:
    children = tuple(replace(child, url=here, current=n == 0) for n, child in enumerate(item.children))
    waiting = 3 if item.label == "Inbox" else None
    return replace(item, url=here, key=item.label.lower(), count=waiting, current=bool(children), children=children)
