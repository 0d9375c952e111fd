from django.conf import settings
from django.core.management.commands import migrate


class Command(migrate.Command):
    """As Django's, by the owner of the tables: the role everything else runs as may not change them."""

    def add_arguments(self, parser):
        super().add_arguments(parser)
        if "owner" in settings.DATABASES:
            parser.set_defaults(database="owner")
