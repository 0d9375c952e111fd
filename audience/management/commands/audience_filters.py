"""`bin/manage audience_filters [--json]`: every audience filter there is, with the shape of its values."""

import json

from django.core.management.base import BaseCommand

from audience.filters import REGISTRY


class Command(BaseCommand):
    help = "Print key, label, group and value shape of every audience filter."

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true", help="as JSON")

    def handle(self, **options):
        found = [
            {
                "key": each.key,
                "label": each.label,
                "group": each.group,
                "primary": each.may_be_primary,
                "value": each.shape(),
            }
            for each in REGISTRY.values()
        ]
        self.stdout.write(_json(found) if options["json"] else _table(found))


def _json(found: list[dict]) -> str:
    return json.dumps(found, indent=2)


def _table(found: list[dict]) -> str:
    lines = []
    for each in found:
        first = " (may be primary)" if each["primary"] else ""
        lines.append(f"{each['key']:<24} {each['label']:<24} {each['group']}{first}")
        lines += [f"    {name}: {shape}" for name, shape in each["value"].items()]
    return "\n".join(lines)
