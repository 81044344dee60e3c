"""A throw-away Postgres server for the demo.

Knows initdb, the server's process and its settings. Must not know what the databases in it are for. Everything here
blocks: asynchronous code calls it through `asyncio.to_thread`.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from connector.demo.postgres.binaries import Installation, find_installation
from connector.demo.postgres.scratch import Account, Scratch
from connector.model.errors import ConnectorError

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "shared_buffers": "32MB",
}
"""What every cluster starts with, in postgresql.conf, so that ALTER SYSTEM still beats it."""

_PORT_TRIES: Final = 5
START_TIMEOUT: Final = 60.0


class PostgresFailed(ConnectorError):
    """initdb or the server failed. The message ends with the tail of its output."""


class Cluster:
    """One running server on 127.0.0.1, superuser `postgres`, no password. Use as a context manager."""

    def __init__(self, installation: Installation, scratch: Scratch, settings: Mapping[str, str]) -> None:
        """Made by `create`."""
        self.installation = installation
        self.data = scratch.path / "data"
        self.log = scratch.path / "server.log"
        self.port = 0
        self._scratch = scratch
        self._settings = dict(settings)
        self._process: subprocess.Popen[bytes] | None = None
        self._launched_at = 0  # bytes of the log before the last launch

    @classmethod
    def create(cls) -> Self:
        """Initialise and start a server; returns once it accepts connections. Raises PostgresMissing,
        PostgresFailed."""
        scratch = Scratch(Account.fit())
        try:
            installation = find_installation(None, scratch)
            initdb(installation, scratch)
            cluster = cls(installation, scratch, SETTINGS)
            cluster._start_on_free_port()
        except BaseException:  # an interrupt, too, must not leave a folder or a server
            scratch.remove()
            raise
        return cluster

    def dsn(self, dbname: str = "postgres", user: str = "postgres") -> str:
        """A libpq URI."""
        return f"postgresql://{quote(user, safe='')}@127.0.0.1:{self.port}/{quote(dbname, safe='')}"

    def destroy(self) -> None:
        """Stop at once and remove everything. Safe to call twice."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._gone()
        self._scratch.remove()

    def log_tail(self, lines: int = 20) -> str:
        """The end of the server's log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()

    def _gone(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None
            self._scratch.guard(None)

    def _start_on_free_port(self) -> None:
        """A port is free when we look and may be taken when the server binds it: then take another."""
        for _ in range(_PORT_TRIES):
            self.port = _free_port()
            lines = [f"{name} = '{value}'\n" for name, value in (*self._settings.items(), ("port", str(self.port)))]
            with (self.data / "postgresql.conf").open("a") as conf:
                conf.writelines(lines)
            if self._launch(time.monotonic() + START_TIMEOUT):
                return
            if "could not create any TCP/IP sockets" not in self._since_launch():
                break
        raise PostgresFailed(f"the server did not start:\n{self.log_tail()}")

    def _launch(self, deadline: float) -> bool:
        """Start the process and wait until it is ready (True) or gone (False)."""
        with self.log.open("ab") as log:
            self._launched_at = log.tell()
            program = self.installation.bindir / "postgres"
            process = self._scratch.account.popen([program, "-D", self.data], self._scratch.path, log)
        self._process = process
        self._scratch.guard(process.pid)
        while process.poll() is None:
            if self._ready(process.pid):
                return True
            if time.monotonic() > deadline:
                self._process.send_signal(signal.SIGQUIT)
                self._gone()
                raise PostgresFailed(f"the server was not ready in {START_TIMEOUT:.0f} s:\n{self.log_tail()}")
            time.sleep(0.02)
        self._gone()
        return False

    def _since_launch(self) -> str:
        """What was written to the log since the last launch, by whichever process."""
        with self.log.open("rb") as log:
            log.seek(self._launched_at)
            return log.read().decode(errors="replace")

    def _ready(self, pid: int) -> bool:
        """As `pg_ctl -w` does: the server writes its state into the eighth line of postmaster.pid."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def initdb(installation: Installation, scratch: Scratch) -> Path:
    """Make the data folder. Raises PostgresFailed."""
    data = scratch.path / "data"
    data.mkdir(mode=0o700)
    scratch.account.own(data)
    output = ""
    for locale in ("C.UTF-8", "C"):  # not every libc has the first
        choices = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", f"--locale={locale}")
        code, output = scratch.account.run([installation.bindir / "initdb", "-D", data, *choices], scratch.path)
        if code == 0:
            return data
    raise PostgresFailed(f"initdb failed:\n{output[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
