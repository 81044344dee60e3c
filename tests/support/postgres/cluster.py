"""A throw-away server that tests stop, kill and start again, made from a data folder that was initialised once."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import quote, urlencode

from connector.demo.postgres.binaries import find_installation
from connector.demo.postgres.cluster import SETTINGS, START_TIMEOUT, PostgresFailed, initdb
from connector.demo.postgres.cluster import Cluster as DemoCluster
from connector.demo.postgres.scratch import Account, Scratch

_SIGNALS: Final = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class Template:
    """A freshly initialised data folder, copied (0.1 s) where initdb would be run again (0.7 s).

    Must live at least as long as the clusters made from it.
    """

    def __init__(self, *, bindir: Path | None = None) -> None:
        """Find the programs (see `find_installation`) and run initdb. Raises PostgresMissing, PostgresFailed."""
        self._scratch = Scratch(Account.fit())
        try:
            self.installation = find_installation(bindir, self._scratch)
            self.data = initdb(self.installation, self._scratch)
        except BaseException:  # an interrupt, too, must not leave a folder or a server
            self._scratch.remove()
            raise

    def destroy(self) -> None:
        self._scratch.remove()

    def __enter__(self) -> Template:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.destroy()


class Cluster(DemoCluster):
    """The demo's server, with what tests do to it."""

    @classmethod
    def create(
        cls, *, bindir: Path | None = None, settings: Mapping[str, str] | None = None, template: Template | None = None
    ) -> Self:
        """Initialise and start a server; returns once it accepts connections.

        `settings` are added to SETTINGS (`{"fsync": "off"}`). With a template its programs are used, and `bindir` must
        be left out. Raises PostgresMissing, PostgresFailed.
        """
        if template is not None and bindir is not None:
            raise ValueError("a template already says which programs to use")
        scratch = Scratch(Account.fit())
        try:
            if template is None:
                installation = find_installation(bindir, scratch)
                initdb(installation, scratch)
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
        return super().dsn(dbname, user) + query

    def start(self) -> None:
        """Start the stopped server on the port it had. Raises PostgresFailed with the log's tail."""
        if self.running:
            return
        deadline = time.monotonic() + START_TIMEOUT
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
