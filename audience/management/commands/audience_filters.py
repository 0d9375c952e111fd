"""`bin/manage audience_filters [--json | --markdown]`: every audience filter there is, with the shape of its values."""

import json

from django.core.management.base import BaseCommand

from audience.filters import REGISTRY
from audience.filters.registry import GROUPS


class Command(BaseCommand):
    help = "Print key, label, group and value shape of every audience filter."

    def add_arguments(self, parser):
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="as JSON")
        form.add_argument("--markdown", action="store_true", help="as the table of docs/audience.md")

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
        said = _json if options["json"] else _markdown if options["markdown"] else _table
        self.stdout.write(said(found))


def _json(found: list[dict]) -> str:
    return json.dumps(found, indent=2)


def _markdown(found: list[dict]) -> str:
    lines = ["| group | filter | key | value |", "|---|---|---|---|"]
    for each in sorted(found, key=lambda each: GROUPS.index(each["group"])):
        first = " (may be the first line)" if each["primary"] else ""
        value = "<br>".join(f"`{name}`: {shape}" for name, shape in each["value"].items())
        lines.append(f"| {each['group']} | {each['label']}{first} | `{each['key']}` | {value} |")
    return "\n".join(lines)


def _table(found: list[dict]) -> str:
    lines = []
    for each in found:
        first = " (may be primary)" if each["primary"] else ""
        lines.append(f"{each['key']:<24} {each['label']:<24} {each['group']}{first}")
        lines += [f"    {name}: {shape}" for name, shape in each["value"].items()]
    return "\n".join(lines)
