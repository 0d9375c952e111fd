"""Texts and emails from `pending` to `sent`, by real workers.

1. With a provider that takes no time, beside the same row writes a hundred at once.
2. With the sandbox, which takes 80 ms for each text: one worker process of 32 threads.
3. Emails over SMTP, beside bytes that were built before, on one connection.
4. Memory of a worker after 100,000 messages beside that after 10,000.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.bench import smtp
from tests.bench.measure import Figure, interleaved, load
from tests.bench.rig import owner, servers

ROUNDS, NUMBER = 3, 10_000
SANDBOX_NUMBER, LATENCY_MS, THREADS, WANTED = 3_000, 80, 32, 150
FEW, MANY = 10_000, 100_000
CHUNK, LIMIT_TABLE = 100, "bench_limit"


def main() -> list[Figure]:
    with servers(DISPATCH_THREADS=str(THREADS), DISPATCH_CHUNK="128", TICK_SECONDS="60") as folder:
        from tests.bench import data

        data.noon()
        # Two practices, since two worker processes can work on two lanes.
        made = [data.practice(number, NUMBER // 2) for number in (1, 2)]
        lanes = [(practice, data.text_line(practice)) for practice in made]
        with owner() as connection:
            connection.execute(_LIMIT)
        return [
            _without_a_carrier(folder, data, lanes),
            _with_the_sandbox(folder, data, lanes[0][0]),
            smtp.figure(),
            _memory(folder, data, *lanes[0]),
        ]


def _without_a_carrier(folder: Path, data, lanes) -> Figure:
    """The limit writes the same rows of the same tables, a hundred at once. Beside it in the note: tasks that claim a
    hundred rows of a bare table and write them back, which is what any queue costs, however often it sends."""
    with worker(folder, "null", processes=2):
        # Until PostgreSQL knows these tables and each process its statements.
        _ours(data, lanes, 1_000, keep=True), _limit(1_000)
        _analyze()
        found = interleaved(
            ROUNDS,
            ours=lambda: _ours(data, lanes, NUMBER),
            writes=lambda: _ours(data, lanes, NUMBER, by=_writes),
            bare=lambda: _limit(NUMBER),
        )
    bare = f"bare chunks of {CHUNK}: {found['bare']:,.0f}, ratio {found['ours'] / found['bare']:.2f}"
    note = f"{bare}; {NUMBER:,} texts a round, median of {ROUNDS}, two worker processes; {load()}"
    return Figure("dispatch, null provider", found["ours"], found["writes"], "texts/s", 0.25, note=note)


def _with_the_sandbox(folder: Path, data, practice) -> Figure:
    """The sandbox takes 80 ms for each text; its callbacks are not part of this figure."""
    from trackstat.sandbox.client import SandboxClient

    line = data.text_line(practice, account="AC" + "1" * 32)
    with sandbox(folder):
        client = SandboxClient(os.environ["SANDBOX_URL"])
        client.register_account(line.account, "auth-token", numbers=[line.address])
        client.set_pace(callbacks=[])
        client.set_faults([{"where": "sms", "action": "latency", "ms": LATENCY_MS}])
        with worker(folder, "real", processes=1):
            _ours(data, [(practice, line)], 200)
            rate = _ours(data, [(practice, line)], SANDBOX_NUMBER)
        assert client.health()["messages"] == SANDBOX_NUMBER + 200
    note = f"{SANDBOX_NUMBER:,} texts, one worker process of {THREADS} threads; {load()}"
    return Figure(f"dispatch, sandbox of {LATENCY_MS} ms", rate, WANTED, "texts/s", 1, note=f"limit = wanted; {note}")


def _memory(folder: Path, data, practice, line) -> Figure:
    with worker(folder, "null", processes=1) as running:
        sizes, sent = {}, 0
        for until in (FEW, MANY):
            while sent < until:
                _ours(data, [(practice, line)], NUMBER // 2)
                sent += NUMBER // 2
            sizes[until] = max(child.memory_info().rss for child in running.children()) / 2**20
    note = f"after {MANY:,} messages beside after {FEW:,}"
    return Figure("memory of a worker", sizes[MANY], sizes[FEW], "MB", 1.05, most=True, note=note)


@contextmanager
def sandbox(folder: Path) -> Iterator[None]:
    port, smtp_port = os.environ["SANDBOX_URL"].rpartition(":")[2], os.environ["EMAIL_PORT"]
    command = [sys.executable, "-m", "trackstat.sandbox", "--port", port, "--smtp-port", smtp_port]
    running = subprocess.Popen([*command, "--data", str(folder / "sandbox")], stdout=subprocess.PIPE, text=True)
    try:
        assert "ready" in running.stdout.readline()
        yield
    finally:
        running.terminate()
        running.wait(10)


@contextmanager
def worker(folder: Path, kind: str, processes: int) -> Iterator[psutil.Process]:
    """Yields when it takes tasks; its children are the processes that work."""
    options = ["worker", f"--concurrency={processes}", "--loglevel=WARNING", "--without-gossip", "--without-mingle"]
    with (folder / "log" / "worker.log").open("ab") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.worker", kind, *options],
            stdout=log, stderr=log, start_new_session=True, env={**os.environ, "PYTHONPATH": os.getcwd()},
        )  # fmt: skip
    try:
        yield psutil.Process(running.pid)
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(30)


def _dispatch(lanes, number: int) -> None:
    from messaging.tasks import dispatch

    for practice, line in lanes:
        dispatch.delay(practice.pk, line.pk)


def _writes(lanes, number: int) -> None:
    from tests.bench.worker import writes

    for _ in range(number // len(lanes) // CHUNK):
        for practice, line in lanes:
            writes.delay(practice.pk, line.pk)


def _ours(data, lanes, number: int, keep: bool = False, by: Callable = _dispatch) -> float:
    """Texts a second through all lanes together; `keep`: they stay, as those of yesterday would."""
    with owner() as connection:
        since = connection.execute("SELECT trackstat.now()").fetchone()[0]
    for practice, line in lanes:
        data.due_texts(practice, line, number // len(lanes))
    began = time.perf_counter()
    by(lanes, number)
    _until_none("SELECT 1 FROM messaging_message WHERE state IN ('pending', 'claimed', 'sending') LIMIT 1")
    took = time.perf_counter() - began
    with owner() as connection:
        sent = connection.execute("SELECT count(*) FROM messaging_message WHERE sent_at >= %s", [since]).fetchone()[0]
        assert sent == number, sent
        if not keep:
            connection.execute("DELETE FROM messaging_attempt WHERE started_at >= %s", [since])
            connection.execute("DELETE FROM messaging_message WHERE sent_at >= %s", [since])
        connection.execute("VACUUM messaging_attempt, messaging_message")
    return number / took


def _limit(number: int) -> float:
    from tests.bench.worker import chunk

    with owner() as connection:
        connection.execute(f"TRUNCATE {LIMIT_TABLE}")
        connection.execute(_FILL, [number])
        connection.execute(f"VACUUM ANALYZE {LIMIT_TABLE}")
    began = time.perf_counter()
    for _ in range(number // CHUNK):
        chunk.delay()
    _until_none(f"SELECT 1 FROM {LIMIT_TABLE} WHERE state < 2 LIMIT 1")
    return number / (time.perf_counter() - began)


def _until_none(query: str) -> None:
    deadline = time.monotonic() + 600
    with owner() as connection:
        while connection.execute(query).fetchone():  # type: ignore[arg-type]
            assert time.monotonic() < deadline, "the worker did not finish"
            time.sleep(0.02)


def _analyze() -> None:
    with owner() as connection:
        connection.execute("ANALYZE messaging_message, messaging_attempt, audience_contactpoint")


_LIMIT = f"""
CREATE TABLE {LIMIT_TABLE} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, practice_id int NOT NULL, campaign_id int NOT NULL,
    patient_id bigint NOT NULL, sender int NOT NULL, to_address text NOT NULL, body text NOT NULL,
    state smallint NOT NULL, provider_id text, due_at timestamptz NOT NULL, claimed_at timestamptz, sent_at timestamptz
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX ON {LIMIT_TABLE} (campaign_id, patient_id);
CREATE INDEX ON {LIMIT_TABLE} (sender, due_at, id) WHERE state = 0;
CREATE INDEX ON {LIMIT_TABLE} (claimed_at) WHERE state = 1;
CREATE UNIQUE INDEX ON {LIMIT_TABLE} (provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX ON {LIMIT_TABLE} (campaign_id, state);
GRANT SELECT, UPDATE ON {LIMIT_TABLE} TO trackstat_app
"""
_FILL = f"""
INSERT INTO {LIMIT_TABLE} (practice_id, campaign_id, patient_id, sender, to_address, body, state, due_at)
SELECT 1, 1, n, 1, '+1617' || lpad(n::text, 7, '0'), repeat('word ', 38), 0, now() FROM generate_series(1, %s) n
"""
