"""The checkpoint file on the disk: made private, locked for one process, opened in WAL mode."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Final

import apsw

from connector.checkpoints.engine import NoStore
from connector.checkpoints.sqlite.engine import unwritable
from connector.checkpoints.sqlite.file_hold import FileHold
from connector.checkpoints.sqlite.file_system import network_file_system
from connector.checkpoints.sqlite.integrity import AT_START, BY_CHECK, refuse_damaged
from connector.checkpoints.sqlite.migrations import migrate, newest, not_ours, refuse_foreign
from connector.model.errors import ConfigurationError, Problem

_SETTING: Final = "checkpoints.url"


def open_memory() -> apsw.Connection:
    """An empty store that nothing outlives."""
    connection = _opened(":memory:")
    migrate(connection, Path(":memory:"))
    return connection


def open_writer(path: Path) -> tuple[apsw.Connection, FileHold]:
    """The migrated file, and what holds it for this process.

    Raises ConfigurationError when the folder is missing, the file isn't ours, or another process has it open, and
    CheckpointsUnwritable when the disk or its permissions refuse, or the file is damaged.
    """
    refuse_place(path)
    hold = FileHold(path)
    return open_held(path, hold), hold


def open_held(path: Path, hold: FileHold) -> apsw.Connection:
    """The same, of a file that is held, which it no longer is when this raises."""
    with ExitStack() as failed:
        failed.callback(hold.release)
        connection = _connect(path)
        hold.opened()
        failed.pop_all()
    return connection


def refuse_place(path: Path) -> None:
    """Raises ConfigurationError where no checkpoint file can be."""
    if not path.parent.is_dir():
        raise ConfigurationError([Problem(f"the folder {path.parent} does not exist", "create it", _SETTING)])
    kind = network_file_system(path.parent)
    if kind is not None:
        what = f"the folder {path.parent} is on a network file system ({kind}), whose locks let two processes write"
        hint = "name a folder on a local disk; or keep checkpoints in Postgres, which several machines may share"
        raise ConfigurationError([Problem(what, hint, _SETTING)])


def open_reader(path: Path, *, check: bool = False) -> apsw.Connection:
    """The file read-only, beside a running writer or without. `check`: that it is whole, too. Raises
    NoStore, ConfigurationError, CheckpointsUnwritable."""
    if not path.is_file():
        hint = "start `redo-connector run` once, it makes the file"
        raise NoStore([Problem(f"there is no checkpoint file {path}", hint, _SETTING)])
    try:
        connection = _opened(str(path), apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(5_000)
        connection.pragma("temp_store", "memory")
        version = refuse_foreign(connection, path)
        if check and version == newest():
            refuse_damaged(connection, path, open_memory(), BY_CHECK)
    except apsw.NotADBError as error:
        raise ConfigurationError([not_ours(path)]) from error
    except apsw.Error as error:
        raise unwritable(path, error) from error
    if version == 0:
        connection.close()
        raise NoStore([Problem(f"{path} is empty", "start `redo-connector run` once", _SETTING)])
    return connection


def _opened(name: str, flags: int = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE) -> apsw.Connection:
    """A plan doesn't depend on the values of parameters: else a statement is planned anew whenever they change, which
    takes most of its time (https://www.sqlite.org/queryplanner-ng.html#qpstab)."""
    connection = apsw.Connection(name, flags=flags)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    return connection


def _connect(path: Path) -> apsw.Connection:
    try:
        connection = _opened(str(path))
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
        refuse_damaged(connection, path, open_memory(), AT_START)
    except BaseException as error:
        connection.close()
        if isinstance(error, apsw.NotADBError):
            raise ConfigurationError([not_ours(path)]) from error
        if isinstance(error, apsw.Error):
            raise unwritable(path, error) from error
        raise
    return connection
