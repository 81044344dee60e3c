"""The replication slot: reading its state, judging it, creating it.

https://www.postgresql.org/docs/current/view-pg-replication-slots.html. Doesn't stream; `copyboth` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from connector.model.changes import Lsn
from connector.model.errors import ConnectorError, Problem
from connector.postgres.connections import KeptConnection, connection, replication

_WAIT_NOTICE: Final = 2.0
_WAIT_AGAIN: Final = 10.0

# By `to_jsonb`, because servers before 16 have neither column.
_STATE: Final = """
SELECT slot_type AS kind, plugin::text, database::text, active_pid, wal_status, safe_wal_size AS safe,
       (confirmed_flush_lsn - '0/0'::pg_lsn)::int8 AS confirmed_flush_lsn, (here.lsn - restart_lsn)::int8 AS retained,
       (here.lsn - '0/0'::pg_lsn)::int8 AS current_lsn, current_database()::text AS this_database,
       to_jsonb(s)->>'invalidation_reason' AS invalidation, (to_jsonb(s)->>'conflicting')::boolean AS conflicting
FROM pg_replication_slots s, LATERAL (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                                ELSE pg_current_wal_lsn() END AS lsn) AS here
WHERE slot_name = %s
"""

# Whom creation waits for now (0: a prepared transaction), and who else has held a transaction since before it began.
_BLOCKERS: Final = """
WITH waits_for AS (SELECT DISTINCT unnest(pg_blocking_pids(%(pid)s)) AS pid)
SELECT coalesce(a.pid, w.pid), coalesce(a.application_name, ''),
       coalesce(a.state, CASE w.pid WHEN 0 THEN 'prepared transaction' ELSE '' END),
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8
FROM waits_for w FULL JOIN (
    SELECT a.* FROM pg_stat_activity a JOIN pg_stat_activity ours ON ours.pid = %(pid)s
    WHERE a.pid IN (SELECT pid FROM waits_for) OR (a.backend_xid IS NOT NULL AND a.xact_start < ours.query_start)
) a ON a.pid = w.pid
WHERE EXISTS (SELECT FROM waits_for) AND coalesce(a.pid, w.pid) <> %(pid)s
ORDER BY 4 DESC NULLS LAST, 1
"""


@dataclass(frozen=True, slots=True)
class SlotReport:
    """One slot, for metrics and checks. Sizes in bytes.

    `retained`: WAL that the server keeps because of the slot (None once it is lost). `safe`: WAL that may still be
    written before the slot is in danger (None: no limit).
    """

    kind: str
    plugin: str | None
    database: str | None
    active_pid: int | None
    wal_status: str | None
    safe: int | None
    confirmed_flush_lsn: Lsn | None
    retained: int | None
    current_lsn: Lsn
    this_database: str
    invalidation: str | None = None
    conflicting: bool | None = None

    @property
    def lost(self) -> str | None:
        """Why the slot can't be read any more; None while it can."""
        return lost_because(self.wal_status, self.invalidation, self.conflicting)


@dataclass(frozen=True, slots=True)
class Blocker:
    """A transaction that slot creation waits for. `age` in seconds; it and the texts are empty where the role may not
    see them (pg_read_all_stats)."""

    pid: int
    application_name: str
    state: str
    age: float | None

    def __str__(self) -> str:
        age = "" if self.age is None else f", open for {self.age:.0f} s"
        return f"pid {self.pid} ({self.application_name or 'unnamed'}, {self.state or 'state unknown'}{age})"


OnWait: TypeAlias = Callable[[Sequence[Blocker]], None]


async def read_slot(conn: psycopg.AsyncConnection[Any], slot: str) -> SlotReport | None:
    """None when there is no such slot."""
    async with conn.cursor(row_factory=class_row(SlotReport)) as cursor:
        return await (await cursor.execute(_STATE, (slot,))).fetchone()


def lost_because(wal_status: str | None, invalidation: str | None, conflicting: bool | None) -> str | None:
    """Why a slot can't be read any more, None while it can. `invalidation`: its invalidation_reason (from 17 on; 16
    has only `conflicting`)."""
    if invalidation in (None, "wal_removed") and wal_status == "lost":
        return "the server has removed WAL that the slot still needed"
    if invalidation is not None:
        return f"the server has invalidated the slot ({invalidation})"
    return "the server has invalidated the slot (it conflicted with recovery)" if conflicting else None


def slot_problems(slot: str, report: SlotReport, *, renewed: bool = False) -> list[Problem]:
    """Why the slot can't be streamed. `renewed`: a lost one will be made anew, so that it's only a warning."""
    where = f"slot {slot}"
    if report.kind != "logical" or report.plugin != "pgoutput":
        what = f"it is a {report.kind} slot"
        what += f" of {report.plugin}, not of pgoutput" if report.plugin else ", not a logical one"
        return [Problem(what, "choose another name for source.slot", where)]
    if report.database != report.this_database:
        hint = "choose another name for source.slot"
        return [Problem(f"it belongs to database {report.database}, not {report.this_database}", hint, where)]
    if report.lost is not None:
        hint = "it is made anew at the start, and every order is compared with its checkpoint"
        if not renewed:
            hint = f"{drop_slot_statement(slot)} and let it be made anew: every order is then compared"
        return [Problem(f"{report.lost}: it can't be read any more", hint, where, warning=renewed)]
    return []


def drop_slot_statement(slot: str) -> str:
    return f"SELECT pg_drop_replication_slot({sql.Literal(slot).as_string()});"


class SlotWatch:
    """Reads the slot's report again and again over the connection that all looks share."""

    def __init__(self, looks: KeptConnection, slot: str) -> None:
        self._looks = looks
        self._slot = slot

    async def report(self) -> SlotReport | None:
        """None when there is no such slot. Raises SourceUnavailable."""
        async with self._looks.use() as conn:
            return await read_slot(conn, self._slot)


async def drop_slot(dsn: str, slot: str) -> bool:
    """Drop the slot; False when there is none. Raises psycopg.Error (ObjectInUse: somebody reads it),
    SourceUnavailable."""
    async with connection(dsn, read_only=False) as conn:
        try:
            await conn.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
        except psycopg.errors.UndefinedObject:
            return False
    return True


async def create_slot(dsn: str, slot: str, on_wait: OnWait | None = None, notice_after: float = _WAIT_NOTICE) -> bool:
    """Create the slot; False when somebody else just did.

    Creation waits until every transaction that runs now has ended. From `notice_after` seconds on, `on_wait` is told
    who is waited for, every ten seconds. Cancelling leaves no half-made slot: the server drops what isn't finished.
    Raises psycopg.Error, SourceUnavailable.
    """
    async with replication(dsn) as conn:
        # The wait for other transactions is a lock wait too.
        await conn.execute("SELECT set_config('lock_timeout', '0', false)")
        if conn.info.server_version >= 140000:
            # Should this process die, the server notices and gives up, instead of making a slot that nobody reads. The
            # clock of these checks is started by the next SQL statement, and only by one.
            await conn.execute("SELECT set_config('client_connection_check_interval', '2s', false)")
        in_recovery = await (await conn.execute("SELECT pg_is_in_recovery()")).fetchone()
        command = _create_command(slot, conn.info.server_version, standby=in_recovery == (True,))
        watch = asyncio.create_task(_watch(dsn, conn.info.backend_pid, on_wait, notice_after), name="source-blockers")
        try:
            await conn.execute(command)
        except psycopg.errors.DuplicateObject:
            return False
        finally:
            watch.cancel()
            await asyncio.wait([watch])
    return True


def _create_command(slot: str, server_version: int, *, standby: bool) -> bytes:
    """https://www.postgresql.org/docs/current/protocol-replication.html, CREATE_REPLICATION_SLOT.

    Not the SQL function: its statement holds a snapshot for as long as it waits, on which the OMS's own CREATE INDEX
    CONCURRENTLY would wait in turn. `failover`: from 17 on a standby with sync_replication_slots has the slot too, so
    that a promoted one can be followed; a standby itself can't grant it.
    """
    head = sql.SQL("CREATE_REPLICATION_SLOT {} LOGICAL pgoutput ").format(sql.Identifier(slot)).as_bytes()
    if server_version < 150000:
        return head + b"NOEXPORT_SNAPSHOT"
    failover = b"true" if not standby else b"false"
    return head + b"(SNAPSHOT 'nothing'" + (b", FAILOVER " + failover if server_version >= 170000 else b"") + b")"


async def _watch(dsn: str, pid: int, on_wait: OnWait | None, notice_after: float) -> None:
    await asyncio.sleep(notice_after)
    # Only advice: a database that can't answer it will be noticed by the creation itself.
    with suppress(ConnectorError, psycopg.Error):
        async with connection(dsn) as conn:
            while on_wait is not None:
                rows = await (await conn.execute(_BLOCKERS, {"pid": pid})).fetchall()
                if rows:
                    on_wait([Blocker(*row) for row in rows])
                await asyncio.sleep(_WAIT_AGAIN if rows else notice_after)
