"""The status port's connections: bounded in number, and each in how long it may keep one waiting.

uvicorn bounds only how long a connection may rest between requests. A peer that sends nothing, or half a request, or
doesn't read its answer would hold a descriptor for as long as it likes, and the process has few
(https://man7.org/linux/man-pages/man2/getrlimit.2.html, RLIMIT_NOFILE).
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_WITHIN: Final = 10.0
"""Seconds in which a request must be whole: from the connection, or from the answer before."""
READ_WITHIN: Final = 30.0
"""Seconds for which a peer may leave an answer unread once the buffers are full."""


class BoundedConnection(H11Protocol):
    """At most `most` at a time: a new one takes the place of the one that has owed a request longest; where none
    does, the new one is closed."""

    def __init__(self, *args: Any, most: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most = most
        self._owed: asyncio.TimerHandle | None = None
        """Runs out when the request isn't whole in time."""
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._most:
            owing = [
                each for each in self.connections if isinstance(each, BoundedConnection) and each._owed is not None
            ]
            min(owing, key=BoundedConnection._owed_until, default=self).transport.abort()
        self._expect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(READ_WITHIN, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        _cancel(self._unread)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        _cancel(self._owed)
        _cancel(self._unread)

    def _expect(self) -> None:
        """Start the time for a request that isn't whole yet, end it for one that is."""
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            _cancel(self._owed)
            self._owed = None
        elif self._owed is None:
            self._owed = self.loop.call_later(REQUEST_WITHIN, self.transport.abort)

    def _owed_until(self) -> float:
        return self._owed.when() if self._owed is not None else 0.0


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
