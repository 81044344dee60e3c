"""The inbox in the schema of the store, for commands on whatever machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from connector.checkpoints.address import Address
from connector.checkpoints.postgres.connection import StoreConnection, closed_on_failure, connect, unwritable
from connector.checkpoints.postgres.migrations import version_of
from connector.checkpoints.postgres.session import PostgresSession
from connector.checkpoints.postgres.writer_claim import Claim, lock_holder
from connector.checkpoints.requests import InboxPlace


class InboxTable(InboxPlace):
    """A table, reached through a session of its own that holds no lock. Each statement is a transaction."""

    _connection: StoreConnection | None

    def __init__(self, address: Address) -> None:
        super().__init__()
        self._address = address

    @contextmanager
    def opened(self, *, make: bool = False, write: bool = True) -> Iterator[PostgresSession | None]:
        with self._mutex:
            session = self._current(make=make)
            try:
                yield None if session is None else PostgresSession(session)
            except psycopg.Error as error:
                self._let_go()
                raise unwritable(self._address, error) from None

    def _current(self, *, make: bool) -> StoreConnection | None:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        session = connect(self._address, read_only=False)
        with closed_on_failure(self._address, session):
            there = version_of(session, self._address)
            if not there and make:
                Claim(self._address, time.time).open().close()
        if not there and not make:
            session.close()
            return None
        self._connection = session
        return session


def has_writer(address: Address) -> bool:
    """Whether a session holds the writer's lock. Raises ConfigurationError, CheckpointsUnwritable."""
    with connect(address, read_only=True) as session:
        try:
            return lock_holder(session, address.schema) is not None
        except psycopg.Error as error:
            raise unwritable(address, error) from None
