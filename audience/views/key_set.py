"""The public half of a connection's key, where an EHR fetches it itself: open to all, as it says nothing secret."""

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from audience.ehr.live import keys
from audience.models import EhrConnection
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

_signer = Signer(sep=".", salt="ehr key set")


def url_of(connection: EhrConnection) -> str:
    """The address to give to the EHR's vendor; it stays the same when the key is changed."""
    token = _signer.sign(f"{connection.practice_id}-{connection.pk}")
    return f"{settings.PUBLIC_URL}{reverse('key_set', args=[token])}"


@require_GET
def key_set(request: HttpRequest, token: str) -> JsonResponse:
    """Without a signature of ours nobody learns which practices have a connection."""
    try:
        practice_id, _, pk = _signer.unsign(token).partition("-")
    except BadSignature:
        raise Http404 from None
    practice = Practice.objects.filter(pk=practice_id).first()
    if practice is None:
        raise Http404
    with practice_scope(practice):
        connection = EhrConnection.objects.filter(pk=pk, kind=EhrConnection.Kind.FHIR).first()
        if connection is None or not connection.encrypted_private_key:
            raise Http404
        return JsonResponse(keys.key_set(connection))
