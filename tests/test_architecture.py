"""Imports point one way: trackstat ← audience ← messaging ← campaigns ← reports."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = ["trackstat", "audience", "messaging", "campaigns", "reports"]
# The composition root may see everything.
COMPOSITION = ("trackstat/urls.py", "trackstat/settings.py", "trackstat/seed/", "trackstat/management/commands/")


def imports(file: Path):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def files(app: str):
    for file in sorted((ROOT / app).rglob("*.py")):
        name = file.relative_to(ROOT).as_posix()
        if not name.startswith(COMPOSITION) and "/migrations/" not in name:
            yield name, file


@pytest.mark.parametrize("app", ORDER)
def test_an_app_imports_only_what_lies_before_it(app):
    later = set(ORDER[ORDER.index(app) + 1 :])
    wrong = [
        f"{name} imports {module}"
        for name, file in files(app)
        for module in imports(file)
        if module.split(".")[0] in later
    ]
    assert wrong == []


def test_the_product_does_not_import_the_sandbox():
    wrong = [
        f"{name} imports {module}"
        for app in ORDER
        for name, file in files(app)
        if not name.startswith("trackstat/sandbox/")
        for module in imports(file)
        if module.startswith("trackstat.sandbox")
    ]
    assert wrong == []


def test_the_sandbox_knows_nothing_of_the_product():
    wrong = [
        f"{file.name} imports {module}"
        for file in (ROOT / "trackstat" / "sandbox").rglob("*.py")
        for module in imports(file)
        if module.split(".")[0] in {"django", *ORDER} and not module.startswith("trackstat.sandbox")
    ]
    assert wrong == []


def test_no_file_has_a_name_that_says_nothing():
    nameless = {"services.py", "selectors.py", "utils.py", "helpers.py"}
    messaging_services = "trackstat/sandbox/services.py"  # The carrier's own word for a group of numbers.
    found = [name for app in ORDER for name, file in files(app) if file.name in nameless]
    assert [name for name in found if name != messaging_services] == []
