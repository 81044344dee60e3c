"""The connector as earlier commits made it, out of git's history, to be run by this checkout's interpreter."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from connector.checkpoints.postgres.migrations import newest

_ROOT: Final = Path(__file__).parents[3]
_STANDBY: Final = "connector/daemon/leadership/standby.py"


class NoHistory(Exception):
    """There is no such commit here: an sdist, or a shallow clone. The message says which."""


def previous() -> str:
    """The commit before this one. Raises NoHistory."""
    return _git("rev-parse", "--verify", "HEAD^1").decode().strip()


def with_older_schema() -> str:
    """The last commit that knows of standbys, and whose checkpoint schema was of an older version. Raises NoHistory."""
    upgrade = f"connector/checkpoints/sql/upgrade_{newest()}.sql"
    commits = _git("rev-list", "HEAD").decode().split()
    asked = "".join(f"{commit}:{path}\n" for commit in commits for path in (upgrade, _STANDBY))
    answers = _git("cat-file", "--batch-check", given=asked).decode().splitlines()
    for commit, upgraded, waits in zip(commits, answers[::2], answers[1::2], strict=True):
        if upgraded.endswith(" missing") and not waits.endswith(" missing"):
            return commit
    raise NoHistory(f"of the {len(commits)} commits here none has a checkpoint schema before version {newest()}")


def build(commit: str, folder: Path) -> Path:
    """The packages of this commit, for PYTHONPATH. Raises NoHistory."""
    made = folder / commit
    if not made.exists():
        with tarfile.open(fileobj=io.BytesIO(_git("archive", commit, "connector"))) as archive:
            archive.extractall(made, filter="data")
    return made


def _git(*arguments: str, given: str = "") -> bytes:
    if shutil.which("git") is None:
        raise NoHistory("there is no git on this machine")
    done = subprocess.run(["git", *arguments], cwd=_ROOT, input=given.encode(), capture_output=True, check=False)
    if done.returncode:
        raise NoHistory(f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
