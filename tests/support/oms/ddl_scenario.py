"""The scenario of the tests of DDL: an OMS at work, the connector beside it, and what must hold whatever is altered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from connector.daemon import build, process
from connector.daemon.generation import Generation
from connector.demo.verdict import Verdict
from connector.projection import load
from connector.sandbox.server import SandboxServer
from connector.source.objects.drift import Moment
from connector.source.objects.setup import ensure
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import Database
from tests.support.fixtures.served_connector import Served, look_often, serving
from tests.support.oms.ddl_schema import MAPPING, SCHEMA, TABLES
from tests.support.oms.writers import CLIENT, SCHEMA_CHANGER, Clients

ALIKE = 3
"""The same words in the log more often than this are a loop."""
PLAYED = 20


@dataclass(slots=True)
class DdlScenario:
    rig: Rig
    served: Served
    clients: Clients
    generations: list[Generation]
    logs: list[MutableMapping[str, Any]]
    _seeds: int = 0
    _heard: int = 0
    _last: tuple[str, ...] = ()
    _looked: tuple[int, Moment] | None = None
    """A position in the WAL, and the first look after it."""
    _confirmed: tuple[int, str] | None = None
    """The id of the generation that is what the mapping means since the last DDL, and the mapping."""

    @property
    def parts(self) -> Generation:
        return self.generations[-1]

    async def ddl(self, *transactions: str) -> float:
        """Each script is one transaction, unless it has a line of its own that can't be in one. Returns when the last
        was committed (monotonic)."""
        self._last, self._confirmed = transactions, None
        await asyncio.to_thread(self._ddl, transactions)
        return time.monotonic()

    def _ddl(self, transactions: tuple[str, ...]) -> None:
        settings = {"application_name": SCHEMA_CHANGER, "options": "-c lock_timeout=30s"}
        with psycopg.connect(self.rig.dsn, autocommit=True, **settings) as conn:  # type: ignore[arg-type]
            for script in transactions:
                conn.execute(script.encode())

    def write_mapping(self, mapping: str) -> None:
        self.rig.mapping = mapping
        (self.rig.folder / "mapping.sql").write_text(mapping, encoding="utf-8")

    async def traffic(self, transactions: int = 20) -> None:
        """The OMS's clients have committed so many more."""
        self.clients.resumed()
        end = self.clients.committed + transactions
        await eventually("the OMS goes on with its work", lambda: self.clients.committed >= end)

    async def settled(self) -> None:
        """The clients rest, all that they did was read, the latest DDL was looked at, and Redo holds the answer."""
        await asyncio.to_thread(self.clients.paused)
        end = self.rig.wal_end()
        await eventually("the slot passes it", lambda: self.served.flushed(end))
        await eventually("the mapping is taken up as it is now", lambda: self._analysed(end))
        await eventually("nothing is under way", self._idle)
        try:
            await eventually("Redo holds the mapping's answer", self._clean)
        except AssertionError:
            raise AssertionError(f"{await self.rig.verdict()}, after {self._last}") from None

    async def well(self) -> None:
        """And nobody suffered from it: no statement of the OMS, no log. From here on, no sweep is needed either."""
        await self.settled()
        self.fine()
        await self.routed()
        self._heard = len(self.logs)

    def fine(self) -> None:
        assert not self.clients.failures, "\n".join(map(str, self.clients.failures[:5]))
        assert self.clients.kept_waiting.get(CLIENT, 0.0) == 0.0, "our locks never conflict with a row's"
        assert self.clients.kept_waiting.get(SCHEMA_CHANGER, 0.0) < 10.0
        heard = [each for each in self.logs[self._heard :] if each["log_level"] in ("warning", "error")]
        loud = Counter(str(sorted(each.items())) for each in heard)
        loops = {words: count for words, count in loud.items() if count > ALIKE}
        assert not loops, loops

    def round_over(self) -> None:
        """Nobody suffered so far. What is logged from here on counts anew: another change is told in the same words."""
        self.fine()
        self._heard = len(self.logs)

    async def routed(self) -> None:
        """Changes of every table reach their orders by the stream alone."""
        self._seeds += 1
        before = self._sweeps()
        await asyncio.to_thread(self.clients.play, PLAYED, self._seeds)
        await self.settled()
        assert self._sweeps() == before, "a sweep hid what the routes do"
        self.fine()

    def _sweeps(self) -> tuple[int, object]:
        sweep = self.parts.pipeline.sweeps.current
        return len(self.generations), sweep and (sweep.started_at, sweep.wanted_revision)

    async def _analysed(self, end: int) -> bool:
        parts, objects = self.parts, self.parts.objects
        moment = objects._watch.moment
        if moment.lsn < end:
            return False
        # A look reads the catalog first, and then how far the WAL is: only the one after it surely saw the DDL.
        if self._looked is None or self._looked[0] != end:
            self._looked = end, moment
        if moment is self._looked[1] or objects._watch.changed or objects._pending is not None:
            return False
        if self._confirmed != (id(parts), self.rig.mapping):
            made = await load(
                self.rig.mapping, path="mapping.sql", read_dsn=self.rig.dsn, timezone="UTC", statement_timeout_ms=30_000
            )
            if parts is not self.parts or made.signature != parts.projection.signature:
                return False
            self._confirmed = id(parts), self.rig.mapping
        return True

    async def _idle(self) -> bool:
        pipeline = self.parts.pipeline
        if pipeline.sweeps.active or pipeline.in_work or pipeline.trouble is not None:
            return False
        if not pipeline.ports.source.position().connected:
            return False
        tally = await pipeline.ports.store.tally()
        return tally.affected == 0 and tally.lookups == 0

    async def _clean(self) -> Verdict | None:
        await self.served.facts()  # raises what ended the connector
        verdict = await self.rig.verdict()
        return verdict if verdict.clean and not verdict.refused else None


@asynccontextmanager
async def ddl_scenario(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch, **overrides: dict[str, Any]
) -> AsyncIterator[DdlScenario]:
    with database.connect() as conn:
        conn.execute(SCHEMA.encode())
    look_often(monkeypatch)
    generations: list[Generation] = []
    original = build.build

    async def recording(*arguments: Any, **named: Any) -> Generation:
        generations.append(await original(*arguments, **named))
        return generations[-1]

    monkeypatch.setattr(process, "build", recording)
    with capture_logs() as logs, Clients(database.dsn) as clients:
        async with SandboxServer() as sandbox:
            rig = Rig(database, sandbox, folder, MAPPING, overrides)
            source = rig.settings().source
            if not source.manage:
                await ensure(rig.dsn, source.slot, source.publication, TABLES, manage=True)
            async with serving(rig) as served:
                scenario = DdlScenario(rig, served, clients, generations, logs)
                await scenario.settled()
                yield scenario
