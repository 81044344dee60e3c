"""One life of the connector's process: the real pipeline over ports that are gone once it is killed.

A kill is SIGKILL's: whoever asks a port from then on waits for ever, so nothing that was begun goes on, no `finally`
has an effect, and what the store holds is what it held.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, cast

from connector.model.errors import CheckpointsUnwritable
from connector.model.orders import Order, Outcome, Place
from connector.pipeline.clock import Clock
from connector.pipeline.options import Options, Ports
from connector.pipeline.ports.protocols import Assembler, Contract, Slot
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.run import Pipeline
from connector.status.history import History
from connector.status.metrics import Metrics
from tests.support.direct_redo import DirectRedo
from tests.support.virtual_time import VirtualTimeLoop
from tests.system.life.oms import OmsRoutes, OmsSource, SlotMaker
from tests.system.life.witness import Witness

METRICS = Metrics()
"""Nobody reads them, and a registry for each life costs more than the life."""


class Life:
    """`fuse`: how many calls of ports, before and after which a process may die, are left; None: as many as it likes.
    `hop`: seconds that a call of the store takes on either side."""

    def __init__(self, hop: float) -> None:
        self.fuse: int | None = None
        self.dead = False
        self.full = False
        self.stop = asyncio.Event()
        self._hop = hop
        self._buried = False
        self._requests: set[asyncio.Task[Outcome]] = set()

    def begin(
        self,
        source: OmsSource,
        slot: SlotMaker,
        assembler: Assembler,
        contract: Contract,
        memory: CheckpointStore,
        redo: DirectRedo,
        witness: Witness,
        options: Options,
        loop: VirtualTimeLoop,
    ) -> None:
        self.source = source
        ports = Ports(
            source,
            cast("Slot", Mortal(slot, self.moment, self.moment)),
            OmsRoutes(),
            cast("Assembler", Mortal(assembler, self.moment, self.moment)),
            contract,
            MortalRedo(redo, self, witness),
            cast("CheckpointStore", Mortal(memory, self.write, self.hop)),
            METRICS,
            History(),
        )
        self.pipeline = Pipeline(ports, options, Clock(loop.wall, loop.time))
        self.running = loop.create_task(self.pipeline.run(self.stop))

    async def write(self) -> None:
        """Raises CheckpointsUnwritable while the disk is full."""
        await self.hop()
        if self.full:
            raise CheckpointsUnwritable("the disk is full")

    async def hop(self) -> None:
        await asyncio.sleep(self._hop)
        await self.moment()

    async def moment(self) -> None:
        """A moment at which the process may die. Does not return when it has."""
        if self.fuse is not None and not self.dead:
            self.fuse -= 1
            if self.fuse < 0:
                self.kill()
        if self.dead:
            if self._buried:
                raise asyncio.CancelledError
            await asyncio.get_running_loop().create_future()

    def kill(self) -> None:
        self.dead = True
        self.source.connected = False
        for request in self._requests:
            request.cancel()

    def bury(self) -> None:
        """The loop is about to end, and tells all tasks so."""
        self._buried = True

    async def request(self, work: Awaitable[Outcome]) -> Outcome:
        """A request of this process: its connection is closed when the process dies."""
        task = asyncio.ensure_future(work)
        self._requests.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            task.cancel()
            if self.dead and not self._buried:
                await asyncio.get_running_loop().create_future()
            raise
        finally:
            self._requests.discard(task)


class Mortal:
    """A port whose methods end with the process, before they have an effect or after."""

    def __init__(
        self, port: object, before: Callable[[], Awaitable[None]], after: Callable[[], Awaitable[None]]
    ) -> None:
        self._port, self._before, self._after = port, before, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def call(*arguments: Any, **named: Any) -> Any:
            await self._before()
            result = await method(*arguments, **named)
            await self._after()
            return result

        return call


class MortalRedo:
    """Satisfies `Redo`."""

    def __init__(self, redo: DirectRedo, life: Life, witness: Witness) -> None:
        self._redo, self._life, self._witness = redo, life, witness

    async def push(self, order: Order) -> Outcome:
        return await self._ask(order.place, order, lambda: self._redo.push(order))

    async def delete(self, place: Place) -> Outcome:
        return await self._ask(place, None, lambda: self._redo.delete(place))

    async def _ask(self, place: Place, order: Order | None, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        await self._life.moment()
        outcome: Outcome | None = None
        self._witness.asking(place, order, self._life.pipeline.admissions)
        try:
            outcome = await self._life.request(work())
        finally:
            if not self._life.dead:
                self._witness.answered(place, order, outcome)
        await self._life.moment()
        return outcome
