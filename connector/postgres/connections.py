"""Opening connections whose server must answer within a bound, and keeping one open for short queries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg

from connector.model.errors import SourceUnavailable
from connector.postgres import pooler
from connector.postgres.bounded import GRACE, SEARCH_PATH, BoundedConnection
from connector.postgres.dsn import conninfo, describe
from connector.postgres.errors import unavailable
from connector.postgres.session import settings_statement

ANSWER: Final = 2 * GRACE
"""Seconds in which a short query must be answered, unless said otherwise."""
_SHORT: Final = 0.5
"""Seconds that a look waits for a lock: others wait for their turn meanwhile."""


@asynccontextmanager
async def connection(
    dsn: str, *, read_only: bool = True, statement_timeout: float = 30.0, lock_timeout: float = 3.0
) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """An ordinary autocommit connection, closed at the end. Timeouts in seconds, 0 for none; with a statement_timeout
    the server has ten seconds more for each answer, then it counts as gone.

    Raises SourceUnavailable when it can't be opened or breaks in between; other errors of psycopg pass.
    """
    patience = statement_timeout + GRACE if statement_timeout else None
    conn = await open_connection(dsn, read_only, statement_timeout, lock_timeout, patience)
    async with _closing(conn, dsn):
        yield conn


@asynccontextmanager
async def reading(dsn: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A read-only `connection`. Raises SourceUnavailable in place of any error of psycopg's."""
    async with connection(dsn) as conn:
        try:
            yield conn
        except psycopg.Error as error:
            raise unavailable(dsn, error) from None


@asynccontextmanager
async def replication(dsn: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A connection that takes replication commands, however long they take, closed at the end. Raises as `connection`
    does."""
    conn = await open_replication(dsn)
    conn.patience = None
    async with _closing(conn, dsn):
        yield conn


@asynccontextmanager
async def _closing(conn: BoundedConnection, dsn: str) -> AsyncIterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        if conn.broken:
            raise unavailable(dsn, error) from None
        raise
    finally:
        await conn.close()


async def open_connection(
    dsn: str, read_only: bool, statement_timeout: float, lock_timeout: float, patience: float | None
) -> BoundedConnection:
    """Like `connection`, but the caller closes it. `patience`: seconds for each answer, None for no bound."""
    settings = {
        "default_transaction_read_only": "on" if read_only else "off",
        "statement_timeout": _milliseconds(statement_timeout),
        "lock_timeout": _milliseconds(lock_timeout),
        # What little is written (a publication) must not wait for a synchronous standby, which may be ourselves.
        "synchronous_commit": "local",
    }
    return await _connect(dsn, conninfo(dsn), settings, patience)


async def open_replication(dsn: str, within: float = ANSWER) -> BoundedConnection:
    """A connection for replication commands (https://www.postgresql.org/docs/current/protocol-replication.html), which
    prints values the way the rest of the connector expects. `within`: seconds for each answer until a stream begins.
    Raises SourceUnavailable."""
    settings = {"statement_timeout": "0"}
    return await _connect(dsn, conninfo(dsn, replication="database"), settings, within)


async def _connect(dsn: str, info: str, settings: dict[str, str], patience: float | None) -> BoundedConnection:
    conn = await _connected(dsn, info, ANSWER if patience is None else patience)
    try:
        if "replication" in conn.info.get_parameters():
            await _demand_walsender(conn, dsn)
        else:
            await pooler.refuse_lent(conn, lambda: _connected(dsn, info, ANSWER))
        # Before anything is looked up by a path that is the role's: SET calls no function. Simple, for a walsender.
        await conn.execute(SEARCH_PATH)
        await conn.execute(settings_statement(settings))
    except psycopg.Error as error:
        await conn.close()
        raise unavailable(dsn, error) from None
    except BaseException:  # cancelled: a connection of the OMS's must not be left open
        await conn.close()
        raise
    conn.patience = patience
    return conn


async def _connected(dsn: str, info: str, patience: float) -> BoundedConnection:
    try:
        return await BoundedConnection.open(info, patience)
    except psycopg.Error as error:
        raise unavailable(dsn, error) from None


async def _demand_walsender(conn: psycopg.AsyncConnection[Any], dsn: str) -> None:
    """A pooler told to ignore startup parameters makes an ordinary connection of it, and lends that to others."""
    try:
        await conn.execute("IDENTIFY_SYSTEM")
    except psycopg.errors.SyntaxError:
        what = "was asked for a replication connection and gave an ordinary one: a connection pooler stands before it"
        raise SourceUnavailable(f"{describe(dsn)} {what}", pooler.HINT) from None


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


class KeptConnection:
    """A read-only connection for short queries, used again and again by all who look at the source's state, one after
    the other, and reopened when it broke. Nothing that waits for a lock for long may be asked here.

    `within`: seconds in which the server must answer each query; at half of it, it is to give up by itself.
    """

    def __init__(self, dsn: str, within: float = ANSWER) -> None:
        self._dsn = dsn
        self._within = within
        self._conn: BoundedConnection | None = None
        self._turn = asyncio.Lock()
        self._failed: SourceUnavailable | None = None

    @asynccontextmanager
    async def use(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Raises SourceUnavailable, also in place of what psycopg raises inside. Who waited for a turn in which the
        server fell silent need not find that out once more."""
        before = self._failed
        async with self._turn:
            if self._failed is not None and self._failed is not before:
                raise self._failed
            conn = await self._opened()
            try:
                yield conn
            except psycopg.Error as error:
                await self.close()
                self._failed = unavailable(self._dsn, error)
                raise self._failed from None

    async def _opened(self) -> BoundedConnection:
        if self._conn is None or self._conn.closed:
            half = self._within / 2
            try:
                self._conn = await open_connection(self._dsn, True, half, min(half, _SHORT), self._within)
            except SourceUnavailable as error:
                self._failed = error
                raise
        return self._conn

    async def close(self) -> None:
        if self._conn is not None:
            await self._conn.close()
