"""What every step of the wizard shows around its own part: the steps, the panel that tells the truth, the toggle."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from campaigns.models import Campaign, Step
from campaigns.problems import AUDIENCE, IDENTITIES, MESSAGE, SETTINGS, Problem, problems
from trackstat import formats
from trackstat.htmx import page, wants_part
from trackstat.tenancy.models import Membership, Practice

# Outside the wizard: the permission that opens the place.
MENDED_BY = {SETTINGS: "tenancy.change_practicesettings", IDENTITIES: "messaging.manage_identity"}
PLACES = {AUDIENCE: "campaigns:audience", MESSAGE: "campaigns:message", "review": "campaigns:review"}
WORDS = {"name": "Name", "audience": "Audience", "message": "Message and schedule", "review": "Review"}
CHANGE = "campaigns.change_campaign"


def find(pk: int, kind: str | None = None) -> Campaign:
    """The campaign of the practice in scope that was not deleted, else 404."""
    kinds = {"kind": kind} if kind else {}
    return get_object_or_404(Campaign, pk=pk, archived_at=None, **kinds)


def wizard(
    request: HttpRequest, campaign: Campaign, current: str, partial: str | None = None, **context: Any
) -> HttpResponse:
    status, template = context.pop("status", 200), context.pop("template", current)
    # With a part of the page go the other parts that it changes, out of band.
    context = around(request, campaign, current) | {"is_part": bool(partial) and wants_part(request)} | context
    return page(request, f"campaigns/{template}.html", partial, status=status, **context)


def around(request: HttpRequest, campaign: Campaign, current: str) -> dict[str, Any]:
    practice, may_change = request.practice, request.membership.can(CHANGE)
    found = problems(campaign) if campaign.may_be_edited else []
    return {
        "campaign": campaign,
        "current": current,
        "editable": campaign.may_be_edited and may_change,
        "items": _steps(practice, campaign, current, found, may_change),
        "blockers": blockers(practice, request.membership, campaign, found),
        # Pressing the toggle loads, and asks.
        "only_loads": bool(found) and all(problem.by_loading for problem in found),
        "planned": [(step, goes_out(step)) for step in campaign.steps.all()],
        "recipients": campaign.loaded_count if campaign.loaded_at else None,
    }


def goes_out(step: Step) -> str:
    """When a message leaves, in the practice's local time."""
    if step.when == Step.When.AT:
        return formats.when(step.wall_time) if step.wall_time else "Date and time not chosen yet"
    if step.when == Step.When.DELAY:
        return f"{formats.duration(step.delay_minutes * 60)} after the message before"
    return "When switched on"


def blockers(
    practice: Practice, membership: Membership, campaign: Campaign, found: list[Problem]
) -> list[tuple[str, str, str]]:
    """For the toggle: words, where this person can mend it, and the words of the link; the last two may be empty."""
    rows = []
    for problem in found:
        place = PLACES.get(problem.step)
        if place and campaign.kind == Campaign.Kind.BLAST:
            rows.append((problem.text, practice.url(place, campaign.pk), "Mend it"))
        elif problem.step in MENDED_BY and membership.can(MENDED_BY[problem.step]):
            rows.append((problem.text, practice.url("admin:index"), "Open settings"))
        else:
            rows.append((problem.text, "", ""))
    return rows


def _steps(
    practice: Practice, campaign: Campaign, current: str, found: list[Problem], may_change: bool
) -> list[dict[str, Any]]:
    wrong = {problem.step: problem.text for problem in reversed(found)}
    seen = {
        "name": True,
        "audience": campaign.loaded_at is not None and "audience" not in wrong,
        "message": campaign.steps.exists() and "message" not in wrong,
        "review": not campaign.may_be_edited,
    }
    return [
        {
            "label": label,
            # Who may only look sees the review, which tells everything.
            "url": practice.url(f"campaigns:{name}", campaign.pk) if may_change or name == "review" else "",
            "current": name == current,
            "done": seen[name],
            # What was not begun yet is no mistake.
            "problem": wrong.get(name, "") if _begun(campaign, name) else "",
        }
        for name, label in WORDS.items()
    ]


def _begun(campaign: Campaign, name: str) -> bool:
    return {"audience": campaign.loaded_at is not None, "message": campaign.steps.exists()}.get(name, False)
