"""Runs several manage.py commands in one interpreter, since loading the product takes longer than most of them.

``python -m trackstat.embedded.prepare RESULT COMMAND…`` with each command in one argument. On standard output comes
what they say, with its seconds; RESULT gets all they said as JSON; standard error is for the log.
"""

import contextlib
import io
import json
import shlex
import sys
import time
from pathlib import Path

SHOWN_LATER = {"demo_sign_ins"}


class Said(io.StringIO):
    """Keeps what a command says, and shows each line as it comes with the seconds since the last one."""

    def __init__(self, *, shown: bool) -> None:
        super().__init__()
        self.shown, self.line, self.since = shown, "", time.monotonic()

    def write(self, text: str) -> int:
        if self.shown:
            *lines, self.line = (self.line + text).split("\n")
            for line in filter(str.strip, lines):
                now = time.monotonic()
                print(f"{line.strip()} ({now - self.since:.1f} s)", file=sys.__stdout__, flush=True)
                self.since = now
        return super().write(text)


def main(result: str, *commands: str) -> int:
    # Only here: the rest of this package has to run without settings.
    import django
    from django.core.management import call_command

    django.setup()
    said = {}
    for command in commands:
        name, *words = shlex.split(command)
        print(f"── {command}", file=sys.stderr, flush=True)
        out = Said(shown=name not in SHOWN_LATER)
        with contextlib.redirect_stdout(out):
            call_command(name, *words, stdout=out)
        said[name] = out.getvalue()
        print(said[name], file=sys.stderr, flush=True)
    Path(result).write_text(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
