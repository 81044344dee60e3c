"""The checkpoint store's port, with calls that are repeated until they work.

A full disk is no reason to lose anything: the step that can't write waits here, nothing is acknowledged meanwhile, and
the slot keeps the WAL. It must not know what is written, or why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import structlog

from connector.model.errors import CheckpointsUnwritable
from connector.pipeline.backoff import Backoff
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.store import CheckpointStore

log = structlog.get_logger("connector.pipeline")

STORE_BACKOFF = Backoff(base=0.2, cap=5.0, floor=0.1)


class RetryingStore:
    """`port` has every method of the store; each repeats a call that raised CheckpointsUnwritable."""

    def __init__(self, store: CheckpointStore) -> None:
        self._store = store
        self._failing: dict[object, CheckpointsUnwritable] = {}
        """The last error of each call that is being repeated."""
        self._starting: asyncio.Task[object] | None = None

    @property
    def port(self) -> CheckpointStore:
        return cast("CheckpointStore", self)

    @property
    def failing(self) -> bool:
        """Whether there is a `trouble`; may be asked from any thread."""
        return bool(self._failing)

    @property
    def trouble(self) -> CheckpointsUnwritable | None:
        """The error of a call that still fails, None when all is well. Others may succeed meanwhile: a full disk can
        be read."""
        return next(iter(self._failing.values()), None)

    @property
    def heartbeat(self) -> Heartbeat:
        return self._store.heartbeat

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Repeat no call of this task meanwhile: a start that can't write ends, and whoever runs the process decides
        what follows."""
        self._starting = asyncio.current_task()
        try:
            yield
        finally:
            self._starting = None

    def __getattr__(self, method: str) -> Any:
        """One of the store's methods, all of which are coroutines."""

        async def call(*arguments: Any, **named: Any) -> Any:
            try:
                return await getattr(self._store, method)(*arguments, **named)
            except CheckpointsUnwritable as error:
                if self._starting is not None and asyncio.current_task() is self._starting:
                    raise
                trouble = error
            return await self._repeat(lambda: getattr(self._store, method)(*arguments, **named), trouble)

        setattr(self, method, call)  # made once
        return call

    async def _repeat(self, once: Callable[[], Awaitable[Any]], trouble: CheckpointsUnwritable) -> Any:
        attempt, token = 0, object()
        if not self._failing:
            log.error("checkpoints_unwritable", problem=str(trouble), next="nothing is acknowledged meanwhile")
        try:
            while True:
                self._failing[token] = trouble
                await asyncio.sleep(STORE_BACKOFF.delay(attempt))
                attempt += 1
                try:
                    return await once()
                except CheckpointsUnwritable as error:
                    trouble = error
        finally:
            if self._failing.pop(token, None) and not self._failing:
                log.info("checkpoints_writable")
