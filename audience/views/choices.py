import re

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from audience.filters import REGISTRY
from audience.filters.choices import Chooser
from trackstat.htmx import page
from trackstat.tenancy.permissions import needs


@require_GET
@needs("audience.view_audience")
def choices(request: HttpRequest) -> HttpResponse:
    """What a search finds for a field of a filter, below what is picked; the row's prefix comes back in the names."""
    found, name, row = (request.GET.get(key, "") for key in ("filter", "field", "row"))
    if found not in REGISTRY or not re.fullmatch(r"[a-z][0-9]{0,3}", row):
        raise Http404
    form = REGISTRY[found].form(request.GET, prefix=row)
    if name not in form.fields or not isinstance(bound := form[name], Chooser):
        raise Http404
    bound.search(request.GET.get("search", ""))
    context = {"bound": bound, "filter": found, "row": row, "label": REGISTRY[found].label}
    return page(request, "audience/choices.html", partial="options", **context)
