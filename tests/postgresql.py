"""A PostgreSQL server of the tests' own: it starts when a test needs it, and ends with them."""

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from time import monotonic, sleep

import psycopg
import pytest

from digest.config.database_url import DatabaseUrl
from digest.storage.factory import open_store
from tests.waiting import LIMIT

_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}

_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'"

_EMPTY = """
DO $$ DECLARE name text; BEGIN
    SET LOCAL session_replication_role = replica;  -- in any order
    FOR name IN SELECT tablename FROM pg_tables
        WHERE schemaname = 'public' AND tablename NOT IN ('digest_migration', 'installation')
    LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
    PERFORM setval(sequencename::regclass, 1, false) FROM pg_sequences WHERE last_value IS NOT NULL;
    UPDATE installation SET secret = replace(gen_random_uuid()::text, '-', ''),
        enrolled = NULL, entries_of = NULL, restored_at = NULL;
END $$
"""


class Server:
    """Listens at a socket in a folder that only its user can enter, and at no port."""

    def __init__(
        self,
        programs: Path,
        folder: Path,
        *,
        options: dict[str, str] | None = None,
        primary: "Server | None" = None,
    ) -> None:
        """With `primary`, it is a standby that follows this one."""
        self._programs, self.folder = programs, folder
        self.options = {"listen_addresses": "", "shared_buffers": "32MB", **_FAST, **(options or {})}
        self._numbers = count()
        self._given: list[str] = []
        self._free: list[str] = []
        self._user = "postgres" if os.geteuid() == 0 else None
        self.own(folder)
        os.environ["XDG_STATE_HOME"] = str(folder / "notes")  # of each host's last mailing
        made = ("-D", self.data, "-U", "digest", "--no-sync")
        if primary:
            source = ("-h", primary.folder, "--checkpoint=fast", "--write-recovery-conf")
            self._call("pg_basebackup", *source, *made)
        else:
            self._call("initdb", "-A", "trust", "-E", "UTF8", "--locale=C", *made)
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int:
        return self._process.pid

    def url(self, database: str, *, user: str = "digest") -> DatabaseUrl:
        return DatabaseUrl(f"postgresql://{user}@/{database}?host={self.folder}")

    def own(self, path: Path) -> None:
        """Gives a file or folder to the user of the server."""
        if self._user:
            shutil.chown(path, self._user, pwd.getpwnam(self._user).pw_gid)

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        options = [word for key, value in self.options.items() for word in ("-c", f"{key}={value}")]
        self._process = self.beside(self._programs / "postgres", "-D", self.data, "-k", self.folder, *options)
        end = monotonic() + LIMIT
        while not self._answers():
            if monotonic() > end or self._process.poll() is not None:
                raise AssertionError((self.folder / "log").read_text())
            sleep(0.05)

    def beside(self, *command: object) -> "subprocess.Popen[bytes]":
        """Starts a program as the user of the server. It does not outlive this process."""
        alone = ["setpriv", "--pdeathsig", "QUIT"]
        if self._user:
            group = str(pwd.getpwnam(self._user).pw_gid)
            alone += ["--reuid", self._user, "--regid", group, "--clear-groups"]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen([*alone, *map(str, command)], stdout=log, stderr=log, cwd="/")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres").url).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, mode: str = "immediate") -> None:
        self._call("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")
        self._process.wait(LIMIT)

    def restart(self, mode: str = "immediate") -> None:
        self.stop(mode)
        self.start()

    def standby(self, folder: Path) -> "Server":
        """Starts a standby, for which each commit waits from now on."""
        found = Server(self._programs, folder, options=self.options, primary=self)
        self.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.execute("SELECT pg_reload_conf()")
        return found

    def promote(self) -> None:
        """Makes a standby the primary, for which no commit waits."""
        self._call("pg_ctl", "-D", self.data, "-w", "promote")
        self.execute("ALTER SYSTEM RESET synchronous_standby_names")
        self.execute("SELECT pg_reload_conf()")

    def execute(self, statement: str, *, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database).url, autocommit=True) as db:
            db.execute(statement.encode())

    def new_database(self, *, is_empty: bool = False) -> DatabaseUrl:
        """Gives a database with an empty state, or a new one with nothing."""
        if not is_empty and self._free:
            name = self._free.pop()
        else:
            name = f"state{next(self._numbers)}"
            self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            if not is_empty:
                with open_store(self.url(name)):
                    pass
        self._given.append(name)
        return self.url(name)

    def take_back(self) -> None:
        """Empties all databases that `new_database` gave, which is faster than to make others."""
        for name in self._given:
            self.execute(_END_SESSIONS % name)
            try:
                self.execute(_EMPTY, database=name)
            except psycopg.errors.UndefinedTable:
                continue  # it had nothing
            self._free.append(name)
        self._given = []

    def _call(self, program: str, *words: object) -> None:
        subprocess.run(
            [self._programs / program, *map(str, words)],
            check=True,
            timeout=LIMIT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._user,
            group=pwd.getpwnam(self._user).pw_gid if self._user else None,
            extra_groups=[] if self._user else None,
            cwd="/",
        )


def programs() -> Path:
    """The folder of the newest server here. Skips the test where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda one: int(one.parts[4]))
    on_path = shutil.which("postgres")
    if not found and not on_path:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv, of util-linux")
    return found[-1].parent if found else Path(str(on_path)).parent


@contextmanager
def running(**options: str) -> Iterator[Server]:
    """A server for a test that stops it, or sets it up otherwise."""
    found = programs()
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        server = Server(found, Path(folder), options=options)
        try:
            yield server
        finally:
            if server._process.poll() is None:
                server.stop()


@contextmanager
def pooled(server: Server, url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    """PgBouncer in transaction mode before a database, with fewer connections than who uses it has."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    settings = server.folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n{name_of(url)} = host={server.folder} user=digest\n"
        f"[pgbouncer]\nunix_socket_dir = {server.folder}\nlisten_port = 6432\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 3\n"
    )
    process = server.beside(program, settings)
    try:
        end = monotonic() + LIMIT
        while not (server.folder / ".s.PGSQL.6432").exists():
            assert monotonic() < end, (server.folder / "log").read_text()
            sleep(0.05)
        yield DatabaseUrl(f"{url.url}&port=6432")
    finally:
        process.terminate()
        process.wait(LIMIT)


def name_of(url: DatabaseUrl) -> str:
    """The name of the database."""
    return url.url.partition("@/")[2].partition("?")[0]


@cache
def shared() -> Server:
    """The server of this test process."""
    started = running()
    server = started.__enter__()
    atexit.register(started.__exit__, None, None, None)
    return server


def database_of(folder: Path) -> DatabaseUrl:
    """The database of an installation in `folder`, which is made with the first call."""
    note = folder / "database"
    if not note.exists():
        folder.mkdir(exist_ok=True)
        note.write_text(shared().new_database().url)
    return DatabaseUrl(note.read_text())


KINDS = ("sqlite", "postgresql")
"""Of states, for tests of whole days."""


def state_of(kind: str, folder: Path) -> str:
    """What digest.toml has as `state`, for an installation in `folder`."""
    return database_of(folder).url if kind == "postgresql" else str(folder / "digest.db")


def take_back_databases() -> None:
    if shared.cache_info().currsize:
        shared().take_back()
