"""The checkpoint file on the disk: made private, locked for one process, opened in WAL mode."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import apsw

from connector.checkpoints.sqlite.engine import unwritable
from connector.checkpoints.sqlite.migrations import migrate, not_ours, refuse_foreign
from connector.model.errors import CheckpointsUnwritable, ConfigurationError, Problem

_SETTING = "checkpoints.url"


def open_memory() -> apsw.Connection:
    """An empty store that nothing outlives."""
    connection = apsw.Connection(":memory:")
    migrate(connection, Path(":memory:"))
    return connection


def open_writer(path: Path) -> tuple[apsw.Connection, int]:
    """The migrated file, and the descriptor that holds its lock until closed.

    Raises ConfigurationError when the folder is missing, the file isn't ours, or another process has it open, and
    CheckpointsUnwritable when the disk or its permissions refuse.
    """
    if not path.parent.is_dir():
        raise ConfigurationError([Problem(f"the folder {path.parent} does not exist", "create it", _SETTING)])
    lock = _lock(path)
    try:
        os.close(_private(path))
        return _connect(path), lock
    except BaseException:  # whatever it was, nobody else could open the file until we end
        os.close(lock)
        raise


def open_reader(path: Path) -> apsw.Connection:
    """The file read-only, beside a running writer or without. Raises ConfigurationError, CheckpointsUnwritable."""
    if not path.is_file():
        hint = "start `redo-connector run` once, it makes the file"
        raise ConfigurationError([Problem(f"there is no checkpoint file {path}", hint, _SETTING)])
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(5_000)
        connection.pragma("temp_store", "memory")
        version = refuse_foreign(connection, path)
    except apsw.NotADBError as error:
        raise ConfigurationError([not_ours(path)]) from error
    except apsw.Error as error:
        raise unwritable(path, error) from error
    if version == 0:
        connection.close()
        raise ConfigurationError([Problem(f"{path} is empty", "start `redo-connector run` once", _SETTING)])
    return connection


def _connect(path: Path) -> apsw.Connection:
    try:
        connection = apsw.Connection(str(path))
    except apsw.Error as error:
        raise unwritable(path, error) from error
    try:
        connection.set_busy_timeout(5_000)
        refuse_foreign(connection, path)  # before anything of it is changed, its mode included
        path.chmod(0o600)
        connection.pragma("journal_mode", "wal")
        connection.pragma("fullfsync", True)  # without it, macOS leaves a commit in the drive's cache
        connection.pragma("wal_autocheckpoint", 4_000)  # 16 MB: fewer pauses than the default's 4 MB
        connection.pragma("cache_size", -16_000)  # KiB
        connection.pragma("temp_store", "memory")
        migrate(connection, path)
    except BaseException as error:
        connection.close()
        if isinstance(error, apsw.NotADBError):
            raise ConfigurationError([not_ours(path)]) from error
        if isinstance(error, apsw.Error):
            raise unwritable(path, error) from error
        raise
    return connection


def _private(path: Path) -> int:
    """Open the file, made with mode 0600 when there is none. SQLite gives its -wal and -shm the mode of the file."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        hint = "check the owner and mode of the file and its folder, and the space on the disk"
        raise CheckpointsUnwritable(f"checkpoint file {path}: {error.strerror}; {hint}") from error


def _lock(path: Path) -> int:
    """Lock `<file>-lock`, which stays behind: unlinking it would let two processes lock two files.

    The lock is not on the file itself, because closing any descriptor of it would drop SQLite's own locks.
    """
    descriptor = _private(path.with_name(path.name + "-lock"))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        problem = Problem(
            f"another redo-connector is using {path}",
            "stop that one first, or give this one a file of its own (and a slot of its own)",
            _SETTING,
        )
        raise ConfigurationError([problem]) from error
    return descriptor
