"""A large FHIR export brought into an empty practice: read and staged, applied, and how much memory that takes.

`python -m tests.bench.imports PRACTICE FOLDER` imports in a process of its own and says what each step took; the bench
runs it, so that its highest memory is that of one import.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import export
from tests.bench.measure import Cost, Figure, load
from tests.bench.rig import owner, servers

SIZE, SMALL = 1000, 100
STAGED, APPLIED = 25_000, 10_000
STEPS = ("Reading", "Comparing", "Applying", "Vacuum")
# Rows of one COPY, as the import itself sends them.
_ROWS = 300
_TABLES = (
    "audience_patient", "audience_case", "audience_appointment", "audience_diagnosis", "audience_service",
    "audience_payment", "audience_coverage", "audience_contactpoint",
)  # fmt: skip


def main(megabytes: int = SIZE) -> list[Figure]:
    with servers() as folder:
        from tests.bench import data

        small = _imported(data.practice(1, 0), folder / "small", max(megabytes * SMALL // SIZE, 1))
        made = data.practice(2, 0)
        large = _imported(made, folder / "large", megabytes)
        plain = _plain(folder / "large")
        inserted = _inserted(made) / large["resources"]
    read, applied = large["wall"]["Reading"], large["wall"]["Comparing"] + large["wall"]["Applying"]
    spent = {step: large["client"][step] + large["server"][step] for step in STEPS}
    number = large["resources"]
    about = f"{number:,} resources, {megabytes:,} MB; vacuumed in {large['wall']['Vacuum']:.1f} s; {load()}"

    def per_cpu(*steps: str) -> float:
        return number / sum(spent[step] for step in steps)

    return [
        Figure("read and staged", number / read, STAGED, "resources/s", 1, note=f"limit = wanted; {about}"),
        Figure(
            "read and staged, per CPU second", per_cpu("Reading"), plain, "resources/s", 0.4,
            note="limit = msgspec to Python's own types, and COPY of the lines; client"
                 f" {large['client']['Reading']:.1f} s, PostgreSQL {large['server']['Reading']:.1f} s",
        ),
        Figure("applied", number / applied, APPLIED, "resources/s", 1, note="limit = wanted"),
        Figure(
            "applied, per CPU second", per_cpu("Comparing", "Applying"), 1 / inserted, "resources/s", 0.3,
            note="limit = the same rows, one INSERT a table, nothing compared and nothing worked out",
        ),
        Figure(
            "memory of an import", large["memory"], small["memory"], "MB", 1.1, most=True,
            note=f"{megabytes:,} MB beside {max(megabytes * SMALL // SIZE, 1):,} MB",
        ),
    ]  # fmt: skip


def _imported(made, folder: Path, megabytes: int) -> dict[str, Any]:
    """What the import of a new export took, in a process of its own."""
    number = export.write(folder, megabytes * 1_000_000)
    # What is still on its way to the disk would be charged to the import.
    os.sync()
    command = [sys.executable, "-m", "tests.bench.imports", made.slug, str(folder)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ).stdout
    taken = json.loads(said.splitlines()[-1])
    assert taken["resources"] == number, f"{taken['resources']} of {number}"
    return taken


def _plain(folder: Path) -> float:
    """Resources per CPU second when lines are only decoded, whatever is in them, and copied as they are."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE bench_line (line bytea NOT NULL)")
    number, held = 0, []
    with Cost() as cost:
        for file in sorted(folder.iterdir()):
            with file.open("rb") as lines:
                for line in lines:
                    msgspec.json.decode(line)
                    number += 1
                    held.append((line,))
                    if len(held) == _ROWS:
                        _copy(held)
        _copy(held)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bench_line")
    return number / cost.cpu


def _copy(held: list[tuple[bytes]]) -> None:
    from django.db import connection

    with connection.cursor() as cursor, cursor.copy("COPY bench_line FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["bytea"])
        for row in held:
            copy.write_row(row)
    held.clear()


def _inserted(made) -> float:
    """CPU seconds of writing the practice's rows anew, as the restricted role: all checks and indexes, nothing else."""
    from django.db import connection

    from trackstat.tenancy.scope import practice_scope

    with owner() as past_the_walls:
        past_the_walls.execute("CREATE SCHEMA bench")
        past_the_walls.execute(f"GRANT USAGE ON SCHEMA bench TO {connection.settings_dict['USER']}")
        for table in _TABLES:
            past_the_walls.execute(f"CREATE TABLE bench.{table} AS SELECT * FROM {table} WHERE practice_id = {made.pk}")
            past_the_walls.execute(f"GRANT SELECT ON bench.{table} TO {connection.settings_dict['USER']}")
            past_the_walls.execute(f"ANALYZE bench.{table}")
        past_the_walls.execute(f"TRUNCATE {', '.join(_TABLES)} CASCADE")
    with Cost() as cost, practice_scope(made), connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(
                "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
                [table],
            )
            columns = cursor.fetchone()[0]
            cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM bench.{table}")
    return cost.cpu


def _take(practice: str, folder: Path) -> dict[str, Any]:
    """Imports the folder; resources, seconds by step (wall, this process with its shapers, its backend) and the highest
    memory of all of them in MB.
    """
    from django.db import connection

    from audience.ehr.fhir import shapers
    from audience.ehr.run import import_folder
    from trackstat.tenancy.models import Practice

    made = Practice.objects.get(slug=practice)
    backend = connection.connection.info.backend_pid
    read = 0

    def now() -> tuple[float, float, float]:
        there = int(Path(f"/proc/{backend}/schedstat").read_text().split()[0]) / 1e9
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.perf_counter(), time.process_time() + children.ru_utime + children.ru_stime, there

    def watch(progress) -> None:
        nonlocal read
        read = max(read, progress.records)
        is_over = progress.step == "Applying" and progress.done == progress.total
        began.setdefault("Vacuum" if is_over else progress.step, now())

    began = {"Reading": now()}
    import_folder(made, folder, "bench", watch)
    moments = [*(began[step] for step in STEPS), now()]
    kinds = {
        kind: {step: moments[place + 1][n] - moments[place][n] for place, step in enumerate(STEPS)}
        for n, kind in enumerate(("wall", "client", "server"))
    }
    # Of processes that have ended the system knows the largest one's.
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * shapers.number()
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + most) / 1024
    return {"resources": read, "memory": memory} | kinds


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(_take(sys.argv[1], Path(sys.argv[2]))))
