"""How far the stream is, durably, and whether what a server offers goes on from there.

A slot's position alone says little: Postgres starts silently where the slot stands, also when somebody recreated,
copied or advanced it, when the server is another one, or when its WAL went back in time. So each position is remembered
together with whose it is, before the server is told of it, and compared at every start of the stream. Wherever the
stream may have a gap, a sweep is durably asked for first. It must not know how a stream is opened, or a slot is made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

import structlog

from connector.model.changes import Lsn, StreamIdentity, StreamStart, Transaction, format_lsn
from connector.pipeline.context import Context
from connector.pipeline.holds.vanished_rows import VanishedRows
from connector.pipeline.ports.protocols import Source
from connector.pipeline.ports.records import SweepKind
from connector.pipeline.read.visibility import Visibility
from connector.pipeline.sweeps.state import OLD_STORE, Sweeps

log = structlog.get_logger("connector.stream")

PROGRESS_NOTE = "progress"
IN_STEP_NOTE = "in_step_at"
"""Up to when (seconds since 1970) everything that was committed was taken in."""


class Gap(StrEnum):
    """Why the stream may lack changes since the position that is remembered: the labels of `stream_gaps_total`."""

    NEW_SLOT = "new_slot"
    SLOT_GONE = "slot_gone"
    SLOT_LOST = "slot_lost"
    SLOT_UNDECODABLE = "slot_undecodable"
    SLOT_MOVED = "slot_moved"
    """It stands further than what was told to it: recreated or advanced by others, or this store is an older copy."""
    OTHER_SLOT = "other_slot"
    DATABASE = "database"
    SYSTEM = "system"
    TIMELINE = "timeline"
    HISTORY = "history"
    """The server's WAL isn't the one that was read: it went back to an earlier state."""
    UNKNOWN = "unknown"
    """No position is remembered, though orders are."""


OTHER_HISTORY = frozenset({Gap.DATABASE, Gap.SYSTEM, Gap.TIMELINE, Gap.HISTORY})
"""What was read may never have happened on this server: its transaction ids mean nothing any more."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The latest transaction that was taken in: a stream that starts before it must bring it again."""

    end_lsn: int
    xid: int
    commit_time: float


@dataclass(frozen=True, slots=True)
class Position:
    """`lsn`: the furthest flush position that the server may have been told. `walsender`: the server's process that
    reads the slot for this connector, for whoever leads next."""

    identity: StreamIdentity
    lsn: Lsn
    mark: Mark | None = None
    walsender: int = 0


@dataclass(frozen=True, slots=True)
class NoticedGap:
    """The latest one, for people."""

    gap: Gap
    at: float


def judge(known: Position, start: StreamStart) -> Gap | None:
    """Why what was taken in up to `known` may not be continued by a stream that starts so; None when it is."""
    before, now = known.identity, start.identity
    if now.system != before.system:
        return Gap.SYSTEM
    if now.database != before.database:
        return Gap.DATABASE
    if now.timeline != before.timeline:
        return Gap.TIMELINE
    if now.slot != before.slot:
        return Gap.OTHER_SLOT
    if start.server < known.lsn:
        return Gap.HISTORY
    return Gap.SLOT_MOVED if start.confirmed > known.lsn else None


class Progress:
    """The pipeline's Journal: `begin` before a stream starts, `remember` before the server is told of a position."""

    def __init__(
        self, context: Context, source: Source, sweeps: Sweeps, visibility: Visibility, vanished_rows: VanishedRows
    ) -> None:
        self._store = context.store
        self._observer = context.observer
        self._clock = context.clock
        self._source = source
        self._sweeps = sweeps
        self._visibility = visibility
        self._vanished_rows = vanished_rows
        self._known: Position | None = None
        self._mark: Mark | None = None
        self._expected: Mark | None = None
        self._made: Gap | None = None
        self._empty = False
        self.noticed: NoticedGap | None = None

    async def load(self, *, empty: bool, made: Gap | None, same_stream: bool) -> None:
        """`empty`: nothing is remembered of any order, so that there is nothing to miss. `made`: why the slot was made
        just now. `same_stream`: what the stream carries is what it carried in the last run."""
        noted = await self._store.noted(PROGRESS_NOTE)
        self._known = None if noted is None else _read(noted)
        self._mark = self._known.mark if self._known is not None and same_stream else None
        self._empty, self._made = empty, made
        if self._known is not None and made is None:
            self._sweeps.stream_begins(Lsn(self._known.lsn))

    @property
    def same_history(self) -> bool:
        """The stream is read, and goes on from what was taken in: the server hasn't become another one, as far as is
        known. Until then nothing is removed."""
        return self._source.position().connected and self._expected is None

    def lost(self, gap: Gap) -> None:
        """The slot was found unreadable: whoever makes the next one, changes are missing from it."""
        self._made = gap

    async def begin(self, start: StreamStart) -> None:
        """Compare with what is remembered, and ask for a sweep where that isn't continued."""
        gap = self._gap(start)
        self._sweeps.stream_begins(start.confirmed)
        if gap in OTHER_HISTORY:
            await self._visibility.forget_all()
        if gap is not None:
            await self._notice(gap, start)
            self._mark = None
        known = self._known
        lsn = start.confirmed if known is None or gap is not None else known.lsn
        await self._write(Position(start.identity, lsn, self._mark, start.walsender))
        behind = self._mark is not None and start.confirmed < self._mark.end_lsn
        self._expected = self._mark if behind else None
        self._empty, self._made = False, None

    def _gap(self, start: StreamStart) -> Gap | None:
        if self._empty:
            return None
        found = Gap.UNKNOWN if self._known is None else judge(self._known, start)
        return found if found in OTHER_HISTORY else self._made or found

    async def remember(self, lsn: Lsn) -> None:
        """Durably, before the server is told."""
        if self._expected is not None and lsn >= self._expected.end_lsn:
            await self._rewritten()  # the server's WAL is read beyond the mark, and nothing ended there
        if self._known is not None and lsn > self._known.lsn:
            await self._write(replace(self._known, lsn=lsn, mark=self._mark))

    async def record(self, batch: Sequence[Transaction]) -> None:
        """These came, in commit order, and are about to be put into the ledger."""
        for transaction in batch:
            if self._expected is not None and not _before(transaction, self._expected):
                await self._compare(transaction, self._expected)
            end = transaction.end_lsn
            if end is not None and (self._mark is None or end > self._mark.end_lsn):
                self._mark = _mark(transaction, end)

    async def _compare(self, transaction: Transaction, expected: Mark) -> None:
        if transaction.end_lsn is None or _mark(transaction, transaction.end_lsn) != expected:
            await self._rewritten()
        self._expected = None

    async def _rewritten(self) -> None:
        self._expected = self._mark = None
        await self._notice(Gap.HISTORY, None)

    async def _notice(self, gap: Gap, start: StreamStart | None) -> None:
        known = None if self._known is None else format_lsn(self._known.lsn)
        slot_at = None if start is None else format_lsn(start.confirmed)
        log.warning("stream_gap", cause=gap.value, known=known, slot_at=slot_at, next=_NEXT[gap is Gap.SLOT_MOVED])
        if gap is Gap.SLOT_MOVED:
            await self._store.doubt_parked()
        cause = OLD_STORE if gap is Gap.SLOT_MOVED else f"gap in the stream: {gap.value}"
        doubtful = self._vanished_rows if gap in OTHER_HISTORY else None
        if doubtful is not None:
            # What Redo holds may never have happened here; whether it did, a person knows.
            doubtful.forget_deletes()
            await doubtful.doubt(cause, asks=True)
        revision = await self._sweeps.ask(cause, SweepKind.RECONCILE)
        if doubtful is not None:
            await doubtful.ends_with(revision)
        self._observer.gap(gap.value)
        self.noticed = NoticedGap(gap, self._clock.wall())

    async def _write(self, position: Position) -> None:
        text = json.dumps(asdict(position), separators=(",", ":"))
        await self._store.note(PROGRESS_NOTE, text)
        self._known = position


_NEXT = (
    "every order is compared with its checkpoint, and what differs is pushed",
    "every order is pushed once more: somebody moved the slot, or the checkpoints are an older copy",
)


def _before(transaction: Transaction, mark: Mark) -> bool:
    """Whether it is (a part of) the mark's transaction or an earlier one, but not the mark's end."""
    end = transaction.end_lsn
    return transaction.commit_lsn < mark.end_lsn if end is None else end < mark.end_lsn


def _mark(transaction: Transaction, end_lsn: int) -> Mark:
    return Mark(end_lsn, transaction.xid, transaction.commit_time)


def _read(text: str) -> Position:
    found = json.loads(text)
    mark = found["mark"]
    return Position(StreamIdentity(**found["identity"]), Lsn(found["lsn"]), None if mark is None else Mark(**mark))


def since_noted(noted: str | None, wall: float) -> float:
    """Seconds since the moment of IN_STEP_NOTE, 0 where there is none or the wall's clock was set back."""
    return 0.0 if noted is None else max(0.0, wall - float(noted))
