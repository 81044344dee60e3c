"""Read connections: a small pool whose every statement is one read-only snapshot of its own.

The session is set to REPEATABLE READ, READ ONLY, so a single autocommit statement is exactly one such transaction, in
one round trip. Knows connections; must not know mappings.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor, sql
from psycopg.pq import TransactionStatus

from connector.model.changes import Lsn, Snapshot, parse_lsn
from connector.model.charset import charset_of
from connector.model.errors import SourceUnavailable
from connector.postgres.bounded import GRACE, SEARCH_PATH, BoundedConnection, NoAnswer
from connector.postgres.dsn import conninfo, user_of
from connector.postgres.errors import connections_exhausted, remedy
from connector.postgres.pooler import refuse_lent
from connector.postgres.query_pair import QueryPair
from connector.postgres.server_encoding import use_server_encoding
from connector.postgres.session import settings_statement
from connector.projection.catalog.search_path import SearchPath
from connector.projection.sql.errors import translated

# The analysis looks at the locks of a transaction. Should the process be stopped just then, no DDL of the OMS may wait
# for it longer than that, nor what queues behind that.
_SESSION = {
    "idle_in_transaction_session_timeout": "5s",
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    "client_encoding": "UTF8",
}
# Longer than an instant only a table under DDL, VACUUM FULL or LOCK TABLE is waited for, and meanwhile the other tables
# of the query stay locked against DDL. Given up before a deadlock would be looked for (deadlock_timeout), it is never
# the OMS's statement that is cancelled in one, nor kept waiting behind us.
_LOCK_TIMEOUT = sql.SQL("""
, set_config('lock_timeout',
  greatest(1, (extract(epoch FROM current_setting('deadlock_timeout')::interval) * 500)::int)::text, false)
""")

_Ask: TypeAlias = Callable[[str, Sequence[object]], Awaitable[list[tuple[Any, ...]]]]
_FEWER_FOR = 30.0
_PLANS_FOR = 5.0
"""Seconds of reading that plans are kept for: of a table that grew without ANALYZE nothing tells the server that
another plan is better by now."""
_PLAN_MODES = {False: "auto", True: "force_generic_plan"}
"""https://www.postgresql.org/docs/current/runtime-config-query.html#GUC-PLAN-CACHE-MODE"""


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """`grace`: seconds that the server has for an answer after its own time limit. `fallback_encoding`: see `Charset`.
    `path`: by which the mapping is run. `unfiltered`: rather than leave out rows that a policy hides, a query fails."""

    dsn: str
    statement_timeout_ms: int
    grace: float = GRACE
    fallback_encoding: str | None = None
    path: SearchPath = field(default_factory=SearchPath)
    unfiltered: bool = False


async def connect(reading: ReadSettings) -> BoundedConnection:
    """A read-only connection, on which names are looked up in pg_catalog alone. Raises psycopg.Error, and
    SourceUnavailable for a pooler that keeps no sessions."""
    limit = reading.statement_timeout_ms
    patience = limit / 1000 + reading.grace if limit else None
    connection = await _connected(reading.dsn, patience)
    try:
        await refuse_lent(connection, lambda: _connected(reading.dsn, patience))
        await connection.execute(SEARCH_PATH)
        settings = {**_SESSION, "statement_timeout": str(limit), "row_security": "off" if reading.unfiltered else "on"}
        await connection.execute(settings_statement(settings) + _LOCK_TIMEOUT)
        await use_server_encoding(connection)
    except BaseException:  # cancelled: a connection of the OMS's must not be left open
        await connection.close()
        raise
    return connection


async def _connected(dsn: str, patience: float | None) -> BoundedConnection:
    return await BoundedConnection.open(conninfo(dsn), patience, cursor_factory=AsyncRawCursor)


BRIEF = 10
"""A brief query has a time limit so many times shorter."""


class Session:
    """One connection and what is known of its server."""

    def __init__(self, connection: AsyncConnection[Any], reading: ReadSettings) -> None:
        self.connection = connection
        self.path = reading.path
        self._limit_ms = self._usual_ms = reading.statement_timeout_ms
        self._began = time.monotonic()
        self._pair = QueryPair(connection)
        self._plans_once: bool | None = False
        """None: a transaction that changed it failed."""
        self._read_for = 0.0
        """Seconds, by the plans that there are."""
        self._standby: bool | None = None
        self._charset = charset_of(connection.info.parameter_status("server_encoding"), reading.fallback_encoding)

    @classmethod
    async def open(cls, reading: ReadSettings) -> Session:
        """Raises _Refused when there was no connection at all, psycopg.Error, SourceUnavailable, MappingBroken."""
        try:
            connection = await connect(reading)
        except NoAnswer:
            raise
        except psycopg.OperationalError as error:
            if error.sqlstate is None:
                raise _Refused(reading.dsn, error) from None
            raise
        try:
            await reading.path.enter(connection)
        except BaseException:  # cancelled, too: a connection of the OMS's must not be left open
            await connection.close()
            raise
        return cls(connection, reading)

    def document(self, text: str) -> str:
        """A text from the database, as it is passed on: see `Charset.document`."""
        return text if self._charset is None else self._charset.document(text)

    @property
    def usable(self) -> bool:
        return not self.connection.closed and self.connection.info.transaction_status is TransactionStatus.IDLE

    @property
    def timed_out(self) -> float | None:
        """The seconds of statement_timeout, when the last query ran for as long; else None."""
        limit = self._limit_ms / 1000
        return limit if 0 < limit <= time.monotonic() - self._began + 0.01 else None

    async def limit_time(self, *, brief: bool) -> None:
        """From now on every query has a tenth of the time, or all of it again."""
        limit = max(1, self._usual_ms // BRIEF) if brief and self._usual_ms else self._usual_ms
        if limit != self._limit_ms:
            await self.rows("SELECT set_config('statement_timeout', $1, false)", [str(limit)])
            self._limit_ms = limit

    async def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Planned for these parameters, unless the server finds that the same plan serves for all."""
        for statement in self._settings(plan_once=False):
            await self.connection.execute(statement)
            self._plans_once = False
        return await self._fetched(query, parameters)

    async def _fetched(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        self._began = time.monotonic()
        cursor = await self.connection.execute(query, parameters, prepare=True)
        return await cursor.fetchall()

    async def rows_and_later(
        self,
        query: str,
        parameters: Sequence[object],
        later: str,
        later_parameters: Sequence[str],
        *,
        plan_once: bool = False,
    ) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """The same, and the rows of a query of ours in a later snapshot; in one round trip, but where others may create
        what it names, or text isn't in UTF-8. `plan_once`: planned once for any parameters, instead of for these."""
        before = self._settings(plan_once=plan_once)
        if self._read_for >= _PLANS_FOR:
            before.append("DISCARD PLANS")
            self._read_for = 0.0
        self._plans_once = None
        self._began = begun = time.monotonic()
        try:
            if self.path.exposed or self._charset is not None:
                for statement in before:
                    await self.connection.execute(statement)
                there = await self._fetched(query, parameters)
                found = there, await self._by_our_path(self._fetched, later, later_parameters)
            else:
                found = await self._pair.rows(query, parameters, later, later_parameters, before)
        finally:
            self._read_for += time.monotonic() - begun
        self._plans_once = plan_once
        return found

    def _settings(self, *, plan_once: bool) -> list[str]:
        return [] if plan_once == self._plans_once else [f"SET plan_cache_mode = {_PLAN_MODES[plan_once]}"]

    async def catalog_rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Of a query of ours, in which no name is looked up where others may create."""
        return await self._by_our_path(self.rows, query, parameters)

    async def _by_our_path(self, ask: _Ask, query: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        if not self.path.exposed:
            return await ask(query, parameters)
        async with self.path.suspended(self.connection):
            return await ask(query, parameters)

    async def verify_path(self) -> None:
        """Raises MappingBroken when a name of the mapping may mean an untrusted object by now; psycopg.Error."""
        if self.path.exposed:
            async with self.path.suspended(self.connection):
                await self.path.verify(self.connection)

    async def replayed(self) -> Lsn | None:
        """On a standby, how far it has replayed; to be asked before the snapshot is taken."""
        if self._standby is None:
            self._standby = bool((await self.rows("SELECT pg_is_in_recovery()"))[0][0])
        if not self._standby:
            return None
        row = (await self._fetched("SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn()::text"))[0]
        self._standby = bool(row[0])
        return parse_lsn(row[1]) if self._standby else None


class _Refused(Exception):
    """The server let us not in. `full`: because all connections are in use."""

    def __init__(self, dsn: str, error: psycopg.OperationalError) -> None:
        words = " ".join(str(error).split())
        self.full = connections_exhausted(words)
        self.hint = remedy(words, user_of(dsn))
        super().__init__(f"no connection to read orders: {words}" + (f"; {self.hint}" if self.hint else ""))


class Pool:
    """At most `size` sessions, opened when needed and again when broken. Use as a context manager, or `aclose`."""

    def __init__(self, reading: ReadSettings, size: int = 2) -> None:
        self._reading = reading
        self._free: list[Session] = []
        self._turns = asyncio.Semaphore(size)
        self._lent = 0
        self._returned = asyncio.Event()
        self._fewer_until = 0.0
        """Until then the server has no further connection for us, so that those we have must do."""
        self._closed = False

    @asynccontextmanager
    async def session(self, doing: str, *, brief: bool = False) -> AsyncIterator[Session]:
        """A session for some statements; `brief`: with little time for each. Raises what `failures.translated` makes of
        a database error, and MappingBroken when a name of the mapping may mean an untrusted object."""
        async with self._turns:
            session = None
            try:
                session = await self._take()
                await session.verify_path()
                await session.limit_time(brief=brief)
                yield session
            except NoAnswer as error:
                raise SourceUnavailable(f"the database gave {error} while {doing}") from None
            except psycopg.Error as error:
                raise translated(error, doing, session.timed_out if session is not None else None) from None
            finally:
                if session is not None:
                    await self._back(session)

    async def _take(self) -> Session:
        """A free session, or a new one; where the server refuses that, the next one that comes back."""
        while not self._free:
            if not self._lent or time.monotonic() >= self._fewer_until:
                try:
                    return self._lend(await Session.open(self._reading))
                except _Refused as error:
                    if not (self._lent and error.full):
                        raise SourceUnavailable(str(error), error.hint) from None
                    self._fewer_until = time.monotonic() + _FEWER_FOR
            self._returned.clear()
            await self._returned.wait()
        return self._lend(self._free.pop())

    def _lend(self, session: Session) -> Session:
        self._lent += 1
        return session

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close what is free now, and what is in use when it comes back."""
        self._closed = True
        await self._close_free()

    async def _back(self, session: Session) -> None:
        self._lent -= 1
        self._returned.set()
        if session.usable and not self._closed:
            self._free.append(session)
            return
        if session.connection.broken:
            # A server that went away took the others too: let none of them fail a read of its own.
            await self._close_free()
        await session.connection.close()

    async def _close_free(self) -> None:
        while self._free:
            await self._free.pop().connection.close()


def parse_snapshot(text: str, replayed: Lsn | None) -> Snapshot:
    """`xmin:xmax:xip,...` (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT)."""
    xmin, xmax, running = text.split(":")
    return Snapshot(int(xmin), int(xmax), frozenset(int(xid) for xid in running.split(",") if xid), replayed)
