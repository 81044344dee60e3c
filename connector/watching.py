"""Notices that the mapping, or what it reads, is another one than the pipeline was built for.

Between the rooms, like `app`. While the mapping doesn't fit the database, the pipeline goes on collecting affected keys
and moving the slot; here the mapping is tried again until it fits, and then everything is built anew. A changed
mapping that is refused changes nothing: the old one goes on, and the log says why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from pathlib import Path

import structlog

from connector.changes import TableName
from connector.errors import ConfigurationError, MappingBroken, SourceUnavailable
from connector.pipeline.records import SweepKind
from connector.pipeline.run import Pipeline
from connector.pipeline.sweep import Sweeper
from connector.projection import Projection
from connector.source.drift import Drift, ObjectWatch
from connector.source.setup import mend
from connector.source.stream import PostgresSource
from connector.status.metrics import Metrics
from connector.vitals import Vitals

log = structlog.get_logger("connector.mapping")

EVERY = 2.0
OBJECTS_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class Source:
    """How the source's objects are named, and whether we may make and mend them."""

    dsn: str
    slot: str
    publication: str
    tables: tuple[TableName, ...]
    manage: bool


class SourceObjects:
    """Tables, publications and slot, while running: a table dropped and made anew, or put in another's place by
    renaming, is in no publication, and its changes would be missed for ever."""

    def __init__(self, source: Source, stream: PostgresSource, sweeper: Sweeper) -> None:
        self._source = source
        self._stream = stream
        self._sweeper = sweeper
        self._watch = ObjectWatch(source.dsn, source.slot, source.publication, source.tables)
        self._next = 0.0
        self._told: Drift | None = None

    async def look(self) -> bool:
        """Every OBJECTS_EVERY seconds: mend what drifted where that is ours to do, and have every order compared where
        changes may have been missed. True when the catalog is another one than before."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + OBJECTS_EVERY
        try:
            drift = await self._watch.look()
            if not drift:
                return await self._healed()
            self._tell(drift)
            await self._mend(drift)
        except (SourceUnavailable, ConfigurationError) as error:
            log.warning("source_objects", problem=str(error))
            return False
        self._watch.accept()
        return True

    async def begin(self) -> None:
        """The first look: what later ones are compared with. Raises SourceUnavailable."""
        await self._watch.look()

    async def close(self) -> None:
        await self._watch.close()

    async def _healed(self) -> bool:
        """A table that was renamed away and back shows nothing now, and changes under its other name weren't ours."""
        if self._told is None:
            return False
        self._told = None
        await self._sweeper.ask("tables of the source are back", SweepKind.RECONCILE)
        return True

    async def _mend(self, drift: Drift) -> None:
        source = self._source
        if not source.manage:
            await self._sweeper.ask("tables of the source changed", SweepKind.RECONCILE)
            return
        if source.publication in drift.publications_gone:
            # What was written meanwhile can't be decoded: the slot is made anew, too, by who follows it.
            self._stream.reconnect()
            return
        ready = await mend(source.dsn, source.slot, source.publication, source.tables)
        if ready.sweep_due or drift.partitions_changed:
            cause = "publication mended" if ready.sweep_due else "partitions changed"
            await self._sweeper.ask(cause, SweepKind.RECONCILE)
        if ready.resubscribe:
            self._stream.reconnect()

    def _tell(self, drift: Drift) -> None:
        if drift != self._told:
            self._told = drift
            found = {each.name: getattr(drift, each.name) for each in fields(drift)}
            said = {
                name: value if value is True else [str(one) for one in value] for name, value in found.items() if value
            }
            log.warning("source_objects_changed", **said)


@dataclass(frozen=True, slots=True)
class Parts:
    """One generation: what was built for one mapping and one state of the catalog."""

    projection: Projection
    pipeline: Pipeline
    metrics: Metrics
    vitals: Vitals
    objects: SourceObjects


class MappingWatch:
    """`load` reads and analyses the mapping anew. Raises what it raises only for defects."""

    def __init__(
        self, path: Path, parts: Parts, load: Callable[[], Awaitable[Projection]], objects: SourceObjects
    ) -> None:
        self._path = path
        self._parts = parts
        self._load = load
        self._objects = objects
        self._text = self._read()
        self._refused: str | None = None

    async def until_changed(self) -> None:
        """Returns when the pipeline should be built anew."""
        while True:
            await asyncio.sleep(EVERY)
            text = self._read()
            broken = isinstance(self._parts.pipeline.trouble, MappingBroken)
            # Whatever the objects' drift was, the analysis of the mapping rests on them.
            drifted = await self._objects.look()
            if (broken or drifted or text != self._text) and await self._fits(broken=broken):
                return
            self._text = text

    async def _fits(self, *, broken: bool) -> bool:
        """Whether the mapping can be loaded, and means something else than before or works again."""
        try:
            projection = await self._load()
        except ConfigurationError as error:
            self._tell(error)
            return False
        except SourceUnavailable:
            return False
        self._refused = self._parts.vitals.mapping_problem = None
        if broken or projection.fingerprint != self._parts.projection.fingerprint:
            log.info("mapping_reloaded", next="every order is compared with its checkpoint")
            return True
        return False

    def _tell(self, error: ConfigurationError) -> None:
        self._parts.vitals.mapping_problem = str(error.problems[0])
        if str(error) != self._refused:
            self._refused = str(error)
            log.error("mapping_refused", problems=[str(problem) for problem in error.problems])

    def _read(self) -> str | None:
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
