"""A PostgreSQL cluster for the tests: in a temporary folder, on a Unix socket, stopped at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pg8000.native

DEBIAN = Path("/usr/lib/postgresql")
USER = "enclaves"


def binaries() -> Path | None:
    """Return the folder with ``initdb`` and ``pg_ctl``: Debian's newest, or that on PATH."""
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def _account() -> dict[str, object]:
    """The server refuses to run as root: it then runs as the user ``postgres``, or ``nobody``."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("no unprivileged user to run PostgreSQL as")


class Cluster:
    """A running server."""

    def __init__(self, folder: Path, tools: Path, account: dict[str, object]) -> None:
        self._data = folder / "data"
        self._sockets = folder / "run"
        self._tools = tools
        self._account = account

    def start(self) -> None:
        options = (
            f"-c listen_addresses='' -c unix_socket_directories={self._sockets} -c fsync=off "
            "-c shared_buffers=16MB -c max_connections=40"
        )
        self._run(
            "pg_ctl", "-D", self._data, "-w", "-l", self._data / "log", "-o", options, "start"
        )

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def emptied(self) -> str:
        """Remove the store in the one database that tests share, and return its URL."""
        self.sql("postgres", "DROP SCHEMA IF EXISTS xmtp_tee CASCADE")
        return self.url("postgres")

    def database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"store_{uuid.uuid4().hex}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql:///{name}?host={self._sockets}&user={USER}"

    def connect(self, database: str) -> pg8000.native.Connection:
        """Connect to a database, by name or URL, as its owner, the host."""
        name = database.removeprefix("postgresql:///").partition("?")[0]
        return pg8000.native.Connection(
            USER, database=name, unix_sock=f"{self._sockets}/.s.PGSQL.5432"
        )

    def sql(self, database: str, statement: str) -> None:
        """Run one statement."""
        connection = self.connect(database)
        try:
            connection.run(statement)
        finally:
            connection.close()

    def _run(self, tool: str, *arguments: object) -> None:
        done = subprocess.run(
            [self._tools / tool, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            timeout=60,
            check=False,
            **self._account,  # type: ignore[arg-type]
        )
        if done.returncode:
            raise RuntimeError(f"{tool}: {done.stderr}")


@contextmanager
def running_cluster() -> Iterator[Cluster | None]:
    """Start a cluster and stop it at the end; None where PostgreSQL is not installed."""
    tools = binaries()
    if tools is None:
        yield None
        return
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="xt-pg-", dir="/tmp"))
    try:
        if account:
            os.chown(folder, int(str(account["user"])), int(str(account["group"])))
        cluster = Cluster(folder, tools, account)
        cluster._run(
            "initdb", "-D", folder / "data", "-U", USER, "-A", "trust", "--no-sync", "-E", "UTF8",
            "--no-locale", "--no-instructions",
        )  # fmt: skip
        (folder / "run").mkdir()
        (folder / "run").chmod(0o777)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
