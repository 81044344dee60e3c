"""A throw-away folder for a Postgres cluster: whose it is, and that it goes away with this process.

Knows accounts, folders and one watchdog process; nothing about Postgres but that its server's pid stands in a file.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# Blocks on a pipe that only our process holds. A word means "not needed any more"; end of file means that we died,
# even by SIGKILL: then the server is stopped, and the folder removed once it is gone (10 s at most, a zombie that
# nobody reaps still answers `kill -0`).
_WATCHDOG = """
read -r word && exit 0
if pid=$(cat "$1/pid" 2>/dev/null); then
  kill -QUIT "$pid"
  tries=0
  while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
fi
rm -rf -- "$1"
"""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as. `uid` is None when that is simply us."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def fit(cls) -> Account:
        """Postgres refuses to run as root: then an existing account without privileges, `postgres` or `nobody`."""
        if os.geteuid() != 0:
            return cls()
        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid)
        raise RuntimeError("Postgres refuses to run as root, and there is neither an account postgres nor nobody")

    def popen(self, command: Sequence[str | Path], cwd: Path, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
        """Start a command as this account, with none of our environment (PGPORT and friends would change settings)."""
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C in our terminal is not for the server
            **self._switch(),
        )

    def run(self, command: Sequence[str | Path], cwd: Path) -> tuple[int, str]:
        """Run a command to its end: exit code and output. Raises PermissionError when the account can't execute it."""
        with self.popen(command, cwd, subprocess.PIPE) as process:
            output, _ = process.communicate()
            return process.returncode, output.decode(errors="replace")

    def own(self, path: Path) -> None:
        """Give a path, and everything below it, to the account."""
        if self.uid is None or self.gid is None:
            return
        os.chown(path, self.uid, self.gid)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(os.path.join(folder, name), self.uid, self.gid, follow_symlinks=False)

    def _switch(self) -> dict[str, Any]:
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}


class Scratch:
    """A fresh folder directly under the system's temp folder, which the account can reach.

    It is removed by `remove()` or, when this process dies in whatever way, by a watchdog. The pid of a server that
    must not outlive it is announced with `guard(pid)` and taken back with `guard(None)`.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.path = Path(tempfile.mkdtemp(prefix="redo-connector-postgres-"))
        if account.uid is not None:
            self.path.chmod(0o711)
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def guard(self, pid: int | None) -> None:
        """Write the server's pid into the folder, or take it back."""
        if pid is None:
            (self.path / "pid").unlink(missing_ok=True)
        else:
            (self.path / "pid").write_text(str(pid))

    def remove(self) -> None:
        """Send the watchdog home and remove the folder. Safe to call twice."""
        if self._watchdog.returncode is None:
            self._watchdog.communicate(b"done\n")
        shutil.rmtree(self.path, ignore_errors=True)
