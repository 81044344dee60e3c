"""Waits for the writer's lock of a schema, on the session that is to write.

The lock is tried again and again: a statement that waits for it would keep a snapshot, and VACUUM from cleaning up, for
as long as another connector leads.
"""

from __future__ import annotations

import time
from typing import Any, Final

import psycopg
import structlog
from psycopg import Connection

from connector.checkpoints.address import Address
from connector.checkpoints.leader import Candidate
from connector.checkpoints.postgres.connection import StoreConnection, closed_on_failure, connect, describe, unwritable
from connector.checkpoints.postgres.engine import PostgresEngine
from connector.checkpoints.postgres.migrations import version_of
from connector.checkpoints.postgres.session import PostgresSession
from connector.checkpoints.postgres.writer_claim import CLASS, LOCKED, Claim, number, take_lock
from connector.checkpoints.store import Checkpoints
from connector.checkpoints.vault import Vault
from connector.pipeline.clock import MACHINE

log = structlog.get_logger("connector.leader")

_WAITING: Final = CLASS + 1
"""The locks that those who wait share, so that it is seen that somebody waits."""
PATIENCE: Final = 5.0
"""Seconds within which the server must answer whoever waits."""
_CLOSER_LOOK_EVERY: Final = 0.5

# What the leader's session does can be told where it may be seen: of the same role, or with pg_read_all_stats. A
# session in the middle of a pipeline is `active` and waits for its client. Where it may not be seen, it has no times.
# https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
_SILENT: Final = f"""
SELECT pid, extract(epoch FROM clock_timestamp() - greatest(state_change, query_start))::float8
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE {LOCKED} AND (state_change IS NULL OR ((state <> 'active' OR wait_event_type = 'Client')
  AND clock_timestamp() - greatest(state_change, query_start) > make_interval(secs => %s)))
"""  # noqa: S608 -- constants of ours
_COUNT: Final = f"SELECT count(*) FROM pg_locks WHERE {LOCKED}"  # noqa: S608 -- constants of ours


def waiting(address: Address) -> int:
    """How many wait for the lock. Raises ConfigurationError, CheckpointsUnwritable."""
    with connect(address, read_only=True) as session:
        try:
            row = session.execute(_COUNT, (_WAITING, number(address.schema) % 2**32)).fetchone()
        except psycopg.Error as error:
            raise unwritable(address, error) from None
    return row[0] if row else 0


class PostgresCandidate(Candidate):
    def __init__(self, address: Address, silence: float) -> None:
        """`silence`: seconds without a word after which the leader's session is ended. The leader's own kernel may go
        on acknowledging for a process that is stopped, and so may a proxy for a machine that is gone."""
        self._address = address
        self._silence = silence
        self._session: StoreConnection | None = None
        self._announced = False
        self._look_next = 0.0
        self._told = ""

    def take(self) -> bool:
        session = self._current()
        try:
            if take_lock(session, self._address.schema):
                return True
            if not self._announced:
                session.execute("SELECT pg_try_advisory_lock_shared(%s, %s)", self._waiting)
                self._announced = True
            if time.monotonic() >= self._look_next:
                self._look_next = time.monotonic() + _CLOSER_LOOK_EVERY
                self._end_silent(session)
        except psycopg.Error as error:
            self.close()
            raise unwritable(self._address, error) from None
        except BaseException:  # whatever it was, a session would be left
            self.close()
            raise
        return False

    def noted(self, name: str) -> str | None:
        session = self._current()
        try:
            if not version_of(session, self._address):
                return None
            found: str | None = PostgresSession(session).value("noted", name=name)
        except psycopg.Error as error:
            self.close()
            raise unwritable(self._address, error) from None
        return found

    def open_store(self, vault: Vault | None) -> Checkpoints:
        session, self._session = self._current(), None
        with closed_on_failure(self._address, session):
            if self._announced:
                session.execute("SELECT pg_advisory_unlock_shared(%s, %s)", self._waiting)
        session.patience = StoreConnection.patience
        claim = Claim(self._address, MACHINE.now, session)
        return Checkpoints(PostgresEngine(self._address, claim), vault, MACHINE.wall)

    def close(self) -> None:
        session, self._session, self._announced = self._session, None, False
        if session is not None:
            session.close()

    @property
    def _waiting(self) -> tuple[int, int]:
        return _WAITING, number(self._address.schema)

    def _current(self) -> StoreConnection:
        if self._session is None or self._session.closed:
            session = connect(self._address, read_only=False)
            session.patience = PATIENCE
            with closed_on_failure(self._address, session):
                version_of(session, self._address)  # one that is too old to lead says so at once
            self._session, self._announced = session, False
        return self._session

    def _end_silent(self, session: Connection[Any]) -> None:
        """The session of a leader that is stopped or cut off, which the server can't know."""
        values = (CLASS, number(self._address.schema) % 2**32, self._silence)
        for pid, seconds in session.execute(_SILENT, values).fetchall():
            if seconds is None:
                self._tell(pid, None)
                continue
            try:
                session.execute("SELECT pg_terminate_backend(%s)", (pid,))
            except psycopg.errors.InsufficientPrivilege:
                self._tell(pid, seconds)
            else:
                log.warning("silent_leader_ended", process=pid, silent_for=round(seconds, 1))

    def _tell(self, pid: int, seconds: float | None) -> None:
        """`seconds`: for how long it has been silent; None: that can't be seen."""
        if self._told == (told := f"{pid} {seconds is None}"):
            return
        self._told, where = told, describe(self._address)
        if seconds is None:
            step = "connect both connectors as the same role, and see that track_activities is on there"
            log.warning("leader_unseen", process=pid, database=where, next=step)
        else:
            step = f"connect both connectors as the same role, or let a DBA run: SELECT pg_terminate_backend({pid});"
            log.error("silent_leader", process=pid, silent_for=round(seconds, 1), database=where, next=step)
