"""The facts about a running connector at one moment, and sentences that explain them. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from connector.model.changes import StreamPosition
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


READY_STATES = frozenset({State.BACKFILLING, State.STREAMING, State.CATCHING_UP, State.HELD})
"""What a hold keeps waits for a person; everything else flows on."""


@dataclass(frozen=True, slots=True)
class Leading:
    """Who leads. `here`: this process; `since`: seconds since 1970; `term`: how many have led so far."""

    instance: str
    since: float
    term: int
    here: bool


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
    """Orders that the sweep walked a second, over the last minute."""
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
    def unapproved(self) -> bool:
        """Whether nothing goes to some store before a person approves its address."""
        return any(one.active and not one.approved for one in self.endpoints)

    @property
    def leads(self) -> bool:
        return self.leader is not None and self.leader.here

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
        if self.position is None or not self.position.connected:
            return None
        return max(0, self.position.server_lsn - self.position.flush_lsn)

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
    def backfill_remaining(self) -> int | None:
        """About how many orders the running backfill has still to walk; None while that isn't known."""
        running = self.sweep is not None and self.sweep.kind is SweepKind.BACKFILL and self.sweep.finished_at is None
        return self.sweep_remaining if running else 0


def ready(facts: Facts) -> tuple[bool, str]:
    """Whether replication and delivery both make progress or are idle, and why not."""
    if facts.state not in READY_STATES:
        return False, explained(facts)
    if not facts.connected:
        return False, "There is no stream from the source database."
    if facts.paused_reason is not None:
        return False, f"Delivery to Redo is paused ({facts.paused_reason})."
    return True, explained(facts)


def fit(facts: Facts) -> tuple[bool, str]:
    """The same for a connector in any role: whether it leads and is ready, or is ready to take over."""
    return (True, explained(facts)) if facts.state is State.STANDBY else ready(facts)


def verdict(facts: Facts) -> str:
    """A few sentences that tell a person how things are, and what to do."""
    return f"{explained(facts)} Next: {facts.next_step.rstrip('.')}." if facts.next_step else explained(facts)


def explained(facts: Facts) -> str:
    """How things are, in a few sentences."""
    sentence = _SENTENCES[facts.state]
    if facts.state is State.HELD and facts.unapproved:
        sentence = "Nothing is pushed before somebody approves where to, nothing is lost"
    elif facts.state is State.HELD and facts.first_fill_held:
        sentence = "The first fill is held, because nearly all of it is refused; live changes flow"
    failing, waiting, refused = facts.failing_orders, facts.waiting, sum(facts.refused.values())
    slow = facts.tally.dead_letters.get(SLOW, 0)
    parts = [f"{sentence}: {facts.reason.rstrip('.')}." if facts.reason else f"{sentence}."]
    if facts.sync_lag_seconds is not None and facts.sync_lag_seconds >= LAG_WORTH_TELLING:
        parts.append(f"Redo may lack what was committed in the last {duration(facts.sync_lag_seconds)}.")
    if (refused_mapping := facts.mapping_refused) is not None and refused_mapping.problem not in facts.reason:
        where, problem = refused_mapping.where, refused_mapping.problem.rstrip(".")
        parts.append(f"The mapping as it is now is refused, the one before stays at work: {where}: {problem}.")
    if facts.failing_tables:
        tables = ", ".join(facts.failing_tables)
        parts.append(f"The OMS's own UPDATEs and DELETEs of {tables} fail because of a publication.")
    if waiting:
        parts.append(f"{_count(waiting, 'change')} waiting, the oldest for {duration(facts.oldest_age)}.")
    if refused:
        parts.append(f"{_count(refused, 'order')} refused: see the dead letters.")
    if slow:
        parts.append(f"{_count(slow, 'order')} set aside, too slow to be read: see the dead letters.")
    if failing:
        orders, them = ("1 order fails", "it") if failing == 1 else (f"{failing:,} orders fail", "them")
        parts.append(
            f"{orders} at Redo again and again while it takes others: `redo-connector dead-letters list` says why, "
            f"`dead-letters set-aside` gives up on {them}."
        )
    if facts.wal_warning:
        parts.append(f"{facts.wal_warning[0].upper()}{facts.wal_warning[1:]}.")
    return " ".join(parts)


_SENTENCES = {
    State.STARTING: "Starting",
    State.BACKFILLING: "Filling Redo for the first time; live changes go first",
    State.STREAMING: "In step with the source",
    State.CATCHING_UP: "Catching up with the source",
    State.PAUSED: "Delivery to Redo is paused, nothing is lost",
    State.DISCONNECTED: "No connection to the source database, nothing is lost",
    State.STALLED: "Stalled, nothing is lost",
    State.HELD: "Live changes flow, but an unlikely change waits for approval",
    State.STANDBY: "Standing by",
    State.STOPPING: "Stopping",
}


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


def _count(number: int, noun: str) -> str:
    return f"1 {noun} is" if number == 1 else f"{number:,} {noun}s are"
