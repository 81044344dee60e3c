"""The inbox of a connector whose store is a file: a small SQLite file beside it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

import apsw

from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.requests import InboxPlace
from connector.checkpoints.sqlite.engine import SqliteSession, transaction
from connector.checkpoints.sqlite.file_hold import lock_of
from connector.checkpoints.statements import tables
from connector.model.errors import CheckpointsUnwritable, ConfigurationError, Problem

_SUFFIX: Final = ".requests"
_APPLICATION_ID: Final = 0x52455144
"""`REQD`: https://www.sqlite.org/pragma.html#pragma_application_id"""
_VERSION: Final = 1


class InboxFile(InboxPlace):
    """At a path. Raises CheckpointsUnwritable when the disk or its permissions
    refuse, and ConfigurationError when the folder is missing or the file is not an inbox of ours."""

    _connection: apsw.Connection | None

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._inode: tuple[int, int] | None = None

    @contextmanager
    def opened(self, *, make: bool = False, write: bool = True) -> Iterator[SqliteSession | None]:
        with self._mutex:
            try:
                connection = self._current(make)
                with nullcontext() if connection is None or not write else transaction(connection):
                    yield None if connection is None else SqliteSession(connection)
            except (apsw.Error, OSError) as error:
                self._let_go()
                raise _unusable(self._path, error) from error

    def _current(self, make: bool) -> apsw.Connection | None:
        """Opened anew where someone moved the file away since: else what is asked in a new one would never be seen."""
        try:
            found = self._path.stat()
            inode = (found.st_dev, found.st_ino)
        except FileNotFoundError:
            inode = None
        if self._connection is not None and inode == self._inode:
            return self._connection
        self._let_go()
        if inode is None and not make:
            return None
        if inode is None:
            _make_private(self._path)
        connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            _prepare(connection, self._path)
        except BaseException:  # whatever it was, an open file would be left
            connection.close()
            raise
        made = self._path.stat()
        self._connection, self._inode = connection, (made.st_dev, made.st_ino)
        return connection


def requests_path(url: str) -> Path:
    """Where the inbox of the connector with this store is, whichever symbolic link the URL names. Raises
    ConfigurationError for a store without a file."""
    address = Address(url)
    if address.in_memory:
        what = "a connector whose store is in memory can't be asked for anything"
        raise ConfigurationError([Problem(what, "give it a file: sqlite:///connector.db", SETTING)])
    return Path(f"{os.path.realpath(address.path)}{_SUFFIX}")


def is_running(url: str) -> bool:
    """Whether a process holds the checkpoint file's lock. Raises ConfigurationError, CheckpointsUnwritable."""
    path = lock_of(Path(str(requests_path(url)).removesuffix(_SUFFIX)))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        # Shared, and for a moment only: two commands that look at once don't take each other for a connector.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        raise _unusable(path, error) from error
    finally:
        os.close(descriptor)
    return False


def _make_private(path: Path) -> None:
    """The file with mode 0600, of the checkpoint file's owner: what root asks for, the connector's user must read."""
    if not path.parent.is_dir():
        raise ConfigurationError([Problem(f"the folder {path.parent} does not exist", "create it", SETTING)])
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    try:
        store = path.with_name(path.name.removesuffix(_SUFFIX))
        if os.geteuid() == 0 and store.exists():
            owner = store.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)


def _prepare(connection: apsw.Connection, path: Path) -> None:
    connection.set_busy_timeout(5_000)
    with transaction(connection):
        version, owner = connection.pragma("user_version"), connection.pragma("application_id")
        made = connection.execute("SELECT count(*) FROM sqlite_schema").get
        if not (version or owner or made):
            connection.execute(tables("requests.sql", "sqlite"))
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        elif owner != _APPLICATION_ID or version != _VERSION:
            what = f"{path} was not made by this version of redo-connector"
            hint = "move it away: the file holds requests only, nothing of an order"
            raise ConfigurationError([Problem(what, hint, SETTING)])


def _unusable(path: Path, error: apsw.Error | OSError) -> CheckpointsUnwritable:
    words = error.strerror if isinstance(error, OSError) else f"{error} ({type(error).__name__})"
    hint = "run this as the user that the connector runs as; check the file's owner and mode, and the space on the disk"
    return CheckpointsUnwritable(f"{path}: {words}; {hint}")
