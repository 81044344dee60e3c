"""A throw-away Postgres server for the demo and the tests.

Knows initdb, the server's process and its settings. Must not know what the databases in it are for. Everything here
blocks: asynchronous code calls it through `asyncio.to_thread`.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Literal
from urllib.parse import quote, urlencode

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
_START_TIMEOUT: Final = 60.0
_SIGNALS: Final = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class PostgresFailed(ConnectorError):
    """initdb or the server failed. The message ends with the tail of its output."""


class Template:
    """A freshly initialised data folder, copied (0.1 s) where initdb would be run again (0.7 s).

    Must live at least as long as the clusters made from it.
    """

    def __init__(self, *, bindir: Path | None = None) -> None:
        """Find the programs (see `find_installation`) and run initdb. Raises PostgresMissing, PostgresFailed."""
        self._scratch = Scratch(Account.fit())
        try:
            self.installation = find_installation(bindir, self._scratch)
            self.data = _initdb(self.installation, self._scratch)
        except BaseException:  # an interrupt, too, must not leave a folder or a server
            self._scratch.remove()
            raise

    def destroy(self) -> None:
        self._scratch.remove()

    def __enter__(self) -> Template:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.destroy()


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
    def create(
        cls, *, bindir: Path | None = None, settings: Mapping[str, str] | None = None, template: Template | None = None
    ) -> Cluster:
        """Initialise and start a server; returns once it accepts connections.

        `settings` are added to SETTINGS (`{"fsync": "off"}` for tests). With a template its programs are used, and
        `bindir` must be left out. Raises PostgresMissing, PostgresFailed.
        """
        if template is not None and bindir is not None:
            raise ValueError("a template already says which programs to use")
        scratch = Scratch(Account.fit())
        try:
            if template is None:
                installation = find_installation(bindir, scratch)
                _initdb(installation, scratch)
            else:
                installation = template.installation
                shutil.copytree(template.data, scratch.path / "data")
                scratch.account.own(scratch.path / "data")
            cluster = cls(installation, scratch, {**SETTINGS, **(settings or {})})
            cluster._start_on_free_port()
        except BaseException:  # an interrupt, too, must not leave a folder or a server
            scratch.remove()
            raise
        return cluster

    @property
    def version(self) -> int:
        """The major version, 13 to 18."""
        return self.installation.version

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The postmaster's."""
        return self._process.pid if self._process is not None and self.running else None

    def dsn(self, dbname: str = "postgres", user: str = "postgres", **params: str) -> str:
        """A libpq URI; `params` are libpq's (`application_name="x"`)."""
        query = f"?{urlencode(params, quote_via=quote)}" if params else ""
        return f"postgresql://{quote(user, safe='')}@127.0.0.1:{self.port}/{quote(dbname, safe='')}{query}"

    def start(self) -> None:
        """Start the stopped server on the port it had. Raises PostgresFailed with the log's tail."""
        if self.running:
            return
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._launch(deadline):
            # After a SIGKILL the old server's children need a moment to notice, and write to the same log meanwhile.
            if "pre-existing shared memory block" not in self._since_launch() or time.monotonic() > deadline:
                raise PostgresFailed(f"the server did not start:\n{self.log_tail()}")
            time.sleep(0.1)

    def stop(self, mode: Literal["fast", "immediate"] = "fast", timeout: float = 30.0) -> None:
        """Stop the server and wait for its end.

        A fast stop waits for replication clients to take what is left; after `timeout` (s) it becomes an immediate one.
        """
        if self._process is None:
            return
        self._process.send_signal(_SIGNALS[mode])
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
        self._gone()

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """SIGKILL the postmaster, as the OOM killer would."""
        if self._process is not None:
            self._process.kill()
            self._gone()

    def destroy(self) -> None:
        """Stop at once and remove everything. Safe to call twice."""
        self.stop("immediate")
        self._scratch.remove()

    def log_tail(self, lines: int = 20) -> str:
        """The end of the server's log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
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
            if self._launch(time.monotonic() + _START_TIMEOUT):
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
                self.stop("immediate")
                raise PostgresFailed(f"the server was not ready in {_START_TIMEOUT:.0f} s:\n{self.log_tail()}")
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


def _initdb(installation: Installation, scratch: Scratch) -> Path:
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
