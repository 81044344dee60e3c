"""Writing to the checkpoint store until it works.

A full disk is no reason to lose anything: the step that can't write waits here, nothing is acknowledged meanwhile, and
the slot keeps the WAL. Which step waits, and why, is visible to operators through `trouble`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from connector.model.errors import CheckpointsUnwritable
from connector.pipeline.backoff import Backoff

T = TypeVar("T")

STORE_BACKOFF = Backoff(base=0.2, cap=5.0, floor=0.1)


class Insist:
    """Repeats store actions while the store is unwritable."""

    def __init__(
        self,
        on_trouble: Callable[[CheckpointsUnwritable], None] | None = None,
        on_over: Callable[[], None] | None = None,
    ) -> None:
        """`on_trouble` is told when a first action fails, `on_over` when the last one no longer does."""
        self._failing: dict[object, CheckpointsUnwritable] = {}
        self._on_trouble = on_trouble
        self._on_over = on_over

    @property
    def failing(self) -> bool:
        """Whether there is a `trouble`; may be asked from any thread."""
        return bool(self._failing)

    @property
    def trouble(self) -> CheckpointsUnwritable | None:
        """The complaint of an action that still fails, None when all is well. Others may succeed meanwhile: from a full
        disk can be read."""
        return next(iter(self._failing.values()), None)

    async def __call__(self, action: Callable[[], Awaitable[T]]) -> T:
        attempt, token = 0, object()
        try:
            while True:
                try:
                    return await action()
                except CheckpointsUnwritable as error:
                    if not self._failing and self._on_trouble is not None:
                        self._on_trouble(error)
                    self._failing[token] = error
                await asyncio.sleep(STORE_BACKOFF.delay(attempt))
                attempt += 1
        finally:
            if self._failing.pop(token, None) and not self._failing and self._on_over is not None:
                self._on_over()
