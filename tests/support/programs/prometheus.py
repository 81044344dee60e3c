"""Prometheus and promtool for the tests: `python -m tests.support.programs.prometheus` brings them. Starts no server.

They are Debian's package, kept unpacked in `.prometheus` of this checkout. What is on the PATH, or in the folder that
REDO_CONNECTOR_PROMETHEUS_BINDIR names, comes first.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from tests.support.programs import debian

PROGRAMS: Final = ("prometheus", "promtool")
_CACHE: Final = Path(__file__).parents[3] / ".prometheus"


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
    try:
        debian.unpack(["prometheus"], _CACHE)
    except debian.PackageMissing as error:
        step = "install Prometheus yourself and name its programs' folder in REDO_CONNECTOR_PROMETHEUS_BINDIR"
        raise PrometheusMissing(f"{error}: {step}") from None
    return _CACHE / "usr" / "bin"


def _in(folder: Path) -> bool:
    return all((folder / program).is_file() for program in PROGRAMS)


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{bindir()}\n")
    except PrometheusMissing as error:
        sys.exit(str(error))
