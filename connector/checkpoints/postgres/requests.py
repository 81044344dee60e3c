"""The inbox in the schema of the store: what a command asks of a connector, from whatever machine.

Synchronous, one statement a call, on a session of its own that holds no lock. It must not know what a verb means.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import psycopg

from connector.checkpoints.address import Address
from connector.checkpoints.postgres import lock
from connector.checkpoints.postgres.claim import Claim
from connector.checkpoints.postgres.connection import StoreConnection, connect, unwritable
from connector.checkpoints.postgres.migrations import version_of
from connector.checkpoints.requests import KEPT_FOR, Request, RequestState, request_of

_ASK: Final = "INSERT INTO request (verb, arguments, asked_at) VALUES (%s, %s, %s) RETURNING number"
_FORGET_OLD: Final = "DELETE FROM request WHERE finished_at < %s"
_READ: Final = """
SELECT number, verb, arguments, asked_at, state, done, total, message, finished_at FROM request WHERE number = %s
"""
_TAKE: Final = """
UPDATE request SET state = 'running' WHERE number = (
  SELECT min(number) FROM request WHERE state = 'waiting' AND finished_at IS NULL
) RETURNING number, verb, arguments, asked_at, state, done, total, message, finished_at
"""
_WAITING: Final = "SELECT EXISTS (SELECT FROM request WHERE state = 'waiting' AND finished_at IS NULL)"
_PROGRESS: Final = "UPDATE request SET done = %s, total = %s WHERE number = %s"
_FINISH: Final = "UPDATE request SET state = %s, message = %s, finished_at = %s WHERE number = %s"
_AGAIN: Final = "UPDATE request SET state = 'waiting', done = 0, total = NULL WHERE state = 'running'"


class PostgresRequests:
    """`checkpoints.requests.Inbox` in a table. Without a store there are no requests; the first `ask` makes one."""

    def __init__(self, address: Address, clock: Callable[[], float] = time.time) -> None:
        self._address = address
        self._clock = clock
        self._mutex = threading.Lock()
        self._session: StoreConnection | None = None

    def ask(self, verb: str, arguments: Mapping[str, Any], now: float) -> int:
        self._run(_FORGET_OLD, (now - KEPT_FOR,), make=True)
        [row] = self._run(_ASK, (verb, json.dumps(dict(arguments)), now), make=True)
        return int(row[0])

    def get(self, number: int) -> Request | None:
        return self._one(_READ, (number,))

    def waiting(self) -> bool:
        return any(row[0] for row in self._run(_WAITING))

    def next(self) -> Request | None:
        return self._one(_TAKE)

    def progress(self, number: int, done: int, total: int | None) -> None:
        self._run(_PROGRESS, (done, total, number))

    def finish(self, number: int, ok: bool, message: str) -> None:
        state = RequestState.DONE if ok else RequestState.FAILED
        self._run(_FINISH, (state.value, message, self._clock(), number))

    def recover(self) -> None:
        self._run(_AGAIN)
        self._run(_FORGET_OLD, (self._clock() - KEPT_FOR,))

    def close(self) -> None:
        """The next call opens a session again."""
        with self._mutex:
            self._let_go()

    def _one(self, statement: str, values: Sequence[Any] = ()) -> Request | None:
        rows = self._run(statement, values)
        return request_of(rows[0]) if rows else None

    def _run(self, statement: str, values: Sequence[Any] = (), *, make: bool = False) -> list[Any]:
        """Its rows; none where there is no store."""
        with self._mutex:
            session = self._current(make=make)
            if session is None:
                return []
            try:
                cursor = session.execute(statement.encode(), values)
                return cursor.fetchall() if cursor.description else []
            except psycopg.Error as error:
                self._let_go()
                raise unwritable(self._address, error) from None

    def _current(self, *, make: bool) -> StoreConnection | None:
        if self._session is not None and not self._session.closed:
            return self._session
        session = connect(self._address, read_only=False)
        try:
            there = version_of(session, self._address)
            if not there and make:
                Claim(self._address, self._clock).open().close()
        except psycopg.Error as error:
            session.close()
            raise unwritable(self._address, error) from None
        except BaseException:  # whatever it was, a session would be left
            session.close()
            raise
        if not there and not make:
            session.close()
            return None
        self._session = session
        return session

    def _let_go(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


def has_writer(address: Address) -> bool:
    """Whether a session holds the writer's lock. Raises ConfigurationError, CheckpointsUnwritable."""
    with connect(address, read_only=True) as session:
        try:
            return lock.holder(session, address.schema) is not None
        except psycopg.Error as error:
            raise unwritable(address, error) from None
