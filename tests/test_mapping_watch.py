"""The mapping and the database change while the connector runs: nothing is lost, and work resumes by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx
import pytest

from connector import app, watching
from connector.changes import parse_lsn
from connector.demo.run import free_port
from tests.fix_connector import Rig, eventually


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
async def serving(rig: Rig) -> AsyncIterator[Served]:
    port, stop = free_port(), asyncio.Event()
    # Many orders change at once here: that is what is looked at, not the guard.
    rig.overrides = {"status": {"port": port}, "guard": {"max_share": 1}}
    task = asyncio.create_task(app.serve(rig.settings(), stop))
    async with httpx.AsyncClient() as client:
        served = Served(rig, client, f"http://127.0.0.1:{port}", task)
        try:
            await served.until("it streams", state="streaming")
            await served.quiet()
            yield served
        finally:
            stop.set()
            await task


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "EVERY", 0.1)


async def test_while_a_column_of_the_mapping_is_gone_the_slot_moves_and_work_resumes_when_it_is_back(rig: Rig) -> None:
    async with serving(rig) as served:
        rig.execute("ALTER TABLE oms.product RENAME COLUMN prod_nm TO product_name")
        rig.execute("UPDATE oms.order_header SET tag_list = 'meanwhile'")
        end = rig.wal_end()

        async def says_where() -> bool:
            facts = await served.facts()
            return facts["state"] == "stalled" and "prod_nm" in facts["reason"] and "mapping.sql:" in facts["reason"]

        await eventually("it says what is wrong and where", says_where)
        await eventually("the slot keeps moving", lambda: served.flushed(end))
        assert not (await served.facts())["ready"]
        rig.execute("ALTER TABLE oms.product RENAME COLUMN product_name TO prod_nm")
        await served.until("it works again", state="streaming")
        await served.quiet()


async def test_a_mapping_that_is_mended_while_the_connector_runs_is_taken_up_by_itself(rig: Rig) -> None:
    async with serving(rig) as served:
        rig.execute("ALTER TABLE oms.product RENAME COLUMN prod_nm TO product_name")
        rig.execute("UPDATE oms.order_header SET tag_list = 'meanwhile'")
        await served.until("it says so", state="stalled")
        rig.mapping = rig.mapping.replace("p.prod_nm", "p.product_name AS prod_nm")
        (rig.folder / "mapping.sql").write_text(rig.mapping)
        await served.until("it works again", state="streaming")
        await served.quiet()


async def test_a_changed_mapping_is_taken_up_and_only_differences_are_pushed(rig: Rig) -> None:
    async with serving(rig) as served:
        before = rig.sandbox.state.pushes.total()
        rig.mapping = rig.mapping.replace("ELSE 'store' END AS sales_channel", "ELSE 'shop' END AS sales_channel")
        (rig.folder / "mapping.sql").write_text(rig.mapping)
        await served.quiet()
        assert 0 < rig.sandbox.state.pushes.total() - before < 40


async def test_a_changed_mapping_that_is_refused_leaves_the_old_one_at_work(rig: Rig) -> None:
    async with serving(rig) as served:
        (rig.folder / "mapping.sql").write_text(rig.mapping.replace("oms.product", "oms.prodct"))
        await asyncio.to_thread(rig.execute, "UPDATE oms.order_header SET tag_list = 'still here'")
        await served.quiet()
        assert rig.stored()["1"]["tags"] == ["still here"]
