"""One session of the checkpoint database, replaced when it is lost: its transactions and durability.

A thread and not an asynchronous connection: turning rows into arrays and sealing payloads are work that would keep the
loop. A call whose session is lost while it commits may or may not have been carried out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus

from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.engine import Durability, Engine, NoStore, Session
from connector.checkpoints.postgres.connection import StoreConnection, closed_on_failure, connect, describe, unwritable
from connector.checkpoints.postgres.migrations import version_of
from connector.checkpoints.postgres.session import PostgresSession
from connector.checkpoints.postgres.writer_claim import Claim
from connector.model.errors import Problem

T = TypeVar("T")

_ELSEWHERE: Final = "25006"
"""SQLSTATE of a write to a server that is a standby by now: the next session may find the primary."""
_COUNTED: Final = (Durability.SYNCED, Durability.SYNCED_ON_SERVERS)
"""Writes that are relied on: their number tells whether the database lost one."""


class PostgresEngine(Engine):
    """`claim`: the one writer's; None reads only."""

    def __init__(self, address: Address, claim: Claim | None = None) -> None:
        """Opens the first session at once. Raises ConfigurationError, NoStore and CheckpointsUnwritable."""
        super().__init__(f"checkpoint database {describe(address)}", describe(address))
        self._address = address
        self._claim = claim
        self._session: PostgresSession | None = None
        if claim is not None:
            self.lease = claim.lease
        self._open_on_thread(self._current)

    async def write_and_try(
        self, work: Callable[[Session], Any], durability: Durability, then: Callable[[Session], T]
    ) -> T | None:
        """Both in one transaction, because each costs a round trip and a sync."""

        def both(session: Session) -> T:
            work(session)
            return then(session)

        return await self.write(both, durability)

    def expect_late(self, seconds: float | None) -> None:
        if self._claim is not None:
            self._claim.late_for = seconds

    def _guarded(self, work: Callable[[Session], T]) -> T:
        with self.heartbeat.working():
            session = self._current()
            try:
                return work(session)
            except psycopg.Error as error:
                if session.connection.closed or error.sqlstate == _ELSEWHERE:
                    self._let_go()
                # Not chained: what psycopg says at length may quote a row.
                raise unwritable(self._address, error) from None

    def _transact(self, session: Session, work: Callable[[Session], T], durability: Durability) -> T:
        assert isinstance(session, PostgresSession)  # noqa: S101 -- every session of this engine is one
        connection, asked = session.connection, self.lease.asked()
        try:
            # All that needs no answer goes out together, so that a transaction is one round trip, or a few.
            with connection.pipeline():
                connection.execute("BEGIN")
                if durability is Durability.UNSYNCED:
                    connection.execute("SET LOCAL synchronous_commit TO off")
                found = work(session)
                if durability in _COUNTED:
                    session.run("writer_count")
                ended = connection.execute("COMMIT")
        except BaseException:  # whatever it was, half a transaction must not stay open
            _roll_back(connection)
            raise
        if ended.statusmessage != "COMMIT":
            raise psycopg.errors.InFailedSqlTransaction("the server rolled the transaction back")
        self.lease.renew(asked)
        if self._claim is not None and durability in _COUNTED:
            self._claim.writes += 1
        return found

    def _current(self) -> PostgresSession:
        if self._session is None or self._session.connection.closed:
            self._session = PostgresSession(open_reader(self._address) if self._claim is None else self._claim.open())
        return self._session

    def _let_go(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.connection.close()


def open_reader(address: Address) -> StoreConnection:
    """A connection that can't write. Raises NoStore, ConfigurationError, CheckpointsUnwritable."""
    connection = connect(address, read_only=True)
    with closed_on_failure(address, connection):
        if not version_of(connection, address):
            what = f"there is no checkpoint store in {describe(address)}"
            raise NoStore([Problem(what, "start `redo-connector run` once, it makes it", SETTING)])
    return connection


def _roll_back(connection: Connection[Any]) -> None:
    """Where that can't be done the session is of no use any more."""
    try:
        if connection.closed or connection.info.transaction_status is TransactionStatus.IDLE:
            return
        connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()
