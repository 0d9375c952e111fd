"""What 100,000 messages of one practice cost all others: how much later their texts go out.

Real workers, beat with the tick of production and the engine write and send a blast of one practice, while every few
seconds a few texts fall due in each of the others. Late = from due until handed over.
"""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.dispatch import worker
from tests.bench.measure import Figure, load
from tests.bench.rig import owner, servers

BIG, OTHERS, TEXTS, EVERY_SECONDS, SECONDS = 100_000, 20, 3, 4, 60
ALLOWED_SECONDS = 30


def main() -> list[Figure]:
    with servers(DISPATCH_THREADS="16") as folder:
        from tests.bench import data

        data.noon()
        big = data.practice(1, BIG)
        line = data.text_line(big)
        others = [data.practice(number, TEXTS * SECONDS) for number in range(2, OTHERS + 2)]
        lanes = [(practice, data.text_line(practice)) for practice in others]
        with worker(folder, "null", processes=2), beat(folder):
            alone = _lateness(data, lanes, big)
            data.launched(big, line, BIG)
            beside = _lateness(data, lanes, big)
            still = _left(big)
        assert still > 0, "the large practice was done before the others were measured"
    note = (
        f"95th percentile of {OTHERS} practices: {alone:.1f} s alone, {beside:.1f} s beside {BIG:,} messages of one"
        f" practice, of which {still:,} were left; {load()}"
    )
    return [Figure("delay of others", beside - alone, ALLOWED_SECONDS, "s", 1, most=True, note=note)]


def _lateness(data, lanes, big) -> float:
    """Seconds, 95th percentile over the texts that fell due in the others meanwhile."""
    from messaging.tasks import wake
    from trackstat.tenancy.scope import practice_scope

    with owner() as connection:
        since = connection.execute("SELECT trackstat.now()").fetchone()[0]
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        turn = time.monotonic()
        for practice, line in lanes:
            data.due_texts(practice, line, TEXTS, tidy=False)
            with practice_scope(practice):
                wake(practice.pk)
        time.sleep(max(0.0, EVERY_SECONDS - (time.monotonic() - turn)))
    _until_handed_over(big, since)
    with owner() as connection:
        late = connection.execute(_LATE, [since, big.pk]).fetchall()
    return statistics.quantiles([float(seconds) for (seconds,) in late], n=20)[-1]


def _until_handed_over(big, since) -> None:
    deadline = time.monotonic() + 300
    with owner() as connection:
        while connection.execute(_OPEN, [since, big.pk]).fetchone():
            assert time.monotonic() < deadline, "texts of the others were not handed over within five minutes"
            time.sleep(0.2)


def _left(big) -> int:
    with owner() as connection:
        return connection.execute(_LEFT, [big.pk, big.pk]).fetchone()[0]


@contextmanager
def beat(folder: Path) -> Iterator[None]:
    options = ["--loglevel=WARNING", f"--schedule={folder / 'beat'}", "--pidfile="]
    with (folder / "log" / "beat.log").open("ab") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "trackstat.celery", "beat", *options], stdout=log, stderr=log,
            start_new_session=True, env=os.environ,
        )  # fmt: skip
    try:
        yield
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(10)


_LATE = "SELECT extract(epoch FROM armed_at - due_at) FROM messaging_message WHERE due_at >= %s AND practice_id <> %s"
_OPEN = """
SELECT 1 FROM messaging_message WHERE due_at >= %s AND practice_id <> %s AND state IN ('pending', 'claimed', 'sending')
 LIMIT 1
"""
_LEFT = """
SELECT (SELECT count(*) FROM campaigns_enrollment WHERE practice_id = %s AND state = 'active')
     + (SELECT count(*) FROM messaging_message WHERE practice_id = %s AND state IN ('pending', 'claimed', 'sending'))
"""
