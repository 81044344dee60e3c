"""The tasks that stations start for single orders. An error of one of them ends the pipeline, and must not be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from connector.model.errors import CheckpointsUnwritable, MappingBroken, OrderUnreadable, SourceUnavailable

PASSING = (SourceUnavailable, MappingBroken, OrderUnreadable, CheckpointsUnwritable)
"""Errors for which a station only waits."""


class Tasks:
    """`wake` is set when a task has failed."""

    def __init__(self, wake: asyncio.Event) -> None:
        self._wake = wake
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    def begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def check(self) -> None:
        """Raises what no task foresaw. It ends the process: its orders are in the ledger, and a restart looks at them
        again."""
        if self._failure is not None:
            raise self._failure

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, PASSING):
                # The dispatcher would wait for it to pass, but what the task had taken stays in work.
                foreseen, error = error, RuntimeError("an order met an error that should have been met on its way")
                error.__cause__ = foreseen
            self._failure = self._failure or error
            self._wake.set()

    async def drain(self, bound: float) -> int:
        """Let what is under way finish within `bound` seconds, and what is cancelled then end within as many. Returns
        how many tasks were cancelled."""
        tasks = set(self._tasks)
        while tasks:
            _, pending = await asyncio.wait(tasks, timeout=bound)
            if pending:
                for task in pending:
                    task.cancel()
                await asyncio.wait(pending, timeout=bound)
                return len(pending)
            tasks = set(self._tasks)
        return 0
