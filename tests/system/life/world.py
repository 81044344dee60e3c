"""The whole: a small OMS, the connector's process and store, and Redo, on one loop in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from cryptography.fernet import Fernet

from connector.checkpoints.sqlite.engine import SqliteEngine
from connector.checkpoints.sqlite.file import open_memory
from connector.checkpoints.store import Checkpoints
from connector.checkpoints.vault import Vault
from connector.contract.order_builder import RedoContract
from connector.model.errors import CheckpointsUnwritable
from connector.model.orders import Order, OrderKey
from connector.pipeline.control import Control
from connector.pipeline.deliveries import Terms
from connector.pipeline.holds.limits import Limits
from connector.pipeline.intake.progress import PROGRESS_NOTE, Gap
from connector.pipeline.options import Options
from connector.pipeline.ports.entries import Arrival, Commit, Room
from connector.pipeline.ports.records import Known, Settlement, Sweep, Taken
from connector.pipeline.start import SETTING_UP_NOTE
from connector.sandbox.app import Sandbox
from connector.sandbox.faults.switches import Switches
from connector.sandbox.replies import Reply, problem
from connector.sandbox.state import State
from connector.sandbox.store import Flight, Store
from tests.support.direct_redo import DirectRedo
from tests.support.virtual_time import VirtualTimeLoop
from tests.system.life.oms import BY_CUSTOMER, BY_GIFT, REFUSED, Oms, OmsSource, Slot, SlotMaker, documents
from tests.system.life.process import Life
from tests.system.life.reading import OmsAssembler
from tests.system.life.witness import Witness

T = TypeVar("T")

MAIN, OTHER = "main", "other"
TIMEOUT, CONFIRM_AFTER = 5.0, 20.0
LATEST = 15.0
"""No request is carried out later than so many seconds after it was sent, so that `confirm_after` keeps its word for a
request of a process that was killed the moment after."""
VAULT = Vault([Fernet.generate_key().decode()])
CONTRACT = RedoContract(store_id=MAIN, stores=frozenset({MAIN, OTHER}))


@dataclass(frozen=True, slots=True)
class Setup:
    """What is the same through one run. `hop`, `reading`, `answering`: seconds that the store, the OMS and Redo take.
    `most`: as `guard.max_orders`. `lazy`: see Slot."""

    missing: Literal["ignore", "cancel", "delete"] = "ignore"
    standby: bool = False
    lazy: bool = False
    most: int | None = None
    hop: float = 0.0
    reading: float = 0.01
    answering: float = 0.05
    at_once: int = 4
    refusal: int = 400


class WatchedCheckpoints(Checkpoints):
    """The store in memory, whose callers a witness watches."""

    def __init__(self, witness: Witness, loop: VirtualTimeLoop) -> None:
        super().__init__(SqliteEngine(open_memory()), VAULT, loop.wall)
        self._witness = witness

    async def arrive(
        self,
        arrivals: Sequence[Arrival],
        commits: Sequence[Commit],
        sweep: Sweep | None = None,
        room: Room | None = None,
    ) -> Taken:
        taken = await super().arrive(arrivals, commits, sweep, room)
        self._witness.arrived(arrivals, commits)
        self._witness.took(taken.entries)
        return taken

    async def take(self, room: Room) -> Taken:
        taken = await super().take(room)
        self._witness.took(taken.entries)
        return taken

    async def settle(self, settlements: Sequence[Settlement], room: Room | None = None) -> Taken | None:
        for settlement in settlements:
            self._witness.settling(settlement)
        taken = await super().settle(settlements, room)
        if taken is not None:
            self._witness.took(taken.entries)
        return taken


class ChoosySandbox(Sandbox):
    """Refuses orders by a tag, for reasons that only Redo knows."""

    def __init__(self, state: State, status: int) -> None:
        super().__init__(state)
        self._status = status

    async def _upsert(self, store: Store, order: Any, body: bytes, flight: Flight) -> Reply:
        if REFUSED in order["tags"]:
            return problem(self._status, "Not this one")
        return await super()._upsert(store, order, body, flight)


class World:
    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        loop = self._runner.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.loop = loop
        self.oms = Oms(loop.wall, setup.standby)
        self.witness = Witness(self.oms)
        self.slot = Slot(lazy=setup.lazy, made=self.slot_made)
        self.memory = WatchedCheckpoints(self.witness, loop)
        self._redos = [self._redo(), self._redo()]
        self.address = 0
        self.approved = False
        """As `run --yes`."""
        self.mapping = 1
        self.routes = frozenset({BY_CUSTOMER, BY_GIFT})
        """Of the mapping."""
        self._lives: list[Life] = []
        self.mend_redo()
        self.start()

    def _redo(self) -> DirectRedo:
        loop = self.loop
        state = State(MAIN, "s", stores={OTHER: "o"}, clock=loop.time, wall=loop.wall, chance=random.Random(1))  # noqa: S311 -- repeatable, and no secret
        return DirectRedo(state, TIMEOUT, sandbox=ChoosySandbox(state, self.setup.refusal))

    @property
    def redo(self) -> DirectRedo:
        """Where the settings say that orders go."""
        return self._redos[self.address]

    @property
    def state(self) -> State:
        return self.redo.state

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @property
    def life(self) -> Life:
        return self._lives[-1]

    def start(self) -> None:
        """A process begins, as `app` would begin it."""
        self.witness.begin()
        self._lives.append(Life(self.setup.hop))
        self.run(self._start())

    def start_again_if_it_could_not(self) -> None:
        """A process that can't write its store at the start ends; whoever runs it starts it again."""
        running = self.life.running
        if running.done() and not self.life.stop.is_set():
            if not isinstance(running.exception(), CheckpointsUnwritable):
                running.result()
            self.start()

    async def _start(self) -> None:
        interrupted = await self.memory.noted(SETTING_UP_NOTE) == "yes"
        await self.memory.note(SETTING_UP_NOTE, "yes")
        made = None
        if self.slot.lost:
            made = Gap.NEW_SLOT if await self.memory.noted(PROGRESS_NOTE) is None else Gap.SLOT_GONE
            self.slot.make(self.oms.end)
        source = OmsSource(self.oms, self.slot, self.witness.acknowledged)
        self.assembler = OmsAssembler(self.oms, self.mapping, self.setup.reading)
        options = self._options(made, "interrupted start" if interrupted and made is None else None)
        self.life.begin(
            source,
            SlotMaker(self.oms, self.slot),
            self.assembler,
            CONTRACT,
            self.memory,
            self.redo,
            self.witness,
            options,
            self.loop,
        )

    def _options(self, made: Gap | None, cause: str | None) -> Options:
        setup = self.setup
        return Options(
            max_concurrency=setup.at_once,
            reconcile_every=None,
            store_id=MAIN,
            endpoints=dict.fromkeys((MAIN, OTHER), f"http://redo-{self.address}"),
            approve_endpoints=self.approved,
            terms=Terms(setup.missing, CONFIRM_AFTER, keep_payload=setup.missing == "cancel"),
            limits=Limits(max_orders=setup.most),
            known_routes=self.routes,
            slot_made=made,
            sweep_cause=cause,
        )

    def kill(self) -> None:
        self.life.kill()
        self.wait(0)
        self.wait(0)

    def end(self) -> None:
        """As SIGTERM does, and SIGKILL when that was not enough."""
        self.life.stop.set()
        self.run(asyncio.wait([self.life.running], timeout=60.0))
        if not self.life.running.done():
            self.kill()

    def ask(self, what: Callable[[Control], Awaitable[object]]) -> None:
        """Let a person ask for something, and wait a while for the answer."""
        asked = asyncio.ensure_future(what(self.life.pipeline.control), loop=self.loop)
        self.run(asyncio.wait([asked], timeout=3.0))
        if asked.done():
            asked.result()

    def change_mapping(self) -> None:
        """A mapping that shows in every order."""
        self.end()
        self.mapping = 3 - self.mapping
        self.start()

    def go_elsewhere(self, *, killed: bool, approved: bool) -> None:
        """The settings name the other address."""
        self.kill() if killed else self.end()
        self.address, self.approved = 1 - self.address, approved
        self.witness.go(self.address)
        self.start()

    def slot_made(self) -> None:
        """A primary makes a slot once no transaction from before is running; the stream tells none of them."""
        if not self.setup.standby:
            self.oms.reveal()
        self.witness.skip()

    def lose_slot(self) -> None:
        """What the stream had not delivered is never told."""
        self.slot.lost = True
        self.oms.changed.set()

    def move_slot(self) -> None:
        """Somebody else moves the slot to the end, when a primary has no commit that sessions don't see yet."""
        self.life.source.cut.set()
        if not self.setup.standby:
            self.oms.reveal()
        self.slot.confirmed = self.slot.told = self.oms.end
        self.witness.skip()
        self.oms.changed.set()

    def mend_redo(self) -> None:
        for redo in self._redos:
            redo.reachable = True
            for store in redo.state.all_stores():
                store.switches = Switches(latency_ms=1000 * self.setup.answering)

    def mend(self) -> None:
        """All works, and everything can be seen."""
        self.mend_redo()
        self.oms.away = None
        self.oms.reveal()
        self.life.full = False
        self.life.fuse = None
        self.life.source.stalled = False
        self.oms.changed.set()

    def known(self, *keys: OrderKey) -> Known:
        return self.run(self.memory.known(keys))

    def present(self, key: OrderKey) -> tuple[Any, ...]:
        """The mapping's answer for an order, as the rows are."""
        return documents(self.oms.latest, key, self.mapping, 0)

    def order(self, document: Any) -> Order:
        return CONTRACT.order(document, self.loop.wall())

    def close(self) -> None:
        for life in self._lives:
            life.bury()
        for redo in self._redos:
            redo.state.closed.set()
        self._runner.close()
