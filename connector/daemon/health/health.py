"""The connector's health: one state, why, and what a person should do next. Ready means that it makes progress.

It notices by itself what raises no error: a server that says nothing, WAL that is written and not read, status updates
that don't reach the server, changes that wait although delivery is up. It changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connector.model.changes import Lsn, StreamPosition
from connector.model.errors import (
    CheckpointsUnwritable,
    ConnectorError,
    LimitExceeded,
    MappingBroken,
    MappingFails,
    ReadingVoid,
    SourceUnavailable,
)
from connector.pipeline.backoff import RECONNECT
from connector.pipeline.heartbeat import Stall
from connector.pipeline.holds.endpoints import HOW_TO_APPROVE, unapproved
from connector.pipeline.holds.first_fill import ADVICE as FIRST_FILL_ADVICE
from connector.pipeline.ports.records import SweepKind, Tally
from connector.pipeline.read.control_reads import ADVICE
from connector.pipeline.run import Pipeline
from connector.pipeline.sweeps.state import PACED, Sweeps
from connector.source.objects.slot import SlotReport
from connector.status.facts import MappingRefused, Stage, State, duration

LATE_AFTER = 10.0
"""Seconds that a change may wait before the state is called catching up."""
HURRY = "; `redo-connector resume` tries at once"
_BY_ITSELF = "the connector goes on by itself once that is mended"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds: of silence of the server; of getting nowhere."""

    silence: float = 60.0
    stalled_after: float = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """`reason` and `next`: sentences for people, empty where there is nothing to say. `stopped_at`: where on the road
    nothing gets on."""

    state: State
    reason: str = ""
    next: str = ""
    stopped_at: Stage | None = None


class UnchangedFor:
    """For how long (s) a value has been the same."""

    def __init__(self) -> None:
        self._value: object = None
        self._since = 0.0

    def look(self, now: float, value: object) -> float:
        if value != self._value:
            self._value, self._since = value, now
        return now - self._since


class BehindFor:
    """For how long (s) a position that was seen has not been reached."""

    def __init__(self) -> None:
        self._position: int | None = None
        self._since = 0.0

    def look(self, now: float, position: int, reached: int) -> float:
        if self._position is None or reached >= self._position:
            self._position, self._since = position if position > reached else None, now
        return now - self._since

    def forget(self) -> None:
        self._position = None


class Health:
    def __init__(
        self,
        pipeline: Pipeline,
        bounds: Bounds | None = None,
        stalled: Callable[[], Sequence[Stall]] = tuple,
        stall_advice: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pipeline = pipeline
        self._bounds = bounds or Bounds()
        self.stalled = stalled
        """Parts that get nowhere, those that others wait for first."""
        self._stall_advice = stall_advice
        self._clock = clock
        self._reading, self._settling = UnchangedFor(), UnchangedFor()
        self._read_up, self._confirmed = BehindFor(), BehindFor()
        self._connection, self._reads, self._settled = UnchangedFor(), UnchangedFor(), 0
        self._unread = self._unconfirmed = self._unsettled = self._connected_for = self._unreadable_for = 0.0

    def look(self, report: SlotReport | None, settled: int) -> bool:
        """`settled`: how many orders were dealt with since the start. True when the stream should be opened anew: we
        hear the server, and it doesn't hear us."""
        now, position = self._clock(), self._pipeline.ports.source.position()
        self._settled = settled
        still = self._reading.look(now, (position.received_lsn, position.messages, position.connected))
        if report is None or not position.connected:
            self._read_up.forget()
            self._confirmed.forget()
            self._unread = self._unconfirmed = 0.0
            return False
        self._unread = min(still, self._read_up.look(now, report.current_lsn, position.received_lsn))
        confirmed = report.confirmed_flush_lsn or Lsn(0)
        self._unconfirmed = self._confirmed.look(now, position.told_lsn, confirmed)
        if self._unconfirmed <= self._bounds.silence:
            return False
        self._confirmed.forget()
        return True

    def judge(self, now: float, tally: Tally, refused: MappingRefused | None) -> Finding:
        """While the connector runs. `now`: seconds since 1970."""
        position = self._pipeline.ports.source.position()
        self._count(position, tally)
        return (
            self._stalls()
            or self._stream(position)
            or self._troubles(refused)
            or self._hand_pause()
            or self._pause()
            or self._silences(position)
            or self._waiting(now, tally)
            or self._at_work(now, tally)
        )

    def _count(self, position: StreamPosition, tally: Tally) -> None:
        """For how long nothing was dealt with counts only while something waits, and nothing known is in the way."""
        now, pipeline = self._clock(), self._pipeline
        self._connected_for = self._connection.look(now, position.connected)
        self._unreadable_for = self._reads.look(now, pipeline.trouble is None)
        paused = pipeline.manual_pause.since is not None or pipeline.admissions.pause is not None
        free = position.connected and not paused and pipeline.trouble is None and tally.oldest_since is not None
        self._unsettled = self._settling.look(now, (self._settled, free))

    def _stalls(self) -> Finding | None:
        stalled = self.stalled()
        return Finding(State.STALLED, str(stalled[0]), self._stall_advice) if stalled else None

    def _stream(self, position: StreamPosition) -> Finding | None:
        if position.connected:
            return None
        trouble = self._pipeline.source_trouble
        if trouble is None:
            return Finding(State.STARTING, "connecting to the source database")
        step = "see that the database runs and the network lets us through; it is tried again by itself"
        return Finding(State.DISCONNECTED, str(trouble), step, Stage.SOURCE)

    def _troubles(self, refused: MappingRefused | None) -> Finding | None:
        trouble = self._pipeline.trouble
        if trouble is None:
            return None
        away = isinstance(trouble, SourceUnavailable) and not isinstance(trouble, LimitExceeded)
        if away and min(self._connected_for, self._unreadable_for) < RECONNECT.cap:
            # Whatever reads waits for its turn to try again.
            said = f"the stream is connected, orders are read again within {RECONNECT.cap:.0f} s"
            return Finding(State.DISCONNECTED, said, "wait a moment", Stage.MAPPING)
        broken = isinstance(trouble, MappingBroken) and not isinstance(trouble, MappingFails)
        if broken and refused is not None:
            said, step = f"{refused.where}: {refused.problem}", refused.next or _advice(trouble)
            return Finding(State.STALLED, said, step, Stage.MAPPING)
        at = Stage.CHECKPOINTS if isinstance(trouble, CheckpointsUnwritable) else Stage.MAPPING
        return Finding(State.STALLED, str(trouble), _advice(trouble), at)

    def _hand_pause(self) -> Finding | None:
        since = self._pipeline.manual_pause.since
        if since is None:
            return None
        step = "`redo-connector resume` when it may go on; changes are gathered meanwhile"
        return Finding(State.PAUSED, f"by hand, since {_clock(since)}", step, Stage.REDO)

    def _pause(self) -> Finding | None:
        pause = self._pipeline.admissions.pause
        if pause is None:
            return None
        words, admissions = (pause.message or pause.reason).rstrip("."), self._pipeline.admissions
        # With several stores the others may be open.
        where = f"store {', '.join(admissions.paused)}: " if len(admissions.stores) > 1 else ""
        clock = self._pipeline.clock
        again = _clock(clock.by_the_wall(pause.until)) if pause.until > clock.now() else "now"
        times = f"since {_clock(clock.by_the_wall(pause.since))}, next try {again}"
        return Finding(State.PAUSED, f"{where}{words} ({times})", f"{pause.advice.rstrip('.')}{HURRY}", Stage.REDO)

    def _silences(self, position: StreamPosition) -> Finding | None:
        bound = self._bounds.silence
        if position.silence > bound:
            said = f"the server has said nothing for {duration(position.silence)}, though it was asked to"
            step = "if it decodes a huge transaction (before Postgres 16 it is mute meanwhile), wait; else see its log"
            return Finding(State.DISCONNECTED, said, step, Stage.SOURCE)
        if self._unread > bound:
            said = f"WAL is written, and none of it was read for {duration(self._unread)}"
            step = "see in pg_stat_replication what the walsender does: it may decode a huge transaction"
            return Finding(State.STALLED, said, step, Stage.SOURCE)
        if self._unconfirmed > bound:
            said = f"the server has taken no note of what it was told for {duration(self._unconfirmed)}"
            step = "see the network between us and the server: the stream is opened anew"
            return Finding(State.STALLED, said, step, Stage.SOURCE)
        return None

    def _waiting(self, now: float, tally: Tally) -> Finding | None:
        bound = self._bounds.stalled_after
        age = 0.0 if tally.oldest_since is None else now - tally.oldest_since
        if min(age, self._unsettled) <= bound:
            return None
        said = f"changes wait for {duration(age)}, and none was dealt with for {duration(self._unsettled)}"
        step = "see redo_connector_http_retries_total for what Redo answers, and the log for what keeps orders from it"
        return Finding(State.STALLED, said, step, Stage.LEDGER)

    def _at_work(self, now: float, tally: Tally) -> Finding:
        sweeps, endpoints = self._pipeline.sweeps, self._pipeline.endpoints
        sweep = sweeps.current
        if endpoints.waiting:
            return Finding(State.HELD, unapproved(endpoints.all), HOW_TO_APPROVE, Stage.REDO)
        if cause := self._pipeline.first_fill.cause:
            return Finding(State.HELD, cause, FIRST_FILL_ADVICE)
        if sweep is not None and sweep.finished_at is None and sweep.kind is SweepKind.BACKFILL:
            return Finding(State.BACKFILLING, f"{_walked(sweeps)} orders")
        if tally.holds:
            holds = "1 hold" if tally.holds == 1 else f"{tally.holds} holds"
            held = f"{tally.held:,} orders of {holds}; `redo-connector approve` lets them go"
            return Finding(State.HELD, held)
        if sweep is not None and sweep.finished_at is None and sweep.cause not in PACED:
            # Until it is over nobody knows whether Redo has what the stream didn't tell.
            said = f"every order is compared with what Redo accepted ({sweep.cause}), {_walked(sweeps)} so far"
            return Finding(State.CATCHING_UP, said)
        if tally.oldest_since is not None and now - tally.oldest_since > LATE_AFTER:
            return Finding(State.CATCHING_UP)
        return Finding(State.STREAMING)


def _advice(trouble: ConnectorError) -> str:
    if isinstance(trouble, CheckpointsUnwritable):
        return f"make room there, or mend what is named; the OMS keeps its WAL meanwhile, and {_BY_ITSELF}"
    if isinstance(trouble, ReadingVoid):
        step = "`redo-connector check` says what hides rows, and the SQL against it"
        return f"{step}; changes are gathered meanwhile, every order is compared then, and {_BY_ITSELF}"
    if isinstance(trouble, MappingFails):
        return ADVICE
    if isinstance(trouble, MappingBroken):
        return f"`redo-connector check` names the place in the mapping; {_BY_ITSELF}"
    if isinstance(trouble, SourceUnavailable) and trouble.hint:
        return f"{trouble.hint}; {_BY_ITSELF}"
    return f"see that the database that orders are read from answers (`redo-connector check`); {_BY_ITSELF}"


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S UTC", time.gmtime(moment))


def _walked(sweeps: Sweeps) -> str:
    scanned = 0 if sweeps.current is None else sweeps.current.scanned
    return f"{scanned:,}" if sweeps.estimate is None else f"{scanned:,} of about {max(sweeps.estimate, scanned):,}"
