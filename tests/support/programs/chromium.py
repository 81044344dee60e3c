"""Chromium for the tests of the status page: Debian's.

`python -m tests.support.programs.chromium` installs it where it is missing. A browser that can't be had
is an error, never a skipped test.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_LOCK: Final = Path(tempfile.gettempdir()) / "redo-connector-chromium.lock"
_PATIENCE: Final = 300.0


class BrowserMissing(Exception):
    """There is no Chromium, and it can't be had. The message says what to do."""


def chromium() -> str:
    """The program's path: what REDO_CONNECTOR_CHROMIUM names, what is installed, or, for root on Debian,
    what apt brings. Raises BrowserMissing."""
    if found := _installed():
        return found
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers want it at the same time
        if not _installed():
            _install()
    if found := _installed():
        return found
    raise BrowserMissing("apt-get installed chromium, and it isn't on the PATH")


def _installed() -> str | None:
    named = os.environ.get("REDO_CONNECTOR_CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def _install() -> None:
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise BrowserMissing("install Chromium, or name one: REDO_CONNECTOR_CHROMIUM=/path/to/chrome make test")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        done = subprocess.run(
            [apt, "-qq", *command], env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        if done.returncode != 0:
            raise BrowserMissing(f"apt-get {command[0]} failed:\n{done.stderr.strip()[-2000:]}")


if __name__ == "__main__":
    print(chromium())  # noqa: T201 -- for the person who asked
