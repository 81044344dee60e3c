"""The OMS's stream of transactions: connects, hands out batches, takes acknowledgements.

Satisfies the pipeline's port `Source`. Holds what outlives one connection; `session` is one connection.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from connector.model.changes import Interest, Lsn, StreamPosition, Transaction
from connector.pipeline.ports.protocols import Journal
from connector.postgres.connections import ANSWER
from connector.source.objects.publication_pair import inserts_name
from connector.source.stream.copyboth import CopyBoth, NotDecodableYet
from connector.source.stream.session import Session, StreamSettings
from connector.source.stream.transactions import NO_CATALOG_FACTS, CatalogFacts
from connector.source.stream.wire import Unreadable

_PATIENCE_DOUBLINGS = 16
_OFTEN = 3
_USUAL = StreamSettings()


class PostgresSource:
    """A logical replication slot, read through pgoutput. One `batches` iterator at a time."""

    def __init__(
        self,
        dsn: str,
        slot: str,
        publication: str | Sequence[str],
        settings: StreamSettings = _USUAL,
        facts: CatalogFacts = NO_CATALOG_FACTS,
    ) -> None:
        """`publication`: the main one; the second of the two (see `publication_pair`) is followed, too, if there is one
        as the stream starts. Or all by name, of which the first must exist."""
        self._dsn = dsn
        self._slot = slot
        self._publications = (publication, inserts_name(publication)) if isinstance(publication, str) else publication
        self._left_out = False
        self._unreadable = "", 0
        self._facts = facts
        self._settings = settings
        self._patience = settings.silence_timeout
        self._session: Session | None = None
        self._position = StreamPosition(Lsn(0), Lsn(0), Lsn(0), 0.0, connected=False)

    async def batches(
        self, interest: Interest, journal: Journal | None = None
    ) -> AsyncGenerator[Sequence[Transaction], None]:
        """Connect and yield what has arrived, in commit order, never an empty batch.

        Starts at the slot's confirmed position: what was not acknowledged comes again. The journal is asked before the
        stream starts, and before the server is told of a flush position. Close the iterator (`contextlib.aclosing`) to
        end the stream. Raises SourceUnavailable when the stream can't start or is cut, SlotLost when the slot can't be
        read any more, and ConfigurationError when a person must mend something first (a privilege is missing).
        """
        session = await self._open(interest, journal)
        started_at = session.lsns.received
        undecodable = False
        try:
            while True:
                yield await session.take()
        except NotDecodableYet:
            undecodable = True
            raise
        except Unreadable as error:
            raise self._told_often(error) from None
        finally:
            try:
                await session.close()
            finally:
                progressed = session.lsns.received > started_at
                # Whoever read on without the second publication may have read past its beginning by now.
                self._left_out = undecodable or (self._left_out and not progressed)
                self._learn(session, progressed)

    async def _open(self, interest: Interest, journal: Journal | None) -> Session:
        publications = self._publications[:1] if self._left_out else self._publications
        within = min(ANSWER, self._settings.silence_timeout)
        copy = await CopyBoth.connect(self._dsn, self._slot, publications, within)
        try:
            if journal is not None:
                await journal.begin(copy.begins)
            await copy.start()
        except BaseException:
            await copy.close(0.0)
            raise
        settings = replace(self._settings, silence_timeout=self._patience)
        self._session = Session(copy, interest, settings, None if journal is None else journal.remember, self._facts)
        self._session.waited_for(copy.waited_for)
        return self._session

    def acknowledge(self, lsn: Lsn) -> None:
        """Everything up to `lsn` is durable: the slot may let go of it. Call it from the event loop's thread. Without
        a connection it is forgotten, and what it covers comes again."""
        if self._session is not None:
            self._session.acknowledge(lsn)

    def reconnect(self, why: str = "the publications have changed") -> None:
        """End the running stream with SourceUnavailable, so that the next one follows the publications that exist
        then."""
        if self._session is not None:
            self._session.end(f"{why}: connecting anew")

    def waited_for(self, waited: bool) -> None:
        """Whether the running stream is a synchronous standby of the OMS: then what is durable is told at once."""
        if self._session is not None:
            self._session.waited_for(waited)

    def position(self) -> StreamPosition:
        """Where the stream is, or was when it ended."""
        session = self._session
        return self._position if session is None else _position_of(session, session.connected)

    @property
    def buffered(self) -> int:
        """Images plus transactions decoded and waiting for the consumer."""
        return 0 if self._session is None else self._session.buffered

    def _told_often(self, error: Unreadable) -> Unreadable:
        """From the third time on, with what a person can do."""
        said = str(error)
        self._unreadable = said, 1 + (self._unreadable[1] if self._unreadable[0] == said else 0)
        times = self._unreadable[1]
        if times < _OFTEN:
            return error
        return Unreadable(
            f"{said}; so it was {times} times, and the slot keeps WAL meanwhile. If it stays so: stop, run"
            " `redo-connector teardown`, and start again: a new slot begins behind it, and every order is compared"
        )

    def _learn(self, session: Session, progressed: bool) -> None:
        """Servers before 16 send nothing while they decode a huge transaction that isn't published. Giving up on each
        attempt after the same time would repeat it for ever, so the next attempt waits twice as long."""
        self._position = _position_of(session, connected=False)
        self._session = None
        limit = self._settings.silence_timeout
        if session.silent:
            self._patience = min(self._patience * 2, limit * _PATIENCE_DOUBLINGS)
        elif progressed:
            self._patience = limit


def _position_of(session: Session, connected: bool) -> StreamPosition:
    lsns = session.lsns
    silence = session.silence if connected else 0.0
    return StreamPosition(
        lsns.received, lsns.flush, lsns.server, session.seen_at, connected, session.reported, silence, session.messages
    )
