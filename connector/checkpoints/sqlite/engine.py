"""One SQLite connection: its transactions and durability, and what its errors mean."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import apsw
import orjson

from connector.checkpoints.engine import Durability, Engine, Session
from connector.checkpoints.sqlite.file_hold import FileHold
from connector.checkpoints.statements import Statement, statements
from connector.model.errors import CheckpointsUnwritable

T = TypeVar("T")

TEXT = "it holds text that is no UTF-8, or no JSON"
"""Of a damaged file, where SQLite itself finds nothing wrong."""
_HINTS: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.FullError, "the disk is full: free space there, a running connector goes on by itself"),
    (apsw.ReadOnlyError, "the file or its folder is read-only: make both writable for this user"),
    (apsw.PermissionsError, "this user may not use the file: check the owner and mode of it and its folder"),
    (apsw.CantOpenError, "it can't be opened: check that the folder exists and is writable for this user"),
    (apsw.BusyError, "another program keeps the file locked: end that program"),
    (apsw.SQLError, "an older version made it: start `redo-connector run` of this version, which upgrades it"),
    (apsw.IOError, "the disk fails or has no space left: check the disk, a running connector goes on by itself"),
)


def unwritable(path: Path, error: apsw.Error) -> CheckpointsUnwritable:
    """The same error for people: the file, what happened, what to do."""
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return damaged(path, str(error))
    hint = next((text for kind, text in _HINTS if isinstance(error, kind)), "see the message above")
    return CheckpointsUnwritable(f"checkpoint file {path}: {error} ({type(error).__name__}); {hint}")


def damaged(path: Path, why: str) -> CheckpointsUnwritable:
    """For people; `why` names tables and pages, no content."""
    words = "".join(sign if sign.isprintable() else " " for sign in why).split()
    return CheckpointsUnwritable(
        f"checkpoint file {path} is damaged: {' '.join(words)}; stop the connector, move the file away (with its -wal "
        "and -shm), or put back a copy from before the damage: the next start compares every order with what it finds"
    )


class SqliteSession(Session):
    """Statements on a connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self._statements = statements("sqlite")

    def run(self, name: str, /, **values: Any) -> None:
        statement = self._statements[name]
        self.connection.execute(statement.text, _bound(statement, values))

    def run_rows(self, name: str, rows: Iterable[Sequence[Any]], /) -> None:
        self.connection.executemany(self._statements[name].text, rows)

    def changed(self, name: str, /, **values: Any) -> int:
        self.run(name, **values)
        return self.connection.changes()

    def rows(self, name: str, /, **values: Any) -> list[Any]:
        statement = self._statements[name]
        return self.connection.execute(statement.text, _bound(statement, values)).fetchall()

    def rows_of(self, name: str, rows: Iterable[Sequence[Any]], /, **values: Any) -> Iterable[Any]:
        statement = self._statements[name]
        rest = _bound(statement, values)
        return self.connection.executemany(statement.text, ((*row, *rest) for row in rows))


def _bound(statement: Statement, values: dict[str, Any]) -> tuple[Any, ...]:
    """A list is one JSON text."""
    given = (values[name] for name in statement.parameters)
    return tuple(orjson.dumps(value).decode() if isinstance(value, list) else value for value in given)


class SqliteEngine(Engine):
    """`path` is None for memory: then no call waits for a thread. `hold`: the writer's, released after the connection
    is closed."""

    def __init__(self, connection: apsw.Connection, path: Path | None = None, hold: FileHold | None = None) -> None:
        super().__init__(f"checkpoint file {path}", str(path or "memory"), inline=path is None)
        self._session = SqliteSession(connection)
        self._path = path or Path(":memory:")
        self._hold = hold
        self._synchronous = ""

    def _guarded(self, work: Callable[[Session], T]) -> T:
        try:
            with self.heartbeat.working():
                self._verify()
                return work(self._session)
        except apsw.Error as error:
            raise unwritable(self._path, error) from error
        except (UnicodeDecodeError, orjson.JSONDecodeError) as error:  # what was written is UTF-8 and JSON
            raise damaged(self._path, TEXT) from error

    def _transact(self, session: Session, work: Callable[[Session], T], durability: Durability) -> T:
        durable = durability in (Durability.SYNCED, Durability.SYNCED_IF_WRITTEN)
        # FULL syncs the WAL at each commit, NORMAL only at a checkpoint; both survive a kill.
        # https://www.sqlite.org/pragma.html#pragma_synchronous
        synchronous = "FULL" if durable else "NORMAL"
        if synchronous != self._synchronous:
            self._session.connection.execute(f"PRAGMA synchronous = {synchronous}")
            self._synchronous = synchronous
        with transaction(self._session.connection):
            result = work(session)
            self._verify()
        return result

    def _verify(self) -> None:
        """Where the file was removed or replaced, nothing may be believed to be kept."""
        if self._hold is not None:
            self._hold.verify()

    def _let_go(self) -> None:
        """Write the WAL into the file, let go of the locks."""
        hold, self._hold = self._hold, None
        try:
            # Where that fails (a full disk) nothing is lost: the WAL stays beside the file, and the next opening reads
            # it.
            with contextlib.suppress(apsw.Error):
                if hold is not None:
                    self._session.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._session.connection.close()
        except apsw.Error as error:
            raise unwritable(self._path, error) from error
        finally:
            if hold is not None:
                hold.release()


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """BEGIN to COMMIT, or ROLLBACK when anything fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:  # whatever it was, half a transaction must not stay open
        # SQLite has rolled back by itself after some errors: https://www.sqlite.org/lang_transaction.html
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
