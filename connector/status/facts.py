"""The facts about a running connector at one moment. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from connector.model.changes import StreamPosition
from connector.model.errors import Problem
from connector.pipeline.ports.chronicle import Attempt
from connector.pipeline.ports.holds import Hold, HoldKind
from connector.pipeline.ports.records import FAILING, Endpoint, LetterGroup, Sweep, SweepKind, Tally, Warned
from connector.status.last_hour import Event, Minute


class State(StrEnum):
    """What the connector is doing, in one word."""

    STARTING = "starting"
    BACKFILLING = "backfilling"
    """The first fill runs; live changes go first."""
    STREAMING = "streaming"
    """Nothing waits longer than it should."""
    CATCHING_UP = "catching_up"
    """Orders wait, and are being delivered."""
    PAUSED = "paused"
    """Redo refuses everything or does not answer: nothing is pushed."""
    DISCONNECTED = "disconnected"
    """No stream from the source."""
    STALLED = "stalled"
    """Orders don't get on: a person must mend something, or the process is about to end and be started again."""
    HELD = "held"
    """A change of an unlikely size waits for approval."""
    STANDBY = "standby"
    """Another connector leads: this one takes over when that one ends, and pushes nothing before."""
    STOPPING = "stopping"


class Stage(StrEnum):
    """Where on the road orders stop, or may stop."""

    SOURCE = "source"
    LEDGER = "ledger"
    MAPPING = "mapping"
    """Orders can't be read as the mapping says."""
    REDO = "redo"
    CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, slots=True)
class Leading:
    """Who leads. `here`: this process; `term`: how many have led so far; `page`: where its status page is, empty where
    that isn't known; `seen_at`: when another one was last seen to lead. Times are seconds since 1970."""

    instance: str
    since: float
    term: int
    here: bool
    page: str = ""
    seen_at: float | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Orders settled since the start, by what became of them."""

    pushed: int = 0
    unchanged: int = 0
    rejected: int = 0
    invalid: int = 0
    missing: int = 0


SLOW = "slow"
"""The reason of dead letters of orders that can't be read within the database's limits."""
LAG_WORTH_TELLING = 60.0
"""Seconds of lag that the verdict speaks of."""
NO_TALLY = Tally(affected=0, lookups=0, oldest_since=None, checkpoints=0, missing=0, dead_letters={})


@dataclass(frozen=True, slots=True)
class MappingRefused:
    """The mapping as it is now can't be taken up, since then. `where`: file, line and column; `problem` is the first of
    `problems`, `next` what to do about it."""

    where: str
    problem: str
    next: str
    problems: int
    since: float

    @classmethod
    def because(cls, problems: Sequence[Problem], before: MappingRefused | None, now: float) -> MappingRefused | None:
        """For these, since it was refused before; None where there are none."""
        if not problems:
            return None
        first, since = problems[0], now if before is None else before.since
        return cls(first.where, first.what, first.hint, len(problems), since)


@dataclass(frozen=True, slots=True)
class Facts:
    """How the connector is at `now`. Times are seconds since 1970; None where a thing is not known (yet).

    `reason` is a sentence for people that explains `state`, `next_step` what to do; neither holds customer data or a
    secret.
    """

    now: float
    state: State
    started_at: float
    version: str
    reason: str = ""
    next_step: str = ""
    stopped_at: Stage | None = None
    """Where nothing gets on; None where everything does, or nobody knows."""
    leader: Leading | None = None
    oms_away: str = ""
    """Of a standby: why it couldn't read the OMS if it led."""
    mapping_differs: bool = False
    """Of a standby: its mapping isn't the leader's."""
    mapping_fingerprint: str | None = None
    mapping_refused: MappingRefused | None = None
    failing_tables: tuple[str, ...] = ()
    """Tables of the OMS whose own UPDATEs and DELETEs fail because of a publication."""
    sync_lag_seconds: float | None = None
    """The age of the oldest committed change that Redo may not have; 0 when it has everything."""
    position: StreamPosition | None = None
    replication_lag_seconds: float | None = None
    slot_retained_bytes: int | None = None
    slot_safe_bytes: int | None = None
    wal_budget_bytes: int | None = None
    slot_limit: str | None = None
    """Which limit of the WAL that the slot keeps is reached first: a setting's name."""
    slot_limit_left_bytes: int | None = None
    slot_seconds_to_limit: float | None = None
    wal_warning: str = ""
    """A sentence for people while little is left until the limit."""
    wal_advice: str = ""
    """What to do about it."""
    stalled_parts: tuple[str, ...] = ()
    """Parts of the connector that have work and don't get on."""
    counted: bool = False
    """Whether what the store counts is as it is now; else it is as it last was, or nothing was counted yet."""
    tally: Tally = NO_TALLY
    sweep: Sweep | None = None
    sweep_remaining: int | None = None
    sweep_per_second: float | None = None
    """By how much `sweep_done` grew a second, over the last minute."""
    in_flight: int = 0
    concurrency_limit: int = 0
    paused_reason: str | None = None
    """Short and enumerable, as Outcome.reason: `http_401`."""
    paused_since: float | None = None
    paused_until: float | None = None
    """When one order tries again whether it is over; None: it waits for a person."""
    paused_stores: Mapping[str, str] = field(default_factory=dict)
    """The reason for each store that is paused."""
    pace: float | None = None
    """Requests a second that Redo was found to bear; None: it never throttled."""
    held_orders: int = 0
    holds: tuple[Hold, ...] = ()
    warned: tuple[Warned, ...] = ()
    """The latest suspicious orders."""
    stream_gap: str | None = None
    """Why the stream last may have lacked changes; None since the start."""
    stream_gap_at: float | None = None
    last_reconcile: Sweep | None = None
    last_clean_reconcile: Sweep | None = None
    """The last one in which nothing differed."""
    verified_through: float | None = None
    last_accepted_at: float | None = None
    reconciled_at: float | None = None
    counts: Counts = field(default_factory=Counts)
    accepted_per_minute: int | None = None
    """Orders that Redo accepted in the last minute."""
    dead_letter_groups: tuple[LetterGroup, ...] = ()
    """The largest first."""
    endpoints: tuple[Endpoint, ...] = ()
    """The addresses and stores that orders go to, or went to once: what each accepted counts there alone."""
    recent_deliveries: tuple[Attempt, ...] = ()
    """The latest first; since the start."""
    minutes: tuple[Minute, ...] = ()
    """Of the last hour, the oldest first; those of which nothing is known are missing."""
    events: tuple[Event, ...] = ()
    """Those that go on, then the others, each the latest first; since the process started."""

    @property
    def waiting(self) -> int:
        """Orders and lookups in the ledger, without those that fail for their own reasons."""
        return max(0, self.tally.affected + self.tally.lookups - self.failing_orders)

    @property
    def refused(self) -> Mapping[str, int]:
        """Orders refused for good until they change, by reason."""
        return {reason: count for reason, count in self.tally.dead_letters.items() if reason not in (FAILING, SLOW)}

    @property
    def mapping_stops(self) -> bool:
        """Whether nothing gets on because of the mapping."""
        refused = self.mapping_refused
        return self.state is State.STALLED and refused is not None and refused.problem in self.reason

    @property
    def unapproved(self) -> bool:
        """Whether nothing goes to some store before a person approves its address."""
        return any(one.active and not one.approved for one in self.endpoints)

    @property
    def leads(self) -> bool:
        return self.leader is not None and self.leader.here

    @property
    def fit_to_lead(self) -> bool:
        """Of a standby: whether it could deliver if it led."""
        return not self.oms_away and self.mapping_refused is None

    @property
    def first_fill_held(self) -> bool:
        """Whether the first fill stopped, because nearly all of it is refused."""
        return any(hold.kind is HoldKind.FIRST_FILL for hold in self.holds)

    @property
    def connected(self) -> bool:
        """Whether the stream from the source is open."""
        return self.position is not None and self.position.connected

    @property
    def replication_lag_bytes(self) -> int | None:
        """WAL between the source's end and what the slot was told to let go; None while that end isn't known."""
        if self.position is None or self.replication_lag_seconds is None:
            return None
        return max(0, self.position.server_lsn - self.position.flush_lsn)

    @property
    def silent(self) -> bool:
        """Whether nothing is known to be behind, but the server doesn't tell where it is."""
        behind = self.waiting or self.replication_lag_seconds is not None
        return self.state is State.CATCHING_UP and self.connected and not behind

    @property
    def reconnecting(self) -> bool:
        """Whether the stream is back, or was never cut, and those that read orders are about to try again."""
        return self.state is State.DISCONNECTED and self.stopped_at is Stage.MAPPING

    @property
    def oldest_age(self) -> float:
        """How long the oldest waiting change has waited (s), orders that fail for their own reasons left out; 0 when
        nothing waits."""
        since = self.tally.oldest_since
        return 0.0 if since is None else max(0.0, self.now - since)

    @property
    def failing_orders(self) -> int:
        """Orders that Redo fails again and again while it accepts others."""
        return self.tally.dead_letters.get(FAILING, 0)

    @property
    def sweep_done(self) -> int:
        """How many orders the sweep has dealt with: those that it compared, or brought to Redo."""
        if self.sweep is None:
            return 0
        # What a backfill has walked over waits to be pushed.
        return max(0, self.sweep.scanned - (self.waiting if self.sweep.kind is SweepKind.BACKFILL else 0))

    @property
    def backfill_remaining(self) -> int | None:
        """About how many orders the running backfill has still to walk; None while that isn't known."""
        running = self.sweep is not None and self.sweep.kind is SweepKind.BACKFILL and self.sweep.finished_at is None
        return self.sweep_remaining if running else 0


def duration(seconds: float) -> str:
    """`7 s`, `12 min`, `3 h`, `5 d`: rounded down, one unit."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size):,} {unit}"
    return f"{int(seconds)} s"


def size(count: int) -> str:
    """`700 bytes`, `1.5 GB`: as Postgres counts, in units of 1024."""
    value, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        del units[0]
    return f"{value:.1f} {units[0]}" if units[0] != "bytes" else f"{count:,} bytes"
