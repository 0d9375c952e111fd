"""Opens the practice named in the URL around the view and the rendering of its response."""

from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest
from django.urls import Resolver404, ResolverMatch, get_script_prefix, resolve, set_script_prefix, set_urlconf
from django.utils import timezone

from trackstat.tenancy import audit
from trackstat.tenancy.models import Membership, Practice
from trackstat.tenancy.scope import practice_scope


class PracticeMiddleware:
    """Sets request.practice and request.membership for URLs below `/<practice_slug>/`.

    Anonymous: to the sign-in page. No member, unknown or switched off: 404, the same answer for all three.
    A superuser without a membership gets into that practice's Django admin only, and it is recorded.
    Whatever ends in a status ≥ 500 or in an exception is rolled back, also when Django has turned it into a page.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest):
        audit.ip_address.set(audit.address_of(request))
        match = _resolve(request.path_info)
        if match is None or "practice_slug" not in match.kwargs:
            return self.get_response(request)
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        practice = Practice.objects.filter(slug=match.kwargs["practice_slug"]).first()
        with practice_scope(practice, request.user):
            request.practice, request.membership = practice, _membership(practice, request.user)
            request.may_enter = request.membership is not None
            request.is_visitor = practice is not None and not request.may_enter and request.user.is_superuser
            # Moments are shown on the practice's clock.
            with timezone.override(practice.tz if request.may_enter or request.is_visitor else None):
                response = self._admin(request) if "admin" in match.namespaces else self.get_response(request)
            if response.status_code >= 500 or getattr(request, "failed", False):
                transaction.set_rollback(True)
            elif request.is_visitor and response.status_code < 400:
                _record_visit(request)
        if request.may_enter:
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _admin(self, request):
        """Let Django admin, which knows no practice in URLs, take `/<practice_slug>` for where it is mounted."""
        request.may_enter = request.may_enter or request.is_visitor
        if not request.may_enter:
            return self.get_response(request)
        request.prefix = get_script_prefix()
        set_script_prefix(f"{request.prefix}{request.practice.slug}/")
        request.path_info = request.path_info.removeprefix(f"/{request.practice.slug}")
        request.urlconf = "trackstat.tenancy.admin_urls"
        try:
            return self.get_response(request)
        finally:
            set_script_prefix(request.prefix)

    def process_view(self, request, view, args, kwargs):
        if kwargs.pop("practice_slug", None) and not request.may_enter:
            raise Http404

    def process_exception(self, request, exception):
        request.failed = True
        if getattr(request, "urlconf", None):
            # The error page belongs to the product, not to Django admin.
            set_urlconf(None)
            set_script_prefix(request.prefix)


def _record_visit(request: HttpRequest) -> None:
    """A superuser is no member: their first look into a practice in a session is recorded, wherever they come in."""
    entered = request.session.setdefault("entered", [])
    if request.practice.pk not in entered:
        audit.record("practice.entered")
        request.session["entered"] = [*entered, request.practice.pk]


def _resolve(path: str) -> ResolverMatch | None:
    try:
        return resolve(path)
    except Resolver404:
        return None


def _membership(practice: Practice | None, user) -> Membership | None:
    if practice is None:
        return None
    return Membership.objects.select_related("role").filter(user=user, is_active=True).first()
