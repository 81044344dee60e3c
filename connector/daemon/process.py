"""The connector's process: it leads for a term, or waits for one; a term runs one generation of the pipeline after the
other.

It must not know what a generation is made of, nor how leadership is decided.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import structlog

from connector.checkpoints.opening import noted
from connector.daemon.build import build
from connector.daemon.generation import Generation, ProcessWide
from connector.daemon.health.watchdog import Watchdog
from connector.daemon.leadership.slot_takeover import free_slot
from connector.daemon.leadership.standby import AWAY_RETRY, Standby
from connector.daemon.leadership.term import Term, take
from connector.daemon.leadership.warm_mapping import WarmMapping
from connector.daemon.mapping.mapping_watch import MappingWatch
from connector.daemon.mapping.unusable_mapping import UnusableMapping
from connector.daemon.preparation import admit, fit_mapping
from connector.daemon.status_server import StatusServer
from connector.model.errors import CheckpointsLost, CheckpointsUnwritable, ConnectorError
from connector.model.off_loop import keep_out_of_collections
from connector.pipeline.backoff import sleep_unless, unless_stopped
from connector.pipeline.intake.progress import IN_STEP_NOTE
from connector.pipeline.start import MAPPING_NOTE
from connector.projection import Projection
from connector.settings.config import Settings
from connector.wiring.factories import analysed, checkpoints, mapping_text, read_dsn, source_dsn

log = structlog.get_logger("connector")

RETRY_BUILD = 5.0
"""Seconds between attempts to go on after the mapping changed, or after a takeover, when the database is away just
then."""


class Daemon:
    """What terms of leading and the generations in them share: a status server, a watchdog, and the event that ends
    them."""

    def __init__(self, settings: Settings, stop: asyncio.Event, *, approve_endpoints: bool) -> None:
        self._settings = settings
        self._stop = stop
        self._approve_endpoints = approve_endpoints
        self._status = StatusServer(settings)
        self._watchdog = Watchdog(settings.health.stalled_after, settings.health.exit_after)
        self._process = ProcessWide(
            self._status.metrics, self._status.history, self._watchdog, self._status.startup.slot_waits
        )
        self._resources = AsyncExitStack()
        """Of the present generation."""
        self._port = 0

    async def run(self, stack: AsyncExitStack, *, lasting: bool) -> None:
        settings = self._settings
        # Before anything is made in the OMS: a start that fails must not leave a slot behind.
        self._port = await self._status.start(stack)
        if lasting and await noted(checkpoints(settings), MAPPING_NOTE) is not None:
            self._status.startup.was_in_step(await noted(checkpoints(settings), IN_STEP_NOTE))
            # A first start ends instead: what it can't reach was most likely written wrongly.
            dsns = dict.fromkeys((source_dsn(settings), read_dsn(settings)))
            await self._status.startup.database_answers(dsns, self._stop)
        projection = await unless_stopped(self._stop, fit_mapping(settings, lasting=lasting))
        if projection is None:
            return
        stack.callback(self._watchdog.stop)
        if lasting and settings.daemon.standby:
            await self._take_turns(WarmMapping(settings, projection))
            return
        term = await unless_stopped(self._stop, take(settings))
        if term is not None:
            await self._serve(term, projection, lasting=lasting)

    async def _take_turns(self, mapping: WarmMapping) -> None:
        """Lead whenever no other connector does, and wait meanwhile."""
        stepped_down, again = False, False
        while not self._stop.is_set():
            standby = Standby(self._settings, self._status.startup, self._stop)
            standby.waited, term = again, None
            try:
                term = await standby.lead(mapping, hesitates=stepped_down)
                if term is None:
                    return
                await self._serve(term, mapping.latest(), lasting=True, took_over=standby.waited)
            except CheckpointsLost as error:
                log.warning("deposed", problem=str(error), next="it stands by; what it had in flight is confirmed")
            except CheckpointsUnwritable as error:
                if not standby.waited:
                    raise  # at its first start: most likely it was set up wrongly
                log.warning("takeover_failed", problem=str(error), next="it stands by, and tries again")
                await sleep_unless(self._stop, AWAY_RETRY)
            stepped_down, again = term is not None and term.leaving.is_set() and term.lost is None, True
            self._status.forget()

    async def step_down(self) -> None:
        """Hand leadership over to a connector that waits. Without one, nothing is done but told."""
        term = self._process.term
        try:
            if term is None or term.leaving.is_set():
                raise ConnectorError("this connector doesn't lead")
            log.info("stepping_down", result=await term.may_step_down())
            term.leaving.set()
        except ConnectorError as error:
            log.warning("not_stepping_down", problem=str(error))

    async def _serve(
        self,
        term: Term,
        projection: Projection | UnusableMapping | None,
        *,
        lasting: bool,
        took_over: bool = False,
    ) -> None:
        """Lead to the end of the term. `took_over`: nobody else delivers by now, so that whatever keeps this one from
        it is waited for."""
        self._process = replace(self._process, term=term)
        ended = asyncio.create_task(_either(self._stop, term.leaving), name="term")
        stop = asyncio.Event()
        ended.add_done_callback(lambda _: stop.set())
        freeing = asyncio.create_task(free_slot(self._settings, term), name="former walsender")
        try:
            self._status.startup.starts(await term.store.noted(IN_STEP_NOTE))
            if took_over:
                leader = term.leader
                log.info("took_over", instance=leader.instance, term=leader.term)
                generation = await self._build_again(projection, stop)
            else:
                generation = await unless_stopped(stop, self._build(projection))
            if generation is not None:
                await freeing
                await self._run_generations(generation, stop, lasting=lasting)
            if term.lost is not None:
                raise term.lost
        finally:
            ended.cancel()
            freeing.cancel()
            await asyncio.gather(freeing, return_exceptions=True)
            self._process = replace(self._process, term=None)
            await term.end()

    async def _run_generations(self, first: Generation, stop: asyncio.Event, *, lasting: bool) -> None:
        # Not before: a store of an older version takes its time to be opened.
        self._watchdog.start()
        tables = len(first.projection.tables)
        log.info("started", status=f"http://{self._settings.status.host}:{self._port}/", tables=tables)
        generation: Generation | None = first
        while generation is not None:
            if lasting:
                keep_out_of_collections()
            projection = await self._follow(generation, stop)
            if projection is None:
                return
            generation = await self._build_again(projection, stop, admitted=True)

    async def _build(
        self, projection: Projection | UnusableMapping | None = None, *, admitted: bool = False
    ) -> Generation:
        resources = AsyncExitStack()
        try:
            generation = await build(
                self._settings,
                resources,
                self._process,
                projection or await fit_mapping(self._settings, lasting=True),
                admitted=admitted,
                approve_endpoints=self._approve_endpoints,
            )
            self._approve_endpoints = False
            await generation.facts_collector.start(resources)
        except BaseException:  # a signal cancels this: what was opened so far must be closed
            await resources.aclose()
            raise
        self._resources = resources
        self._status.show(generation)
        return generation

    async def _build_again(
        self,
        projection: Projection | UnusableMapping | None,
        stop: asyncio.Event,
        *,
        admitted: bool = False,
    ) -> Generation | None:
        """None when `stop` was set before it worked. `admitted`: as of `build`; else this one took over."""
        logged, failed = "", 0
        while not stop.is_set():
            try:
                return await unless_stopped(stop, self._build(projection, admitted=admitted))
            except CheckpointsLost:
                raise
            except ConnectorError as error:
                if str(error) != logged:
                    logged = str(error)
                    step = f"trying again every {RETRY_BUILD:.0f} s"
                    if admitted:
                        log.error("reload_failed", problem=logged, next=step)
                    else:
                        log.error("takeover_waits", problem=logged, next=step)
                if not admitted:
                    projection = None  # analysed anew: it may no longer fit
                    failed += 1
                    if failed > 1:
                        await self._let_another_lead()
                await sleep_unless(stop, RETRY_BUILD)
        return None

    async def _let_another_lead(self) -> None:
        """What keeps this one from it may not keep one that waits."""
        term = self._process.term
        if term is not None:
            with suppress(ConnectorError):
                log.info("stepping_down", result=await term.may_step_down())
                term.leaving.set()

    async def _follow(self, generation: Generation, stop: asyncio.Event) -> Projection | None:
        """Run the generation to its end, and close it. Returns the projection to build the next one for; None when
        there is none, because `stop` is set."""
        async with self._resources:
            self._watchdog.watch(generation.heartbeats)
            projection = await _until_changed(self._settings, generation, stop)
            self._watchdog.watch()
            self._status.leave()
        return projection


async def _either(*events: asyncio.Event) -> None:
    """Until one of them is set."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


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
