"""One connection's life: a task that reads and decodes, a task that keeps the server informed, a buffer between them
and the consumer.

The consumer's call stack never carries the stream: however long it takes, keepalives are answered and status goes out.
Doesn't know what the consumer does with transactions.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from connector.model.changes import Interest, Lsn, Transaction
from connector.model.errors import SourceUnavailable
from connector.source.stream.copyboth import CopyBoth
from connector.source.stream.frame_decoder import FrameDecoder
from connector.source.stream.frames import status_update
from connector.source.stream.transactions import NO_CATALOG_FACTS, CatalogFacts

_BURST_FRAMES: Final = 500
_BURST_BYTES: Final = 1_000_000
_REPORT_EVERY: Final = 0.2
_CLOSE_TIMEOUT: Final = 2.0


Remember: TypeAlias = Callable[[Lsn], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """`status_interval` (s) is an upper bound: the server's wal_sender_timeout may ask for more status updates. After
    `silence_timeout` (s) without a word the connection is given up. `buffer`: images plus transactions that may wait
    for the consumer; `max_images`: images that a transaction is handed out with at once."""

    status_interval: float = 10.0
    silence_timeout: float = 60.0
    buffer: int = 20_000
    max_images: int = 2_000


class Session:
    """Reads from construction on. Use within one event loop; end it with `close`.

    `remember` is awaited with a flush position before the server is told of it, so that what a slot was told is never
    further than what was remembered; None: nobody needs to.
    """

    def __init__(
        self,
        copy: CopyBoth,
        interest: Interest,
        settings: StreamSettings,
        remember: Remember | None = None,
        facts: CatalogFacts = NO_CATALOG_FACTS,
    ) -> None:
        self._decoder = FrameDecoder(copy.begins.confirmed, interest, settings.max_images, facts, copy.text)
        self.lsns = self._decoder.lsns
        self.seen_at = time.monotonic()
        self.silent = False
        """True when the stream was given up because the server said nothing."""
        self._copy = copy
        self._settings = settings
        self._buffer: deque[Transaction] = deque()
        self._size = 0
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._failure: BaseException | None = None
        self._listening_since: float | None = self.seen_at
        self._asked = False
        self._remember = remember
        self._reported = self.lsns.flush
        self._prompt = asyncio.Event()
        self._moved = asyncio.Event()
        jobs = {"read": self._read(), "inform": self._inform(), "tell": self._report()}
        self._tasks = [self._start(job, name) for name, job in jobs.items()]

    @property
    def connected(self) -> bool:
        return self._failure is None

    @property
    def messages(self) -> int:
        """Of the WAL, read so far."""
        return self._decoder.messages

    @property
    def buffered(self) -> int:
        """Images plus transactions that wait for the consumer."""
        return self._size

    @property
    def reported(self) -> Lsn:
        """The flush position that the server was told."""
        return self._reported

    @property
    def silence(self) -> float:
        """Seconds since the server last sent anything, 0 while we don't read."""
        if self._listening_since is None:
            return 0.0
        return time.monotonic() - max(self.seen_at, self._listening_since)

    async def take(self) -> list[Transaction]:
        """Everything that is there, at least one. Raises what ended the stream, once the buffer is empty."""
        await self._ready.wait()
        if not self._buffer:
            raise self._failure or SourceUnavailable("the stream is closed")
        batch = list(self._buffer)
        self._buffer.clear()
        self._size = 0
        self._room.set()
        if self._failure is None:
            self._ready.clear()
        return batch

    def acknowledge(self, lsn: Lsn) -> None:
        """Tell the server at once, but no more often than every 200 ms, unless commits wait for it."""
        if self.lsns.acknowledge(lsn):
            self._moved.set()

    def waited_for(self, waited: bool) -> None:
        """Whether commits of the OMS wait for what we tell, so that each word counts."""
        if waited:
            self._prompt.set()
        else:
            self._prompt.clear()

    def end(self, why: str) -> None:
        """Give the stream up: `take` raises SourceUnavailable once the buffer is empty."""
        self._fail(SourceUnavailable(why))

    async def close(self) -> None:
        """Tell the last flush position, end the COPY, hang up, each within a bound."""
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.wait(self._tasks)
            if self._failure is None:
                self._failure = SourceUnavailable("the stream is closed")
                with suppress(TimeoutError, SourceUnavailable):
                    async with asyncio.timeout(_CLOSE_TIMEOUT):
                        await self._report_flush()
        finally:
            self._ready.set()
            await self._copy.close(_CLOSE_TIMEOUT)

    def _start(self, job: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(job, name=f"source-{name}")
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._ready.set()
        for task in self._tasks:
            task.cancel()

    async def _read(self) -> None:
        frames = size = 0
        while True:
            frame = self._copy.receive()
            if frame is None:
                await self._copy.readable()
                self._heard()
                frames = size = 0
                continue
            self._take_in(frame)
            frames += 1
            size += len(frame)
            if self._size >= self._settings.buffer:
                await self._wait_for_room()
            elif frames >= _BURST_FRAMES or size >= _BURST_BYTES:
                frames = size = 0
                await asyncio.sleep(0)

    def _heard(self) -> None:
        self.seen_at = time.monotonic()
        self._asked = False

    async def _wait_for_room(self) -> None:
        self._room.clear()
        self._listening_since = None
        await self._room.wait()
        self._listening_since = time.monotonic()

    def _take_in(self, frame: memoryview) -> None:
        before = self.lsns.flush
        transaction = self._decoder.take(frame)
        if transaction is not None:
            self._buffer.append(transaction)
            self._size += 1 + sum(len(changes.images) for changes in transaction.changes)
            self._ready.set()
        if self.lsns.flush > before:
            self._moved.set()
        if self._decoder.asked:
            self._send_status()

    async def _inform(self) -> None:
        """Send status on a timer: at a third of what the server's patience is, whatever the reader does."""
        interval = min(self._settings.status_interval, self._settings.silence_timeout / 4)
        if self._copy.sender_timeout:
            interval = min(interval, self._copy.sender_timeout / 3)
        while True:
            await asyncio.sleep(interval)
            ask = self.silence > self._settings.silence_timeout / 2
            if self._asked and self.silence > self._settings.silence_timeout:
                self.silent = True
                raise SourceUnavailable(
                    f"the server has said nothing for {self.silence:.0f} s, though it was asked to: connecting anew"
                )
            self._asked = self._asked or ask
            self._send_status(ask)

    async def _report(self) -> None:
        """Remember how far the slot may let go, then say so. While that takes its time, `_inform` still answers."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            await self._report_flush()
            with suppress(TimeoutError):
                async with asyncio.timeout(_REPORT_EVERY):
                    await self._prompt.wait()

    async def _report_flush(self) -> None:
        flush = self.lsns.flush
        if flush > self._reported:
            if self._remember is not None:
                await self._remember(flush)
            self._reported = flush
        self._send_status()

    def _send_status(self, ask: bool = False) -> None:
        received = max(self.lsns.received, self._reported)
        self._copy.send(status_update(received, self._reported, time.time(), ask))
