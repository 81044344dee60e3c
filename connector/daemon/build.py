"""From settings to everything that runs for one mapping: store, ports, pipeline, and what watches it.

It must not know how long anything runs: `app` runs what is built here, and has it built anew.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from connector.daemon.generation import Generation, ProcessWide
from connector.daemon.health.facts_collector import FactsCollector
from connector.daemon.health.health import Bounds, Health
from connector.daemon.health.wal_watch import SlotMonitor, WalWatch
from connector.daemon.leadership.term import take
from connector.daemon.mapping.unusable_mapping import UnusableMapping
from connector.daemon.preparation import SetUp, fit_mapping, set_up_source
from connector.daemon.requests import RequestRunner
from connector.daemon.source.slot_renewal import SlotRenewal
from connector.daemon.source.source_objects import SourceConfig, SourceObjectsWatch
from connector.pipeline.deliveries import Terms
from connector.pipeline.holds.limits import Limits
from connector.pipeline.options import Options, Ports
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.run import Pipeline
from connector.pipeline.start import BASIS_NOTE, MAPPING_NOTE
from connector.pipeline.sweeps.state import MAPPING_UNFIT
from connector.postgres.connections import ANSWER, KeptConnection
from connector.projection import Assembler, Projection
from connector.projection.basis_note import altered, recall, remember
from connector.projection.checks.unqualified_names import NAMES_NOTE, dump
from connector.settings.config import Settings
from connector.source.objects.slot import SlotWatch
from connector.source.stream.postgres_source import PostgresSource
from connector.source.stream.session import StreamSettings
from connector.source.stream.transactions import CatalogFacts
from connector.wiring import factories
from connector.wiring.bounds import longest_push, longest_read


async def build(
    settings: Settings,
    stack: AsyncExitStack,
    process: ProcessWide | None = None,
    projection: Projection | UnusableMapping | None = None,
    *,
    admitted: bool = False,
    approve_endpoints: bool = False,
) -> Generation:
    """Everything that `run` needs, connected; closed by the stack in the reverse order. `projection`: a mapping that
    was found fit; `admitted`: while another was at work, so that nothing is left to be set up. `approve_endpoints`: as
    of `serve`.

    Raises ConfigurationError with every problem found, SourceUnavailable, CheckpointsUnwritable.
    """
    process = process or ProcessWide()
    projection = projection or await fit_mapping(settings, lasting=False)
    if process.term is None:
        term = await take(settings)
        stack.push_async_callback(term.end)
        process = replace(process, term=term)
    builder = _Builder(settings, stack, process, projection)
    store = await builder.open_store()
    set_up = SetUp(sweep_cause=MAPPING_UNFIT) if isinstance(projection, UnusableMapping) else SetUp()
    if not admitted and isinstance(projection, Projection):
        set_up = await set_up_source(settings, projection, store, process.on_slot_wait)
    process.metrics.expect(projection.tables)
    ports = builder.ports(store)
    options = await builder.options(set_up, store, approve_endpoints=approve_endpoints)
    pipeline = Pipeline(ports, options)
    return await builder.watched(pipeline)


class _Builder:
    """The steps of one build, in the order of its methods."""

    def __init__(
        self,
        settings: Settings,
        stack: AsyncExitStack,
        process: ProcessWide,
        projection: Projection | UnusableMapping,
    ) -> None:
        self._settings = settings
        self._stack = stack
        assert process.term is not None  # noqa: S101 -- the caller sees to it
        self._process = process
        self._term = process.term
        self._projection = projection
        self._source = _source_config(settings, projection)
        self._stream = _stream(settings, projection)
        self._assembler = (
            factories.new_assembler(settings, projection) if isinstance(projection, Projection) else projection
        )

    async def open_store(self) -> CheckpointStore:
        store = self._term.store
        if isinstance(self._projection, Projection):
            await store.note(NAMES_NOTE, dump(self._projection.path_names))
        return store

    def ports(self, store: CheckpointStore) -> Ports:
        settings, process, projection = self._settings, self._process, self._projection
        client = factories.redo_client(settings, process.metrics, self._term.store.lease.wait)
        self._stack.push_async_callback(client.aclose)
        self._stack.push_async_callback(self._assembler.aclose)
        return Ports(
            source=self._stream,
            slot=SlotRenewal(self._source, settings.source.on_slot_loss == "stop", process.on_slot_wait),
            routes=projection.routes if isinstance(projection, Projection) else projection,
            assembler=self._assembler,
            contract=factories.redo_contract(settings),
            redo=client,
            store=store,
            observer=process.metrics,
            chronicle=process.history,
        )

    async def options(self, set_up: SetUp, store: CheckpointStore, *, approve_endpoints: bool) -> Options:
        settings, projection = self._settings, self._projection
        redo, guard = settings.redo, settings.guard
        options = Options(
            max_concurrency=redo.max_concurrency,
            requests_per_second=redo.requests_per_second,
            longest_pause=redo.max_pause,
            backfill=settings.backfill.on_start,
            reconcile_every=settings.reconcile.every,
            reconcile_per_second=settings.reconcile.orders_per_second,
            store_id=redo.store_id,
            endpoints=factories.redo_endpoints(settings),
            approve_endpoints=approve_endpoints,
            terms=Terms(settings.mapping.missing, redo.confirm_after, settings.checkpoints.keep == "payload"),
            limits=Limits(guard.max_share, guard.max_orders, guard.max_removal_share, guard.removal_wait),
            known_routes=_routes(projection),
            slot_made=set_up.slot_made,
            sweep_cause=set_up.sweep_cause,
            longest_read=longest_read(settings),
            longest_push=longest_push(settings),
        )
        if isinstance(projection, UnusableMapping):
            return options
        before = recall(await store.noted(BASIS_NOTE))
        return replace(options, altered=altered(before, projection), basis=remember(projection))

    async def watched(self, pipeline: Pipeline) -> Generation:
        """The pipeline with what watches it, and what carries out requests on it."""
        settings, process, projection, source = self._settings, self._process, self._projection, self._source
        if isinstance(self._assembler, Assembler):
            self._assembler.dependencies.doubt = pipeline.vanished_rows.doubt_and_compare
        looks = KeptConnection(source.dsn, source.within)
        self._stack.push_async_callback(looks.close)
        health = _health(settings, pipeline, process)
        slot = SlotMonitor(
            SlotWatch(looks, source.slot), WalWatch(settings.source.wal_budget), health, self._stream.reconnect
        )
        facts_collector = FactsCollector(pipeline, process.metrics, process.history, health, slot)
        facts_collector.leading = self._term.leading
        objects = SourceObjectsWatch(source, looks, self._stream, pipeline)
        facts_collector.failing_tables = lambda: objects.failing_tables
        if isinstance(projection, UnusableMapping):
            facts_collector.mapping_is([projection.problem])
        await objects.begin(compared=await _all_compared(pipeline, projection))
        requests = RequestRunner(factories.checkpoints(settings), pipeline.control, self._term, pipeline.prepared)
        await requests.start(self._stack)
        return Generation(
            projection, pipeline, process.metrics, facts_collector, objects, self._assembler, requests.heartbeat
        )


async def _all_compared(pipeline: Pipeline, projection: Projection | UnusableMapping) -> bool:
    """Whether the pipeline will begin with a comparison of all orders."""
    options = pipeline.options
    if (options.altered, options.slot_made, options.sweep_cause) != (None, None, None):
        return True
    return await pipeline.ports.store.noted(MAPPING_NOTE) != projection.fingerprint


def _health(settings: Settings, pipeline: Pipeline, process: ProcessWide) -> Health:
    bounds = Bounds(settings.source.silence_timeout, settings.health.stalled_after)
    watchdog = process.watchdog
    if watchdog is None:
        return Health(pipeline, bounds)
    return Health(pipeline, bounds, lambda: watchdog.stalled, watchdog.advice)


def _source_config(settings: Settings, projection: Projection | UnusableMapping) -> SourceConfig:
    source = settings.source
    replica = factories.read_dsn(settings) if source.read_dsn is not None else None
    within = min(ANSWER, source.silence_timeout)
    return SourceConfig(
        factories.source_dsn(settings),
        source.slot,
        source.publication,
        projection.tables,
        source.manage,
        replica,
        within,
    )


def _stream(settings: Settings, projection: Projection | UnusableMapping) -> PostgresSource:
    source = settings.source
    known = CatalogFacts()
    if isinstance(projection, Projection):
        tables = projection.followed
        known = CatalogFacts(
            {table.oid: table.name for table in tables}, frozenset(t.name for t in tables if t.partial)
        )
    return PostgresSource(
        factories.source_dsn(settings),
        source.slot,
        source.publication,
        StreamSettings(silence_timeout=source.silence_timeout),
        known,
    )


def _routes(projection: Projection | UnusableMapping) -> frozenset[str] | None:
    """Names of the routes that lookups may be left of; None where the mapping, which gives them, isn't known."""
    if isinstance(projection, UnusableMapping):
        return None
    return frozenset(use.route.name for use in projection.uses) | projection.indexes.keys()
