"""`bin/manage audience_filters`: the registry as a table and as JSON."""

import json
from io import StringIO

from django.conf import settings
from django.core.management import call_command

from audience.filters import REGISTRY


def _printed(*arguments):
    out = StringIO()
    call_command("audience_filters", *arguments, stdout=out)
    return out.getvalue()


def test_every_filter_is_printed_with_the_shape_of_its_value(db):
    found = {each["key"]: each for each in json.loads(_printed("--json"))}
    assert set(found) == set(REGISTRY)
    assert found["age"]["value"] == {
        "min": "whole number 0 to 130, optional",
        "max": "whole number 0 to 130, optional",
    }
    assert found["last_visit"]["primary"] and not found["age"]["primary"]
    assert all(each["label"] in _printed() for each in found.values())


def test_the_docs_list_every_filter_as_it_is(db):
    docs = (settings.BASE_DIR / "docs" / "audience.md").read_text()
    assert _printed("--markdown").strip() in docs, "bin/manage audience_filters --markdown prints the table anew"
