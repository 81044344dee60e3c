"""A stop ends in bounded time, whatever a task waits for."""

from __future__ import annotations

import asyncio

from connector.pipeline.dispatch.tasks import Tasks


async def test_what_does_not_end_when_cancelled_keeps_a_stop_for_its_bound_only() -> None:
    over = asyncio.Event()

    async def stubborn() -> None:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                continue

    tasks = Tasks(asyncio.Event())
    tasks.begin(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        assert await tasks.drain(0.05) == 1
    over.set()
