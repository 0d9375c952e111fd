"""``bin/ci``: every check, then every test. All checks run even after one has failed; the tests come last."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from trackstat.embedded import Services
from trackstat.embedded.surroundings import surroundings

ROOT = Path(__file__).resolve().parents[2]
# Written in halves, since this file is checked too.
REGISTRIES = ["registry.npm" + "js.", "py" + "pi.org", "python" + "hosted.org", "deb." + "debian.org"]
SERVICES = {"postgres", "redis", "migrate", "web", "worker", "beat", "sandbox"}


class Wrong(Exception):
    """What a check found, in words for whoever has to mend it."""


def main() -> int:
    tested = Services(tests=True)
    environment = surroundings(tested.home, tested.hold(), demo=True)
    try:
        failed = [name for name, check in checks(environment).items() if not passes(name, check)]
        print("\n── tests", flush=True)
        status = subprocess.run([sys.executable, ROOT / "bin" / "lib" / "test.py"], cwd=ROOT).returncode
    finally:
        tested.release()
    if failed:
        print(f"\nFailed before the tests: {', '.join(failed)}", flush=True)
    return 1 if failed or status else 0


def checks(environment: dict[str, str]) -> dict[str, Callable[[], None]]:
    return {
        "format": lambda: run("-m", "ruff", "format", "--check", "."),
        "lint": lambda: run("-m", "ruff", "check", "."),
        "types": lambda: run("-m", "mypy", env=environment),
        "templates": lambda: run("-m", "djlint", "templates", "--lint"),
        "migrations": lambda: run("manage.py", "makemigrations", "--check", "--dry-run", env=environment),
        "deployment": lambda: run(
            "manage.py", "check", "--deploy", "--fail-level", "WARNING", env=production(environment)
        ),
        "requirements": lambda: run("bin/lib/lock", "--check"),
        "package-lock": package_lock,
        "no registry named": no_registry_named,
        "compose": compose,
    }


def passes(name: str, check: Callable[[], None]) -> bool:
    print(f"── {name}", flush=True)
    began = time.monotonic()
    try:
        check()
    except Wrong as found:
        print(f"{found}\n── {name}: WRONG", flush=True)
        return False
    print(f"   fine, {time.monotonic() - began:.1f} s", flush=True)
    return True


def run(*command: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode:
        raise Wrong(done.stdout.strip())


def production(environment: dict[str, str]) -> dict[str, str]:
    """What an installation for patients sets: an address with https, a secret, the real carrier and mail service."""
    ours = {"SANDBOX_URL", "TWILIO_API_URL", "MAILGUN_API_URL", "DEBUG", "DATABASE_OWNER_URL", "SANDBOX_DATABASE_URL"}
    kept = {name: value for name, value in environment.items() if name not in ours}
    return kept | {"PUBLIC_URL": "https://trackstat.example", "SECRET_KEY": secrets.token_urlsafe(60)}


def package_lock() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for kind in ("dependencies", "devDependencies"):
        if wanted.get(kind, {}) != locked[""].get(kind, {}):
            raise Wrong(f"package-lock.json does not agree with package.json in its {kind}; run npm install")
    if named := [name for name, package in locked.items() if "resolved" in package]:
        raise Wrong(f"package-lock.json says where packages came from: {', '.join(named[:5])}")
    if missing := [name for name, package in locked.items() if name and not {"integrity", "inBundle"} & set(package)]:
        raise Wrong(f"package-lock.json has no hash for {', '.join(missing[:5])}")


def no_registry_named() -> None:
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = []
    for name in filter(None, files.split("\0")):
        path = ROOT / name
        if path.is_file() and any(registry.encode() in path.read_bytes() for registry in REGISTRIES):
            found.append(name)
    if found:
        raise Wrong(f"These files name a package registry: {', '.join(found)}")


def compose() -> None:
    """Read as YAML only: there may be no Docker engine where this runs."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    if set(services) != SERVICES:
        raise Wrong(f"docker-compose.yml has {sorted(services)}, expected {sorted(SERVICES)}")
    for name, service in services.items():
        if unknown := set(service.get("depends_on", {})) - set(services):
            raise Wrong(f"docker-compose.yml: {name} waits for {sorted(unknown)}, which it does not have")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and not os.path.exists(ROOT / source):
                raise Wrong(f"docker-compose.yml: {name} mounts {source}, which is not there")


if __name__ == "__main__":
    sys.exit(main())
