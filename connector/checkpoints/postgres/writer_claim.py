"""The one writer's claim to a schema: its lock, and whether what it finds after it lost a session is what it left.

The lock belongs to the very session that writes. When the session ends the lock is free, and nothing can be written
through the session any more: a writer that was cut off can't write after another one began.
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection

from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.lease import LEASE, Lease
from connector.checkpoints.postgres.connection import StoreConnection, closed_on_failure, connect, describe
from connector.checkpoints.postgres.migrations import migrate
from connector.checkpoints.postgres.session import PostgresSession
from connector.model.errors import CheckpointsLost, CheckpointsUnwritable, ConfigurationError, Problem

PATIENCE: Final = 3.0
"""Seconds that a session which is just ending may keep the lock."""
_LOOK_EVERY: Final = 0.05
CLASS: Final = 0x5245444F
"""`REDO`, so that no other program's locks are ours by chance."""

_TAKE: Final = "SELECT pg_try_advisory_lock(%s, %s)"
# A lock of two integers has objsubid 2: https://www.postgresql.org/docs/current/view-pg-locks.html
LOCKED: Final = """
locktype = 'advisory' AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid = %s AND objid = %s::bigint::oid AND objsubid = 2 AND granted
"""
_HOLDER: Final = f"""
SELECT pid, coalesce(application_name, ''), coalesce(client_addr::text, 'a local socket'), coalesce(usename::text, '')
FROM pg_locks LEFT JOIN pg_stat_activity USING (pid) WHERE {LOCKED} LIMIT 1
"""  # noqa: S608 -- constants of ours


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the lock, as far as the server tells."""

    pid: int
    application: str
    address: str
    role: str

    def __str__(self) -> str:
        who = f"{self.application or 'a session'} of {self.role}" if self.role else "a session"
        return f"{who}, process {self.pid} there, from {self.address}"


def take_lock(connection: Connection[Any], schema: str) -> bool:
    """Whether the lock is this session's now."""
    row = connection.execute(_TAKE, (CLASS, number(schema))).fetchone()
    return bool(row and row[0])


def lock_holder(connection: Connection[Any], schema: str) -> Holder | None:
    """None when it is free."""
    row = connection.execute(_HOLDER, (CLASS, number(schema) % 2**32)).fetchone()
    return None if row is None else Holder(*row)


def number(schema: str) -> int:
    """32 bits, signed as the function takes them; `pg_locks` shows them unsigned."""
    return int.from_bytes(hashlib.blake2b(schema.encode(), digest_size=4).digest(), signed=True)


class Claim:
    """Opens the writer's sessions, one after the other. Used by one thread at a time."""

    def __init__(self, address: Address, clock: Callable[[], float], session: StoreConnection | None = None) -> None:
        """`session`: one that has the lock."""
        self._address = address
        self._first = session
        self.lease = Lease(LEASE)
        self._clock = clock
        self._writer = uuid.uuid4().hex
        self._former: int | None = None
        self._lost: CheckpointsLost | None = None
        self._begun = False
        self.writes = 0
        """How many durable writes the server acknowledged, as far as known."""
        self.late_for: float | None = None
        """Seconds after which a request can't be carried out any more; None: that isn't known."""

    def open(self) -> StoreConnection:
        """A session that holds the lock, on a schema of this version.

        Raises ConfigurationError when the schema won't do or is in use, CheckpointsUnwritable, and, once a first
        session was had, CheckpointsLost: then for ever, because what this process knows isn't true any more.
        """
        if self._lost is not None:
            raise self._lost
        locked, self._first = self._first, None
        session = locked or connect(self._address, read_only=False)
        try:
            with closed_on_failure(self._address, session):
                if locked is None:
                    self._take_lock(session)
                self._go_on(session) if self._begun else self._begin(session)
        except CheckpointsLost as error:
            self._lost = error
            self.lease.end()
            raise
        self._former = session.info.backend_pid
        return session

    def _begin(self, session: StoreConnection) -> None:
        migrate(session, self._address)
        store = PostgresSession(session)
        store.run("writer_begin", writer=self._writer)
        self._begun, self.writes = True, store.row("writer")[1]

    def _go_on(self, session: StoreConnection) -> None:
        store = PostgresSession(session)
        writer, writes = store.row("writer")
        if writer != self._writer:
            raise self._lost_to("another redo-connector has written there since this one lost its session")
        if writes < self.writes:
            raise self._lost_to("it went back to an earlier state (a failover, or a restored backup)")
        # A standby that took over may lack how orders were settled last.
        late_until = None if self.late_for is None else self._clock() + self.late_for
        store.run("ledger_doubt_in_flight", late_until=late_until)

    def _take_lock(self, session: StoreConnection) -> None:
        """Where a former session of this process still has it, the server hasn't noticed that it is over."""
        give_up = time.monotonic() + PATIENCE
        while not take_lock(session, self._address.schema):
            holder = lock_holder(session, self._address.schema)
            ours = holder is not None and holder.pid == self._former
            if holder is not None and ours:
                session.execute("SELECT pg_terminate_backend(%s)", (holder.pid,))
            elif self._begun and PostgresSession(session).row("writer")[0] != self._writer:
                raise self._lost_to(f"another redo-connector took it over: {holder or 'a session that just ended'}")
            if time.monotonic() > give_up:
                raise self._taken(holder, ours=ours)
            time.sleep(_LOOK_EVERY)

    def _taken(
        self, holder: Holder | None, *, ours: bool
    ) -> CheckpointsUnwritable | CheckpointsLost | ConfigurationError:
        who = holder or "a session that just ended"
        what = f"another redo-connector is using {describe(self._address)}: {who}"
        if ours or (holder is None and self._begun):
            return CheckpointsUnwritable(
                f"checkpoint database {describe(self._address)}: a former session of this"
                f" process still has the lock ({who}); the connector goes on by itself"
            )
        if self._begun:
            return self._lost_to(f"another redo-connector took it over: {who}")
        hint = "stop that one first, or give this one its own checkpoints.postgres_schema (and a slot of its own)"
        return ConfigurationError([Problem(what, hint, SETTING)])

    def _lost_to(self, what: str) -> CheckpointsLost:
        return CheckpointsLost(
            f"checkpoint database {describe(self._address)}: {what}; nothing is written any more, and the"
            " next start compares what it finds with the stream"
        )
