"""Wiring: settings in, rooms connected, signals obeyed. One function a verb; no business rules."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack

import structlog

from connector import __version__
from connector.bounds import longest_push, longest_read, new_health, new_watchdog
from connector.checkpoints.opening import open_checkpoints, open_readonly
from connector.checkpoints.requests import Requests, requests_path
from connector.config import Settings
from connector.errors import ConfigurationError, ConnectorError, Problem
from connector.former_slots import former_slots, remember_slot
from connector.front import Front
from connector.furnishing import (
    analysed,
    for_a_person,
    load_projection,
    mapping_text,
    new_assembler,
    payload_vault,
    read_dsn,
    redo_client,
    redo_contract,
    source_dsn,
)
from connector.inbox import Inbox
from connector.pipeline.decide import Terms
from connector.pipeline.guard import Limits
from connector.pipeline.memory import Memory
from connector.pipeline.progress import PROGRESS_NOTE, Gap
from connector.pipeline.run import MAPPING_NOTE, SETTING_UP_NOTE, Options, Pipeline, Ports, sleep_unless
from connector.projection import Projection
from connector.slot_renewal import SlotRenewal
from connector.source.connections import ANSWER
from connector.source.preflight import preflight
from connector.source.replica import replica_problems
from connector.source.setup import Ready, ensure
from connector.source.slot import OnWait, SlotWatch
from connector.source.stream import PostgresSource
from connector.source.transactions import Known
from connector.source_objects import Source, SourceObjects
from connector.starting import slot_waits, unless
from connector.status.history import History
from connector.status.metrics import Metrics
from connector.unmapped import CAUSE as UNMAPPED
from connector.unmapped import Unmapped, mapped_before, unmapped
from connector.vitals import Vitals
from connector.wal_watch import WalWatch
from connector.watchdog import Watchdog
from connector.watching import MappingWatch, Parts

log = structlog.get_logger("connector")


LOOK_EVERY = 0.2
"""Seconds between looks at whether a request is finished."""
PATIENCE = 10.0
"""Seconds that a connector of a command goes on when nothing more is delivered."""
RETRY_BUILD = 5.0
"""Seconds between attempts to go on after the mapping changed, when the database is away just then."""


async def run(settings: Settings) -> int:
    """Prepare, follow and deliver until SIGTERM or SIGINT; a second signal exits at once. Returns the exit code."""
    stop = asyncio.Event()
    _obey_signals(stop)
    await serve(settings, stop, lasting=True)
    log.info("stopped")
    return 0


async def perform(settings: Settings, number: int) -> None:
    """Run a whole connector in this process until a request of its inbox is finished."""
    stop = asyncio.Event()
    _obey_signals(stop)
    inbox = Requests(requests_path(settings.checkpoints.url))

    async def watch() -> None:
        while True:
            request = await asyncio.to_thread(inbox.get, number)
            if request is None or request.finished:
                await _until_delivered(settings)
                stop.set()
                return
            await asyncio.sleep(LOOK_EVERY)

    watching = asyncio.create_task(watch(), name="request")
    try:
        await serve(settings, stop)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        inbox.close()


async def _until_delivered(settings: Settings) -> None:
    """Until nothing waits in the ledger, as long as that gets less."""
    store = open_readonly(settings.checkpoints.url)
    try:
        least, gave_up = -1, time.monotonic() + PATIENCE
        while time.monotonic() < gave_up:
            waiting = (await store.tally()).affected
            if not waiting:
                return
            if least < 0 or waiting < least:
                least, gave_up = waiting, time.monotonic() + PATIENCE
            await asyncio.sleep(LOOK_EVERY)
    finally:
        await store.close()


async def serve(settings: Settings, stop: asyncio.Event, *, lasting: bool = False) -> None:
    """Follow and deliver until `stop` is set. When the mapping changes, or fits the database again, everything is
    built anew in this process. `lasting`: where orders were followed before, a database that is away at the start is
    waited for, and so is a mapping that doesn't fit, while the slot is read."""
    front = Front(settings, redo_contract(settings), lambda projection: for_a_person(settings, projection))
    async with AsyncExitStack() as stack:
        # Before anything is made in the OMS: a start that fails must not leave a slot behind.
        web = await front.serve(settings.status.host, settings.status.port, stack)
        generation = AsyncExitStack()
        watchdog = new_watchdog(settings)
        if lasting and await mapped_before(settings.checkpoints.url) is not None:
            # A first start ends instead: what it can't reach was most likely written wrongly.
            await front.beginning.database_answers(dict.fromkeys((source_dsn(settings), read_dsn(settings))), stop)
        begun = await unless(stop, _begin(settings, generation, front, watchdog, lasting=lasting))
        if begun is None:
            return
        parts = begun
        # Not before: a store of an older version takes its time to be opened.
        watchdog.start()
        stack.callback(watchdog.stop)
        log.info("started", status=f"http://{settings.status.host}:{web.port}/", tables=len(parts.projection.tables))
        while True:
            async with generation:
                watchdog.watch(parts.pulses)
                projection = await _follow_mapping(settings, parts, stop)
                watchdog.watch()
                front.leave()
            if projection is None:
                return
            generation = AsyncExitStack()
            again = await _begin_again(settings, generation, front, stop, projection, watchdog)
            if again is None:
                return
            parts = again


async def _begin(
    settings: Settings,
    stack: AsyncExitStack,
    front: Front,
    watchdog: Watchdog,
    projection: Projection | None = None,
    *,
    lasting: bool = False,
) -> Parts:
    try:
        parts = await build(
            settings,
            stack,
            front.metrics,
            front.beginning.slot_waits,
            projection,
            watchdog,
            front.history,
            lasting=lasting,
        )
        await parts.vitals.start(stack)
    except BaseException:  # a signal cancels this: what was opened so far must be closed
        await stack.aclose()
        raise
    front.show(parts)
    return parts


async def _begin_again(
    settings: Settings,
    stack: AsyncExitStack,
    front: Front,
    stop: asyncio.Event,
    projection: Projection,
    watchdog: Watchdog,
) -> Parts | None:
    """None when `stop` was set before it worked."""
    told = ""
    while not stop.is_set():
        try:
            return await unless(stop, _begin(settings, stack, front, watchdog, projection))
        except ConnectorError as error:
            if str(error) != told:
                told = str(error)
                log.error("reload_failed", problem=told, next=f"trying again every {RETRY_BUILD:.0f} s")
            await sleep_unless(stop, RETRY_BUILD)
    return None


async def _follow_mapping(settings: Settings, parts: Parts, stop: asyncio.Event) -> Projection | None:
    """Run until `stop` is set, or until the pipeline should be built anew: for the projection that is returned."""
    parts.vitals.started = True

    async def load() -> Projection:
        return await analysed(settings, mapping_text(settings.mapping.path))

    watch = MappingWatch(settings.mapping.path, parts, load, lambda new: _admit(settings, parts.objects, new))
    halt = asyncio.Event()
    pipeline = asyncio.create_task(parts.pipeline.run(halt), name="pipeline")
    changed = asyncio.create_task(watch.until_changed(), name="mapping watch")
    guard = asyncio.create_task(parts.objects.guard(), name="source objects")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    others = (changed, guard, stopping)
    try:
        await asyncio.wait({pipeline, *others}, return_when=asyncio.FIRST_COMPLETED)
        if guard.done():
            guard.result()
        return changed.result() if changed.done() and not stop.is_set() else None
    finally:
        parts.vitals.stopping = True
        halt.set()
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await pipeline


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
) -> Parts:
    """Everything that `run` needs, connected; closed by the stack in the reverse order. `admitted`: a mapping that was
    analysed and found fit while another was at work, so that nothing is left to be checked or set up. What the watchdog
    sees is told. `lasting`: as of `serve`.

    Raises ConfigurationError with every problem found, SourceUnavailable, CheckpointsUnwritable.
    """
    dsn = source_dsn(settings)
    contract = redo_contract(settings)
    source = settings.source
    projection = admitted or await _projected(settings, lasting)
    fresh = projection if admitted is None and isinstance(projection, Projection) else None
    if fresh is not None:
        _refuse_or_warn(await _source_problems(settings, fresh))
    memory = open_checkpoints(settings.checkpoints.url, payload_vault(settings))
    stack.push_async_callback(memory.close)
    slot_made, sweep_cause = (None, None) if fresh is None else await _set_up(settings, fresh, memory, on_wait)
    metrics, history = metrics or Metrics(__version__), history or History()
    metrics.expect(projection.tables)
    client = redo_client(settings, metrics)
    stack.push_async_callback(client.aclose)
    assembler = new_assembler(settings, projection) if isinstance(projection, Projection) else projection
    stack.push_async_callback(assembler.aclose)
    stream = PostgresSource(
        dsn,
        source.slot,
        source.publication,
        known=_known(projection),
        silence_timeout=source.silence_timeout,
    )
    replica = read_dsn(settings) if source.read_dsn is not None else None
    within = min(ANSWER, source.silence_timeout)
    made = Source(dsn, source.slot, source.publication, projection.tables, source.manage, replica, within)
    ports = Ports(
        stream,
        SlotRenewal(made, source.on_slot_loss == "stop", on_wait),
        projection.routes if isinstance(projection, Projection) else projection,
        assembler,
        contract,
        client,
        memory,
        metrics,
        history,
    )
    options = Options(
        max_concurrency=settings.redo.max_concurrency,
        requests_per_second=settings.redo.requests_per_second,
        backfill=settings.backfill.on_start,
        reconcile_every=settings.reconcile.every,
        reconcile_per_second=settings.reconcile.orders_per_second,
        store_id=settings.redo.store_id,
        terms=_terms(settings),
        limits=_limits(settings),
        known_routes=_routes(projection),
        slot_made=slot_made,
        sweep_cause=sweep_cause if isinstance(projection, Projection) else UNMAPPED,
        longest_read=longest_read(settings),
        longest_push=longest_push(settings),
    )
    pipeline = Pipeline(ports, options)
    wal = WalWatch(source.wal_budget)
    health = new_health(settings, pipeline, watchdog)
    slot = SlotWatch(dsn, source.slot, within)
    vitals = Vitals(pipeline, metrics, slot, projection.fingerprint, health, wal, stream.reconnect, history)
    objects = SourceObjects(made, stream, pipeline)
    stack.push_async_callback(objects.close)
    mapped_anew = await memory.noted(MAPPING_NOTE) != projection.fingerprint
    await objects.begin(compared=mapped_anew or slot_made is not None or options.sweep_cause is not None)
    inbox = Inbox(settings.checkpoints.url, pipeline.control)
    await inbox.start(stack)
    return Parts(projection, pipeline, metrics, vitals, objects, assembler, inbox.pulse)


async def _projected(settings: Settings, lasting: bool) -> Projection | Unmapped:
    try:
        return await load_projection(settings)
    except ConfigurationError as error:
        url, dsn = settings.checkpoints.url, source_dsn(settings)
        instead = await unmapped(url, dsn, settings.source.publication, error) if lasting else None
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
    dsn, source = source_dsn(settings), settings.source
    renews, former = source.on_slot_loss == "recreate", await former_slots(settings.checkpoints.url)
    tables = projection.tables
    problems = await preflight(
        dsn, source.slot, source.publication, tables, source.manage, renews=renews, former_slots=former
    )
    return [*problems, *projection.hidden, *await replica_problems(dsn, read_dsn(settings))]


async def _admit(settings: Settings, objects: SourceObjects, projection: Projection) -> None:
    """See that a mapping can be taken up in the place of the one that runs, before that ends. Raises
    ConfigurationError, SourceUnavailable."""
    problems = await _source_problems(settings, projection)
    if serious := [problem for problem in problems if not problem.warning]:
        raise ConfigurationError(serious)
    await objects.publish(projection.tables)


def _known(projection: Projection | Unmapped) -> Known:
    if isinstance(projection, Unmapped):
        return Known()
    tables = projection.followed
    return Known({table.oid: table.name for table in tables}, frozenset(t.name for t in tables if t.partial))


def _obey_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def obey(number: signal.Signals) -> None:
        if stop.is_set():
            log.warning("killed", signal=number.name, next="what was in flight is confirmed at the next start")
            os._exit(128 + number)
        log.info("stopping", signal=number.name, next="finishing what is in flight; a second signal exits at once")
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, obey, number)


async def _set_up(
    settings: Settings, projection: Projection, memory: Memory, on_wait: OnWait
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


def _terms(settings: Settings) -> Terms:
    return Terms(settings.mapping.missing, settings.redo.confirm_after, settings.checkpoints.keep == "payload")


def _limits(settings: Settings) -> Limits:
    guard = settings.guard
    return Limits(guard.max_share, guard.max_orders, guard.max_removal_share, guard.removal_wait)


def _refuse_or_warn(problems: list[Problem]) -> None:
    serious = [problem for problem in problems if not problem.warning]
    if serious:
        raise ConfigurationError(serious)
    warn(problems)


def warn(problems: Iterable[Problem]) -> None:
    """What a person should know before anything runs."""
    for problem in problems:
        log.warning("preflight", where=problem.where, problem=problem.what, next=problem.hint)
