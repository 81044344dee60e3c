"""The drawing, as code: source -> routes -> ledger -> assemble -> diff -> Redo -> checkpoint.

`Pipeline.run` starts one task a station and ends them in order: first nothing new comes in, then what is under way
finishes. It must not know what stands behind its ports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from connector.model.errors import (
    ConfigurationError,
    ConnectorError,
    LimitExceeded,
    MappingBroken,
    MappingFails,
    OrderUnreadable,
    ReadingVoid,
    SlotLost,
    SourceUnavailable,
)
from connector.model.orders import Lookup, Members, OrderKey
from connector.pipeline.backoff import Backoff
from connector.pipeline.clock import MACHINE, Clock
from connector.pipeline.control import Control
from connector.pipeline.decide import MAPPING, Terms
from connector.pipeline.deliver.delivery import Deliverer
from connector.pipeline.deliver.failing_orders import FailingOrders
from connector.pipeline.deliver.group_commit import GroupCommit
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.dispatcher import PASSING, Dispatcher
from connector.pipeline.examine.claims import PlaceClaims
from connector.pipeline.examine.differ import Differ
from connector.pipeline.examine.slow_orders import SLOW
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.holds.endpoints import Endpoints
from connector.pipeline.holds.guard import Guard, Limits
from connector.pipeline.holds.manual_pause import ManualPause
from connector.pipeline.holds.vanished_rows import VanishedRows
from connector.pipeline.intake.intake import Intake
from connector.pipeline.intake.progress import Gap, Progress
from connector.pipeline.ports.entries import Lane
from connector.pipeline.ports.holds import HoldKind
from connector.pipeline.ports.protocols import (
    Assembler,
    Chronicle,
    Contract,
    Observer,
    Redo,
    Routes,
    Slot,
    Source,
)
from connector.pipeline.ports.records import SweepKind
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.read.reader import Reader
from connector.pipeline.read.visibility import Visibility
from connector.pipeline.retrying_store import RetryingStore
from connector.pipeline.revisions import Revisions
from connector.pipeline.sweeps.former_keys import FormerKeys
from connector.pipeline.sweeps.lookups import INDEX, LookupResolver
from connector.pipeline.sweeps.second_looks import SecondLooks
from connector.pipeline.sweeps.sweep import Sweeper

log = structlog.get_logger("connector.pipeline")

RECONNECT = Backoff(base=0.5, cap=15.0, floor=0.2)
MAPPING_NOTE = "mapping_fingerprint"
BASIS_NOTE = "mapping_basis"
SETTING_UP_NOTE = "setting_up"
"""`yes` from before a slot may be made until the sweep that must follow it is durable."""
LOOK_AROUND_EVERY = 1.0
SMALLER_PAGES = 5
"""After so many attempts the pages that a station reads are as small as they get: what exceeds a limit even then is
tried again ..."""
LIMITED_SHARE = 10.0
"""... no sooner than after so many times as long as it took."""
PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Ports:
    """The neighbours."""

    source: Source
    slot: Slot
    routes: Routes
    assembler: Assembler
    contract: Contract
    redo: Redo
    store: CheckpointStore
    observer: Observer
    chronicle: Chronicle


@dataclass(frozen=True, slots=True)
class Options:
    """`backfill`: `auto`, `always`, `never`. `reconcile_every`, `drain_bound`: seconds."""

    max_concurrency: int = 32
    requests_per_second: float | None = None
    backfill: str = "auto"
    reconcile_every: float | None = 86400.0
    reconcile_per_second: float | None = None
    store_id: str = ""
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Where each store's orders are pushed to. Without any, checkpoints aren't bound to where they were accepted."""
    approve_endpoints: bool = False
    """Somebody said that orders may go there, whatever was accepted elsewhere."""
    terms: Terms = field(default_factory=Terms)
    limits: Limits = field(default_factory=Limits)
    drain_bound: float = 20.0
    longest_read: float = 0.0
    """Seconds that one query of the assembler may take at most, opening a connection for it included."""
    longest_push: float = 0.0
    """Seconds that one order may take to be sent to Redo, waiting for its turn included."""
    known_routes: frozenset[str] | None = frozenset()
    """None: not known, because the mapping couldn't be loaded."""
    slot_made: Gap | None = None
    """Why the slot was made just now; None: it was there."""
    altered: str | None = None
    """What the mapping stands on and is otherwise than when orders were compared last, so that rows may have vanished.
    None: nothing."""
    basis: str | None = None
    """What it stands on, to be remembered; None leaves what is."""
    sweep_cause: str | None = None
    """What else may have kept changes from the stream, so that every order must be compared; None: nothing."""


class Pipeline:
    def __init__(self, ports: Ports, options: Options, clock: Clock = MACHINE) -> None:
        self.ports = ports
        self.options = options
        self.clock = clock
        self.admissions = StoreAdmissions(options.max_concurrency, options.requests_per_second, options.store_id, clock)
        self.retrying = RetryingStore(ports.store)
        store = self.store = self.retrying.port
        self.revisions = Revisions()
        self.visibility = Visibility(store)
        self.reader = Reader(ports.assembler, self.visibility, ports.observer, self._enroll, clock.timer)
        self.sweeper = Sweeper(
            store,
            ports.assembler,
            self.revisions,
            ports.observer,
            self._wake,
            options.reconcile_every,
            options.reconcile_per_second,
            clock,
        )
        self.vanished_rows = VanishedRows(store, self.sweeper, lambda: self.revisions.last)
        self.endpoints = Endpoints(
            store,
            options.endpoints,
            self.revisions.next,
            clock.wall,
            yes=options.approve_endpoints,
        )
        self.guard = Guard(
            store,
            ports.contract,
            options.limits,
            self.endpoints,
            self.revisions.next,
            lambda: self.sweeper.current,
            self._wake,
            self.vanished_rows,
            clock,
        )
        self.sweeper.sweep_over = self.guard.sweep_over
        claims = PlaceClaims(store, self.revisions.next, lambda key: key in self.dispatcher.busy, clock.wall)
        self.former = FormerKeys(
            store,
            ports.assembler,
            self.sweeper,
            self._busy,
            self._be_quiet,
            clock,
        )
        self.sweeper.former_over = self.former.judged
        self.differ = Differ(
            store,
            self.reader,
            ports.contract,
            self.guard,
            options.terms,
            claims,
            self.former,
            clock.wall,
        )
        self.failing = FailingOrders(store, self._wake, clock)
        self.manual_pause = ManualPause(store, self._go_on, clock.wall)
        self.deliverer = Deliverer(
            ports.redo,
            ports.contract,
            self.admissions,
            self.failing,
            ports.observer,
            ports.chronicle,
            self.manual_pause,
            options.terms,
            clock.wall,
        )
        self.dispatcher = Dispatcher(
            store,
            self.differ,
            self.deliverer,
            self.guard,
            self.admissions,
            self.failing,
            ports.observer,
            ports.chronicle,
            self.manual_pause,
            self._hungry,
            self._drifted,
            self.vanished_rows.reading_was_void,
            clock.wall,
        )
        self.reader.answered = self.dispatcher.moved
        self.second_looks = SecondLooks(store, self.revisions, self._wake, clock)
        self.differ.readable = self.second_looks.readable
        self.reader.controls.over = self._mapping_works
        self.dispatcher.examiner.culprit = self._look_at_culprit
        self.group_commit = GroupCommit(store, self.dispatcher.written)
        self.dispatcher.group_commit = self.group_commit
        self.control = Control(
            store,
            self.guard,
            self.sweeper,
            self.manual_pause,
            self.failing,
            self.revisions.next,
            self._wake,
            clock.wall,
        )
        too_slow: set[Lookup] = set()
        self.narrow, self.wide = (
            LookupResolver(
                store,
                ports.assembler,
                self.reader,
                self.visibility,
                self.revisions,
                ports.chronicle,
                options.known_routes or frozenset(),
                self._wake,
                too_slow,
                wide=wide,
            )
            for wide in (False, True)
        )
        self.progress = Progress(store, self.sweeper, self.visibility, ports.observer, clock.wall, self.vanished_rows)
        self.vanished_rows.same_history = lambda: ports.source.position().connected and self.progress.verified
        self.intake = Intake(
            ports.source,
            ports.routes,
            store,
            self.visibility,
            self.progress,
            self.sweeper,
            self.vanished_rows,
            self.revisions,
            ports.observer,
            ports.chronicle,
            self._arrived,
        )
        self.source_trouble: ConnectorError | None = None
        self.troubles: dict[str, ConnectorError] = {}
        self._around = Heartbeat("visibility", "looking which commits are visible")
        self._stations = {
            self.dispatcher.heartbeat: self.dispatcher.step,
            self.group_commit.heartbeat: self.group_commit.step,
            self.narrow.heartbeat: self._resolve,
            self.wide.heartbeat: self.wide.step,
            self.sweeper.heartbeat: self.sweeper.step,
            self.guard.heartbeat: self.guard.step,
            self._around: self._look_around,
            self.second_looks.heartbeat: self.second_looks.step,
        }
        self._allow()
        self._tidied = False
        self._hastened = asyncio.Event()

    def _arrived(self, lookups: bool) -> None:
        self.dispatcher.arrived()
        if lookups:
            self.narrow.lookups_arrived()

    @property
    def heartbeats(self) -> list[Heartbeat]:
        """Of all that must get on. While the store refuses to write, everything waits for it: that is told, and nothing
        that a new start would end. May be asked from any thread."""
        store = [self.store.heartbeat]
        return (
            store if self.retrying.failing else [*self._stations, self.intake.heartbeat, self.dispatcher.road, *store]
        )

    def _allow(self) -> None:
        for heartbeat in (self.narrow.heartbeat, self.wide.heartbeat, self.sweeper.heartbeat, self._around):
            heartbeat.allowance = self.options.longest_read
        self.dispatcher.longest = max(self.options.longest_read, self.options.longest_push)

    def _hungry(self, finished: bool) -> None:
        self.wide.feed_me()
        self.sweeper.feed_me(finished=finished)

    async def _enroll(self, members: Mapping[OrderKey, Members]) -> None:
        await self.store.enroll(members)

    async def _go_on(self) -> None:
        await self.dispatcher.hasten()

    def _busy(self) -> frozenset[OrderKey]:
        return frozenset(self.dispatcher.busy)

    def _be_quiet(self, until: float) -> None:
        self.dispatcher.not_before = until

    def _wake(self) -> None:
        self.dispatcher.wake()

    def _drifted(self, kind: str) -> None:
        """What a sweep finds is drift, unless nothing was known before."""
        sweep = self.sweeper.current
        self.sweeper.found(kind)
        if sweep is not None and sweep.kind is SweepKind.RECONCILE:
            self.ports.observer.drift(kind)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set, then drain. Raises what no station foresaw.

        Nothing is delivered before the stream is ours: a second connector on the same slot waits here, silent.
        """
        with self.retrying.starting():
            await self.prepare()
        stations = [asyncio.create_task(self._follow(stop), name="intake")]
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            connected = asyncio.create_task(self._until_streaming(), name="first connection")
            await asyncio.wait({*stations, stopping, connected}, return_when=asyncio.FIRST_COMPLETED)
            if connected.done():
                stations += self._delivery()
                await asyncio.wait({*stations, stopping}, return_when=asyncio.FIRST_COMPLETED)
            connected.cancel()
            for station in stations:
                if station.done() and not stop.is_set():
                    station.result()
        finally:
            stop.set()
            await self._drain(stations)
            stopping.cancel()

    def _delivery(self) -> list[asyncio.Task[None]]:
        return [
            asyncio.create_task(self._repeat(heartbeat, step), name=heartbeat.name)
            for heartbeat, step in self._stations.items()
        ]

    async def _until_streaming(self) -> None:
        while not self.ports.source.position().connected:  # noqa: ASYNC110 -- the port has no event for it
            await asyncio.sleep(0.02)

    def _mapping_works(self, sqlstate: str) -> None:
        """It failed for every order, and no longer does."""
        self.second_looks.suspect(sqlstate)
        self.dispatcher.mapping_works()

    def _look_at_culprit(self, key: OrderKey) -> None:
        self.dispatcher.begin(self.second_looks.look_at(frozenset({key}), Lane.LIVE))

    async def _know_unread(self) -> None:
        """Orders that the last run set aside are read apart from the start, those that the mapping failed for again."""
        letters = (await self.store.tally()).dead_letters
        if letters.get(MAPPING):
            self.second_looks.suspect()
        for group in await self.store.letter_groups() if letters.get(SLOW) else ():
            after: OrderKey | None = None
            while group.reason == SLOW and (keys := await self.store.letter_keys(group.group, after, PAGE)):
                self.dispatcher.examiner.slow.load(keys)
                after = keys[-1]

    async def prepare(self) -> None:
        """Pick up where the last run ended."""
        late_until = self.clock.wall() + self.options.terms.confirm_after
        self.revisions.start_after(await self.store.recover(late_until=late_until))
        await self.store.adopt(self.options.store_id)
        await self.endpoints.load(late_until, self._changing)
        await self._know_unread()
        # The gates of this run are open: what waited for those of the last one needn't.
        await self.store.hasten()
        await self.manual_pause.load()
        await self.visibility.load()
        await self.sweeper.load()
        await self.vanished_rows.load()
        key_changed = await self.former.load()
        await self.guard.load()
        await self._maybe_sweep(swept=key_changed)

    async def _changing(self, *, returns: bool) -> None:
        """Other endpoints are about to count, and every hold is about to end. `returns`: what was accepted at one that
        was left counts again, as it was left."""
        if returns:
            await self.former.unsettle()
        if returns or any(hold.kind is HoldKind.VANISHED for hold in await self.store.holds()):
            await self.vanished_rows.checkpoints_return()

    async def _maybe_sweep(self, *, swept: bool) -> None:
        """`swept`: a sweep over all orders was begun just now."""
        store, fingerprint = self.store, self.ports.assembler.fingerprint
        before = await store.noted(MAPPING_NOTE)
        if before is not None and self.options.altered is not None:
            await self.vanished_rows.doubt(self.options.altered)
        wanted = self._wanted_sweep(before, swept=swept)
        if wanted is not None:
            await self.sweeper.ask(*wanted)
        if (wanted is not None or swept) and self.vanished_rows.comparison_needed and self.sweeper.current is not None:
            await self.vanished_rows.ends_with(self.sweeper.current.wanted_revision)
        same_stream = before == fingerprint and self.options.sweep_cause is None
        await self.progress.load(empty=before is None, made=self.options.slot_made, same_stream=same_stream)
        if before != fingerprint:
            await store.note(MAPPING_NOTE, fingerprint)
        if self.options.basis is not None:
            await store.note(BASIS_NOTE, self.options.basis)
        await store.note(SETTING_UP_NOTE, "no")

    def _wanted_sweep(self, before: str | None, *, swept: bool) -> tuple[str, SweepKind] | None:
        """`before`: the fingerprint of the mapping of the last run. `swept`: another one was begun just now."""
        options = self.options
        if options.backfill == "always" or (before is None and options.backfill == "auto"):
            return "first start" if before is None else "backfill.on_start", SweepKind.BACKFILL
        if before is None or swept:
            return None
        if options.sweep_cause is not None:
            return options.sweep_cause, SweepKind.RECONCILE
        if self.vanished_rows.comparison_needed:
            return self.vanished_rows.cause, SweepKind.RECONCILE
        if before != self.ports.assembler.fingerprint:
            log.info("mapping_changed", next="every order is compared with its checkpoint")
            return "mapping changed", SweepKind.RECONCILE
        return None

    async def _follow(self, stop: asyncio.Event) -> None:
        attempt = 0
        while not stop.is_set():
            started = self.clock.timer()
            try:
                await self.intake.follow(stop)
            except SlotLost as error:
                attempt += 1
                await self._renew(error, stop)
                await sleep_unless(stop, RECONNECT.delay(attempt))
            except (SourceUnavailable, ConfigurationError) as error:
                attempt = 0 if self.clock.timer() - started > RECONNECT.cap else attempt + 1
                self.source_trouble = error
                log.warning("stream_lost", problem=str(error))
                await sleep_unless(stop, RECONNECT.delay(attempt))

    async def _renew(self, lost: SlotLost, stop: asyncio.Event) -> None:
        """Have the slot made anew; what the stream lacks then is found by a sweep. Raises ConfigurationError when the
        operator wants a person to look first."""
        self.source_trouble = lost
        self.progress.lost(Gap(f"slot_{lost.reason}"))
        log.error("slot_lost", problem=str(lost), next="a new slot is made, then every order is compared")
        renewing = asyncio.ensure_future(self.ports.slot.renew(lost))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            # The server makes a slot only once the transactions that run now have ended.
            await asyncio.wait({renewing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if renewing.done():
                renewing.result()
        except SourceUnavailable as error:
            self.source_trouble = error
            log.warning("slot_not_renewed", problem=str(error))
        finally:
            stopping.cancel()
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _repeat(self, heartbeat: Heartbeat, step: Callable[[], Awaitable[object]]) -> None:
        """A station: its step again and again, with a pause when the OMS, the mapping or the store is at fault."""
        name, attempt = heartbeat.name, 0
        while True:
            heartbeat.beat()
            began = self.clock.timer()
            try:
                await step()
            except PASSING as error:
                if isinstance(error, ReadingVoid):
                    await self.vanished_rows.reading_was_void(error.cause)
                if name not in self.troubles:
                    log.warning("station_waits", station=name, problem=str(error))
                self.troubles[name] = error
                pause = RECONNECT.delay(attempt)
                if isinstance(error, LimitExceeded) and attempt >= SMALLER_PAGES:
                    pause = max(pause, LIMITED_SHARE * (self.clock.timer() - began))
                with heartbeat.resting():
                    await sleep_unless(self._hastened, pause)
                attempt += 1
            else:
                self.troubles.pop(name, None)
                attempt = 0

    async def try_mapping(self) -> None:
        """Whether an order could be read as things are: `trouble` says so. When one can, nothing waits any longer."""
        try:
            await self.reader.snapshot()
        except (SourceUnavailable, MappingBroken, OrderUnreadable) as error:
            self.troubles["mapping"] = error
            return
        self.troubles.pop("mapping", None)
        fails = isinstance(self.dispatcher.read_trouble, MappingFails)  # for every order that there is
        if (self.dispatcher.read_trouble is not None and not fails) or self.troubles:
            await self.dispatcher.hasten()
            self._hastened.set()
            self._hastened.clear()

    @property
    def mapping_trouble(self) -> ConnectorError | None:
        """What `try_mapping` found last, None when an order could be read."""
        return self.troubles.get("mapping")

    @property
    def trouble(self) -> ConnectorError | None:
        """What keeps orders from being read or remembered at present, None when nothing does."""
        return self.retrying.trouble or self.dispatcher.read_trouble or next(iter(self.troubles.values()), None)

    async def _resolve(self) -> None:
        if await self.narrow.step():
            self.wide.lookups_arrived()

    async def _look_around(self) -> None:
        """Housekeeping, once a second."""
        if not self._tidied and self.options.known_routes is not None:
            kept = frozenset(route for route in self.options.known_routes if route.startswith(INDEX))
            await self.store.forget_indexes(kept)
            self._tidied = True
        with self._around.resting():
            await asyncio.sleep(LOOK_AROUND_EVERY)
        if len(self.visibility) and self.clock.timer() - self.visibility.checked_at > LOOK_AROUND_EVERY:
            await self.reader.snapshot()
        await self.visibility.forget_seen()

    async def _drain(self, stations: list[asyncio.Task[None]]) -> None:
        for station in stations[1:]:
            station.cancel()
        await asyncio.wait(stations[:1], timeout=self.options.drain_bound)
        stations[0].cancel()
        await asyncio.gather(*stations, return_exceptions=True)
        for heartbeat in self._stations:
            heartbeat.rest()
        left = await self.dispatcher.drain(self.options.drain_bound)
        # On a full disk this can't be done, and what was in flight is confirmed at the next start.
        with suppress(TimeoutError):
            async with asyncio.timeout(self.options.drain_bound):
                await self.group_commit.flush()
        log.info("drained", left_in_ledger=left)


async def sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not past the moment that `stop` is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
