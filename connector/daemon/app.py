"""Running: what `building` makes is run, watched and built anew, and signals are obeyed. No business rules."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack

import structlog

from connector.checkpoints.opening import noted, open_readonly, open_requests
from connector.daemon.build import admit, build
from connector.daemon.health.watchdog import Watchdog
from connector.daemon.mapping.mapping_watch import MappingWatch, Parts
from connector.daemon.startup import unless
from connector.daemon.status_server import Front
from connector.model.errors import ConnectorError
from connector.pipeline.backoff import sleep_unless
from connector.pipeline.start import MAPPING_NOTE
from connector.projection import Projection
from connector.settings.config import Settings
from connector.wiring.factories import (
    analysed,
    checkpoints,
    mapping_text,
    read_dsn,
    source_dsn,
)

log = structlog.get_logger("connector")


LOOK_EVERY = 0.2
"""Seconds between looks at whether a request is finished."""
PATIENCE = 10.0
"""Seconds that a connector of a command goes on when nothing more is delivered."""
RETRY_BUILD = 5.0
"""Seconds between attempts to go on after the mapping changed, when the database is away just then."""


async def run(settings: Settings, *, approve_endpoints: bool = False) -> int:
    """Prepare, follow and deliver until SIGTERM or SIGINT; a second signal exits at once. Returns the exit code."""
    stop = asyncio.Event()
    _obey_signals(stop)
    await serve(settings, stop, lasting=True, approve_endpoints=approve_endpoints)
    log.info("stopped")
    return 0


async def perform(settings: Settings, number: int) -> None:
    """Run a whole connector in this process until a request of its inbox is finished."""
    stop = asyncio.Event()
    _obey_signals(stop)
    inbox = open_requests(checkpoints(settings))

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
    store = await asyncio.to_thread(open_readonly, checkpoints(settings))
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


async def serve(
    settings: Settings, stop: asyncio.Event, *, lasting: bool = False, approve_endpoints: bool = False
) -> None:
    """Follow and deliver until `stop` is set. When the mapping changes, or fits the database again, everything is
    built anew in this process. `lasting`: where orders were followed before, a database that is away at the start is
    waited for, and so is a mapping that doesn't fit, while the slot is read. `approve_endpoints`: orders may go where
    the settings say, whatever was accepted elsewhere before."""
    front = Front(settings)
    async with AsyncExitStack() as stack:
        # Before anything is made in the OMS: a start that fails must not leave a slot behind.
        web = await front.serve(settings.status.host, settings.status.port, stack)
        generation = AsyncExitStack()
        watchdog = Watchdog(settings.health.stalled_after, settings.health.exit_after)
        if lasting and await noted(checkpoints(settings), MAPPING_NOTE) is not None:
            # A first start ends instead: what it can't reach was most likely written wrongly.
            await front.beginning.database_answers(dict.fromkeys((source_dsn(settings), read_dsn(settings))), stop)
        begin = _begin(settings, generation, front, watchdog, lasting=lasting, approve_endpoints=approve_endpoints)
        begun = await unless(stop, begin)
        if begun is None:
            return
        parts = begun
        # Not before: a store of an older version takes its time to be opened.
        watchdog.start()
        stack.callback(watchdog.stop)
        log.info("started", status=f"http://{settings.status.host}:{web.port}/", tables=len(parts.projection.tables))
        while True:
            async with generation:
                watchdog.watch(parts.heartbeats)
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
    approve_endpoints: bool = False,
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
            approve_endpoints=approve_endpoints,
        )
        await parts.facts_collector.start(stack)
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
    parts.facts_collector.started = True

    async def load() -> Projection:
        return await analysed(settings, mapping_text(settings.mapping.path))

    watch = MappingWatch(settings.mapping.path, parts, load, lambda new: admit(settings, parts, new))
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
        parts.facts_collector.stopping = True
        halt.set()
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await pipeline


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
