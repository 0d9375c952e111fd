"""A sign-in is recorded in every practice the person is a member of."""

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver

from trackstat.tenancy import audit
from trackstat.tenancy.models import Membership
from trackstat.tenancy.scope import practice_scope


@receiver(user_logged_in)
def record_sign_in(sender, request, user, **kwargs):
    _record("person.signed_in", user)


@receiver(user_logged_out)
def record_sign_out(sender, request, user, **kwargs):
    if user is not None:
        _record("person.signed_out", user)


def _record(action, user):
    with practice_scope(None, user):
        practice_ids = list(Membership.own.filter(user=user, is_active=True).values_list("practice_id", flat=True))
    for practice_id in practice_ids:
        with practice_scope(practice_id, user):
            audit.record(action)
