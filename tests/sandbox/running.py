"""The real sandbox as a process of its own, and the real clients pointed at it."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from trackstat.sandbox.client import SandboxClient

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass
class RunningSandbox:
    url: str
    smtp_host: str
    smtp_port: int
    folder: Path
    client: SandboxClient
    process: subprocess.Popen

    def kill(self) -> None:
        """As the machine would: no warning, no chance to tidy up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


def start_sandbox(folder: Path, *, speed: float = 50, port: int = 0, smtp_port: int = 0) -> RunningSandbox:
    """Ports 0 are free ones; returns when it answers."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "trackstat.sandbox", "--data", str(folder), "--speed", str(speed)),
            *("--port", str(port), "--smtp-port", str(smtp_port)),
        ],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    ready = re.fullmatch(r"sandbox ready http=(\S+) smtp=(\S+):(\d+)\n", line)
    if ready is None:
        process.kill()
        raise RuntimeError(f"the sandbox did not start: {line}{process.stderr.read()}")
    url = f"http://{ready[1]}"
    return RunningSandbox(url, ready[2], int(ready[3]), folder, SandboxClient(url), process)


class RedirectedHttpClient(TwilioHttpClient):
    """Twilio's own client with every host rewritten: it cannot reach the real service."""

    def __init__(self, url: str, timeout: float = 5):
        super().__init__(timeout=timeout)
        self._target = urlsplit(url)
        self.bodies: list[str] = []

    def request(self, method, url, *args, **kwargs):
        asked = urlsplit(url)
        there = urlunsplit((self._target.scheme, self._target.netloc, asked.path, asked.query, ""))
        response = super().request(method, there, *args, **kwargs)
        self.bodies.append(response.text)
        return response


def twilio_client(url: str, sid: str, token: str, timeout: float = 5) -> Client:
    return Client(sid, token, http_client=RedirectedHttpClient(url, timeout))
