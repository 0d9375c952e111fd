"""The audience builder: one component, hosted by any page that needs an audience.

The host makes a `Builder` for its definition and gives the addresses (`urls`): `page` (GET: the hosting page, which
also answers for the component's parts), `here` (the same with what is tried out in it, where that is so), `save`,
`load`, `remove`, `undo` (POST) and `explain` (GET). Those it does not give are not offered. Its views are:

    definition, require = posted(request.POST)          # save
    …store them; BadDefinition means they are not complete yet…
    return builder.answer(request)

    …remove or put back patient posted_patient(request.POST)…          # remove, undo
    return builder.answer(request)

    return builder.respond(request, "host/page.html", …)               # page
    return builder.explain(request)                                    # explain

While one edits, an answer to `save` brings the count; preview and effects of the filters, which take longer on large
practices, ask for themselves, and a newer question replaces one that is still under way.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect

from audience.filters import FIELDS, Audience, BadDefinition, Breakdown, fields_for, grouped, primary, validate
from audience.filters.choices import listed
from audience.filters.households import channel_of
from audience.listing import Listing, listing, search
from audience.mending import Told, told
from audience.models import Category, Patient
from audience.rows import FilterRow, definition_rows, posted_definition, without_waiting
from trackstat.htmx import page, refresh, wants_part
from trackstat.tenancy.models import Practice

TEMPLATE = "audience/builder.html"
CHANGED = "audience-changed"
# Parts of the page that `show` in its address names.
EFFECTS, WHY, REMOVED = "effects", "why", "removed"
# In the address of a page that somebody was sent back to, because a filter has no value yet: it is said at its fields.
INSIST = "lacking"


class Builder:
    """What the component's template shows. Use within the practice's scope.

    `require`: ticked boxes, None while nobody touched them (then they are `untouched`, else follow `channels`).
    `removed`: rows with a `patient`, taken out by hand. `members`: the loaded patients, None before Load. `hidden`:
    values of the host's own to come back with each save, e.g. a version. `editable` False shows everything and changes
    nothing. `trying`: filters that are kept nowhere but in the address, packed. `channels` are those of the messages in
    their order; `one_per_household`: None where nobody is asked about it.
    """

    def __init__(
        self,
        practice: Practice,
        definition: dict[str, Any],
        require: Collection[str] | None,
        on: dt.date,
        urls: Mapping[str, str],
        *,
        channels: Collection[str] = (),
        category: str = Category.ANNOUNCEMENT,
        removed: Any = None,
        members: Any = None,
        is_stale: bool = False,
        loaded_at: dt.datetime | None = None,
        hidden: Mapping[str, Any] | None = None,
        editable: bool = True,
        may_be_blank: bool = False,
        untouched: Collection[str] | None = None,
        trying: str = "",
        one_per_household: bool | None = None,
    ) -> None:
        self.practice, self.definition, self.on, self.urls = practice, definition or {}, on, urls
        self.is_touched = require is not None
        self.kept_require = None if require is None else sorted(require)
        usual = fields_for(channels) if untouched is None else untouched
        self.require = list(usual if require is None else require)
        self.category, self.removed, self.members = category, removed, members
        self.is_stale, self.loaded_at, self.hidden = is_stale, loaded_at, dict(hidden or {})
        self.editable, self.may_be_blank, self.trying = editable, may_be_blank, trying
        self.one_per_household = one_per_household
        first = next(iter(channels), None)
        self.household = channel_of(first, self.require) if one_per_household else None
        # Prefix of the row whose first field is to have the keyboard, or "add".
        self.focus = ""
        self.insists = False

    # Answers

    def respond(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        """The hosting page with `builder` in its context; for htmx the part that `show` names, else the preview."""
        show = request.GET.get("show", "")
        if not wants_part(request):
            if request.GET.get(INSIST):
                self._insist()
            return page(request, template, **context, **self.context(request), with_effects=show == EFFECTS)
        if show == EFFECTS:
            return page(request, TEMPLATE, partial="effects", with_effects=True, **self.context(request, False))
        if show == WHY:
            return self.explain(request)
        return page(request, TEMPLATE, partial="preview", **context, **self.context(request))

    def answer(self, request: HttpRequest) -> HttpResponse:
        """After a change: the count, and the filters when their shape changed; the rest asks for itself.

        Filters are left alone while only a value changes, so nobody's typing is disturbed.
        """
        if not request.htmx:
            return redirect(self.urls.get("here", self.urls["page"]))
        if request.POST.get("add"):
            self.focus = self.rows[-1].prefix
        elif request.POST.get("drop"):
            self.focus = "add"
        stays = request.POST.get("drawn") in {self.drawn, self.shape}
        response = page(request, TEMPLATE, partial="answer", stays=stays, **self.context(request, with_preview=False))
        if stays:
            response["HX-Reswap"] = "none"
        return refresh(response, CHANGED)

    def _insist(self) -> None:
        """Say at its fields what a filter lacks, and put the keyboard there."""
        self.insists = True
        self.focus = next((row.prefix for row in self.rows if row.is_wrong), "")

    def explain(self, request: HttpRequest) -> HttpResponse:
        """Why patients found by `q`, or the one of `patient`, are in or not."""
        return page(
            request, TEMPLATE, partial="found", **self.context(request, with_preview=False) | self._why(request)
        )

    def context(self, request: HttpRequest, with_preview: bool = True) -> dict[str, Any]:
        shows_removed = with_preview and request.GET.get("show") == REMOVED and bool(self.removed_count)
        found = (self.removed_listing(request) if shows_removed else self.listing(request)) if with_preview else None
        if found and not shows_removed and not found.is_searched:
            self.count = found.total
        return {
            "builder": self,
            "listing": found,
            "shows_removed": shows_removed,
            "filter_groups": grouped(),
            "primary_filters": primary(),
            "boxes": [(key, label, key in self.require) for key, label in FIELDS.items()],
            "today": self.on,
        }

    # What is shown

    @cached_property
    def rows(self) -> list[FilterRow]:
        """The primary filter first (perhaps blank), then the others."""
        return definition_rows(self.definition, self.practice, self.on, self.insists)

    @property
    def primary_row(self) -> FilterRow:
        return self.rows[0]

    @property
    def filter_rows(self) -> list[FilterRow]:
        return self.rows[1:]

    @property
    def shape(self) -> str:
        """What the filters look like, apart from the values in them and from what is wrong with these."""
        return "|".join(row.shape for row in self.rows)

    @property
    def drawn(self) -> str:
        return "|".join(row.shape + "!" * bool(row.is_wrong) for row in self.rows)

    @cached_property
    def waiting(self) -> list[FilterRow]:
        """Filters without a value yet: the others are counted without them."""
        return [row for row in self.rows if row.is_waiting]

    @property
    def not_counted(self) -> str:
        """Says which those are, '' for none."""
        if not self.waiting:
            return ""
        labels = [row.filter.label for row in self.waiting if row.filter]
        return f"Not counted yet: {listed(labels, 'and')} {'has' if len(labels) == 1 else 'have'} no value."

    @cached_property
    def counted(self) -> dict[str, Any]:
        return without_waiting(self.definition)

    @property
    def is_only_waiting(self) -> bool:
        """There are filters, and none has its value."""
        return bool(self.waiting) and not self.counted.get("primary") and not self.counted.get("filters")

    @cached_property
    def problem(self) -> str:
        """Why there is no number: a sentence, '' when the definition can be used."""
        try:
            validate(self.counted, may_be_blank=self.may_be_blank)
        except BadDefinition as bad:
            return str(bad)
        return ""

    @property
    def is_blank(self) -> bool:
        return not self.definition.get("primary") and not self.definition.get("filters")

    @cached_property
    def audience(self) -> Audience | None:
        if self.problem:
            return None
        return Audience(
            self.practice,
            self.counted,
            self.on,
            self.require,
            category=self.category,
            removed=self.removed,
            may_be_blank=self.may_be_blank,
            household=self.household,
        )

    @cached_property
    def count(self) -> int | None:
        """How many the preview lists: the loaded ones, else who matches now; None while there is a problem."""
        if self.is_loaded:
            return self.members.count()
        return self.audience.count() if self.audience else None

    @cached_property
    def breakdown(self) -> Breakdown | None:
        return self.audience.breakdown() if self.audience else None

    @property
    def sentences(self) -> list[str]:
        return self.audience.sentences() if self.audience else []

    @property
    def is_loaded(self) -> bool:
        """What the preview shows is what was loaded; else it is who matches at this moment."""
        return self.members is not None and not self.is_stale

    def listing(self, request: HttpRequest) -> Listing | None:
        if self.is_loaded:
            return listing(request, self.members, self.on, count=self.count)
        return listing(request, self.audience.listed(), self.on, count=self.count) if self.audience else None

    @cached_property
    def removed_count(self) -> int:
        return 0 if self.removed is None else self.removed.count()

    def removed_listing(self, request: HttpRequest) -> Listing:
        return listing(request, Patient.objects.filter(pk__in=self.removed.values("patient_id")), self.on)

    def _why(self, request: HttpRequest) -> dict[str, Any]:
        q, pk = request.GET.get("why", "").strip(), request.GET.get("patient", "")
        if pk.isdigit() and self.audience:
            patient = get_object_or_404(Patient.objects, pk=int(pk[:18]))
            return {"patient": patient, "explanation": self._told(patient), "why": q}
        found = search(Patient.objects.all(), q).order_by("last_name", "first_name", "pk")[:6] if len(q) > 1 else []
        return {"found": list(found), "why": q}

    def _told(self, patient: Patient) -> Told:
        assert self.audience is not None
        loaded = self.members.filter(pk=patient.pk).exists() if self.is_loaded else None
        return told(self.audience.explain(patient), patient, self.practice, loaded)


def posted(data: QueryDict) -> tuple[dict[str, Any], list[str] | None]:
    """The definition and the ticked boxes of a save; the boxes are None as long as nobody has touched them."""
    require = None
    if "1" in data.getlist("touched"):
        require = [field for field in FIELDS if field in data.getlist("require")]
    return posted_definition(data), require


def posted_patient(data: QueryDict) -> Patient:
    """The patient that a remove or undo names; 404 for a missing one or another practice's."""
    pk = data.get("patient", "")
    return get_object_or_404(Patient.objects, pk=int(pk[:18]) if pk.isdigit() else 0)
