"""Prometheus and promtool for the tests: `python -m tests.support.programs.prometheus` brings them. Starts no server.

They are Debian's package, brought by apt, which checks it against the archive's signature; nothing is installed, and
no root is needed. It is kept unpacked in `.prometheus` of this checkout. What is on the PATH, or in the folder that
REDO_CONNECTOR_PROMETHEUS_BINDIR names, comes first.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

PROGRAMS: Final = ("prometheus", "promtool")
_CACHE: Final = Path(__file__).parents[3] / ".prometheus"
_PATIENCE: Final = 300.0


class PrometheusMissing(Exception):
    """It is not here, and can't be had. The message says what to do."""


def bindir() -> Path:
    """The folder with the programs, brought if need be. Raises PrometheusMissing."""
    named = os.environ.get("REDO_CONNECTOR_PROMETHEUS_BINDIR")
    if named:
        if not _in(Path(named)):
            raise PrometheusMissing(f"REDO_CONNECTOR_PROMETHEUS_BINDIR names {named}, which lacks one of {PROGRAMS}")
        return Path(named)
    on_path = {Path(found).parent for found in map(shutil.which, PROGRAMS) if found}
    for folder in (*on_path, _CACHE / "usr" / "bin"):
        if _in(folder):
            return folder
    return _fetch()


def _in(folder: Path) -> bool:
    return all((folder / program).is_file() for program in PROGRAMS)


def _fetch() -> Path:
    """Other test processes may do the same at the same time: whoever is first keeps what it brought."""
    missing = [program for program in ("apt-get", "dpkg-deb") if shutil.which(program) is None]
    if missing:
        raise PrometheusMissing(
            f"Prometheus comes as Debian's package, and there is no {missing[0]}: install Prometheus yourself and name "
            "its programs' folder in REDO_CONNECTOR_PROMETHEUS_BINDIR"
        )
    with tempfile.TemporaryDirectory(prefix="prometheus-", dir=_CACHE.parent) as scratch:
        unpacked = Path(scratch) / "unpacked"
        _run("dpkg-deb", "--extract", str(_download(Path(scratch))), str(unpacked))
        try:
            unpacked.rename(_CACHE)
        except OSError:
            if not _in(_CACHE / "usr" / "bin"):
                raise
    return _CACHE / "usr" / "bin"


def _download(into: Path) -> Path:
    """As the machine's package lists have it; where it has none (an image, root's alone), by lists of our own."""
    lists = into / "lists"
    (lists / "partial").mkdir(parents=True)
    own = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={into}", "-o", "APT::Sandbox::User="]
    try:
        _run("apt-get", *own[4:], "download", "prometheus", folder=into)
    except PrometheusMissing:
        _run("apt-get", *own, "update", folder=into)
        _run("apt-get", *own, "download", "prometheus", folder=into)
    return next(into.glob("prometheus_*.deb"))


def _run(*command: str, folder: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise PrometheusMissing(f"{command[0]} took more than {_PATIENCE:.0f} s") from None
    if done.returncode:
        raise PrometheusMissing(f"{' '.join(command)} failed:\n{done.stderr.strip()[-2000:]}")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{bindir()}\n")
    except PrometheusMissing as error:
        sys.exit(str(error))
