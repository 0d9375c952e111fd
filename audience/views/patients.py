from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from audience.listing import in_order, listing, search, with_details
from audience.models import Patient
from trackstat.clock import today
from trackstat.htmx import page
from trackstat.tenancy.permissions import needs

# Patients offered below the search field of the top bar.
FOUND = 8


@require_GET
@needs("audience.view_patient")
def patients(request: HttpRequest) -> HttpResponse:
    """Every patient of the practice, active or not; the list says when the EHR was read last."""
    found = listing(request, Patient.objects.all(), today(request.practice))
    return page(request, "audience/patients.html", partial="rows", listing=found)


@require_GET
@needs("audience.view_patient")
def patient_search(request: HttpRequest) -> HttpResponse:
    """The first few patients found, for the search field that is on every page."""
    q = " ".join(request.GET.get("q", "").split())[:100]
    if len(q) < 2:
        q = ""
    found = in_order(search(Patient.objects.all(), q), "name")[:FOUND] if q else Patient.objects.none()
    rows = with_details(found, today(request.practice))
    return page(request, "audience/search.html", partial="found", found=rows, q=q)
