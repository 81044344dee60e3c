"""Orders of 50,000 lines pass through the whole connector, and the event loop goes on turning: the stream is told where
we are, other orders go, the page answers.

The whole connector, real Postgres, the sandbox in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from connector.sandbox.server import SandboxServer
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import Database
from tests.support.oms.minimal_mapping import mapping

LINES = 50_000
SLICE = 0.1
"""Seconds of the processor that the loop's thread may need in one go; 50 ms are promised, but not on a slow machine."""
TABLES = "CREATE TABLE orders (no int PRIMARY KEY, lines int NOT NULL, title text NOT NULL DEFAULT 'Lamp')"
ITEMS = """(SELECT jsonb_agg(jsonb_build_object('id', 'L' || n, 'product_id', 'p', 'sku', 's', 'title', o.title,
    'quantity', 1, 'price_set', 1.5)) FROM generate_series(1, o.lines) AS n)"""
TAKES_LARGER = """
from connector.cli.main import main
from connector.sandbox import app
app.LARGEST_BODY = 64 * 2**20
main()
"""
CONTROL = """
import sys, threading, time
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
print("ready", flush=True)
last, most = time.monotonic(), 0.0
while not ended.is_set():
    time.sleep(0.001)
    now = time.monotonic()
    most, last = max(most, now - last), now
print(most)
"""


class Turning:
    """How long the loop took for its rounds at most: `slice` of its thread's processor time, `lag` by the clock. Use as
    an async context manager."""

    def __init__(self) -> None:
        self.slice = self.lag = 0.0

    async def __aenter__(self) -> Turning:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        spent, last = time.thread_time(), time.monotonic()
        while True:
            await asyncio.sleep(0.001)
            spent_now, now = time.thread_time(), time.monotonic()
            self.slice, self.lag = max(self.slice, spent_now - spent), max(self.lag, now - last)
            spent, last = spent_now, now


class Control:
    """A process that only sleeps: for how long the machine itself lets one wait. Use as a context manager."""

    def __enter__(self) -> Control:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, "-c", CONTROL], text=True, stdin=pipe, stdout=pipe)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self.lag = float(self._process.communicate()[0])


@pytest.fixture
async def rig(database: Database, sandbox: SandboxServer, tmp_path: Path) -> AsyncIterator[Rig]:
    with database.connect() as connection:
        connection.execute(TABLES)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    redo = {"base_url": f"http://127.0.0.1:{port}/v2.2", "store_id": "sandbox", "api_secret": "sandbox"}
    text = mapping("o.no::text AS id", "orders o", items=ITEMS)
    made = Rig(database, sandbox, tmp_path, text, {"redo": redo, "source": {"statement_timeout": 60.0}})
    process = subprocess.Popen([sys.executable, "-c", TAKES_LARGER, "sandbox", "--port", str(port)])
    try:
        await eventually("the sandbox answers", lambda: answers(port))
        yield made
        await made.stop()
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def accepted(rig: Rig) -> dict[str, int]:
    """How often Redo took each order."""
    address = f"{rig.settings().redo.base_url.removesuffix('/v2.2')}/_sandbox/stats"
    answer = await asyncio.to_thread(lambda: urlopen(address).read())  # noqa: S310 -- its own sandbox
    pushes: dict[str, int] = json.loads(answer)["pushes"]
    return pushes


@pytest.mark.timeout(300)
async def test_while_an_order_of_50_000_lines_passes_the_loop_goes_on_turning(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    async with Turning() as turning:
        with Control() as control:
            rig.execute(f"INSERT INTO orders VALUES (1, {LINES}), (2, 1)")
            await rig.quiet()
            assert await accepted(rig) == {"1": 1, "2": 1}
            rig.execute(f"INSERT INTO orders VALUES (3, {LINES})")  # with the very lines that the first one has
            await rig.quiet()
            rig.execute("UPDATE orders SET title = 'Lantern' WHERE no = 1")
            await rig.quiet()
    assert await accepted(rig) == {"1": 2, "2": 1, "3": 1}
    warned = (await rig.tally()).warnings
    assert warned == {"line_item_id_reused": 2}
    assert turning.slice < SLICE
    assert turning.lag < 0.5 + 4 * control.lag
