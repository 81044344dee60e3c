"""COPY BOTH on psycopg: the one file that reads and writes replication frames through `psycopg.pq`.

psycopg has no public replication API, so its minor version is capped and nobody else touches `pgconn`. Waits on the
socket itself: a cancelled `AsyncConnection.wait` would have the server cancel the stream. Doesn't look into frames.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NoReturn

import psycopg
from psycopg import pq, sql

from connector.changes import Lsn, parse_lsn
from connector.errors import ConfigurationError, ConnectorError, Problem, SourceUnavailable
from connector.source.connections import describe, explain, open_replication

_START_TIMEOUT = 30.0


class NotDecodableYet(SourceUnavailable):
    """A publication younger than what the slot has to read first: servers before 18 then end the stream."""


class CopyBoth:
    """One running START_REPLICATION. Every method may raise SourceUnavailable (the stream is over), or
    ConfigurationError when trying again can't help."""

    def __init__(
        self,
        conn: psycopg.AsyncConnection[Any],
        name: str,
        publications: Sequence[str],
        confirmed: Lsn,
        sender_timeout: float,
    ) -> None:
        """Made by `start`."""
        self.publications = tuple(publications)
        """Those that are followed."""
        self.confirmed = confirmed
        """Where the slot stood as the stream began."""
        self.sender_timeout = sender_timeout
        """The server's wal_sender_timeout in seconds, 0 when it has none."""
        self._conn = conn
        self._pgconn = conn.pgconn
        self._name = name

    @classmethod
    async def start(cls, dsn: str, slot: str, publications: Sequence[str]) -> CopyBoth:
        """Connect and stream the slot from its confirmed position. The first publication must exist; of the others,
        those are followed that do."""
        name = f"slot {slot} on {describe(dsn)}"
        conn = await open_replication(dsn)
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                confirmed, sender_timeout, existing = await _facts(conn, slot, publications)
                if publications[0] not in existing:
                    raise _no_publication(publications[0])
                followed = [each for each in publications if each in existing]
                await _start(conn, slot, followed, name)
        except TimeoutError:
            await conn.close()
            raise SourceUnavailable(f"{name}: the server did not start streaming in {_START_TIMEOUT:.0f} s") from None
        except psycopg.Error as error:
            await conn.close()
            raise _refused(name, error.sqlstate, explain(error)) from None
        except BaseException:
            await conn.close()
            raise
        return cls(conn, name, followed, confirmed, sender_timeout)

    def receive(self) -> memoryview | None:
        """The next frame, None when none is here yet: then wait for `readable`."""
        try:
            size, frame = self._pgconn.get_copy_data(1)
        except psycopg.Error as error:
            self._cut(error)
        if size < 0:
            self._ended()
        return frame if size else None

    async def readable(self) -> None:
        """Wait until bytes have come, and take them in. Safe to cancel."""
        loop = asyncio.get_running_loop()
        come: asyncio.Future[None] = loop.create_future()
        socket = self._pgconn.socket
        loop.add_reader(socket, _wake, come)
        try:
            await come
        finally:
            loop.remove_reader(socket)
        try:
            self._pgconn.consume_input()
        except psycopg.Error as error:
            self._cut(error)

    def send(self, frame: bytes) -> None:
        """Send a small frame without waiting. While the socket is full it stays in libpq's buffer, and goes out with
        the next one."""
        try:
            self._pgconn.put_copy_data(frame)
            self._pgconn.flush()
        except psycopg.Error as error:
            self._cut(error)

    async def close(self, within: float) -> None:
        """End the COPY so that the server lets go of the slot before this returns, or after `within` seconds just
        hang up. Never raises for what the server does."""
        try:
            async with asyncio.timeout(within):
                await self._end()
        except (TimeoutError, ConnectorError, psycopg.Error):
            pass  # The stream is given up anyway; a server that didn't listen finds a closed socket.
        finally:
            await self._conn.close()

    async def _end(self) -> None:
        if self._pgconn.status != pq.ConnStatus.OK:
            return
        self._pgconn.put_copy_end()
        self._pgconn.flush()
        drained = 0
        while (size := self._pgconn.get_copy_data(1)[0]) >= 0:
            drained += 1
            if size == 0:
                await self.readable()
            elif drained % 500 == 0:
                await asyncio.sleep(0)
        while self._pgconn.is_busy():
            await self.readable()
        self._pgconn.get_result()

    def _ended(self) -> NoReturn:
        """The server ended the COPY: its last result says why."""
        result = self._pgconn.get_result()
        if result is None or result.status != pq.ExecStatus.FATAL_ERROR:
            raise SourceUnavailable(f"{self._name}: the server ended the stream")
        field = result.error_field
        state = (field(pq.DiagnosticField.SQLSTATE) or b"").decode(errors="replace")
        primary = (field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message).decode(errors="replace")
        if state == "42704" and any(each in primary for each in self.publications[1:]):
            raise NotDecodableYet(
                f"{self._name}: publication {self.publications[1]} is younger than what the slot still has to read:"
                " going on without it; what its tables lack until the next connection is found by a reconcile sweep"
            )
        raise _refused(self._name, state, f"{' '.join(primary.split())} (SQLSTATE {state or 'none'})")

    def _cut(self, error: psycopg.Error) -> NoReturn:
        raise SourceUnavailable(f"{self._name}: the connection was lost: {explain(error)}") from None


def _wake(come: asyncio.Future[None]) -> None:
    if not come.done():
        come.set_result(None)


async def _facts(
    conn: psycopg.AsyncConnection[Any], slot: str, publications: Sequence[str]
) -> tuple[Lsn, float, list[str]]:
    query = sql.SQL(
        "SELECT (SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = {}),"
        " (SELECT setting::float8 / 1000 FROM pg_settings WHERE name = 'wal_sender_timeout'),"
        " ARRAY(SELECT pubname::text FROM pg_publication WHERE pubname IN ({}))"
    )
    listed = sql.SQL(", ").join(map(sql.Literal, publications))
    row = await (await conn.execute(query.format(sql.Literal(slot), listed))).fetchone()
    confirmed, sender_timeout, existing = row or (None, 0.0, [])
    return parse_lsn(confirmed or "0/0"), sender_timeout, existing


def _no_publication(name: str) -> ConfigurationError:
    """Checked here, because servers from 18 on would stream a slot without it and leave out every change."""
    hint = "drop the slot too and start again: both are created anew, and a backfill follows"
    return ConfigurationError([Problem("there is no such publication", hint, f"publication {name}")])


async def _start(conn: psycopg.AsyncConnection[Any], slot: str, publications: Sequence[str], name: str) -> None:
    # 0/0: the server starts where the slot stands, which is always safe.
    command = 'START_REPLICATION SLOT {} LOGICAL 0/0 ("proto_version" \'1\', "publication_names" {})'
    listed = "'" + ",".join(map(_quoted, publications)).replace("'", "''") + "'"
    try:
        await conn.execute(command.format(_quoted(slot), listed).encode())
    except psycopg.errors.ObjectInUse:
        query = sql.SQL("SELECT active_pid FROM pg_replication_slots WHERE slot_name = {}").format(sql.Literal(slot))
        row = await (await conn.execute(query)).fetchone()
        pid = row[0] if row and row[0] else "another process"
        raise SourceUnavailable(
            f"{name} is in use by pid {pid}: stop the other connector, or, if its host is gone, wait for the server's"
            f" wal_sender_timeout or run SELECT pg_terminate_backend({pid})"
        ) from None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _refused(name: str, sqlstate: str | None, why: str) -> ConnectorError:
    """Tell what a person must mend from what time mends."""
    hints = {
        "42704": "the slot or publication is gone: create it again (the connector does, unless source.manage is false)"
        " and let a backfill follow, because changes made meanwhile are not in the stream",
        "42501": "give the role what `redo-connector grants` prints",
        "55000": "the slot can't be read any more (see wal_status in pg_replication_slots): drop it, start again, and"
        " let a backfill follow",
    }
    if sqlstate in hints:
        return ConfigurationError([Problem(why, hints[sqlstate], name)])
    return SourceUnavailable(f"{name}: {why}")
