"""Programs that Debian packages, for the tests.

They are brought by apt, which checks them against the archive's signature, and unpacked; nothing is installed, and no
root is needed.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_PATIENCE: Final = 300.0


class PackageMissing(Exception):
    """It can't be had. The message says why."""


def unpack(packages: Sequence[str], folder: Path) -> None:
    """Their files, in a folder that isn't there yet. Other test processes may do the same at the same time: whoever is
    first keeps what it brought. Raises PackageMissing."""
    missing = [program for program in ("apt-get", "dpkg-deb") if shutil.which(program) is None]
    if missing:
        raise PackageMissing(f"{packages[0]} comes as Debian's package, and there is no {missing[0]}")
    with tempfile.TemporaryDirectory(prefix=f"{packages[0]}-", dir=folder.parent) as scratch:
        unpacked = Path(scratch) / "unpacked"
        for archive in _download(packages, Path(scratch)):
            _run("dpkg-deb", "--extract", str(archive), str(unpacked))
        try:
            unpacked.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise


def _download(packages: Sequence[str], into: Path) -> list[Path]:
    """As the machine's package lists have it; where it has none (an image, root's alone), by lists of our own."""
    lists = into / "lists"
    (lists / "partial").mkdir(parents=True)
    own = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={into}", "-o", "APT::Sandbox::User="]
    try:
        _run("apt-get", *own[4:], "download", *packages, folder=into)
    except PackageMissing:
        _run("apt-get", *own, "update", folder=into)
        _run("apt-get", *own, "download", *packages, folder=into)
    return sorted(into.glob("*.deb"))


def _run(*command: str, folder: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise PackageMissing(f"{command[0]} took more than {_PATIENCE:.0f} s") from None
    if done.returncode:
        raise PackageMissing(f"{' '.join(command)} failed:\n{done.stderr.strip()[-2000:]}")
