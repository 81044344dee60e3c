"""COPY BOTH on psycopg: the one file that reads and writes replication frames through `psycopg.pq`.

psycopg has no public replication API, so its minor version is capped and nobody else touches `pgconn`. Waits on the
socket itself: a cancelled `AsyncConnection.wait` would have the server cancel the stream. Doesn't look into frames.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import psycopg
from psycopg import pq, sql
from psycopg.rows import dict_row

from connector.model.changes import StreamIdentity, StreamStart, parse_lsn
from connector.model.charset import charset_of
from connector.model.errors import ConfigurationError, ConnectorError, Problem, SlotLost, SourceUnavailable
from connector.postgres.connections import ANSWER, open_replication
from connector.postgres.dsn import describe
from connector.postgres.errors import explain
from connector.postgres.quoting import quoted
from connector.source.checks.synchronous import synchronous_entry
from connector.source.objects.slot import lost_because
from connector.source.stream.wire import Unreadable

_AS_STORED = sql.SQL("SELECT set_config('client_encoding', {}, false)")
_STANDBYS = sql.SQL(
    "SELECT current_setting('synchronous_standby_names') AS names, current_setting('application_name') AS ours"
)
_DATA = ("22", "54", "XX")
"""Classes of SQLSTATE about the data that is read, not about the connection or the server's state."""


class NotDecodableYet(SourceUnavailable):
    """A publication younger than what the slot has to read first: servers before 18 then end the stream."""


class CopyBoth:
    """One connection that runs START_REPLICATION. Every method may raise SourceUnavailable (the stream is over), or
    ConfigurationError when trying again can't help."""

    def __init__(
        self,
        conn: psycopg.AsyncConnection[Any],
        slot: str,
        name: str,
        publications: Sequence[str],
        begins: StreamStart,
        sender_timeout: float,
    ) -> None:
        """Made by `connect`."""
        self.publications = tuple(publications)
        """Those that are followed."""
        self.begins = begins
        """Whose stream it is, and where the slot stood as the connection was made."""
        self.sender_timeout = sender_timeout
        """The server's wal_sender_timeout in seconds, 0 when it has none."""
        self.waited_for = False
        """The server would take this stream for a synchronous standby, as it was when the connection was made."""
        self.text: Callable[[bytes], str] = bytes.decode
        """Reads the bytes of a value or a name, once started."""
        self._conn = conn
        self._pgconn = conn.pgconn
        self._slot = slot
        self._name = name

    @classmethod
    async def connect(cls, dsn: str, slot: str, publications: Sequence[str], within: float = ANSWER) -> CopyBoth:
        """Connect, and learn whose stream it would be. The first publication must exist; of the others, those are
        followed that do. `within`: seconds for each answer until the stream begins. Raises SlotLost when the slot can't
        be read any more."""
        name = f"slot {slot} on {describe(dsn)}"
        conn = await open_replication(dsn, within)
        async with _starting(conn, name):
            begins, sender_timeout, existing = await _facts(conn, slot, publications, name)
            followed = [each for each in publications if each in existing]
            standbys = await _one(conn, _STANDBYS)
        made = cls(conn, slot, name, followed, begins, sender_timeout)
        made.waited_for = synchronous_entry(standbys["names"], standbys["ours"]) is not None
        return made

    async def start(self) -> None:
        """Stream the slot from its confirmed position."""
        async with _starting(self._conn, self._name):
            encoding = self._conn.info.parameter_status("server_encoding")
            write: Callable[[str], bytes] = str.encode
            charset = charset_of(encoding)
            if encoding is not None and charset is not None:
                # Nothing that the server would have to convert, and could fail to.
                self.text, write = charset.read, charset.write
                await self._conn.execute(_AS_STORED.format(sql.Literal(encoding)))
            await _start(self._conn, self._slot, self.publications, self._name, write)

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
            pass  # The stream is given up anyway; the server then finds a closed socket.
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


@asynccontextmanager
async def _starting(conn: psycopg.AsyncConnection[Any], name: str) -> AsyncIterator[None]:
    """Hanging up when it fails."""
    try:
        yield
    except psycopg.Error as error:
        await conn.close()
        raise _refused(name, error.sqlstate, explain(error)) from None
    except BaseException:  # cancelled: the slot stays taken as long as the connection is open
        await conn.close()
        raise


async def _facts(
    conn: psycopg.AsyncConnection[Any], slot: str, publications: Sequence[str], name: str
) -> tuple[StreamStart, float, list[str]]:
    system = await _one(conn, sql.SQL("IDENTIFY_SYSTEM"))
    query = sql.SQL(
        "SELECT (SELECT to_jsonb(s) FROM pg_replication_slots s WHERE slot_name = {}) AS slot,"
        " (SELECT setting::float8 / 1000 FROM pg_settings WHERE name = 'wal_sender_timeout') AS patience,"
        " ARRAY(SELECT pubname::text FROM pg_publication WHERE pubname IN ({})) AS publications"
    )
    listed = sql.SQL(", ").join(map(sql.Literal, publications))
    row = await _one(conn, query.format(sql.Literal(slot), listed))
    found = row["slot"]
    if found is None:
        raise SlotLost(f"{name}: there is no such slot", "gone")
    if why := lost_because(found["wal_status"], found.get("invalidation_reason"), found.get("conflicting")):
        raise SlotLost(f"{name}: {why}", "lost")
    if publications[0] not in row["publications"]:
        # Checked here, because servers from 18 on would stream a slot without it and leave out every change.
        raise SlotLost(f"{name}: the publication {publications[0]} is gone", "undecodable")
    identity = StreamIdentity(str(system["systemid"]), int(system["timeline"]), str(system["dbname"]), slot)
    confirmed = parse_lsn(found["confirmed_flush_lsn"] or "0/0")
    start = StreamStart(identity, confirmed, parse_lsn(system["xlogpos"]), conn.info.backend_pid)
    return start, row["patience"], row["publications"]


async def _one(conn: psycopg.AsyncConnection[Any], query: sql.SQL | sql.Composed) -> dict[str, Any]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(query)).fetchone()
    return row or {}


async def _start(
    conn: psycopg.AsyncConnection[Any], slot: str, publications: Sequence[str], name: str, write: Callable[[str], bytes]
) -> None:
    # 0/0: the server starts where the slot stands, which is always safe.
    command = 'START_REPLICATION SLOT {} LOGICAL 0/0 ("proto_version" \'1\', "publication_names" {})'
    listed = "'" + ",".join(map(quoted, publications)).replace("'", "''") + "'"
    try:
        await conn.execute(write(command.format(quoted(slot), listed)))
    except psycopg.errors.ObjectInUse:
        query = sql.SQL("SELECT active_pid FROM pg_replication_slots WHERE slot_name = {}").format(sql.Literal(slot))
        row = await (await conn.execute(query)).fetchone()
        pid = row[0] if row and row[0] else "another process"
        raise SourceUnavailable(
            f"{name} is in use by pid {pid}: stop the other connector, or, if its host is gone, wait for the server's"
            f" wal_sender_timeout or run SELECT pg_terminate_backend({pid})"
        ) from None


def _refused(name: str, sqlstate: str | None, why: str) -> ConnectorError:
    """Tell what a person must mend from what time mends, and from what a new slot does."""
    if sqlstate == "42501":
        return ConfigurationError([Problem(why, "give the role what `redo-connector grants` prints", name)])
    if sqlstate == "42704":
        # The slot was looked at a moment ago, so it's a publication, as of the WAL that is to be decoded.
        return SlotLost(f"{name}: {why}", "undecodable")
    if sqlstate is not None and sqlstate.startswith(_DATA):
        return Unreadable(f"{name}: the server can't read what it has to send: {why}")
    # 55000 is many things, an invalidated slot among them: the next attempt looks at the slot first.
    return SourceUnavailable(f"{name}: {why}")
