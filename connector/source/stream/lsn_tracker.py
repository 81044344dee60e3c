"""The LSNs of one connection: what was received, what was emitted, and the flush LSN that the server may be told.

No I/O, no clock. One instance belongs to one connection: after a failover, another server's LSNs mean something else.
What is durable is said by `acknowledge`.
"""

from __future__ import annotations

from collections import deque

from connector.model.changes import Lsn


class LsnTracker:
    """`flush` never passes a transaction that was emitted and not acknowledged, and never moves back.

    `complete` is the highest position before which everything of interest has been emitted.
    """

    __slots__ = ("_complete", "_pending", "flush", "received", "server")

    def __init__(self, confirmed: Lsn) -> None:
        """`confirmed`: where the slot stands as the stream starts."""
        self.received = confirmed
        """The position of the last message read."""
        self.server = confirmed
        """The furthest position that the server sent."""
        self.flush = confirmed
        self._complete = confirmed
        self._pending: deque[Lsn] = deque()

    def heard(self, received: int, server: int) -> None:
        """A message came whose own position is `received`; the server was at `server`."""
        # A conditional is quicker than max(), and this is done for every row.
        if received > self.received:
            self.received = Lsn(received)
        if server > self.server:
            self.server = Lsn(server)
        if self.received > self.server:
            self.server = self.received

    def emitted(self, end_lsn: Lsn) -> None:
        """A transaction that must be acknowledged ends at `end_lsn`."""
        self._pending.append(end_lsn)
        self._complete = max(self._complete, end_lsn)

    def passed(self, lsn: Lsn) -> None:
        """Nothing of interest is left before `lsn`: an empty transaction ended, or a keepalive came between two."""
        self._complete = max(self._complete, lsn)
        self._advance(self.flush)

    def acknowledge(self, lsn: Lsn) -> bool:
        """Everything emitted up to `lsn` is durable. True when `flush` moved."""
        before = self.flush
        while self._pending and self._pending[0] <= lsn:
            self._pending.popleft()
        self._advance(lsn)
        return self.flush > before

    def _advance(self, acknowledged: Lsn) -> None:
        # An acknowledgement beyond `complete` is a late one for an earlier connection: this one hasn't got so far.
        reached = min(acknowledged, self._complete) if self._pending else self._complete
        self.flush = max(self.flush, reached)
