"""Notices that the mapping, or what it reads, is another one than the pipeline was built for.

Between the rooms, like `app`. While the mapping doesn't fit the database, the pipeline goes on collecting affected keys
and moving the slot; here the mapping is tried again until it fits, and then everything is built anew. A changed
mapping that is refused changes nothing: the old one goes on, and the log says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from connector.errors import ConfigurationError, MappingBroken, SourceUnavailable
from connector.pipeline.run import Pipeline
from connector.projection import Projection
from connector.status.metrics import Metrics
from connector.vitals import Vitals

log = structlog.get_logger("connector.mapping")

EVERY = 2.0


@dataclass(frozen=True, slots=True)
class Parts:
    """One generation: what was built for one mapping and one state of the catalog."""

    projection: Projection
    pipeline: Pipeline
    metrics: Metrics
    vitals: Vitals


class MappingWatch:
    """`load` reads and analyses the mapping anew. Raises what it raises only for defects."""

    def __init__(self, path: Path, parts: Parts, load: Callable[[], Awaitable[Projection]]) -> None:
        self._path = path
        self._parts = parts
        self._load = load
        self._text = self._read()
        self._refused: str | None = None

    async def until_changed(self) -> None:
        """Returns when the pipeline should be built anew."""
        while True:
            await asyncio.sleep(EVERY)
            text = self._read()
            broken = isinstance(self._parts.pipeline.trouble, MappingBroken)
            if (broken or text != self._text) and await self._fits(broken=broken):
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
