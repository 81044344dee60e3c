"""Notices that the mapping, or what it reads, is another one than the pipeline was built for.

While the mapping doesn't fit the database, the pipeline goes on collecting affected keys
and moving the slot; here the mapping is tried again until it fits. What reads or routes otherwise than before is then
taken up by building everything anew. A mapping that is refused changes nothing: the old one goes on, and the log says
why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from connector.daemon.generation import Generation
from connector.model.errors import (
    ConfigurationError,
    ConnectorError,
    MappingBroken,
    MappingFails,
    SourceUnavailable,
    scarcity,
)
from connector.projection import Projection

log = structlog.get_logger("connector.mapping")

EVERY = 2.0
AGAIN_EVERY = 10.0
"""Seconds between attempts with a mapping that is refused, while the old one works."""
USED_EVERY = 10.0
"""Seconds between looks at the views, functions and types that the mapping uses."""


class MappingWatch:
    """`load` reads and analyses the mapping anew. `admit` makes sure that a mapping that differs can be taken up.
    Both raise ConfigurationError for defects, SourceUnavailable for what time mends."""

    def __init__(
        self,
        path: Path,
        generation: Generation,
        load: Callable[[], Awaitable[Projection]],
        admit: Callable[[Projection], Awaitable[None]],
    ) -> None:
        self._path = path
        self._running = generation
        self._load = load
        self._admit = admit
        self._text: str | None = None
        self._text = self._read()
        self._due = False
        """The mapping must be analysed anew, and wasn't yet with success."""
        self._not_before = 0.0
        self._used_next = 0.0
        self._refused: str | None = None

    async def until_changed(self) -> Projection:
        """Returns the projection that the pipeline should be built anew for."""
        while True:
            await asyncio.sleep(EVERY)
            if await self._news():
                self._due, self._not_before = True, 0.0
            pipeline = self._running.pipeline
            # Only here is taken back what `try_mapping` found, be it that the database was away just then.
            trouble = pipeline.trouble
            misfit = isinstance(trouble, MappingBroken) and not isinstance(trouble, MappingFails)
            broken = misfit or pipeline.mapping_trouble is not None
            if (self._due or broken) and time.monotonic() >= self._not_before:
                self._not_before = time.monotonic() + (EVERY if broken else AGAIN_EVERY)
                projection = await self._tried()
                if projection is not None:
                    return projection

    async def _news(self) -> bool:
        """The file, the tables or what else the mapping uses is otherwise than it was."""
        before, self._text = self._text, self._read()
        return await self._running.objects.look() or self._text != before or await self._redefined()

    async def _redefined(self) -> bool:
        if time.monotonic() < self._used_next:
            return False
        self._used_next = time.monotonic() + USED_EVERY
        try:
            return await self._running.assembler.redefined()
        except ConnectorError:
            return False  # asked again soon

    async def _tried(self) -> Projection | None:
        """The mapping as it is now, when it can be taken up and reads or routes otherwise than before."""
        running = self._running
        try:
            projection = await self._load()
            same = projection.signature == running.projection.signature
            differs = not same or running.assembler.superseded_by(projection)
            if differs:
                await self._admit(projection)
        except (ConfigurationError, SourceUnavailable) as error:
            self._report(error)
            # Is it only the text that is refused, or can no order be read any more?
            await running.pipeline.try_mapping()
            return None
        self._due, self._refused = False, None
        running.facts_collector.mapping_is(())
        if not differs:
            await running.pipeline.try_mapping()
            return None
        log.info("mapping_reloaded", meaning_changed=projection.fingerprint != running.projection.fingerprint)
        return projection

    def _report(self, error: ConfigurationError | SourceUnavailable) -> None:
        problem, news = str(error), str(error) != self._refused
        self._refused = problem
        if isinstance(error, SourceUnavailable):
            if news:
                log.warning("mapping_not_read", problem=problem, next=error.hint or None)
            return
        self._running.facts_collector.mapping_is(error.problems)
        if news:
            log.error("mapping_refused", problems=[str(problem) for problem in error.problems])

    def _read(self) -> str | None:
        """None for what is no text; as before where the system can't read any file just now."""
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            return self._text if scarcity(error) else None
