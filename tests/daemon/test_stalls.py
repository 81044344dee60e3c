"""A part that has work and doesn't get on is seen, told, and ends the process; one that waits for others is not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from typing import Any

import pytest

from connector.checkpoints.tables import ledger
from connector.daemon.health.watchdog import Watchdog
from connector.model.errors import CheckpointsUnwritable
from connector.pipeline.ports.records import SweepKind
from connector.status.facts import State
from connector.status.verdict import ready
from tests.support.fixtures.connector import Rig, eventually

BOUND = 1.0
"""Seconds until a part counts as stalled: long enough for a loaded machine, short enough for a test."""
QUICK = {
    "source": {"statement_timeout": 0.5, "silence_timeout": 0.5},
    "redo": {"timeout": 0.3},
    "health": {"stalled_after": BOUND},
}


@pytest.fixture
async def watched(rig: Rig) -> AsyncIterator[Rig]:
    """A connector that is in step, with a watchdog that ends nothing."""
    rig.overrides = {section: dict(values) for section, values in QUICK.items()}
    rig.watchdog = Watchdog(BOUND, None)
    await rig.start()
    await rig.quiet()
    rig.watchdog.start()
    yield rig
    rig.watchdog.stop()


def stalled(rig: Rig) -> list[str]:
    assert rig.watchdog is not None
    return [stall.name for stall in rig.watchdog.stalled]


@contextmanager
def hanging(target: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """While this lasts, an async method of an object waits before it does anything."""
    real, go_on = getattr(target, name), asyncio.Event()

    async def wait(*args: Any, **kwargs: Any) -> Any:
        await go_on.wait()
        return await real(*args, **kwargs)

    monkeypatch.setattr(target, name, wait)
    yield
    monkeypatch.setattr(target, name, real)
    go_on.set()


async def sees(rig: Rig, part: str, change: Callable[[], object]) -> None:
    change()
    await eventually(f"the {part} is seen to stall", lambda: part in stalled(rig))
    facts = rig.facts()
    is_ready, reason = ready(facts)
    assert (is_ready, facts.state) == (False, State.STALLED)
    assert "though it has work" in reason
    assert "nothing is lost" in facts.next_step
    assert part in facts.stalled_parts


async def is_over(rig: Rig) -> None:
    await eventually("no part stalls any more", lambda: not stalled(rig))
    await rig.quiet()
    assert (await rig.verdict()).clean


async def test_each_part_that_has_work_and_does_not_get_on_is_seen_and_named(
    watched: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = watched.running.pipeline
    memory, assembler = pipeline.ports.store, pipeline.ports.assembler
    for heartbeat in watched.running.heartbeats():
        heartbeat.allowance = 0.0
    pipeline.in_work.longest_step = 0.0
    number = 0
    tasks: list[asyncio.Task[int]] = []

    def change() -> None:
        nonlocal number
        number += 1
        watched.execute(f"UPDATE oms.order_header SET tag_list = 'v{number}' WHERE ord_id = 3")

    def sweep() -> None:
        tasks.append(asyncio.create_task(pipeline.control.sweep(SweepKind.RECONCILE)))

    for part, target, name, act in [
        ("intake", memory, "arrive", change),
        ("settler", memory, "settle", change),
        ("road", pipeline.ports.redo, "push", change),
        ("page reader", assembler, "scan", sweep),
        ("sweeper", memory, "save_sweep", sweep),
    ]:
        with hanging(target, name, monkeypatch):
            await sees(watched, part, act)
        await is_over(watched)


async def test_a_store_whose_thread_is_stuck_is_seen_and_named(watched: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    real, go_on = ledger.arrive, threading.Event()

    def stuck(*args: Any) -> None:
        go_on.wait()
        real(*args)

    monkeypatch.setattr(ledger, "arrive", stuck)
    try:
        await sees(
            watched,
            "checkpoint store",
            lambda: watched.execute("UPDATE oms.order_header SET tag_list = 'x' WHERE ord_id = 3"),
        )
    finally:
        go_on.set()
    await is_over(watched)


async def test_no_part_stalls_while_redo_is_out_or_silent_the_source_is_slow_or_the_disk_is_full(
    watched: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each lasts for longer than the bound; what a new start wouldn't end is no stall."""
    seen: set[str] = set()

    async def lasts() -> None:
        looked = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < looked + 1.6 * BOUND:  # the promise is about a time
            seen.update(stalled(watched))
            await asyncio.sleep(0.05)

    def change(text: str) -> None:
        watched.execute("UPDATE oms.order_header SET tag_list = %s", text)

    watched.switch(outage=True, retry_after=2)
    change("out")
    await lasts()
    watched.switch(outage=False, latency_ms=1_500)
    change("silent")
    await lasts()
    watched.switch(latency_ms=0)
    with watched.database.connect() as conn, conn.transaction():
        change("locked")
        conn.execute("LOCK TABLE oms.order_header IN ACCESS EXCLUSIVE MODE")
        await lasts()

    async def full(*_: Any, **__: Any) -> None:
        raise CheckpointsUnwritable("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(watched.running.pipeline.ports.store, "arrive", full)
        change("full")
        await lasts()
        assert watched.facts().state is State.STALLED
        assert "the disk is full" in watched.facts().reason
    await watched.quiet()
    assert seen == set()
    assert (await watched.verdict()).clean
