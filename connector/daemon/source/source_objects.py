"""The source's objects while the connector runs: tables, publications, slot.

What makes the OMS's statements fail is taken back twice a second; what else drifted is
mended every ten seconds, where that is ours to do. Wherever changes may have been missed, or a table's rows may mean
something else than before, every order is compared with its checkpoint. How the objects were is remembered together
with that, so that nothing escapes while the connector is down.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

import structlog

from connector.model.changes import Lsn, TableName
from connector.model.errors import ConfigurationError, ConnectorError, SourceUnavailable
from connector.pipeline.backoff import RECONNECT
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.records import SweepKind
from connector.pipeline.run import Pipeline
from connector.postgres.connections import ANSWER, KeptConnection
from connector.source.checks.synchronous import StandbyWatch
from connector.source.objects.drift import Drift, ObjectWatch, ReplicaWatch
from connector.source.objects.object_state import State, load
from connector.source.objects.publication_repair import PublicationRepair, statements
from connector.source.objects.setup import SetupResult, mend
from connector.source.stream.postgres_source import PostgresSource

log = structlog.get_logger("connector.source")

OBJECTS_EVERY = 10.0
SOON = 1.0
"""Seconds to the next look while something is pending."""
RESCUE_EVERY = 0.5
RESCUING = 60.0
"""Seconds that one round may take in which the server doesn't answer."""
PATIENCE = 5.0
"""Seconds that a comparison waits for transactions of which the stream may lack a part. Then it is made at once, and
again when they have ended."""
AGAIN_EVERY = 300.0
"""Seconds between comparisons while changes are missing from the stream and that isn't ours to mend."""
OBJECTS_NOTE = "source_objects"
CAUSE = "tables of the source changed"


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """How the source's objects are named, and whether we may make and mend them. `read_dsn`: where orders are read
    when that is another server. `within`: seconds in which a short query must be answered."""

    dsn: str
    slot: str
    publication: str
    tables: tuple[TableName, ...]
    manage: bool
    read_dsn: str | None = None
    within: float = ANSWER


@dataclass(slots=True)
class _Pending:
    """A change that was noticed and must be followed by a comparison: one that sees everything up to `lsn`, and every
    transaction that was `running` when it was noticed, because the stream may lack a part of those. `shown`: reads see
    the change itself."""

    state: State
    lsn: Lsn
    running: frozenset[str]
    since: float
    shown: bool = False
    ended: bool = False
    compared: bool = False


class SourceObjectsWatch:
    """`looks`: the connection that whoever looks at the source's state shares."""

    def __init__(self, source: SourceConfig, looks: KeptConnection, stream: PostgresSource, pipeline: Pipeline) -> None:
        self._source = source
        self._stream = stream
        self._pipeline = pipeline
        self._watch = ObjectWatch(looks, source.slot, source.publication, source.tables)
        self._replica = ReplicaWatch(source.read_dsn, source.within)
        self._standby = StandbyWatch(looks, source.slot)
        self._repair = PublicationRepair(looks, source.publication)
        self.heartbeat = Heartbeat("object guard", "keeping the publications from failing the OMS's statements")
        self.heartbeat.allowance = RESCUING
        self._pending: _Pending | None = None
        self._analyse = True  # what was analysed was read a moment before the first look
        self._next = 0.0
        self._again = 0.0
        self._logged: Drift | None = None
        self._warned: str | None = None
        self._rounds_in_danger = 0
        self._failing: tuple[TableName, ...] = ()

    @property
    def failing_tables(self) -> tuple[TableName, ...]:
        """Whose own UPDATEs and DELETEs fail because of a publication: one of ours that wasn't mended at once, or one
        that a DBA made for all tables."""
        exposed = () if self._logged is None else self._logged.exposed
        return tuple(sorted({*self._failing, *exposed}))

    async def begin(self, *, compared: bool) -> None:
        """The first look, against how the objects were when orders were last compared for their sake. `compared`: they
        are about to be compared anyway. Raises SourceUnavailable."""
        memory = self._pipeline.ports.store
        noted = await memory.noted(OBJECTS_NOTE)
        base = None if noted is None else load(noted)
        self._watch.begin(base)
        await self._watch.look()
        settled = compared and not self._watch.moment.running and self._source.read_dsn is None
        if base is not None and self._watch.changed:
            await self._pipeline.vanished_rows.doubt(CAUSE, asks=not settled)
        if base is None or (settled and self._watch.changed):
            self._watch.accept()
            await memory.note(OBJECTS_NOTE, self._watch.state.dump())

    async def look(self) -> bool:
        """When it is time. True when the mapping must be analysed anew, because a table is otherwise than it was."""
        if time.monotonic() < self._next:
            return False
        try:
            await self._look()
        except SourceUnavailable as error:
            self._warn_once(error)
        else:
            due = self._analyse and (self._pending is None or self._pending.shown)
            self._analyse = self._analyse and not due
            return due
        finally:
            self._next = time.monotonic() + (OBJECTS_EVERY if self._pending is None else min(SOON, OBJECTS_EVERY))
        return False

    async def guard(self) -> None:
        """For as long as it runs, no publication of ours makes the OMS's statements fail for more than a second."""
        attempt = 0
        while True:
            try:
                with self.heartbeat.working():
                    await self._keep_writable()
                attempt = 0
            except SourceUnavailable:
                attempt += 1  # the stream's own trouble says it better
            await asyncio.sleep(RECONNECT.delay(attempt) if attempt else self._repair.pause(RESCUE_EVERY))

    async def publish(self, tables: Sequence[TableName]) -> None:
        """Have the publications cover these tables, for a mapping that is about to be taken up. Raises
        SourceUnavailable, ConfigurationError."""
        if self._source.manage:
            await self._mend(tables)

    # what drifted

    async def _look(self) -> None:
        drift = await self._watch.look()
        if (problem := await self._standby.look()) is not None:
            log.warning("synchronous_standby", problem=problem.what, next=problem.hint)
        self._stream.waited_for(self._standby.waited_for)
        self._log_drift(drift)
        if self._source.manage and self._source.publication in drift.publications_gone:
            # What was written meanwhile can't be decoded: the slot is made anew, too, by who follows it.
            self._stream.reconnect()
        elif self._source.manage and drift.to_mend:
            try:
                if (await self._mend(self._source.tables)).publications_changed:
                    drift = await self._watch.look()
            except (SourceUnavailable, ConfigurationError) as error:
                self._warn_once(error)
        if self._watch.changed:
            await self._drifted()
        await self._compare(drift)

    async def _mend(self, tables: Sequence[TableName]) -> SetupResult:
        source = self._source
        ready = await mend(source.dsn, source.slot, source.publication, tables)
        if ready.resubscribe:
            self._stream.reconnect()
        self._warned = None
        return ready

    async def _drifted(self) -> None:
        await self._pipeline.vanished_rows.doubt(CAUSE, asks=True)
        self._analyse = self._analyse or not self._watch.analysed_alike
        moment = self._watch.moment
        self._pending = _Pending(self._watch.state, moment.lsn, moment.running, time.monotonic())
        self._watch.accept()

    async def _compare(self, drift: Drift) -> None:
        """Every order with its checkpoint, once a comparison sees all that may have been missed."""
        pending, now = self._pending, time.monotonic()
        if pending is None:
            if drift.incomplete and now > self._again and not self._pipeline.sweeps.active:
                await self._sweep("changes of some tables are not published")
            return
        pending.shown = pending.shown or await self._replica.shows(pending.lsn)
        pending.running &= self._watch.moment.running
        if not pending.running and not pending.ended:
            pending.ended, pending.lsn = True, self._watch.moment.lsn
        if not pending.shown or (pending.ended and not await self._replica.shows(pending.lsn)):
            return
        if self._analyse:
            return  # a mapping that means something else by now is taken up first, and orders are compared then
        if pending.ended:
            await self._pipeline.vanished_rows.ends_with(await self._sweep(CAUSE))
            await self._pipeline.store.note(OBJECTS_NOTE, pending.state.dump())
            self._pending = None
        elif now - pending.since > PATIENCE and not pending.compared:
            await self._sweep(CAUSE)
            pending.compared = True

    async def _sweep(self, cause: str) -> int:
        self._again = time.monotonic() + AGAIN_EVERY
        return await self._pipeline.sweeps.ask(cause, SweepKind.RECONCILE)

    # what makes the OMS fail

    async def _keep_writable(self) -> None:
        found = await self._repair.look()
        self._rounds_in_danger = self._rounds_in_danger + 1 if found else 0
        self._failing = tuple(each.table for each in found) if self._rounds_in_danger > 1 else ()
        if not found:
            return
        problem = None
        if self._source.manage:
            try:
                await self._repair.repair(found)
            except SourceUnavailable as error:
                problem = str(error)  # somebody else may just have altered it; the next round is soon
            else:
                self._next = 0.0
        tables = sorted({str(each.table) for each in found})
        if self._source.manage and problem is None:
            advice = "redo-connector check says how to follow them whole"
            log.warning("replica_identity_lost", tables=tables, next=advice)
        elif self._rounds_in_danger == 2:
            log.error("oms_statements_fail", tables=tables, problem=problem, next=f"let a DBA run: {statements(found)}")

    # the log

    def _log_drift(self, drift: Drift) -> None:
        if drift and drift != self._logged:
            found = {each.name: getattr(drift, each.name) for each in fields(drift)}
            shown = {
                name: value if value is True else [str(one) for one in value] for name, value in found.items() if value
            }
            log.warning("source_objects_changed", **shown)
        self._logged = drift or None

    def _warn_once(self, error: ConnectorError) -> None:
        """Log an error once for as long as it lasts."""
        if str(error) != self._warned:
            self._warned = str(error)
            hint = error.hint if isinstance(error, SourceUnavailable) else ""
            log.warning("source_objects", problem=str(error), next=hint or None)
