"""Opens the practice named in the URL around the view and the rendering of its response."""

from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest
from django.urls import Resolver404, resolve

from trackstat.tenancy import audit
from trackstat.tenancy.models import Membership, Practice
from trackstat.tenancy.scope import practice_scope


class PracticeMiddleware:
    """Sets request.practice and request.membership for URLs below `/<practice_slug>/`.

    Anonymous: to the sign-in page. No member, unknown or switched off: 404, the same answer for all three.
    Whatever ends in a status ≥ 500 or in an exception is rolled back, also when Django has turned it into a page.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest):
        audit.ip_address.set(request.META.get("REMOTE_ADDR"))
        slug = _practice_slug(request.path_info)
        if slug is None:
            return self.get_response(request)
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        practice = Practice.objects.filter(slug=slug).first()
        with practice_scope(practice, request.user):
            membership = (
                Membership.own.select_related("role")
                .filter(practice=practice, user=request.user, is_active=True)
                .first()
                if practice
                else None
            )
            request.practice, request.membership = practice, membership
            response = self.get_response(request)
            if response.status_code >= 500 or getattr(request, "failed", False):
                transaction.set_rollback(True)
        if membership is not None:
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    def process_view(self, request, view, args, kwargs):
        if "practice_slug" in kwargs:
            if request.membership is None:
                raise Http404
            kwargs.pop("practice_slug")

    def process_exception(self, request, exception):
        request.failed = True


def _practice_slug(path: str) -> str | None:
    try:
        return resolve(path).kwargs.get("practice_slug")
    except Resolver404:
        return None
