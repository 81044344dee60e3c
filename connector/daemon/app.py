"""The process: one generation of the pipeline after the other is built, run and watched, until a signal ends it.

It must not know what a generation is made of.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack

import structlog

from connector.checkpoints.opening import noted, open_readonly, open_requests
from connector.daemon.build import build
from connector.daemon.generation import Generation, ProcessWide
from connector.daemon.health.watchdog import Watchdog
from connector.daemon.mapping.mapping_watch import MappingWatch
from connector.daemon.preparation import admit
from connector.daemon.status_server import StatusServer
from connector.model.errors import ConnectorError
from connector.model.off_loop import keep_out_of_collections
from connector.pipeline.backoff import sleep_unless, unless_stopped
from connector.pipeline.intake.progress import IN_STEP_NOTE
from connector.pipeline.start import MAPPING_NOTE
from connector.projection import Projection
from connector.settings.config import Settings
from connector.wiring.factories import analysed, checkpoints, mapping_text, read_dsn, source_dsn

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


async def run_until_finished(settings: Settings, number: int) -> None:
    """Run a whole connector in this process until the request of this number is finished."""
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
    async with AsyncExitStack() as stack:
        await _Daemon(settings, stop).run(stack, lasting=lasting, approve_endpoints=approve_endpoints)


class _Daemon:
    """What the generations share: a status server, a watchdog, and the event that ends them."""

    def __init__(self, settings: Settings, stop: asyncio.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._status = StatusServer(settings)
        self._watchdog = Watchdog(settings.health.stalled_after, settings.health.exit_after)
        self._process = ProcessWide(
            self._status.metrics, self._status.history, self._watchdog, self._status.startup.slot_waits
        )
        self._resources = AsyncExitStack()
        """Of the present generation."""

    async def run(self, stack: AsyncExitStack, *, lasting: bool, approve_endpoints: bool) -> None:
        settings = self._settings
        # Before anything is made in the OMS: a start that fails must not leave a slot behind.
        port = await self._status.start(stack)
        if lasting and await noted(checkpoints(settings), MAPPING_NOTE) is not None:
            self._status.startup.was_in_step(await noted(checkpoints(settings), IN_STEP_NOTE))
            # A first start ends instead: what it can't reach was most likely written wrongly.
            dsns = dict.fromkeys((source_dsn(settings), read_dsn(settings)))
            await self._status.startup.database_answers(dsns, self._stop)
        first = self._build(lasting=lasting, approve_endpoints=approve_endpoints)
        generation = await unless_stopped(self._stop, first)
        if generation is None:
            return
        # Not before: a store of an older version takes its time to be opened.
        self._watchdog.start()
        stack.callback(self._watchdog.stop)
        tables = len(generation.projection.tables)
        log.info("started", status=f"http://{settings.status.host}:{port}/", tables=tables)
        while generation is not None:
            if lasting:
                keep_out_of_collections()
            projection = await self._follow(generation)
            generation = None if projection is None else await self._build_again(projection)

    async def _build(
        self, projection: Projection | None = None, *, lasting: bool = False, approve_endpoints: bool = False
    ) -> Generation:
        resources = AsyncExitStack()
        try:
            generation = await build(
                self._settings,
                resources,
                self._process,
                projection,
                lasting=lasting,
                approve_endpoints=approve_endpoints,
            )
            await generation.facts_collector.start(resources)
        except BaseException:  # a signal cancels this: what was opened so far must be closed
            await resources.aclose()
            raise
        self._resources = resources
        self._status.show(generation)
        return generation

    async def _build_again(self, projection: Projection) -> Generation | None:
        """None when `stop` was set before it worked."""
        logged = ""
        while not self._stop.is_set():
            try:
                return await unless_stopped(self._stop, self._build(projection))
            except ConnectorError as error:
                if str(error) != logged:
                    logged = str(error)
                    log.error("reload_failed", problem=logged, next=f"trying again every {RETRY_BUILD:.0f} s")
                await sleep_unless(self._stop, RETRY_BUILD)
        return None

    async def _follow(self, generation: Generation) -> Projection | None:
        """Run the generation to its end, and close it. Returns the projection to build the next one for; None when
        there is none, because `stop` is set."""
        async with self._resources:
            self._watchdog.watch(generation.heartbeats)
            projection = await _until_changed(self._settings, generation, self._stop)
            self._watchdog.watch()
            self._status.leave()
        return projection


async def _until_changed(settings: Settings, generation: Generation, stop: asyncio.Event) -> Projection | None:
    """Run until `stop` is set, or until the pipeline should be built anew: for the projection that is returned."""
    generation.facts_collector.started = True

    async def load() -> Projection:
        return await analysed(settings, mapping_text(settings.mapping.path))

    watch = MappingWatch(settings.mapping.path, generation, load, lambda new: admit(settings, generation, new))
    halt = asyncio.Event()
    pipeline = asyncio.create_task(generation.pipeline.run(halt), name="pipeline")
    changed = asyncio.create_task(watch.until_changed(), name="mapping watch")
    guard = asyncio.create_task(generation.objects.guard(), name="source objects")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    others = (changed, guard, stopping)
    try:
        await asyncio.wait({pipeline, *others}, return_when=asyncio.FIRST_COMPLETED)
        if guard.done():
            guard.result()
        return changed.result() if changed.done() and not stop.is_set() else None
    finally:
        generation.facts_collector.stopping = True
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
