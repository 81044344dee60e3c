"""The status port's connections: bounded in number, in how long each may keep one waiting, and in what all may ask.

uvicorn bounds only how long a connection may rest between requests. A peer that sends nothing, or half a request, or
doesn't read its answer would hold a descriptor for as long as it likes, and the process has few
(https://man7.org/linux/man-pages/man2/getrlimit.2.html, RLIMIT_NOFILE).
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import CLOSE_HEADER, service_unavailable
from uvicorn.protocols.http.h11_impl import H11Protocol

from connector.status.server.pace import Pace

REQUEST_WITHIN: Final = 10.0
"""Seconds in which a request must be whole: from the connection, or from the answer before."""
READ_WITHIN: Final = 30.0
"""Seconds for which a peer may leave an answer unread once the buffers are full, and its last one in any case."""
PROBES: Final = frozenset({"/metrics", "/healthz", "/readyz"})
"""What monitoring asks: answered however many other requests are on the way."""
MOST_KEPT: Final = 16
"""Connections kept for probes, or a quarter of all where these are few. No more are accepted in one turn of the event
loop, so that the request on one of them is seen before others take its place."""
PROBES_A_SECOND: Final = 200
"""On ordinary connections: a probe waits less than a second, whatever visitors ask."""
PAGES_A_SECOND: Final = 50


class Visits:
    """What all connections of one server share: at most `most` of them, and the paces of what they ask."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.kept = min(MOST_KEPT, most // 4)
        self.probes = Pace(PROBES_A_SECOND)
        self.pages = Pace(PAGES_A_SECOND)


class BoundedConnection(H11Protocol):
    """A new one takes the place of the one that has owed a request longest; where none does, it is one of the kept, on
    which a probe is answered at once and anything else refused, and which is closed then."""

    def __init__(self, *args: Any, visits: Visits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._visits = visits
        self._served, self.app = self.app, self._answer
        self._kept = False
        self._owed: asyncio.TimerHandle | None = None
        """Runs out when the request isn't whole, or the last answer isn't read, in time."""
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        others = [each for each in self.connections if isinstance(each, BoundedConnection) and each is not self]
        self._kept = self._displace([each for each in others if not each._kept], self._visits.most - self._visits.kept)
        if self._kept and self._displace([each for each in others if each._kept], self._visits.kept):
            self._abort()
        self._expect()

    def _displace(self, others: list[BoundedConnection], most: int) -> bool:
        """Make a place among `others`. Whether that failed: there are as many, and none owes anything."""
        owing = [each for each in others if each._owed is not None]
        if len(others) < most:
            return False
        if owing:
            min(owing, key=BoundedConnection._owed_until)._abort()
        return not owing

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application's answer, in its turn. One connection's requests come here one after the other."""
        probe, cycle = scope["path"] in PROBES, self.cycle
        if self._kept:
            scope["headers"].append(CLOSE_HEADER)  # as if the peer had asked for it
            heard = probe
        else:
            pace = self._visits.probes if probe else self._visits.pages
            heard = await pace.turn(lambda: cycle.disconnected or not cycle.keep_alive)  # hung up, or we are stopping
        await (self._served if heard else service_unavailable)(scope, receive, send)  # type: ignore[arg-type]

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
        """Start the time for what the peer owes, end it when it owes nothing."""
        if self.transport.is_closing():
            within = READ_WITHIN
        elif self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            within = REQUEST_WITHIN
        else:
            _cancel(self._owed)
            self._owed = None
            return
        if self._owed is None:
            self._owed = self.loop.call_later(within, self.transport.abort)

    def _abort(self) -> None:
        # Out of the set at once: the next new connection is to take another one's place.
        self.connections.discard(self)
        self.transport.abort()

    def _owed_until(self) -> float:
        return self._owed.when() if self._owed is not None else 0.0


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
