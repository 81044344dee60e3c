"""From the frames of one connection to transactions of interest, and to the LSNs that the server may be told.

Pure: bytes in, no I/O and no clock. `session` waits for the frames and answers the server.
"""

from __future__ import annotations

from connector.model.changes import Interest, Lsn, Transaction
from connector.source.stream.frames import KEEPALIVE, XLOG_DATA, XLOG_HEADER, keepalive, xlog_positions
from connector.source.stream.lsn_tracker import LsnTracker
from connector.source.stream.rows import Text
from connector.source.stream.transactions import NO_CATALOG_FACTS, CatalogFacts, Transactions
from connector.source.stream.wire import ProtocolError


class FrameDecoder:
    """Takes every frame of a connection, in order. After an error it must not be used any more."""

    def __init__(
        self,
        confirmed: Lsn,
        interest: Interest,
        max_images: int,
        facts: CatalogFacts = NO_CATALOG_FACTS,
        text: Text = bytes.decode,
    ) -> None:
        """`confirmed`: where the slot stands as the stream starts. `text` reads the bytes of a value or a name."""
        self.lsns = LsnTracker(confirmed)
        self.messages = 0
        """Of the WAL, taken so far."""
        self.asked = False
        """The frame taken last asks for a status update at once."""
        self._transactions = Transactions(interest, max_images, facts, text)

    def take(self, frame: bytes | memoryview) -> Transaction | None:
        """What the frame completed, if anything. Raises ProtocolError."""
        self.asked = False
        kind = frame[0] if frame else 0
        if kind == XLOG_DATA:
            self.messages += 1
            start, server = xlog_positions(frame)
            transaction = self._feed(bytes(frame[XLOG_HEADER:]), start)
            self.lsns.heard(start, server)
            return transaction
        if kind != KEEPALIVE:
            raise ProtocolError(kind, 0, "its type is unknown")
        alive = keepalive(frame)
        self.lsns.heard(alive.wal_end, alive.wal_end)
        if not self._transactions.inside:
            self.lsns.passed(alive.wal_end)
        self.asked = alive.reply
        return None

    def _feed(self, message: bytes, at: int) -> Transaction | None:
        transactions = self._transactions
        before = transactions.end_lsn
        try:
            transaction = transactions.feed(message)
            ended = transactions.end_lsn
            if ended not in (before, at):
                # The slot will be told this position: it comes twice, and must be the same.
                raise ProtocolError(message[0], 10, "it ends elsewhere than it stands")
        except ProtocolError as error:
            raise error.at(at) from None
        if transaction is not None and transaction.end_lsn is not None:
            self.lsns.emitted(transaction.end_lsn)
        elif ended != before:
            self.lsns.passed(ended)  # nothing of interest was in it
        return transaction
