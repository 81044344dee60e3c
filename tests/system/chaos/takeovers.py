"""Two connectors with checkpoints in one database, of which whoever leads is ended in one way after the other."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import click

from connector.checkpoints.address import Address
from connector.checkpoints.lease import LEASE
from connector.checkpoints.opening import in_postgres
from connector.checkpoints.store import Checkpoints
from tests.support.fault_proxy import FaultProxy
from tests.support.fixtures.postgres import Database, create_database
from tests.system.chaos.report import Report, Struck, report_of
from tests.system.chaos.scene import Scene
from tests.system.chaos.supervisor import Supervisor

SILENCE: Final = 3.0
"""`daemon.silence_timeout`."""
WITHIN: Final = 60.0


@dataclass(slots=True)
class Member:
    """One of the two, with proxies of its own to the OMS and the checkpoint database. It always reaches Redo, where it
    could do harm."""

    name: str
    supervisor: Supervisor
    cable: list[FaultProxy]

    async def leads(self) -> bool:
        found = await self.supervisor.status()
        return found is not None and bool(found["leader"]) and bool(found["leader"]["here"])

    async def stands_by(self) -> bool:
        found = await self.supervisor.status()
        return found is not None and found["state"] == "standby"


class Both:
    """What a scene asks of its connectors, of two."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members

    @property
    def ends(self) -> list[int]:
        return [code for each in self.members for code in each.supervisor.ends]

    async def status(self) -> dict[str, Any] | None:
        """The leader's."""
        for each in self.members:
            found = await each.supervisor.status()
            if found is not None and found["leader"] and found["leader"]["here"]:
                return found
        return None

    async def stop(self) -> None:
        for each in self.members:
            await each.supervisor.stop()

    def tail(self, lines: int = 15) -> str:
        return "\n".join(f"{each.name}:\n{each.supervisor.tail(lines)}" for each in self.members)


class PairScene(Scene):
    """`members`: the two; each is started again whenever it ends. `mending`: what ends a fault, once the other one
    leads. `alone`: a build that is to be alone until another one is added."""

    def __init__(self, seed: int, alone: Path | None = None) -> None:
        super().__init__(seed)
        self.mending: list[Callable[[], Awaitable[None]]] = []
        self.members: list[Member] = []
        self._alone = alone

    async def _start_connectors(self) -> None:
        self.checkpoints: Database = await asyncio.to_thread(create_database, self.primary)
        self.connectors = Both(self.members)
        await self.add("one", self._alone)
        if self._alone is None:
            await self.add("two")

    async def add(self, name: str, build: Path | None = None) -> Member:
        folder = self.folder / name
        folder.mkdir()
        cable = oms, store = [await self._lead_to("127.0.0.1", self.primary.port) for _ in range(2)]
        url = f"postgresql://postgres@127.0.0.1:{store.port}/{self.checkpoints.name}"
        more = f'[daemon]\ninstance = "{name}"\nsilence_timeout = {SILENCE}'
        supervisor = self._supervised(folder, f"port={oms.port}", self.redo.port, url, more)
        supervisor.build = build
        self.members.append(Member(name, await self._stack.enter_async_context(supervisor), cable))
        return self.members[-1]

    def _open_store(self) -> Checkpoints:
        return in_postgres(Address(self.checkpoints.dsn))

    async def until_both(self) -> tuple[Member, Member]:
        """Leader and standby, once there are both."""

        async def both() -> tuple[Member, Member] | None:
            for leader, other in (self.members, self.members[::-1]):
                if await leader.leads() and await other.stands_by():
                    return leader, other
            return None

        found: tuple[Member, Member] = await self.until("one leads, the other one stands by", both, WITHIN)
        return found


async def killed(scene: PairScene, leader: Member) -> None:
    await leader.supervisor.kill()


async def ended(scene: PairScene, leader: Member) -> None:
    """SIGTERM."""
    await leader.supervisor.stop()
    leader.supervisor.start()


async def suspended(scene: PairScene, leader: Member) -> None:
    """SIGSTOP, and SIGCONT once the other one leads."""
    pid = leader.supervisor.pid
    if pid is not None:
        os.kill(pid, signal.SIGSTOP)
        scene.mending.append(lambda: _go_on(pid))


async def _go_on(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


async def cut_off(scene: PairScene, leader: Member) -> None:
    """From both databases, without a word."""
    for each in leader.cable:
        each.black_hole()
    scene.mending.append(lambda: _mend(leader))


async def cut_off_from_checkpoints(scene: PairScene, leader: Member) -> None:
    """It still reads the OMS, and still could push."""
    leader.cable[1].black_hole()
    scene.mending.append(lambda: _mend(leader))


async def _mend(leader: Member) -> None:
    for each in leader.cable:
        each.reset()
        await each.heal()


async def session_ended(scene: PairScene) -> None:
    """By a DBA, and whoever is quicker leads."""

    def locked(act: str) -> list[int]:
        with scene.checkpoints.connect() as conn:
            rows = conn.execute(
                f"SELECT {act} FROM pg_locks JOIN pg_database AS d ON d.oid = database WHERE locktype = 'advisory'"
                " AND mode = 'ExclusiveLock' AND datname = current_database()".encode()
            )
            return [row[0] for row in rows.fetchall()]

    before = locked("pid")
    locked("pg_terminate_backend(pid)")
    await scene.until("somebody has the lock", lambda: locked("pid") not in ([], before), WITHIN)
    # Both know by then: the lease of the one is over, the other one has begun.
    await asyncio.sleep(2 * LEASE)
    await scene.until_both()
    await scene.until_recovered()


async def stepped_down(scene: PairScene, leader: Member) -> None:
    pid = leader.supervisor.pid
    if pid is not None:
        os.kill(pid, signal.SIGUSR1)


Way: TypeAlias = Callable[[PairScene, Member], Awaitable[None]]
WAYS: Final[Mapping[str, Way]] = {
    "killed": killed,
    "ended by SIGTERM": ended,
    "suspended (SIGSTOP)": suspended,
    "cut off from both databases": cut_off,
    "cut off from the checkpoint database": cut_off_from_checkpoints,
    "stepped down": stepped_down,
}
"""Those after which the other one surely leads."""


async def take_over(seed: int, takeovers: int) -> Report:
    """In random order, each way as often."""
    struck: list[Struck] = []
    wrong: list[str] = []
    async with PairScene(seed) as scene:
        try:
            await scene.until_recovered()
            scene.writing.start()
            names = list(WAYS)
            while len(struck) < takeovers:
                scene.random.shuffle(names)
                struck += [await _strike(scene, name) for name in names[: takeovers - len(struck)]]
                await session_ended(scene)
            await asyncio.to_thread(scene.writing.stop)
            await scene.until_both()
            await scene.until_recovered()
            wrong = [f"order {each.order_id} {each.what}: {'; '.join(each.details)}" for each in await scene.judge()]
        except AssertionError as error:
            wrong = [str(error)]
        report = report_of(scene, seed, struck, wrong)
        heading = "how the leader ended | times | to the first push of the other one, median | worst"
        return replace(report, overlaps=scene.state.overlaps, heading=heading)


async def _strike(scene: PairScene, name: str) -> Struck:
    """Raises AssertionError when the other one doesn't take over, or not everything arrives."""
    leader, other = await scene.until_both()
    await asyncio.sleep(scene.random.uniform(0.1, 1.0))
    before, began = await other.supervisor.pushed() or 0.0, time.monotonic()

    async def pushes() -> bool:
        pushed = await other.supervisor.pushed()
        return pushed is not None and pushed > before

    try:
        await WAYS[name](scene, leader)
        await scene.until("the other one pushes", pushes, WITHIN)
        seconds = time.monotonic() - began
        for mend in scene.mending:
            await mend()
        scene.mending.clear()
        await scene.until_both()
        await scene.until_recovered()
    except AssertionError as error:
        raise AssertionError(f"after '{name}' of {leader.name}: {error}") from None
    click.echo(f"{name}: taken over in {seconds:.1f} s")
    return Struck(name, seconds)
