"""The stations of the pipeline, made in the order in which they need each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from connector.model.orders import Lookup
from connector.pipeline.clock import Clock
from connector.pipeline.context import Context
from connector.pipeline.control import Control
from connector.pipeline.deliver.deliverer import Deliverer
from connector.pipeline.deliver.failing_orders import FailingOrders
from connector.pipeline.deliver.group_commit import GroupCommit
from connector.pipeline.deliver.sender import Sender
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.dispatch.backpressure import Backpressure
from connector.pipeline.dispatch.capacity import Capacity
from connector.pipeline.dispatch.dispatcher import Dispatcher
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.dispatch.orders_in_work import OrdersInWork
from connector.pipeline.dispatch.revisions import Revisions
from connector.pipeline.dispatch.tasks import Tasks
from connector.pipeline.examine.comparer import Comparer
from connector.pipeline.examine.examiner import Examiner
from connector.pipeline.examine.place_claims import PlaceClaims
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.holds.endpoints import Endpoints
from connector.pipeline.holds.first_fill import FirstFill
from connector.pipeline.holds.guard import Guard
from connector.pipeline.holds.manual_pause import ManualPause
from connector.pipeline.holds.open_holds import OpenHolds
from connector.pipeline.holds.reviews import HoldReviews
from connector.pipeline.holds.vanished_rows import VanishedRows
from connector.pipeline.intake.intake import Intake, LedgerWriter
from connector.pipeline.intake.progress import Progress
from connector.pipeline.intake.router import Router
from connector.pipeline.intake.stream_follower import StreamFollower
from connector.pipeline.options import Options, Ports
from connector.pipeline.ports.entries import Entry
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.read.batch import ReadLane
from connector.pipeline.read.housekeeping import Housekeeping
from connector.pipeline.read.read_pause import ReadPause
from connector.pipeline.read.reader import Reader
from connector.pipeline.read.row_digests import RowDigests
from connector.pipeline.read.visibility import Visibility
from connector.pipeline.sweeps.former_keys import FormerKeys
from connector.pipeline.sweeps.lookups import LookupResolver
from connector.pipeline.sweeps.page_reader import PageReader
from connector.pipeline.sweeps.second_looks import SecondLooks
from connector.pipeline.sweeps.state import Sweeps
from connector.pipeline.sweeps.walk import SweepWalk


class Stations:
    """Everything that runs in one pipeline."""

    def __init__(self, ports: Ports, options: Options, store: CheckpointStore, clock: Clock) -> None:
        """`store`: the one of the ports, made to repeat what can't be written."""
        self.admissions = StoreAdmissions(
            options.max_concurrency, options.requests_per_second, options.store_id, clock, options.longest_pause
        )
        self.context = _context(ports, options, store, clock, self.admissions)
        self.backpressure = Backpressure(self.context.wake)
        self.queue = LedgerQueue(self.context, ReadPause(clock), self.backpressure)
        self.sweeps = Sweeps(self.context, options.reconcile_every, options.reconcile_per_second)
        self.visibility = Visibility(store)
        self._make_holds(options)
        self._make_reading(options)
        self._make_intake(ports)
        self._make_delivery(ports)
        self._make_examining()
        self._make_walks(options)
        self.control = Control(store, self.queue, self.reviews, self.sweeps, self.manual_pause, self.failing)
        self._allow(options)

    def _make_holds(self, options: Options) -> None:
        context, sweeps = self.context, self.sweeps
        self.vanished_rows = VanishedRows(context, sweeps)
        self.endpoints = Endpoints(context, options.endpoints, yes=options.approve_endpoints)
        self.holds = OpenHolds(context, options.limits)
        self.first_fill = FirstFill(context, self.holds, sweeps, options.endpoints)
        self.reviews = HoldReviews(context, self.holds, self.endpoints, self.vanished_rows, sweeps, self.first_fill)
        self.manual_pause = ManualPause(context, self.queue, self.admissions)

    def _make_reading(self, options: Options) -> None:
        context, routes = self.context, options.known_routes or frozenset()
        self._unanswered: set[Lookup] = set()
        self.second_looks = SecondLooks(context, self.queue)
        self.reader = Reader(context, self.visibility, self._mapping_recovered)
        self.lookups = LookupResolver(context, self.reader, routes, self._unanswered)
        self.housekeeping = Housekeeping(context, self.reader, self.visibility, options.indexes)

    def _make_intake(self, ports: Ports) -> None:
        context, sweeps, visibility = self.context, self.sweeps, self.visibility
        self.progress = Progress(context, ports.source, sweeps, visibility, self.vanished_rows)
        router = Router(context, ports.routes, self.vanished_rows)
        writer = LedgerWriter(sweeps, visibility, self.queue, self.lookups)
        self.intake = Intake(ports.source, router, self.progress, writer)
        self.stream = StreamFollower(self.intake, ports.slot, self.progress, context.clock)

    def _make_delivery(self, ports: Ports) -> None:
        context, queue = self.context, self.queue
        self.failing = FailingOrders(context, queue)
        self.claims = PlaceClaims(context, queue)
        self.sender = Sender(context, ports.redo, self.admissions, self.failing, self.manual_pause, self.first_fill)
        written = [self.holds.written, self.failing.written, self.first_fill.written]
        self.group_commit = GroupCommit(context, queue, self.sweeps, written)
        self.deliverer = Deliverer(context, queue, self.sender, self.claims, self.failing, self.group_commit)

    def _make_examining(self) -> None:
        context, queue = self.context, self.queue
        self.former = FormerKeys(context, self.sweeps, queue)
        guard = Guard(context, self.holds, self.endpoints, self.vanished_rows, self.sweeps, self.progress)
        comparer = Comparer(context, self.reader, guard, self.claims, self.former, self.second_looks)
        self.examiner = Examiner(context, queue, comparer, self.deliverer, self.group_commit, self.vanished_rows)
        self.dispatcher = Dispatcher(context, queue, self.admissions)

    def _make_walks(self, options: Options) -> None:
        """They read in turns with each other and with what they add to the ledger, so that of the two connections
        live changes find one free."""
        context, routes = self.context, options.known_routes or frozenset()
        turns = ReadLane(sharing=self.examiner.others)
        self.fan_out = LookupResolver(context, self.reader, routes, self._unanswered, self.backpressure, turns)
        self.pages = PageReader(context, self.sweeps, self.reader, turns)
        self.walk = SweepWalk(context, self.sweeps, self.backpressure, self.reviews, self.former, self.pages)

    def begin_dispatch(self) -> None:
        """From now on orders are taken from the ledger."""
        self.queue.open(Capacity(self.context, self.admissions, self.manual_pause), self._look_at)

    def _look_at(self, entries: Sequence[Entry]) -> None:
        self.examiner.start(self.first_fill.keep_back(entries, self.group_commit.settle))

    def _mapping_recovered(self, sqlstate: str) -> None:
        """It failed for every order, and no longer does."""
        self.second_looks.suspect(sqlstate)
        self.context.tasks.begin(self.queue.resume())

    def _allow(self, options: Options) -> None:
        """How long one step of a station may take."""
        for station in (self.lookups, self.fan_out, self.walk, self.pages, self.housekeeping):
            station.heartbeat.allowance = options.longest_read
        self.context.in_work.longest_step = max(options.longest_read, options.longest_push)

    @property
    def steps(self) -> dict[Heartbeat, Callable[[], Awaitable[object]]]:
        """What is done again and again once the stream is read, each by a task of its own."""
        return {
            self.dispatcher.heartbeat: self.dispatcher.step,
            self.group_commit.heartbeat: self.group_commit.step,
            self.lookups.heartbeat: self._look_up,
            self.fan_out.heartbeat: self.fan_out.step,
            self.walk.heartbeat: self.walk.step,
            self.reviews.heartbeat: self.reviews.step,
            self.housekeeping.heartbeat: self.housekeeping.step,
            self.second_looks.heartbeat: self.second_looks.step,
        }

    async def _look_up(self) -> None:
        if await self.lookups.step():
            self.fan_out.lookups_arrived()


def _context(
    ports: Ports, options: Options, store: CheckpointStore, clock: Clock, admissions: StoreAdmissions
) -> Context:
    wake = asyncio.Event()
    return Context(
        store=store,
        assembler=ports.assembler,
        row_digests=RowDigests(store, ports.assembler, ports.contract),
        contract=ports.contract,
        observer=ports.observer,
        chronicle=ports.chronicle,
        terms=options.terms,
        clock=clock,
        revisions=Revisions(),
        in_work=OrdersInWork(admissions),
        tasks=Tasks(wake),
        wake=wake,
    )
