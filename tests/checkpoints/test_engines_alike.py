"""Whatever is asked of them, in whatever order, stores on all engines answer alike, and what they count is there."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, TypeVar

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connector.checkpoints.opening import in_file, in_memory, in_postgres
from connector.checkpoints.vault import Vault
from connector.model.orders import Lookup, Members, OrderKey, Place, Suspicion, former
from connector.pipeline.ports.entries import Again, Arrival, Commit, Entry, Lane, PendingLookup
from connector.pipeline.ports.holds import Held, HoldKind, HoldState
from connector.pipeline.ports.records import (
    Checkpoint,
    DeadLetter,
    Rebinding,
    Settlement,
    Sweep,
    SweepKind,
    Venture,
)
from connector.pipeline.ports.store import CheckpointStore
from tests.support.fix_checkpoints import emptied
from tests.support.fixtures.postgres import Database
from tests.support.ledger import entries_taken

T = TypeVar("T")

KEYS = st.sampled_from([OrderKey(name) for name in "abcde"])
LOOKUPS = st.builds(Lookup, st.sampled_from(["one", "two"]), st.tuples(st.sampled_from(["x", "y", 'z"'])))
LANES = st.sampled_from(Lane)
MOMENTS = st.integers(0, 50).map(float)
ROWS = st.frozensets(st.sampled_from("123"))
MEMBERS = st.dictionaries(st.sampled_from(["item", "payment"]), ROWS)
FORMER = [former(OrderKey(name), shape) for name in "abcde" for shape in (1, 2)]
EVERYTHING = [*map(OrderKey, "abcde"), *FORMER]
ANY = st.sampled_from(EVERYTHING)
NEITHER = (False, False)
FLAGS = st.tuples(st.booleans(), st.booleans())
NUMBERS = st.integers(1, 3)
LINES = [-(2**63), 7, 2**63 - 1]
PLACES = [Place(store_id, order_id) for store_id in ("", "eu") for order_id in ("1", "2")]
FIELDS = st.sampled_from([("new",), ("tags", "note"), ("tags",), ()])
VAULT = Vault([Fernet.generate_key().decode()])

ENDS = ["accepted", "accepted", "missing", "refused", "again", "held", "forgotten"]
NOBODY = Entry(OrderKey(""), 0, 0, 0.0, Lane.LIVE, 0, False)
EXTRAS = st.builds(
    Settlement,
    entry=st.just(NOBODY),
    members=st.none() | MEMBERS,
    payload=st.none() | st.binary(max_size=3),
    line_items=st.none() | st.frozensets(st.sampled_from(LINES)),
    leftovers=st.just(()) | st.tuples(st.sampled_from(PLACES)),
    settled_places=st.just(()) | st.tuples(st.sampled_from(PLACES)),
    displaces=st.just(()) | st.tuples(KEYS),
    warnings=st.none()
    | st.lists(
        st.builds(Suspicion, st.sampled_from(["refunds_shrunk", "empty_sku"]), st.sampled_from("xy")), max_size=2
    ).map(tuple),
)
AGAINS = st.builds(
    Again,
    due=MOMENTS,
    attempts=st.integers(0, 2),
    confirm=st.booleans(),
    late_until=st.none() | MOMENTS,
    approved=st.booleans(),
    since=st.none() | MOMENTS,
) | MOMENTS.map(lambda late: Again(late, 0, confirm=False, late_until=late, since=late))
LETTERS = st.builds(
    DeadLetter,
    key=st.just(OrderKey("")),
    reason=st.sampled_from(["invalid", "rejected"]),
    message=st.just("no"),
    paths=st.just(("id",)),
    fingerprint=st.none() | st.just(b"1"),
    first_seen=MOMENTS,
    last_seen=MOMENTS,
    attempts=st.just(1),
    cause=st.sampled_from(["id: no", "tags: no", ""]),
    store_id=st.sampled_from(["", "eu", "us"]),
)
CHECKPOINTS = st.builds(
    Checkpoint,
    key=st.just(OrderKey("")),
    order_id=st.sampled_from("12"),
    fingerprint=st.just(b"1"),
    accepted_at=MOMENTS,
    store_id=st.sampled_from(["", "eu"]),
    traits=st.sampled_from([b"", b"t"]),
    digest=st.binary(max_size=1),
    row_digest=st.binary(max_size=1),
)

VENTURES = st.builds(Venture, KEYS, st.sampled_from(PLACES), st.none() | st.binary(max_size=3))


async def _sorted(entries: Awaitable[list[Entry]]) -> list[Entry]:
    """Which of several that are due at one moment come first is not promised."""
    return sorted(await entries, key=lambda entry: entry.key)


async def _payloads(memory: CheckpointStore) -> list[object]:
    return [await memory.payload(key, place) for key in EVERYTHING for place in PLACES]


class Twins(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = 0.0
        self.twins: tuple[CheckpointStore, CheckpointStore] = (
            self.durable(),
            in_memory(VAULT, lambda: self.clock),
        )
        self.revision = 0
        self.taken: dict[OrderKey, Entry] = {}
        self.lookups: list[PendingLookup] = []

    def durable(self) -> CheckpointStore:
        return in_file(Path(self.folder.name) / "twin.db", VAULT, lambda: self.clock)

    def teardown(self) -> None:
        self.both(lambda memory: memory.close())
        self.runner.close()
        self.folder.cleanup()

    def both(self, ask: Callable[[CheckpointStore], Awaitable[T]]) -> T:
        async def answers() -> tuple[T, T]:
            return await ask(self.twins[0]), await ask(self.twins[1])

        durable, memory = self.runner.get_loop().run_until_complete(answers())
        assert durable == memory
        return durable

    def arrival(
        self, since: float, lane: Lane, keys: frozenset[OrderKey], older: int = 0, flags: tuple[bool, bool] = NEITHER
    ) -> Arrival:
        self.revision += 1
        first, (confirm, approved) = max(0, self.revision - older), flags
        return Arrival(self.revision, since, lane, keys, first_revision=first, confirm=confirm, approved=approved)

    @rule(
        since=MOMENTS,
        lane=LANES,
        keys=st.frozensets(ANY),
        lookups=st.frozensets(LOOKUPS),
        older=st.integers(0, 3),
        flags=FLAGS,
    )
    def arrive(
        self,
        since: float,
        lane: Lane,
        keys: frozenset[OrderKey],
        lookups: frozenset[Lookup],
        older: int,
        flags: tuple[bool, bool],
    ) -> None:
        found = self.arrival(since, lane, keys, older, flags)
        asked = Arrival(self.revision, since, lane, lookups=lookups)
        commit = Commit(self.revision, 7, self.revision * 10)
        self.both(lambda memory: memory.arrive([found, asked], [commit]))

    @rule(now=MOMENTS, lanes=st.sets(LANES, min_size=1), failing=st.booleans())
    def take(self, now: float, lanes: set[Lane], *, failing: bool) -> None:
        # Always all of them: which of several with one revision come first within a limit is not promised.
        busy = frozenset(self.taken)
        entries = self.both(
            lambda memory: _sorted(entries_taken(memory, len(EVERYTHING), now, busy, sorted(lanes), failing=failing))
        )
        self.taken |= {entry.key: entry for entry in entries}

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        settlements = []
        self.clock += 1
        for key in sorted(data.draw(st.sets(st.sampled_from(sorted(self.taken)))) if self.taken else ()):
            entry, what = self.taken.pop(key), data.draw(st.sampled_from(ENDS))
            settlement = replace(data.draw(EXTRAS), entry=entry)
            if what == "again":
                settlement = replace(settlement, again=data.draw(AGAINS))
            elif what == "held":
                holds = self.both(lambda memory: memory.holds())
                if holds:
                    held = Held(data.draw(st.sampled_from(holds)).number, data.draw(FIELDS), data.draw(MOMENTS))
                    settlement = replace(settlement, held=replace(held, confirm=entry.confirm))
            elif what == "refused":
                letter = data.draw(LETTERS)
                settlement = replace(settlement, dead_letter=replace(letter, key=key))
            elif what == "forgotten":
                settlement = replace(settlement, forget=True, members={})
            else:
                checkpoint = replace(data.draw(CHECKPOINTS), key=key, missing=what == "missing")
                settlement = replace(settlement, checkpoint=checkpoint, clear_dead_letter=True)
            settlements.append(settlement)
        self.both(lambda memory: memory.settle(settlements))

    @rule(ventures=st.lists(VENTURES, max_size=2))
    def venture(self, ventures: list[Venture]) -> None:
        self.both(lambda memory: memory.enroll({}, ventures))

    @rule(kind=st.sampled_from(HoldKind), now=MOMENTS)
    def open_hold(self, kind: HoldKind, now: float) -> None:
        self.both(lambda memory: memory.open_hold(kind, "why", now))

    @rule(number=NUMBERS, state=st.sampled_from(HoldState))
    def mark_hold(self, number: int, state: HoldState) -> None:
        self.both(lambda memory: memory.mark_hold(number, state))

    @rule(number=NUMBERS, lane=LANES, since=MOMENTS, flags=FLAGS, limit=st.integers(1, 3))
    def release(self, number: int, lane: Lane, since: float, flags: tuple[bool, bool], limit: int) -> None:
        arrival = self.arrival(since, lane, frozenset("e"), older=1, flags=flags)  # type: ignore[arg-type]
        self.both(lambda memory: memory.release(number, arrival, limit))

    @rule(shape=st.sampled_from([1, 2]))
    def retire_all(self, shape: int) -> None:
        self.both(lambda memory: memory.late_until())
        self.both(lambda memory: memory.retire_all(shape))
        assert self.both(lambda memory: memory.tally()).affected == 0
        self.taken, self.lookups = {}, []

    @rule(keys=st.lists(KEYS, max_size=2, unique=True), shape=st.sampled_from([1, 2]))
    def retire(self, keys: list[OrderKey], shape: int) -> None:
        self.both(lambda memory: memory.retire(keys, shape))

    @rule(claims=st.dictionaries(KEYS, st.sampled_from(PLACES)), busy=st.frozensets(st.sampled_from(FORMER)))
    def take_over(self, claims: dict[OrderKey, Place], busy: frozenset[OrderKey]) -> None:
        self.both(lambda memory: memory.take_over(claims, busy))

    @rule(revision=st.integers(1, 3), started_at=MOMENTS, finished_at=st.none() | MOMENTS, found=st.integers(0, 9))
    def save_sweep(self, revision: int, started_at: float, finished_at: float | None, found: int) -> None:
        sweep = Sweep(SweepKind.RECONCILE, "asked", revision, revision, started_at, 2, None, 5, finished_at)
        self.revision = max(self.revision, revision)
        self.both(lambda memory: memory.save_sweep(replace(sweep, missed=found, held=found)))

    @rule(members=st.dictionaries(KEYS, MEMBERS))
    def enroll(self, members: dict[OrderKey, Members]) -> None:
        self.both(lambda memory: memory.enroll(members))

    @rule(rows=ROWS, after=st.none() | KEYS, limit=st.integers(1, 3))
    def enrolled(self, rows: frozenset[str], after: OrderKey | None, limit: int) -> None:
        self.both(lambda memory: memory.enrolled("item", sorted(rows), after, limit))

    @rule(keep=st.frozensets(st.sampled_from(["item", "payment"]), min_size=1))
    def forget_indexes(self, keep: frozenset[str]) -> None:
        self.both(lambda memory: memory.forget_indexes(keep))

    @rule(limit=st.integers(1, 4), wide=st.booleans())
    def take_lookups(self, limit: int, wide: bool) -> None:
        self.lookups = self.both(lambda memory: memory.take_lookups(limit, wide=wide))

    @rule(keys=st.frozensets(KEYS), since=MOMENTS, cursor=st.sampled_from([None, "c", "d"]))
    def resolved(self, keys: frozenset[OrderKey], since: float, cursor: str | None) -> None:
        taken, self.lookups = self.lookups, []
        arrival = self.arrival(since, Lane.FANOUT, keys, older=2) if keys else None
        self.both(lambda memory: memory.resolved(taken, arrival, cursor))

    @rule(most_attempts=st.sampled_from([None, 1]))
    def hasten(self, most_attempts: int | None) -> None:
        self.both(lambda memory: memory.hasten(most_attempts))

    @rule(late_until=st.none() | MOMENTS)
    def crash(self, late_until: float | None) -> None:
        assert self.both(lambda memory: memory.recover(late_until=late_until)) == self.revision
        self.taken, self.lookups = {}, []

    @rule(
        urls=st.dictionaries(st.sampled_from(["eu", "us"]), st.sampled_from(["http://one", "http://two"])),
        approved=st.booleans(),
        doubted=st.booleans(),
        late_until=st.none() | MOMENTS,
        swept=st.booleans(),
    )
    def start_elsewhere(
        self, urls: dict[str, str], *, approved: bool, doubted: bool, late_until: float | None, swept: bool
    ) -> None:
        self.crash(None)
        requeue = self.arrival(3.0, Lane.SWEEP, frozenset())
        sweep = Sweep(SweepKind.BACKFILL, "elsewhere", self.revision, self.revision, 3.0) if swept else None
        if {(one.store_id, one.url) for one in self.both(lambda memory: memory.endpoints()) if one.active} == set(
            urls.items()
        ):
            self.revision -= 1  # it is not used
        self.both(lambda memory: memory.rebind(Rebinding(urls, approved, requeue, sweep, doubted, late_until)))

    @rule()
    def doubt_parked(self) -> None:
        self.both(lambda memory: memory.doubt_parked())

    @rule()
    def approve_endpoints(self) -> None:
        self.both(lambda memory: memory.approve_endpoints())

    @rule(count=st.integers(0, 3))
    def seen(self, count: int) -> None:
        commits = self.both(lambda memory: memory.unseen())
        self.both(lambda memory: memory.seen([commit.revision for commit in commits[:count]]))

    @invariant()
    def alike(self) -> None:
        busy = frozenset(self.taken)
        tally = self.both(lambda memory: memory.tally())
        self.both(lambda memory: memory.next_due(busy))
        self.both(lambda memory: memory.next_due(busy, failing=True))
        known = self.both(lambda memory: memory.known(EVERYTHING))
        present = sorted(key for key, one in known.checkpoints.items() if not one.missing)
        assert self.both(lambda memory: memory.page_checkpoints(None, 9)) == present[:9]
        assert tally.checkpoints == len(known.checkpoints) == tally.missing + len(present)
        assert tally.dead_letters == Counter(letter.reason for letter in known.dead_letters.values())
        self.both(lambda memory: memory.take_lookups(9, wide=False))
        self.both(lambda memory: memory.take_lookups(9, wide=True))
        self.both(lambda memory: memory.owners(PLACES))
        self.both(lambda memory: memory.line_item_owners(LINES))
        groups = self.both(lambda memory: memory.letter_groups())
        assert sum(group.orders for group in groups) == len(known.dead_letters)
        self.both(lambda memory: memory.letter_keys(None, OrderKey("a"), 3))
        for group in groups:
            self.both(lambda memory, group=group: memory.letter_keys(group.group, None, 2))  # type: ignore[misc]
        held = Counter(one.hold for one in known.held.values())
        for hold in self.both(lambda memory: memory.holds()):
            assert hold.orders == held.pop(hold.number, 0)
            self.both(lambda memory, hold=hold: memory.summarise(hold.number, 3))  # type: ignore[misc]
        assert not held
        self.both(lambda memory: memory.warned(9))
        self.both(lambda memory: memory.sweeps(9))
        self.both(lambda memory: memory.endpoints())
        self.both(_payloads)
        for index in ("item", "payment"):
            self.both(lambda memory, index=index: memory.enrolled(index, ["1", "2", "3"], None, 9))  # type: ignore[misc]


Twins.TestCase.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestTwins = Twins.TestCase


class TwinsInPostgres(Twins):
    database: ClassVar[Database]

    def durable(self) -> CheckpointStore:
        return in_postgres(emptied(self.database), VAULT, lambda: self.clock)


TwinsInPostgres.TestCase.settings = settings(Twins.TestCase.settings, max_examples=8, stateful_step_count=25)
TestTwinsInPostgres = pytest.mark.server(pytest.mark.usefixtures("given_a_database")(TwinsInPostgres.TestCase))


@pytest.fixture
def given_a_database(checkpoint_database: Database) -> None:
    TwinsInPostgres.database = checkpoint_database
