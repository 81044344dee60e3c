"""From settings to everything that runs for one mapping: publication and slot, connections, store, pipeline.

Wiring, like `app`, which runs what is built here and has it built anew. It must not know how long anything runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import replace

import structlog

from connector import __version__
from connector.checkpoints.opening import noted, open_checkpoints
from connector.checkpoints.slots import remember_slot
from connector.daemon.health.facts_collector import FactsCollector
from connector.daemon.health.health import Bounds, Health
from connector.daemon.health.wal_watch import WalWatch
from connector.daemon.health.watchdog import Watchdog
from connector.daemon.inbox import Inbox
from connector.daemon.mapping.mapping_watch import Parts
from connector.daemon.mapping.unmapped import CAUSE as UNMAPPED
from connector.daemon.mapping.unmapped import Unmapped, unmapped
from connector.daemon.source.slot_renewal import SlotRenewal
from connector.daemon.source.source_objects import Source, SourceObjects
from connector.daemon.startup import slot_waits
from connector.inspect.database_identity import store_neighbours
from connector.inspect.start_checks import refuse_other_tables, source_problems
from connector.model.errors import ConfigurationError, Problem
from connector.pipeline.examine.decide import Terms
from connector.pipeline.holds.limits import Limits
from connector.pipeline.intake.progress import PROGRESS_NOTE, Gap
from connector.pipeline.options import Options, Ports
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.run import Pipeline
from connector.pipeline.start import BASIS_NOTE, MAPPING_NOTE, SETTING_UP_NOTE
from connector.postgres.connections import ANSWER, KeptConnection
from connector.projection import Assembler, Projection
from connector.projection.catalog.resolution import NAMES_NOTE, dump
from connector.projection.remembered import altered, newly_hidden, recall, remember
from connector.settings.config import Settings
from connector.source.checks.replica import replica_problems
from connector.source.objects.setup import Ready, ensure
from connector.source.objects.slot import OnWait, SlotWatch
from connector.source.stream.postgres_source import PostgresSource
from connector.source.stream.transactions import Known
from connector.status.history import History
from connector.status.metrics import Metrics
from connector.wiring.bounds import longest_push, longest_read
from connector.wiring.factories import (
    checkpoints,
    load_projection,
    new_assembler,
    payload_vault,
    read_dsn,
    redo_client,
    redo_contract,
    redo_endpoints,
    source_dsn,
)

log = structlog.get_logger("connector")


async def build(
    settings: Settings,
    stack: AsyncExitStack,
    metrics: Metrics | None = None,
    on_wait: OnWait = slot_waits,
    admitted: Projection | None = None,
    watchdog: Watchdog | None = None,
    history: History | None = None,
    *,
    lasting: bool = False,
    approve_endpoints: bool = False,
) -> Parts:
    """Everything that `run` needs, connected; closed by the stack in the reverse order. `admitted`: a mapping that was
    analysed and found fit while another was at work, so that nothing is left to be checked or set up. What the watchdog
    sees is told. `lasting`, `approve_endpoints`: as of `serve`.

    Raises ConfigurationError with every problem found, SourceUnavailable, CheckpointsUnwritable.
    """
    projection = admitted or await _projected(settings, lasting)
    fresh = projection if admitted is None and isinstance(projection, Projection) else None
    if fresh is not None:
        _refuse_or_warn(await _source_problems(settings, fresh))
    if admitted is None:
        _refuse_or_warn(await store_neighbours(settings))
    # In a thread: a database may keep it waiting, while the page tells that the connector starts.
    memory = await asyncio.to_thread(open_checkpoints, checkpoints(settings), payload_vault(settings))
    stack.push_async_callback(memory.close)
    if isinstance(projection, Projection):
        await memory.note(NAMES_NOTE, dump(projection.path_names))
    slot_made, sweep_cause = (None, None) if fresh is None else await _set_up(settings, fresh, memory, on_wait)
    if isinstance(projection, Unmapped):
        sweep_cause = UNMAPPED
    metrics, history = metrics or Metrics(__version__), history or History()
    metrics.expect(projection.tables)
    client = redo_client(settings, metrics)
    stack.push_async_callback(client.aclose)
    assembler = new_assembler(settings, projection) if isinstance(projection, Projection) else projection
    stack.push_async_callback(assembler.aclose)
    made, stream = _source(settings, projection), _stream(settings, projection)
    ports = Ports(
        source=stream,
        slot=SlotRenewal(made, settings.source.on_slot_loss == "stop", on_wait),
        routes=projection.routes if isinstance(projection, Projection) else projection,
        assembler=assembler,
        contract=redo_contract(settings),
        redo=client,
        store=memory,
        observer=metrics,
        chronicle=history,
    )
    options = _options(settings, projection, slot_made, sweep_cause, approve_endpoints)
    if isinstance(projection, Projection):
        before = recall(await memory.noted(BASIS_NOTE))
        options = replace(options, altered=altered(before, projection), basis=remember(projection))
    pipeline = Pipeline(ports, options)
    if isinstance(assembler, Assembler):
        assembler.unchanged.doubt = pipeline.vanished_rows.doubt_and_compare
    health = _health(settings, pipeline, watchdog)
    looks = KeptConnection(made.dsn, made.within)
    stack.push_async_callback(looks.close)
    slot, wal = SlotWatch(looks, made.slot), WalWatch(settings.source.wal_budget)
    facts_collector = FactsCollector(
        pipeline, metrics, slot, projection.fingerprint, health, wal, stream.reconnect, history
    )
    objects = SourceObjects(made, looks, stream, pipeline)
    mapped_anew = await memory.noted(MAPPING_NOTE) != projection.fingerprint or options.altered is not None
    await objects.begin(compared=mapped_anew or slot_made is not None or sweep_cause is not None)
    inbox = Inbox(checkpoints(settings), pipeline.control)
    await inbox.start(stack)
    return Parts(projection, pipeline, metrics, facts_collector, objects, assembler, inbox.heartbeat)


def _health(settings: Settings, pipeline: Pipeline, watchdog: Watchdog | None) -> Health:
    """Without a watchdog (a pipeline that isn't run by `serve`) no part is seen to stall."""
    bounds = Bounds(settings.source.silence_timeout, settings.health.stalled_after)
    if watchdog is None:
        return Health(pipeline, bounds)
    return Health(pipeline, bounds, lambda: watchdog.stalled, watchdog.advice)


def _source(settings: Settings, projection: Projection | Unmapped) -> Source:
    source = settings.source
    replica = read_dsn(settings) if source.read_dsn is not None else None
    within = min(ANSWER, source.silence_timeout)
    return Source(
        source_dsn(settings), source.slot, source.publication, projection.tables, source.manage, replica, within
    )


def _stream(settings: Settings, projection: Projection | Unmapped) -> PostgresSource:
    source = settings.source
    return PostgresSource(
        source_dsn(settings),
        source.slot,
        source.publication,
        known=_known(projection),
        silence_timeout=source.silence_timeout,
    )


def _options(
    settings: Settings,
    projection: Projection | Unmapped,
    slot_made: Gap | None,
    sweep_cause: str | None,
    approve_endpoints: bool,
) -> Options:
    redo, guard = settings.redo, settings.guard
    return Options(
        max_concurrency=redo.max_concurrency,
        requests_per_second=redo.requests_per_second,
        backfill=settings.backfill.on_start,
        reconcile_every=settings.reconcile.every,
        reconcile_per_second=settings.reconcile.orders_per_second,
        store_id=redo.store_id,
        endpoints=redo_endpoints(settings),
        approve_endpoints=approve_endpoints,
        terms=Terms(settings.mapping.missing, redo.confirm_after, settings.checkpoints.keep == "payload"),
        limits=Limits(guard.max_share, guard.max_orders, guard.max_removal_share, guard.removal_wait),
        known_routes=_routes(projection),
        slot_made=slot_made,
        sweep_cause=sweep_cause,
        longest_read=longest_read(settings),
        longest_push=longest_push(settings),
    )


async def _projected(settings: Settings, lasting: bool) -> Projection | Unmapped:
    try:
        projection = await load_projection(settings)
        await refuse_other_tables(checkpoints(settings), projection)
        before = recall(await noted(checkpoints(settings), BASIS_NOTE))
        if problems := newly_hidden(before, projection, settings.mapping.filtered_tables):
            raise ConfigurationError(problems)
        return projection
    except ConfigurationError as error:
        kept, dsn = checkpoints(settings), source_dsn(settings)
        instead = await unmapped(kept, dsn, settings.source.publication, error) if lasting else None
        if instead is None:
            raise
        advice = "the slot is read meanwhile; once the mapping fits, every order is compared with its checkpoint"
        log.error("mapping_refused", problems=[str(problem) for problem in error.problems], next=advice)
        return instead


def _routes(projection: Projection | Unmapped) -> frozenset[str] | None:
    if isinstance(projection, Unmapped):
        return None
    return frozenset(use.way.name for use in projection.uses) | projection.indexes.keys()


async def _source_problems(settings: Settings, projection: Projection) -> list[Problem]:
    problems = await source_problems(settings, projection.tables)
    hidden = [*projection.hidden, *projection.search_path.problems()]
    return [*problems, *hidden, *await replica_problems(source_dsn(settings), read_dsn(settings))]


async def admit(settings: Settings, parts: Parts, projection: Projection) -> None:
    """See that a mapping can be taken up in the place of the one that runs, before that ends. Raises
    ConfigurationError, SourceUnavailable."""
    await refuse_other_tables(checkpoints(settings), projection)
    before = recall(await parts.pipeline.ports.store.noted(BASIS_NOTE))
    problems = newly_hidden(before, projection, settings.mapping.filtered_tables)
    problems += await _source_problems(settings, projection)
    if serious := [problem for problem in problems if not problem.warning]:
        raise ConfigurationError(serious)
    await parts.objects.publish(projection.tables)


def _known(projection: Projection | Unmapped) -> Known:
    if isinstance(projection, Unmapped):
        return Known()
    tables = projection.followed
    return Known({table.oid: table.name for table in tables}, frozenset(t.name for t in tables if t.partial))


async def _set_up(
    settings: Settings, projection: Projection, memory: CheckpointStore, on_wait: OnWait
) -> tuple[Gap | None, str | None]:
    """Publication and slot. Returns why the slot was made, if it was, and what else makes every order be looked at.

    The note stands while a changed publication isn't yet followed by a durable sweep, so that a kill in between loses
    nothing. A new slot needs none: it stands further than any position that is remembered.
    """
    interrupted = await memory.noted(SETTING_UP_NOTE) == "yes"
    await memory.note(SETTING_UP_NOTE, "yes")
    source = settings.source
    tables = projection.tables
    known = await memory.noted(PROGRESS_NOTE) is not None
    keep_slot = source.on_slot_loss == "stop" and known
    ready = await ensure(
        source_dsn(settings), source.slot, source.publication, tables, source.manage, on_wait, keep_slot=keep_slot
    )
    await remember_slot(memory, source.slot)
    made = _made(ready, known) if ready.slot_created else None
    if made is not None:
        log.info("slot_created", slot=source.slot, publication=source.publication, because=made.value)
    if ready.tables_by_insert_only:
        names = [str(table) for table in ready.tables_by_insert_only]
        log.warning("followed_by_inserts_only", tables=names, next="redo-connector check says how to follow them whole")
    if ready.publications_changed and made is None:
        log.info("publication_changed", added=[str(table) for table in ready.tables_added])
        return made, "publication changed"
    return made, "interrupted start" if interrupted and made is None else None


def _made(ready: Ready, known: bool) -> Gap:
    if ready.slot_lost is not None:
        return Gap(f"slot_{ready.slot_lost}")
    return Gap.SLOT_GONE if known else Gap.NEW_SLOT


def _refuse_or_warn(problems: list[Problem]) -> None:
    serious = [problem for problem in problems if not problem.warning]
    if serious:
        raise ConfigurationError(serious)
    warn(problems)


def warn(problems: Iterable[Problem]) -> None:
    """What a person should know before anything runs."""
    for problem in problems:
        log.warning("preflight", where=problem.where, problem=problem.what, next=problem.hint)
