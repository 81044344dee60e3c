"""One HTTP/1.1 connection, with one request at a time.

A connection that is not surely at the start of its next answer is closed at once: after an error, a cancellation, a
time limit, an answer before all of the request was sent, or bytes that nobody asked for. A success before all was sent
is none: what it answers can only be an earlier request.

What the event loop still has to send of a request it would send when the process goes on after having been stopped, and
another connector may lead by then. So the last byte of a long request goes once the system has taken all others, and
only with the right to push. A short one the system takes at once.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from connector.redo.answer_reader import AnswerReader, Malformed

PIECE: Final = 256 * 1024
"""Bytes of a body that are sent in one go: a long one is copied, and encrypted, while the loop stands still."""
AT_ONCE: Final = 16 * 1024
"""Bytes of a body for which a connection with nothing under way has room in the system's buffer
(https://man7.org/linux/man-pages/man7/tcp.7.html, tcp_wmem)."""
_LOOK_EVERY: Final = 0.005

Permit = Callable[[], Awaitable[bool]]
"""Whether a request may be sent; waits while that isn't known."""

_HUNG_UP: Final = "the other side closed the connection"


class NoAnswer(Exception):
    """A request without an answer. `reason`: of those in `answers`; `detail` holds nothing of the request or answer."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Connection(asyncio.Protocol):
    """`closed`: done once nothing of it is left."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._reader: AnswerReader | None = None
        self._done: asyncio.Future[NoAnswer | None]
        self._writable: asyncio.Future[None] | None = None
        self._wire: asyncio.Transport | None = None
        """Beneath all encryption."""
        self._permit: Permit | None = None
        self._early = False
        self._timeout, self._progress, self._deadline = 0.0, 0.0, 0.0
        self._timer: asyncio.TimerHandle

    @property
    def is_open(self) -> bool:
        return not (self.closed.done() or self.transport.is_closing())

    def is_quiet(self) -> bool:
        """Open, and nothing has arrived, not even the end, which the event loop may not have read yet."""
        return self.is_open and not self._unread.poll(0)

    def allow(self, permit: Permit | None) -> None:
        """What the last byte of each long request is asked for."""
        self._permit = permit

    async def exchange(
        self, head: bytes, body: bytes, reader: AnswerReader, timeout: float, deadline: float
    ) -> AnswerReader:
        """Sends a request and reads its answer. `timeout`: seconds without progress in sending or receiving;
        `deadline`: by the loop's clock. Raises NoAnswer; the request may have been sent then, unless its reason is
        "connect"."""
        if not self.is_open:
            raise NoAnswer("connect", _HUNG_UP)
        self._reader, self._done = reader, self._loop.create_future()
        self._timeout, self._progress, self._deadline = timeout, self._loop.time(), deadline
        self._set_timer()
        sent = self._early = False
        try:
            sent = await self._send(head, body)
            failure = await self._done
        finally:
            sent = sent and not self._early
            self._timer.cancel()
            self._reader = None
            reader.close()
            if not (sent and reader.complete and reader.reusable):
                self.abort()
        if failure is None and not sent and 200 <= reader.status < 300:
            failure = NoAnswer("protocol", "a success came before all of the request was sent")
        if failure is not None:
            raise failure
        return reader

    async def _send(self, head: bytes, body: bytes) -> bool:
        """Whether all was handed over: not when an answer came before that, the connection broke, or the right to push
        was lost."""
        if len(body) <= AT_ONCE:
            self.transport.write(head + body)
            return True
        last = len(body) - 1
        self.transport.write(head)
        for at in range(0, last, PIECE):
            if self._over:
                return False
            self.transport.write(body[at : min(at + PIECE, last)])
            await asyncio.sleep(0)
            if self._writable is not None:
                either: tuple[asyncio.Future[Any], ...] = (self._writable, self._done)
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            self._progress = self._loop.time()
        await self._taken()
        if self._permit is not None and not await self._permit():
            self._end(NoAnswer("cut", "another connector leads: the rest of it is not sent any more"))
        if self._over:
            return False
        self.transport.write(body[last:])
        return True

    async def _taken(self) -> None:
        """Until the system has taken what was written and has room, or the exchange is over."""
        left = self._left
        while not self._over and (left or not self._room.poll(0)):
            await asyncio.sleep(_LOOK_EVERY)
            before, left = left, self._left
            if left < before:
                self._progress = self._loop.time()

    @property
    def _left(self) -> int:
        """Bytes that the process still has to hand over to the system."""
        assert self._wire is not None  # noqa: S101 -- it was made
        encrypted = 0 if self._wire is self.transport else self._wire.get_write_buffer_size()
        return self.transport.get_write_buffer_size() + encrypted

    @property
    def _over(self) -> bool:
        return self._done.done() or self.transport.is_closing()

    def abort(self) -> None:
        """Closes it at once; what was handed over may still be sent by the system."""
        self._end(NoAnswer("cut", "the client was closed"))
        self.transport.abort()

    def _end(self, failure: NoAnswer | None) -> None:
        if self._reader is not None and not self._done.done():
            self._early = failure is None and self.transport.get_write_buffer_size() > 0
            self._done.set_result(failure)

    def _set_timer(self) -> None:
        at = min(self._progress + self._timeout, self._deadline)
        self._timer = self._loop.call_at(at, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        if self._loop.time() < min(self._progress + self._timeout, self._deadline):
            self._set_timer()
        else:
            self._end(NoAnswer("timeout", "no answer in time"))

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._wire = self._wire or self.transport
        self._unread, self._room = select.poll(), select.poll()
        for poll, event in ((self._unread, select.POLLIN), (self._room, select.POLLOUT)):
            poll.register(transport.get_extra_info("socket").fileno(), event)

    def data_received(self, data: bytes) -> None:
        if self._reader is None:
            self.transport.abort()  # nobody asked
            return
        self._progress = self._loop.time()
        try:
            self._reader.feed(data)
        except Malformed as error:
            self._end(NoAnswer("protocol", str(error)))
            return
        if self._reader.complete:
            self._end(None)

    def eof_received(self) -> None:
        self._ended(None)
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended(exc)
        if not self.closed.done():
            self.closed.set_result(None)

    def _ended(self, exc: Exception | None) -> None:
        whole = exc is None and self._reader is not None and self._reader.end()
        said = _HUNG_UP if exc is None else type(exc).__name__
        self._end(None if whole else NoAnswer("cut", said))

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None
