"""With production's environment nothing of sandbox, demo or styleguide is there."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = {
    "SECRET_KEY": "x" * 60,
    "PUBLIC_URL": "https://trackstat.example.org",
    "DATABASE_URL": os.environ.get("DATABASE_URL", ""),
    "REDIS_URL": os.environ.get("REDIS_URL", ""),
    "PATH": os.environ["PATH"],
}
LOAD_EVERYTHING = """
import sys
import django
django.setup()
from django.conf import settings
from django.urls import get_resolver, resolve, Resolver404
from trackstat.celery import app
app.loader.import_default_modules()
assert get_resolver().url_patterns and "messaging.tick" in app.tasks
print(settings.SANDBOX, [name for name in sys.modules if name.startswith(("trackstat.sandbox", "trackstat.seed"))])
try:
    resolve("/styleguide/")
except Resolver404:
    print("no styleguide")
else:
    # The address is only ever a practice that does not exist.
    print("no styleguide" if resolve("/styleguide/").url_name != "styleguide" else "styleguide")
"""


def _run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=PRODUCTION | {"DJANGO_SETTINGS_MODULE": "trackstat.settings"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_production_loads_nothing_of_the_sandbox_and_the_demo():
    done = _run("-c", LOAD_EVERYTHING)
    assert done.stdout.splitlines() == ["False []", "no styleguide"], done.stderr


def test_the_sandboxs_commands_refuse_without_a_sandbox():
    for command in (["sandbox_register"], ["sandbox_clock", "--awake"]):
        done = _run("manage.py", *command)
        assert done.returncode == 1
        assert "is not set" in done.stderr


def test_production_needs_a_secret_of_its_own():
    done = _run("manage.py", "check", "--deploy", "--fail-level", "WARNING", SECRET_KEY="")
    assert done.returncode != 0
    assert "SECRET_KEY" in done.stderr
