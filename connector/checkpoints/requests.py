"""The inbox: what a command asks of a connector, in a small SQLite file beside the checkpoint file.

Works with and without a running connector; who may write the file may ask. Synchronous, one short transaction a call.
It must not know what a verb means.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

import apsw

from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.thread import transaction
from connector.model.errors import CheckpointsUnwritable, ConfigurationError, Problem

KEPT_FOR: Final = 7 * 86_400.0
"""Seconds that a finished request is remembered."""

_SUFFIX: Final = ".requests"
_APPLICATION_ID: Final = 0x52455144
"""`REQD`: https://www.sqlite.org/pragma.html#pragma_application_id"""
_VERSION: Final = 1
_SCHEMA: Final = f"""
CREATE TABLE request (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  verb        TEXT NOT NULL,
  arguments   TEXT NOT NULL,
  asked_at    REAL NOT NULL,
  state       TEXT NOT NULL DEFAULT 'waiting',
  done        INTEGER NOT NULL DEFAULT 0,
  total       INTEGER,
  message     TEXT NOT NULL DEFAULT '',
  finished_at REAL
);
CREATE INDEX request_open ON request (state, number) WHERE finished_at IS NULL;
PRAGMA user_version = {_VERSION};
PRAGMA application_id = {_APPLICATION_ID};
"""
_COLUMNS: Final = "number, verb, arguments, asked_at, state, done, total, message, finished_at"
_READ: Final = f"SELECT {_COLUMNS} FROM request WHERE number = ?"  # noqa: S608 (constants)
_TAKE: Final = f"""
UPDATE request SET state = 'running' WHERE number = (
  SELECT min(number) FROM request WHERE state = 'waiting' AND finished_at IS NULL
) RETURNING {_COLUMNS}
"""  # noqa: S608 (constants)
_WAITING: Final = "SELECT EXISTS (SELECT 1 FROM request WHERE state = 'waiting' AND finished_at IS NULL)"


class RequestState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Request:
    """One thing asked of the connector. `done` of `total` orders (None: unknown) were dealt with; `message` says what
    came of it. Times are seconds since 1970."""

    number: int
    verb: str
    arguments: Mapping[str, Any]
    asked_at: float
    state: RequestState
    done: int = 0
    total: int | None = None
    message: str = ""
    finished_at: float | None = None

    @property
    def finished(self) -> bool:
        return self.finished_at is not None


class Inbox(Protocol):
    """What commands ask of a connector. Synchronous, one short transaction a call; may be used from several threads.
    All raise ConfigurationError and CheckpointsUnwritable."""

    def ask(self, verb: str, arguments: Mapping[str, Any], now: float) -> int:
        """Leave a request, durably; its number."""
        ...

    def get(self, number: int) -> Request | None: ...

    def waiting(self) -> bool:
        """Whether `next` would find something; may be asked several times a second."""
        ...

    def next(self) -> Request | None:
        """The oldest that waits; it is running from now on."""
        ...

    def progress(self, number: int, done: int, total: int | None) -> None: ...

    def finish(self, number: int, ok: bool, message: str) -> None: ...

    def recover(self) -> None:
        """At a connector's start: what a former one had begun waits again. Every verb may be carried out twice."""
        ...

    def close(self) -> None: ...


class Requests:
    """The inbox at a path. The file is made by the first `ask`; without one there are no requests.

    May be used from several threads. Every method raises CheckpointsUnwritable when the disk or its permissions
    refuse, and ConfigurationError when the folder is missing or the file is not an inbox of ours.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._mutex = threading.Lock()
        self._connection: apsw.Connection | None = None
        self._inode: tuple[int, int] | None = None

    def ask(self, verb: str, arguments: Mapping[str, Any], now: float) -> int:
        """Leave a request, durably; its number."""
        row = (verb, json.dumps(dict(arguments)), now)
        with self._opened(make=True) as connection, transaction(connection):
            connection.execute("DELETE FROM request WHERE finished_at < ?", (now - KEPT_FOR,))
            connection.execute("INSERT INTO request (verb, arguments, asked_at) VALUES (?, ?, ?)", row)
            return int(connection.last_insert_rowid())

    def get(self, number: int) -> Request | None:
        with self._opened() as connection:
            row = connection and connection.execute(_READ, (number,)).fetchone()
            return request_of(row) if row else None

    def waiting(self) -> bool:
        """Whether `next` would find something. About 10 us, so that it may be asked several times a second."""
        with self._opened() as connection:
            return bool(connection and connection.execute(_WAITING).get)

    def next(self) -> Request | None:
        """The oldest that waits; it is running from now on."""
        with self._opened() as connection:
            if connection is None:
                return None
            with transaction(connection):
                row = connection.execute(_TAKE).fetchone()
            return request_of(row) if row else None

    def progress(self, number: int, done: int, total: int | None) -> None:
        """One synced commit: not for each order."""
        self._write("UPDATE request SET done = ?, total = ? WHERE number = ?", (done, total, number))

    def finish(self, number: int, ok: bool, message: str) -> None:
        state = RequestState.DONE if ok else RequestState.FAILED
        change = "UPDATE request SET state = ?, message = ?, finished_at = ? WHERE number = ?"
        self._write(change, (state.value, message, self._clock(), number))

    def recover(self) -> None:
        """At a connector's start: what a former one had begun waits again. Every verb may be carried out twice."""
        self._write("UPDATE request SET state = 'waiting', done = 0, total = NULL WHERE state = 'running'", ())
        self._write("DELETE FROM request WHERE finished_at < ?", (self._clock() - KEPT_FOR,))

    def close(self) -> None:
        """The next call opens the file again."""
        with self._mutex:
            self._let_go()

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        with self._opened() as connection:
            if connection is not None:
                with transaction(connection):
                    connection.execute(statement, values)

    @contextmanager
    def _opened(self, *, make: bool = False) -> Iterator[Any]:
        """The connection; None when there is no file."""
        with self._mutex:
            try:
                yield self._current(make)
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

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def requests_path(url: str) -> Path:
    """Where the inbox of the connector with this store is. Raises ConfigurationError for a store without a file."""
    address = Address(url)
    if address.in_memory:
        what = "a connector whose store is in memory can't be asked for anything"
        raise ConfigurationError([Problem(what, "give it a file: sqlite:///connector.db", SETTING)])
    path = address.path
    return path.with_name(path.name + _SUFFIX)


def is_running(url: str) -> bool:
    """Whether a process holds the checkpoint file's lock. Raises ConfigurationError, CheckpointsUnwritable."""
    inbox = requests_path(url)
    path = inbox.with_name(inbox.name.removesuffix(_SUFFIX) + "-lock")
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
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
        if not (version or owner or tables):
            connection.execute(_SCHEMA)
        elif owner != _APPLICATION_ID or version != _VERSION:
            what = f"{path} was not made by this version of redo-connector"
            hint = "move it away: the file holds requests only, nothing of an order"
            raise ConfigurationError([Problem(what, hint, SETTING)])


def request_of(row: tuple[Any, ...]) -> Request:
    """Of all columns, in their order."""
    number, verb, arguments, asked_at, state, *rest = row
    return Request(number, verb, json.loads(arguments), asked_at, RequestState(state), *rest)


def _unusable(path: Path, error: apsw.Error | OSError) -> CheckpointsUnwritable:
    words = error.strerror if isinstance(error, OSError) else f"{error} ({type(error).__name__})"
    hint = "run this as the user that the connector runs as; check the file's owner and mode, and the space on the disk"
    return CheckpointsUnwritable(f"{path}: {words}; {hint}")
