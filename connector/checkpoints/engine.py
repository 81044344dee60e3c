"""What the store's logic runs on: sessions that run named statements, and engines that run work on a session.

The logic (`tables/`, `store`) knows no engine; an engine knows no table.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from enum import Enum, auto
from typing import Any, TypeVar

from connector.checkpoints.lease import Lease
from connector.model.errors import CheckpointsUnwritable, ConfigurationError
from connector.pipeline.heartbeat import Heartbeat

T = TypeVar("T")

STEP = 10_000
"""Rows changed in one transaction of a long piece of work (about 50 ms), so that other calls get in between."""


class NoStore(ConfigurationError):
    """No connector has made its store there so far."""


class Durability(Enum):
    """What a power cut, or a crash of the server, leaves. When only the process is killed, everything stays."""

    SYNCED = auto()
    """On the disk when the call returns."""
    SYNCED_IF_WRITTEN = auto()
    """The same, for work that mostly finds nothing to write: then it costs no sync."""
    SYNCED_ON_SERVERS = auto()
    """On a server as SYNCED, because the connector would go on without noticing what the server lost. In a file as
    UNSYNCED: a power cut ends the connector too."""
    UNSYNCED = auto()
    """What was written last may be lost."""


class Session(ABC):
    """Runs the statements of `connector.checkpoints.statements` by name. Values are given by the parameters' names.
    Booleans may come back as 0 and 1."""

    @abstractmethod
    def run(self, name: str, /, **values: Any) -> None:
        """A statement of which no answer is needed."""

    @abstractmethod
    def run_rows(self, name: str, rows: Iterable[Sequence[Any]], /) -> None:
        """A statement with a table of parameters; does nothing without rows. No two rows may touch the same row of the
        database."""

    @abstractmethod
    def changed(self, name: str, /, **values: Any) -> int:
        """How many rows a statement changed."""

    @abstractmethod
    def rows(self, name: str, /, **values: Any) -> list[Any]:
        """The rows that a query gives."""

    def rows_together(self, *names: str, **values: Any) -> list[list[Any]]:
        """The rows of several queries with the same parameters."""
        return [self.rows(name, **values) for name in names]

    @abstractmethod
    def rows_of(self, name: str, rows: Iterable[Sequence[Any]], /, **values: Any) -> Iterable[Any]:
        """The rows that a query gives for each row of its table of parameters."""

    def row(self, name: str, /, **values: Any) -> Any:
        """The only row, None where there is none."""
        return next(iter(self.rows(name, **values)), None)

    def value(self, name: str, /, **values: Any) -> Any:
        """The only column of the only row, None where there is none."""
        row = self.row(name, **values)
        return None if row is None else row[0]

    def column(self, name: str, /, **values: Any) -> list[Any]:
        """The only column of all rows."""
        return [value for (value,) in self.rows(name, **values)]

    def at_length(self) -> AbstractContextManager[None]:
        """Work that reads everything, and may take as long as it takes."""
        return nullcontext()


class Engine(ABC):
    """Runs work on a session, one call after the other, on a thread of its own: cancelling a task must not cut a
    transaction in two. A call whose task is cancelled may or may not have been carried out.

    `where` is for messages. `inline`: there is no thread, and every call is over when it returns.
    """

    def __init__(self, where: str, place: str, *, inline: bool = False) -> None:
        self.where = where
        self.heartbeat = Heartbeat("checkpoint store", f"reading and writing {place}", root=True)
        self.lease = Lease()
        """The writer's right to push."""
        self._closed = False
        self._executor = None if inline else ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoints")

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` outside a transaction. Raises CheckpointsUnwritable, and what opening a session raises."""
        return await self._submit(work)

    async def write(self, work: Callable[[Session], T], durability: Durability = Durability.SYNCED) -> T:
        """Run `work` in one transaction. Raises as `read` does."""
        return await self._submit(lambda session: self._transact(session, work, durability))

    async def write_and_try(
        self, work: Callable[[Session], Any], durability: Durability, then: Callable[[Session], T]
    ) -> T | None:
        """`work` in one transaction, then `then` in another, which is synced. None when only that one can't be
        written. Raises as `read` does."""

        def both() -> T | None:
            self._guarded(lambda session: self._transact(session, work, durability))
            try:
                return self._guarded(lambda session: self._transact(session, then, Durability.SYNCED))
            except CheckpointsUnwritable:
                return None

        return await self._on_thread(both)

    def expect_late(self, seconds: float | None) -> None:  # noqa: B027 -- most engines needn't know
        """So long after it was sent a request may still be carried out; None: that isn't known. For engines whose
        session may be lost."""

    async def answer(self) -> None:
        """Have whoever keeps the writer's lock answer, which renews the lease. Raises as `read` does."""
        await self.write(lambda _: None, Durability.UNSYNCED)

    async def close(self) -> None:
        """Finish what was submitted and end the session. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._executor is None:
            self._let_go()
            return
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._let_go)
        finally:
            self._executor.shutdown(wait=False)

    def _open_on_thread(self, open_session: Callable[[], object]) -> None:
        """Open the first session on the thread that all others are opened on."""
        assert self._executor is not None  # noqa: S101 -- an inline engine has no session to open
        try:
            self._executor.submit(open_session).result()
        except BaseException:  # whatever it was, a thread would be left
            self._executor.shutdown(wait=False)
            raise

    async def _submit(self, work: Callable[[Session], T]) -> T:
        return await self._on_thread(lambda: self._guarded(work))

    async def _on_thread(self, call: Callable[[], T]) -> T:
        if self._closed:
            raise CheckpointsUnwritable(f"{self.where}: it has been closed")
        if self._executor is None:
            return call()
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    @abstractmethod
    def _guarded(self, work: Callable[[Session], T]) -> T:
        """Run `work` while the heartbeat works, and say in words of ours what its errors mean."""

    @abstractmethod
    def _transact(self, session: Session, work: Callable[[Session], T], durability: Durability) -> T: ...

    @abstractmethod
    def _let_go(self) -> None:
        """End the session."""
