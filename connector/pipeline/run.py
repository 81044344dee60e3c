"""The drawing, as code: source -> routes -> ledger -> assemble -> diff -> Redo -> checkpoint.

    intake    the stream's transactions become affected orders in the ledger; only then the slot moves
    dispatch  orders that are due are taken from the ledger, as many as fit
    read      the mapping is run for them in one snapshot that shows the transactions which affected them
    examine   what it gives is compared with the checkpoints: nothing to do, a push, or a removal
    holds     a change of an unlikely size waits for a person
    deliver   one request an order, admitted by Redo's limits; its answer becomes a checkpoint
    sweeps    walks over all orders, reverse lookups and second looks add further orders to the ledger

`Pipeline.run` starts one task a station and ends them in order: first nothing new comes in, then what is under way
finishes. `stations` connects them. It must not know what stands behind its ports.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from connector.model.errors import ConnectorError, MappingBroken, MappingFails, OrderUnreadable, SourceUnavailable
from connector.pipeline.clock import MACHINE, Clock
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.options import Options, Ports
from connector.pipeline.retrying_store import RetryingStore
from connector.pipeline.start import Start
from connector.pipeline.stations import Stations
from connector.pipeline.supervisor import Supervisor

log = structlog.get_logger("connector.pipeline")


class Pipeline:
    def __init__(self, ports: Ports, options: Options, clock: Clock = MACHINE) -> None:
        self.ports = ports
        self.options = options
        self.clock = clock
        self._retrying = RetryingStore(ports.store)
        self.store = self._retrying.port
        """The one of the ports; what can't be written is repeated until it works."""
        self.stations = stations = Stations(ports, options, self.store, clock)
        self._supervisor = Supervisor(stations.vanished_rows, clock)
        self._steps = stations.steps
        self._resolvers = (stations.lookups, stations.fan_out)
        self.in_work = stations.context.in_work
        self.control = stations.control
        self.sweeps = stations.sweeps
        self.admissions = stations.admissions
        self.endpoints = stations.endpoints
        self.first_fill = stations.first_fill
        self.vanished_rows = stations.vanished_rows
        self.manual_pause = stations.manual_pause
        self.progress = stations.progress
        self.prepared = asyncio.Event()
        """What the last run left is loaded: before that no revision may be given out."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set, then drain. Raises what no station foresaw.

        Nothing is delivered before the stream is ours: a second connector on the same slot waits here, silent.
        """
        with self._retrying.starting():
            await Start(self.stations, self.options).run()
        self.prepared.set()
        tasks = [asyncio.create_task(self.stations.stream.follow(stop), name="intake")]
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            connected = asyncio.create_task(self._until_streaming(), name="first connection")
            await asyncio.wait({*tasks, stopping, connected}, return_when=asyncio.FIRST_COMPLETED)
            if connected.done():
                tasks += self._start_stations()
                await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
            connected.cancel()
            for task in tasks:
                if task.done() and not stop.is_set():
                    task.result()
        finally:
            stop.set()
            await self._drain(tasks)
            stopping.cancel()

    def _start_stations(self) -> list[asyncio.Task[None]]:
        self.stations.begin_dispatch()
        return [
            asyncio.create_task(self._supervisor.repeat(heartbeat, step), name=heartbeat.name)
            for heartbeat, step in self._steps.items()
        ]

    async def _until_streaming(self) -> None:
        while not self.ports.source.position().connected:  # noqa: ASYNC110 -- the port has no event for it
            await asyncio.sleep(0.02)

    async def _drain(self, tasks: list[asyncio.Task[None]]) -> None:
        self.stations.queue.close()
        intake, *others = tasks
        for task in others:
            task.cancel()
        await asyncio.wait([intake], timeout=self.options.drain_bound)
        intake.cancel()
        ended, _ = await asyncio.wait(tasks, timeout=self.options.drain_bound)
        await asyncio.gather(*ended, return_exceptions=True)
        for heartbeat in self._steps:
            heartbeat.rest()
        left = await self.stations.context.tasks.drain(self.options.drain_bound)
        # On a full disk this can't be done, and what was in flight is confirmed at the next start.
        with suppress(TimeoutError):
            async with asyncio.timeout(self.options.drain_bound):
                await self.stations.group_commit.flush()
        self.stations.group_commit.refusals.end()
        log.info("drained", left_in_ledger=left)

    async def try_mapping(self) -> None:
        """Whether an order could be read as things are: `trouble` says so. When one can, nothing waits any longer."""
        troubles = self._supervisor.troubles
        try:
            await self.stations.reader.snapshot()
        except (SourceUnavailable, MappingBroken, OrderUnreadable) as error:
            troubles["mapping"] = error
            return
        troubles.pop("mapping", None)
        trouble = self.stations.queue.read_pause.trouble
        fails = isinstance(trouble, MappingFails)  # for every order that there is
        if (trouble is not None and not fails) or troubles or any(one.trouble is not None for one in self._resolvers):
            await self.stations.queue.resume()
            self._supervisor.hasten()
            for resolver in self._resolvers:
                resolver.hasten()

    @property
    def mapping_trouble(self) -> ConnectorError | None:
        """What `try_mapping` found last, None when an order could be read."""
        return self._supervisor.troubles.get("mapping")

    @property
    def trouble(self) -> ConnectorError | None:
        """What keeps orders from being read or remembered at present, None when nothing does."""
        failing = (resolver.trouble for resolver in self._resolvers)
        waiting = next((one for one in (*self._supervisor.troubles.values(), *failing) if one is not None), None)
        return self._retrying.trouble or self.stations.queue.read_pause.trouble or waiting

    @property
    def source_trouble(self) -> ConnectorError | None:
        """Why the stream was cut off last."""
        return self.stations.stream.trouble

    @property
    def last_accepted_at(self) -> float | None:
        """When Redo took an order last (seconds since 1970)."""
        return self.stations.sender.last_accepted_at

    @property
    def last_commit_time(self) -> float | None:
        """Of the latest transaction that was taken in (seconds since 1970)."""
        return self.stations.intake.last_commit_time

    @property
    def heartbeats(self) -> list[Heartbeat]:
        """Of all that must get on; only the store's while it can't be written, because everything waits for it then,
        and a restart would not help. May be asked from any thread."""
        store = [self.store.heartbeat]
        if self._retrying.failing:
            return store
        others = (self.stations.intake, self.stations.pages, self.in_work)
        return [*self._steps, *(one.heartbeat for one in others), *store]
