"""The one writer's claim to a schema: its lock, and whether what it finds after it lost a session is what it left."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Final

from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.postgres import lock
from connector.checkpoints.postgres.connection import StoreConnection, closed_on_failure, connect, describe
from connector.checkpoints.postgres.migrations import migrate
from connector.checkpoints.postgres.session import PostgresSession
from connector.model.errors import CheckpointsLost, CheckpointsUnwritable, ConfigurationError, Problem

PATIENCE: Final = 3.0
"""Seconds that a session which is just ending may keep the lock."""
_LOOK_EVERY: Final = 0.05


class Claim:
    """Opens the writer's sessions, one after the other. Used by one thread at a time."""

    def __init__(self, address: Address, clock: Callable[[], float]) -> None:
        self._address = address
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
        session = connect(self._address, read_only=False)
        try:
            with closed_on_failure(self._address, session):
                self._take_lock(session)
                self._go_on(session) if self._begun else self._begin(session)
        except CheckpointsLost as error:
            self._lost = error
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
        while not lock.take(session, self._address.schema):
            holder = lock.holder(session, self._address.schema)
            ours = holder is not None and holder.pid == self._former
            if holder is not None and ours:
                session.execute("SELECT pg_terminate_backend(%s)", (holder.pid,))
            if time.monotonic() > give_up:
                raise self._taken(holder, ours=ours)
            time.sleep(_LOOK_EVERY)

    def _taken(
        self, holder: lock.Holder | None, *, ours: bool
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
            f"checkpoint database {describe(self._address)}: {what}; nothing is written any more: start this connector"
            " again, it compares what it finds with the stream"
        )
