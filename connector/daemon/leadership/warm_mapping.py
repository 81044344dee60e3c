"""The mapping of a connector that waits: analysed and found fit, so that it can be run at once, and watched for drift.

What changes between the last look and the takeover is found as it is in a connector that runs: each reading is followed
by a look at what it stands on.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog

from connector.daemon.mapping.unusable_mapping import UnusableMapping
from connector.daemon.preparation import fit_mapping
from connector.model.errors import ConfigurationError, ConnectorError, MappingBroken, Problem, SourceUnavailable
from connector.postgres.connections import connection
from connector.projection import Assembler, Projection
from connector.settings.config import Settings
from connector.status.facts import MappingRefused
from connector.wiring.factories import mapping_text, new_assembler, read_dsn

log = structlog.get_logger("connector.leader")

EVERY: Final = 10.0
"""Seconds between two looks at the mapping's file and at what the mapping uses."""
AWAY_RETRY: Final = 1.0
"""The same while the OMS can't be reached."""


class WarmMapping:
    """`latest()` is the one to begin a term with."""

    def __init__(self, settings: Settings, projection: Projection | UnusableMapping) -> None:
        self._settings = settings
        self._problem = ""
        self.refused: MappingRefused | None = None
        """Why it couldn't be run, as of the last look."""
        self._assembler: Assembler | None = None
        self._projection: Projection | UnusableMapping | None = projection
        self._text = self._read()
        self.away = ""
        """Why the OMS can't be reached from here: whoever leads had better be another one."""
        if isinstance(projection, UnusableMapping):
            self.refused = MappingRefused.because([projection.problem], None, time.time())

    def latest(self) -> Projection | UnusableMapping | None:
        """None when the mapping must be loaded anew, because it was changed or refused."""
        return self._projection if self._read() == self._text else None

    @property
    def fingerprint(self) -> str | None:
        """None while it isn't known."""
        return None if self._projection is None else self._projection.fingerprint

    async def keep(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                await asyncio.sleep(AWAY_RETRY if self.away else EVERY)
                try:
                    if await self._differs():
                        async with connection(read_dsn(self._settings)):
                            pass  # what is away now would count as refused below
                        self._text = self._read()
                        self._projection = await fit_mapping(self._settings, lasting=False)
                        log.info("standby_mapping_reloaded")
                    self._problem, self.away, self.refused = "", "", None
                except SourceUnavailable as error:
                    self.away = str(error)
                except (ConfigurationError, MappingBroken) as error:
                    self._projection, self.away = None, ""
                    self._tell(error)
                except ConnectorError:
                    continue  # of the checkpoints: whoever waits for them says it
        finally:
            await self._close()

    async def _differs(self) -> bool:
        if not isinstance(self._projection, Projection) or self._read() != self._text:
            await self._close()
            return True
        if self._assembler is None:
            self._assembler = new_assembler(self._settings, self._projection)
        try:
            await self._assembler.assemble([])
            differs = await self._assembler.redefined()
        except MappingBroken:
            differs = True
        if differs:
            await self._close()
        return differs

    async def _close(self) -> None:
        assembler, self._assembler = self._assembler, None
        if assembler is not None:
            await assembler.aclose()

    def _read(self) -> str | None:
        try:
            return mapping_text(self._settings.mapping.path)
        except (ConfigurationError, SourceUnavailable):
            return None

    def _tell(self, error: ConfigurationError | MappingBroken) -> None:
        problems = error.problems if isinstance(error, ConfigurationError) else [Problem(str(error))]
        self.refused = MappingRefused.because(problems, self.refused, time.time())
        if str(error) != self._problem:
            self._problem = str(error)
            log.warning("standby_mapping_refused", problem=self._problem, next="it is tried again at the takeover")
