"""Twilio's OpenAPI description as JSON Schema."""

import json
import os
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.sandbox.running import CHECKOUT

_VARIABLE = "TRACKSTAT_SAMPLE_DATA"


@cache
def _described(name: str) -> dict:
    folder = Path(os.environ.get(_VARIABLE) or CHECKOUT.parent / "shared" / "data")
    file = folder / "twilio-oai" / f"{name}.json"
    if not file.exists():
        pytest.skip(
            f"{file} is not there: set {_VARIABLE} to the folder that holds twilio-oai/ (github.com/twilio/twilio-oai)"
        )
    return json.loads(file.read_text())


def check(body: dict, name: str, path: str, method: str, status: str) -> None:
    """Fails with every difference between the body and what Twilio describes for the operation."""
    described = _described(name)
    content = described["paths"][path][method]["responses"][status]["content"]["application/json"]
    examples = [example["value"] for example in content.get("examples", {}).values()]
    schema = _closed(content["schema"], described, name)
    wrong = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(body)]
    assert not wrong, wrong
    # The description marks nothing as required; its own examples say what is always there.
    always = set.intersection(*(set(example) for example in examples)) if examples else set()
    assert always <= set(body), sorted(always - set(body))


def _closed(schema: dict, described: dict, name: str) -> dict:
    """References resolved, `nullable` translated, and properties nobody described refused."""
    if "$ref" in schema:
        found = described
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        resolved = _closed(found, described, name)
        # Lookups' description leaves out `nullable` where its own examples answer null.
        return {"anyOf": [resolved, {"type": "null"}]} if name == "twilio_lookups_v2" else resolved
    made = {key: value for key, value in schema.items() if key in ("type", "enum", "pattern", "minLength", "maxLength")}
    if "properties" in schema:
        made["properties"] = {key: _closed(value, described, name) for key, value in schema["properties"].items()}
        made["additionalProperties"] = False
    if "items" in schema:
        made["items"] = _closed(schema["items"], described, name)
    if schema.get("nullable") or (name == "twilio_lookups_v2" and made.get("type") in ("string", "integer")):
        return {"anyOf": [made, {"type": "null"}]}
    return made
