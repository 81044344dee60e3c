"""Writing to the checkpoint store until it works.

A full disk is no reason to lose anything: the step that can't write waits here, nothing is acknowledged meanwhile, and
the slot keeps the WAL. Which step waits, and why, is visible to operators through `trouble`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from connector.errors import CheckpointsUnwritable
from connector.pipeline.backoff import Backoff

T = TypeVar("T")

STORE_BACKOFF = Backoff(base=0.2, cap=5.0, floor=0.1)


class Insist:
    """Repeats store actions while the store is unwritable. `trouble` is the last complaint, None when all is well."""

    def __init__(self, on_trouble: Callable[[CheckpointsUnwritable], None] | None = None) -> None:
        self.trouble: CheckpointsUnwritable | None = None
        self._on_trouble = on_trouble

    async def __call__(self, action: Callable[[], Awaitable[T]]) -> T:
        attempt = 0
        while True:
            try:
                result = await action()
            except CheckpointsUnwritable as error:
                if self.trouble is None and self._on_trouble is not None:
                    self._on_trouble(error)
                self.trouble = error
                await asyncio.sleep(STORE_BACKOFF.delay(attempt))
                attempt += 1
            else:
                self.trouble = None
                return result
