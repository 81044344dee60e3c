"""One thread that owns one SQLite connection, and what its errors mean.

It knows transactions and durability; it must not know any table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import apsw

from connector.model.errors import CheckpointsUnwritable
from connector.pipeline.heartbeat import Heartbeat

T = TypeVar("T")

_HINTS: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.FullError, "the disk is full: free space there, the connector goes on by itself"),
    (apsw.ReadOnlyError, "the file or its folder is read-only: make both writable for this user"),
    (apsw.PermissionsError, "this user may not use the file: check the owner and mode of it and its folder"),
    (apsw.CantOpenError, "it can't be opened: check that the folder exists and is writable for this user"),
    (apsw.CorruptError, "the file is damaged: move it away, the next start pushes every order that differs"),
    (apsw.NotADBError, "the file is damaged: move it away, the next start pushes every order that differs"),
    (apsw.BusyError, "another program keeps the file locked: end that program"),
    (apsw.IOError, "the disk fails or has no space left: check the disk, the connector goes on by itself"),
)


def unwritable(path: Path, error: apsw.Error) -> CheckpointsUnwritable:
    """The same error for people: the file, what happened, what to do."""
    hint = next((text for kind, text in _HINTS if isinstance(error, kind)), "see the message above")
    return CheckpointsUnwritable(f"checkpoint file {path}: {error} ({type(error).__name__}); {hint}")


class OwnerThread:
    """Runs functions on a connection, one after the other, away from the event loop.

    A call whose task is cancelled may or may not have been carried out.
    """

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._durable: bool | None = None
        self._closed = False
        self.heartbeat = Heartbeat("checkpoint store", f"reading and writing {path}", root=True)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoints")

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run `work` outside a transaction. Raises CheckpointsUnwritable."""
        return await self._submit(work)

    async def write(self, work: Callable[[apsw.Connection], T], durable: bool) -> T:
        """Run `work` in one transaction; `durable`: on the disk when this returns. Raises CheckpointsUnwritable."""

        def transact(connection: apsw.Connection) -> T:
            self._set_durability(connection, durable)
            with transaction(connection):
                return work(connection)

        return await self._submit(transact)

    async def close(self, last_words: Callable[[apsw.Connection], object]) -> None:
        """Finish what was submitted, run `last_words`, close the connection. A second call does nothing."""
        if self._closed:
            return

        def finish(connection: apsw.Connection) -> None:
            try:
                last_words(connection)
            finally:
                connection.close()

        last = self._submit(finish)
        self._closed = True
        try:
            await last
        finally:
            self._executor.shutdown(wait=False)

    def _set_durability(self, connection: apsw.Connection, durable: bool) -> None:
        # FULL syncs the WAL at each commit, NORMAL only at a checkpoint; both survive a kill.
        # https://www.sqlite.org/pragma.html#pragma_synchronous
        if durable is not self._durable:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    def _submit(self, work: Callable[[apsw.Connection], T]) -> asyncio.Future[T]:
        if self._closed:
            raise CheckpointsUnwritable(f"checkpoint file {self._path}: it has been closed")

        def guarded() -> T:
            try:
                with self.heartbeat.working():
                    return work(self._connection)
            except apsw.Error as error:
                raise unwritable(self._path, error) from error

        return asyncio.get_running_loop().run_in_executor(self._executor, guarded)


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
