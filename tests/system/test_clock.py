"""A wall clock that is set forward or back by a day keeps nothing waiting, and no age is wrong by it.

The real command in a process of its own, real Postgres, a real HTTP server for Redo.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx
import pytest

from connector.demo.run import free_port
from tests.support.fixtures.connector import Rig, eventually
from tests.support.processes import stepped_child
from tests.support.processes.stepped_child import set_clock

DAY = 86_400.0
SOON = 45.0
"""Seconds in which orders that failed are tried again; far less than a day."""


class Running:
    """The command, seen through its HTTP door."""

    def __init__(self, rig: Rig, client: httpx.AsyncClient) -> None:
        port = free_port()
        self._rig, self._url, self._client = rig, f"http://127.0.0.1:{port}/api/status", client
        self._config = str(rig.write_config(port))
        self.clock = rig.folder / "clock"

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        with (self._rig.folder / "connector.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", stepped_child.__name__, str(self.clock), "run", "--config", self._config),
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.getcwd()},
            )
        try:
            await self.until("it answers", lambda facts: facts["connected"])
            yield
        finally:
            process.terminate()
            await process.wait()

    async def until(self, what: str, so: Callable[[dict[str, Any]], Any], within: float = 60.0) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            try:
                found: dict[str, Any] = (await self._client.get(self._url)).json()
                return found if so(found) else None
            except (httpx.HTTPError, KeyError):
                return None

        answer: dict[str, Any] = await eventually(what, look, within)
        return answer


@pytest.fixture
async def connector(rig: Rig) -> AsyncIterator[Running]:
    async with httpx.AsyncClient(timeout=5.0) as client:
        made = Running(rig, client)
        set_clock(made.clock, 0.0)
        yield made


@pytest.mark.parametrize(
    ("step", "restarted"),
    [
        pytest.param(DAY, False, id="forward while it runs"),
        pytest.param(-DAY, True, id="back while it is down"),
        pytest.param(-DAY, False, id="back while it runs", marks=pytest.mark.long),
        pytest.param(DAY, True, id="forward while it is down", marks=pytest.mark.long),
    ],
)
async def test_when_the_wall_clock_is_set_what_failed_is_tried_again_in_time_and_ages_are_true(
    rig: Rig, connector: Running, step: float, restarted: bool
) -> None:
    async with connector.started():
        await connector.until("every order is there", lambda facts: facts["counts"]["pushed"] >= 40)
        rig.switch(fail=["3"], fail_how="500")
        rig.execute("UPDATE oms.order_item SET qty = qty + 1 WHERE ord_id IN (3, 4)")
        failed = time.monotonic()
        await eventually("it failed again and again", lambda: rig.sandbox.state.pushes["3"] >= 4)
        if not restarted:
            set_clock(connector.clock, step)
            pushes = rig.sandbox.state.pushes["3"]
            facts = await connector.until("by its clock", lambda facts: abs(facts["now"] - time.time() - step) < 60)
            assert facts["oldest_affected_age_seconds"] <= time.monotonic() - failed + 2
            await eventually("it is tried again", lambda: rig.sandbox.state.pushes["3"] > pushes, SOON)
            rig.switch(fail=[])
            await connector.until("it is taken", lambda facts: facts["ready"] and not facts["affected"], SOON)
    if restarted:
        set_clock(connector.clock, step)
        rig.switch(fail=[])
        async with connector.started():
            await connector.until("it is taken", lambda facts: facts["ready"] and not facts["affected"], SOON)
    assert (await rig.verdict()).clean


async def test_a_clock_set_back_during_a_pause_prolongs_neither_the_pause_nor_what_is_told_of_it(
    rig: Rig, connector: Running
) -> None:
    rig.switch(unauthorized=True)
    async with connector.started():
        await connector.until("it is paused", lambda facts: facts["paused_until"] is not None)
        set_clock(connector.clock, -DAY)
        facts = await connector.until("by its clock", lambda facts: facts["now"] < time.time() - DAY / 2)
        assert facts["now"] - 61 < facts["paused_since"] <= facts["now"]
        assert facts["paused_until"] < facts["now"] + 61
        rig.switch(unauthorized=False)
        await connector.until("all is taken", lambda facts: facts["ready"] and facts["counts"]["pushed"] >= 40, 90.0)
    assert (await rig.verdict()).clean
