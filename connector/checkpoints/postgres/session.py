"""One thread that owns one session of the checkpoint database, and opens another one when it is lost.

It knows transactions and durability; it must not know any table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus

from connector.checkpoints.address import Address
from connector.checkpoints.postgres.connection import StoreConnection, describe, unwritable
from connector.model.errors import CheckpointsUnwritable
from connector.pipeline.heartbeat import Heartbeat

T = TypeVar("T")

_ELSEWHERE: Final = "25006"
"""SQLSTATE of a write to a server that is a standby by now: the next session may find the primary."""


class SessionThread:
    """Runs functions on a session, one after the other, away from the event loop.

    A thread and not an asynchronous connection: cancelling a task must not cut a transaction in two, and turning rows
    into arrays and sealing payloads are work that would keep the loop. A call whose task is cancelled, or whose session
    is lost while it commits, may or may not have been carried out.
    """

    def __init__(self, address: Address, open_session: Callable[[], StoreConnection]) -> None:
        """Opens the first session at once. Raises what `open_session` raises."""
        self._address = address
        self._open = open_session
        self._closed = False
        self._session: StoreConnection | None = None
        self.heartbeat = Heartbeat("checkpoint store", f"reading and writing {describe(address)}", root=True)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoints")
        try:
            self._executor.submit(self._current).result()
        except BaseException:  # whatever it was, a thread would be left
            self._executor.shutdown(wait=False)
            raise

    async def read(self, work: Callable[[Connection[Any]], T]) -> T:
        """Run `work` outside a transaction. Raises CheckpointsUnwritable, and what opening a session raises."""
        return await self._submit(work)

    async def write(self, work: Callable[[Connection[Any]], T], durable: bool) -> T:
        """Run `work` in one transaction; `durable`: on the server's disk when this returns. Raises as `read` does."""

        def transact(connection: Connection[Any]) -> T:
            try:
                # All that needs no answer goes out together, so that a transaction is one round trip, or a few.
                with connection.pipeline():
                    connection.execute("BEGIN")
                    if not durable:
                        connection.execute("SET LOCAL synchronous_commit TO off")
                    found = work(connection)
                    ended = connection.execute("COMMIT")
            except BaseException:  # whatever it was, half a transaction must not stay open
                _roll_back(connection)
                raise
            if ended.statusmessage != "COMMIT":
                raise psycopg.errors.InFailedSqlTransaction("the server rolled the transaction back")
            return found

        return await self._submit(transact)

    async def close(self) -> None:
        """Finish what was submitted and end the session. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._let_go)
        finally:
            self._executor.shutdown(wait=False)

    def _submit(self, work: Callable[[Connection[Any]], T]) -> asyncio.Future[T]:
        if self._closed:
            raise CheckpointsUnwritable(f"checkpoint database {describe(self._address)}: it has been closed")

        def guarded() -> T:
            with self.heartbeat.working():
                session = self._current()
                try:
                    return work(session)
                except psycopg.Error as error:
                    if session.closed or error.sqlstate == _ELSEWHERE:
                        self._let_go()
                    # Not chained: what psycopg says at length may quote a row.
                    raise unwritable(self._address, error) from None

        return asyncio.get_running_loop().run_in_executor(self._executor, guarded)

    def _current(self) -> StoreConnection:
        if self._session is None or self._session.closed:
            self._session = self._open()
        return self._session

    def _let_go(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _roll_back(connection: Connection[Any]) -> None:
    """Where that can't be done the session is of no use any more."""
    try:
        if connection.closed or connection.info.transaction_status is TransactionStatus.IDLE:
            return
        connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()
