"""What keeps a checkpoint file one process's own: its locks, and whether it is still the file that was opened."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from connector.model.errors import CheckpointsUnwritable, ConfigurationError, Problem

_BESIDE: Final = ("", "-wal", "-shm")
"""The file, and what SQLite keeps beside it while it is open (https://www.sqlite.org/walformat.html)."""


def lock_of(path: Path) -> Path:
    """What whoever writes a checkpoint file locks. The same for all symbolic links to it."""
    return Path(f"{os.path.realpath(path)}-lock")


class FileInUse(ConfigurationError):
    """Another process has the file."""


class FileHold:
    """Two locks, until `release`. `<file>-lock` stays behind: unlinking it would let two processes lock two files. The
    file itself is locked, too, as it may have several names (hard links).

    flock doesn't touch the locks that SQLite takes by fcntl, but closing a descriptor of the file drops them: so it is
    opened before SQLite opens it, and closed after.
    """

    def __init__(self, path: Path) -> None:
        """Makes the file, of mode 0600, where there is none; SQLite gives -wal and -shm the mode of the file. Raises
        FileInUse, CheckpointsUnwritable."""
        self._path = path
        real = os.path.realpath(path)  # where SQLite puts what stands beside the file, by whatever name it is opened
        self._files = [f"{real}{ending}" for ending in _BESIDE]
        self._opened: list[tuple[int, int] | str] = []
        with ExitStack() as locks:
            for file in (lock_of(path), path):
                descriptor = private(file)
                locks.callback(os.close, descriptor)
                _lock(descriptor, path)
            self._locks = locks.pop_all()

    def opened(self) -> None:
        """SQLite has opened the file: from now on `verify` means these files."""
        self._opened = self._present()

    def verify(self) -> None:
        """Raises CheckpointsUnwritable when what is open is no longer what the path names: it would be gone with this
        process."""
        if self._present() != self._opened:
            raise CheckpointsUnwritable(
                f"checkpoint file {self._path}: it, its -wal or its -shm was removed or replaced while it is in use; "
                "nothing is acknowledged any more. Put them back where they were, and it goes on; or start the "
                "connector again: it takes what is there then, and compares every order"
            )

    def release(self) -> None:
        """Once SQLite has closed the file. A second call does nothing."""
        self._locks.close()

    def _present(self) -> list[tuple[int, int] | str]:
        return [_identity(file) for file in self._files]


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        problem = Problem(
            f"another redo-connector is using {path}",
            "stop that one first, or give this one a file of its own (and a slot of its own)",
            "checkpoints.url",
        )
        raise FileInUse([problem]) from error


def _identity(file: str) -> tuple[int, int] | str:
    try:
        found = os.stat(file)
    except OSError as error:
        return error.strerror or "unknown"
    return found.st_dev, found.st_ino


def private(path: Path) -> int:
    """A descriptor of the file, made for this user alone where there is none. Raises CheckpointsUnwritable."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        hint = "check the owner and mode of the file and its folder, and the space on the disk"
        raise CheckpointsUnwritable(f"checkpoint file {path}: {error.strerror}; {hint}") from error
