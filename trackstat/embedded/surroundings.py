"""The environment in which the product runs on one machine: addresses, ports, secrets."""

import os
import secrets
from collections.abc import Mapping

from .home import Home, free_port

# What each usual port is for. Taken ones are replaced, and the choice is kept so that bookmarks stay true.
USUAL_PORTS = {"web": 8000, "sandbox": 8026, "smtp": 2526}


def choose_ports(home: Home) -> list[str]:
    """Remembers a port for each server and answers with what to say about those that moved."""
    said: list[str] = []
    chosen: set[int] = set()
    for name, usual in USUAL_PORTS.items():
        known = home.recall().get(f"{name}_port")
        # A check beside a demo leaves it the usual ports, and hears no late callbacks that are meant for them.
        port = free_port() if home.recall().get("throwaway") else free_port(known, usual)
        while port in chosen:
            port = free_port()
        chosen.add(port)
        home.remember(**{f"{name}_port": port})
        if port != (known or usual):
            said.append(f"{name} uses port {port}, since {known or usual} is taken.")
    return said


def surroundings(home: Home, servers: Mapping[str, str], *, demo: bool = False) -> dict[str, str]:
    """The process environment for manage.py, web, workers and beat.

    On a database of ours, and in the demo always, messages can go to the sandbox alone, whatever else is set. On a
    database that was given nothing is added: that may be a real installation.
    """
    if "DATABASE_URL" not in servers and not demo:
        return {**os.environ, **servers}
    if "secret_key" not in home.recall():
        home.remember(secret_key=secrets.token_urlsafe(50))
    state = home.recall()
    ports = {name: state.get(f"{name}_port", usual) for name, usual in USUAL_PORTS.items()}
    sandbox = f"http://127.0.0.1:{ports['sandbox']}"
    return {
        **os.environ,
        **servers,
        "SECRET_KEY": state["secret_key"],
        "PUBLIC_URL": f"http://127.0.0.1:{ports['web']}",
        "SANDBOX_URL": sandbox,
        "TWILIO_API_URL": sandbox,
        "MAILGUN_API_URL": f"{sandbox}/v3",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(ports["smtp"]),
        "TRACKSTAT_HOME": str(home.path),
        "EHR_DROP_FOLDER": os.environ.get("EHR_DROP_FOLDER") or str(home.path / "drop"),
        "DJANGO_SETTINGS_MODULE": "trackstat.settings",
    }


def without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """For the processes that serve and send: they never sign in as the owner of the tables or as the clock's keeper."""
    return {
        name: value
        for name, value in environment.items()
        if name not in {"DATABASE_OWNER_URL", "SANDBOX_DATABASE_URL"}
    }  # fmt: skip
