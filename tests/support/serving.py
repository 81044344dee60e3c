"""The connector as `run` serves it, in the test's process, seen through its HTTP door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx
import pytest

from connector.daemon import app
from connector.daemon.mapping import mapping_watch
from connector.daemon.source import source_objects
from connector.demo.run import free_port
from connector.model.changes import parse_lsn
from connector.pipeline.sweeps import state
from tests.support.fix_connector import Rig, eventually


def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the next look at the mapping and the source's objects."""
    for name in ("EVERY", "AGAIN_EVERY", "USED_EVERY"):
        monkeypatch.setattr(mapping_watch, name, 0.1)
    for name in ("OBJECTS_EVERY", "SOON", "PATIENCE"):
        monkeypatch.setattr(source_objects, name, 0.1)
    monkeypatch.setattr(state, "REST_LEAST", 0.1)


class Served:
    """The connector as `run` serves it, in this process, seen through its HTTP door."""

    def __init__(self, rig: Rig, client: httpx.AsyncClient, url: str, task: asyncio.Task[None]) -> None:
        self.rig, self._client, self._url, self._task = rig, client, url, task

    async def facts(self) -> dict[str, Any]:
        if self._task.done():
            self._task.result()
        try:
            found: dict[str, Any] = (await self._client.get(f"{self._url}/api/status")).json()
        except httpx.HTTPError:
            return {"state": "unreachable", "reason": "", "flush_lsn": None, "affected": -1}
        return found

    async def until(self, what: str, **wanted: Any) -> dict[str, Any]:
        async def so() -> Any:
            facts = await self.facts()
            return facts if all(facts.get(name) == value for name, value in wanted.items()) else None

        found: dict[str, Any] = await eventually(what, so)
        return found

    async def quiet(self) -> None:
        """Read up to here, and nothing waits, in facts gathered after that."""
        end = self.rig.wal_end()

        async def read() -> bool:
            lsn = (await self.facts())["flush_lsn"]
            return lsn is not None and parse_lsn(lsn) >= end

        await eventually("all was read", read)
        await eventually("Redo holds the mapping's answer", self._clean)

    async def _clean(self) -> bool:
        if self._task.done():
            self._task.result()
        return (await self.rig.verdict()).clean

    async def flushed(self, lsn: int) -> bool:
        flush = (await self.facts())["flush_lsn"]
        return flush is not None and parse_lsn(flush) >= lsn


@asynccontextmanager
async def serving(rig: Rig, *, fits: bool = True) -> AsyncIterator[Served]:
    """`fits`: the mapping does, so that it can be waited for."""
    port, stop = free_port(), asyncio.Event()
    # Many orders change at once here: that is what is looked at, not the guard.
    rig.overrides = {**rig.overrides, "status": {"port": port}, "guard": {"max_share": 1}}
    task = asyncio.create_task(app.serve(rig.settings(), stop, lasting=True))
    async with httpx.AsyncClient() as client:
        served = Served(rig, client, f"http://127.0.0.1:{port}", task)
        try:
            if fits:
                await served.until("it streams", state="streaming")
                await served.quiet()
            yield served
        finally:
            stop.set()
            await task
