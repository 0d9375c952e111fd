"""Runs several manage.py commands in one interpreter, since loading the product takes longer than most of them.

``python -m trackstat.embedded.prepare RESULT COMMAND…`` with each command in one argument. On standard output comes the
last line that each command says, with its seconds; RESULT gets all they said as JSON; standard error is for the log.
"""

import contextlib
import io
import json
import shlex
import sys
import time
from pathlib import Path

SHOWN_LATER = "demo_sign_ins"


def main(result: str, *commands: str) -> int:
    # Only here: the rest of this package has to run without settings.
    import django
    from django.core.management import call_command

    django.setup()
    said = {}
    for command in commands:
        began, out = time.monotonic(), io.StringIO()
        name, *words = shlex.split(command)
        print(f"── {command}", file=sys.stderr, flush=True)
        with contextlib.redirect_stdout(out):
            call_command(name, *words, stdout=out)
        said[name] = out.getvalue()
        print(said[name], file=sys.stderr, flush=True)
        lines = said[name].strip().splitlines()
        if lines and name != SHOWN_LATER:
            print(f"{lines[-1].strip()} ({time.monotonic() - began:.1f} s)", flush=True)
    Path(result).write_text(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
