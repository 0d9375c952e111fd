from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.text import slugify

from audience.models import Tag
from trackstat.tenancy.models import Membership, Practice, PracticeSettings, User
from trackstat.tenancy.roles import seed_roles
from trackstat.tenancy.scope import practice_scope

# First words of addresses that are no practice's.
RESERVED = {"accounts", "webhooks", "u", "static", "healthz", "readyz", "styleguide", "admin"}


class Command(BaseCommand):
    help = "Make a practice with its four roles and its first Administrator, who sets a password by “Forgot password”."

    def add_arguments(self, parser):
        parser.add_argument("name", help="as patients read it")
        parser.add_argument("administrator", help="email of the first Administrator")
        parser.add_argument("--slug", help="the practice's place in addresses; made from the name if not given")
        parser.add_argument("--time-zone", default="America/New_York", help="e.g. America/Denver")

    @transaction.atomic
    def handle(self, *args, name, administrator, slug, time_zone, **options):
        practice = Practice(name=name, slug=slug or slugify(name))
        try:
            if practice.slug in RESERVED:
                raise ValidationError(f"“{practice.slug}” is taken by the product itself: give another --slug.")
            practice.full_clean()
            practice.save()
            with practice_scope(practice):
                settings = PracticeSettings(practice=practice, time_zone=time_zone)
                settings.full_clean(exclude=["practice"])
                settings.save()
        except ValidationError as wrong:
            raise CommandError(" ".join(wrong.messages)) from None
        user = User.objects.filter(email=administrator.lower()).first() or User.objects.create_user(administrator)
        with practice_scope(practice):
            Membership.objects.create(user=user, role=seed_roles()["Administrator"])
            Tag.objects.create(name="not qualified", always_excluded=True)
            Tag.objects.create(name="np start", reserved=True)
        self.stdout.write(
            f"{practice.name} is at /{practice.slug}/. {user.email} sets a password by “Forgot password”."
        )
