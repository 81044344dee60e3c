"""The faults, each a coroutine that breaks something, holds it for a while, and mends what wouldn't mend itself.

Whoever is to recover does so afterwards. Must not know how recovery is measured.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final, TypeAlias

import apsw
import psycopg

from tests.support.processes.descriptors import no_more_descriptors
from tests.support.processes.stepped_child import set_clock
from tests.system.chaos.scene import OUR_SLOT, Scene

DAY = 86_400.0
Fault: TypeAlias = Callable[[Scene], Awaitable[None]]


async def connector_killed(scene: Scene) -> None:
    """SIGKILL, and again while it starts."""
    await scene.supervisor.kill()
    if scene.random.random() < 0.5:
        await _a_while(scene, 0.5, 2.5)
        await scene.supervisor.kill()


async def connector_restarted(scene: Scene) -> None:
    await scene.supervisor.stop()
    await _a_while(scene, 0.5, 3.0)
    scene.supervisor.start()


async def postgres_restarted(scene: Scene) -> None:
    await asyncio.to_thread(scene.primary.restart, "fast")


async def postgres_crashed(scene: Scene) -> None:
    if scene.random.random() < 0.5:
        await asyncio.to_thread(scene.primary.restart, "immediate")
    else:
        await asyncio.to_thread(scene.primary.kill)
        await asyncio.to_thread(scene.primary.start)


async def walsender_terminated(scene: Scene) -> None:
    for _ in range(scene.random.choice((1, 3))):
        await _execute(scene, f"SELECT pg_terminate_backend(active_pid) FROM {OUR_SLOT} AND active_pid IS NOT NULL")
        await _a_while(scene, 0.1, 0.8)


async def source_connections_reset(scene: Scene) -> None:
    scene.proxy.reset()


async def source_black_holed(scene: Scene) -> None:
    """Packets are dropped, without a word, for longer than anybody should wait."""
    scene.proxy.black_hole()
    await _a_while(scene, 5.0, 9.0)
    # What was held back never arrives: the connections are dead when the hole is over.
    scene.proxy.reset()
    await scene.proxy.heal()


async def source_unreachable(scene: Scene) -> None:
    await scene.proxy.refuse()
    scene.proxy.reset()
    await _a_while(scene, 1.0, 4.0)
    await scene.proxy.heal()


async def redo_connections_reset(scene: Scene) -> None:
    for _ in range(10):
        scene.redo.reset()
        await asyncio.sleep(0.05)


async def redo_down(scene: Scene) -> None:
    await scene.redo.refuse()
    scene.redo.reset()
    await _a_while(scene, 2.0, 6.0)
    await scene.redo.heal()


async def redo_fails(scene: Scene) -> None:
    await _switched(scene, error_rate=0.7, latency_ms=20.0)


async def redo_throttles(scene: Scene) -> None:
    await _switched(scene, rate_limit=20.0)


async def redo_answers_late(scene: Scene) -> None:
    """It carries requests out after the client has given up."""
    await _switched(scene, late=15, late_seconds=3.0)


async def redo_answers_wrongly(scene: Scene) -> None:
    await _switched(scene, cut=4, cut_mid=4, html=4, wrong_body=4)


async def redo_refuses_the_token(scene: Scene) -> None:
    await _switched(scene, unauthorized=True)


async def orders_always_fail(scene: Scene) -> None:
    """One in five, each time, while the others are taken."""
    known = sorted(scene.state.orders)
    some = scene.random.sample(known, len(known) // 5)
    await _switched(scene, fail=some, fail_how=scene.random.choice(("500", "409", "cut")))


async def firewall_refuses_orders(scene: Scene) -> None:
    """A 403 with a web page for some orders: the token is fine."""
    known = sorted(scene.state.orders)
    await _switched(scene, fail=scene.random.sample(known, len(known) // 10), fail_how="403")


async def checkpoint_disk_full(scene: Scene) -> None:
    filler = scene.disk / "filler"
    with suppress(OSError), filler.open("wb") as out:
        while True:
            out.write(os.urandom(65_536))
            out.flush()
    with suppress(OSError), filler.open("ab", buffering=0) as out:
        while True:
            out.write(b"x")
    await _a_while(scene, 2.0, 5.0)
    filler.unlink()


async def slot_dropped(scene: Scene) -> None:
    dropped = False
    while not dropped:
        await _execute(scene, f"SELECT pg_terminate_backend(active_pid) FROM {OUR_SLOT} AND active_pid IS NOT NULL")
        dropped = await _execute(scene, f"SELECT pg_drop_replication_slot(slot_name) FROM {OUR_SLOT}")


async def checkpoints_restored(scene: Scene) -> None:
    """An older copy takes the file's place."""
    copy = scene.folder / "older.db"
    copy.unlink(missing_ok=True)
    await asyncio.to_thread(_copy, str(scene.store), str(copy))
    await _a_while(scene, 2.0, 5.0)
    await scene.supervisor.stop()
    for each in scene.disk.glob("connector.db*"):
        if not each.name.endswith("-lock"):
            each.unlink()
    shutil.copy(copy, scene.store)
    scene.supervisor.start()


async def checkpoint_file_replaced(scene: Scene) -> None:
    """The file is moved away under the running connector, another one put there, and the right one put back."""
    files = [each for each in scene.disk.glob("connector.db*") if each.suffix in (".db", ".db-wal", ".db-shm")]
    moved = scene.random.sample(files, scene.random.randint(1, len(files))) if files else []
    for each in moved:
        each.rename(f"{each}.away")
        if scene.random.random() < 0.5:
            with suppress(OSError):  # the disk is small
                shutil.copy(f"{each}.away", each)
    await _a_while(scene, 2.0, 5.0)
    for each in moved:
        each.with_name(f"{each.name}.away").replace(each)


async def descriptors_exhausted(scene: Scene) -> None:
    """No file and no socket can be opened, and those there are break."""
    pid = scene.supervisor.pid
    if pid is None:
        return
    with suppress(ProcessLookupError), no_more_descriptors(pid):
        scene.proxy.reset()
        scene.redo.reset()
        await _a_while(scene, 3.0, 6.0)


async def row_poisoned(scene: Scene) -> None:
    """A row makes the mapping fail for every order, and is mended later."""
    poison = "UPDATE oms.trap SET divisor = {} WHERE name = 'poison'"
    await _insisted(scene, poison.format(0))
    await _a_while(scene, 3.0, 8.0)
    await _insisted(scene, poison.format(1))


async def order_slow(scene: Scene) -> None:
    """Reading one order takes longer than a query may."""
    some = "SELECT ord_id FROM oms.order_header ORDER BY random() LIMIT 1"
    await _insisted(scene, f"UPDATE oms.trap SET ord_id = ({some}), seconds = 60 WHERE name = 'slow'")
    await _a_while(scene, 5.0, 10.0)
    await _insisted(scene, "UPDATE oms.trap SET ord_id = NULL WHERE name = 'slow'")


async def clock_set_forward(scene: Scene) -> None:
    await _clock_set(scene, DAY)


async def clock_set_back(scene: Scene) -> None:
    await _clock_set(scene, -DAY)


async def _clock_set(scene: Scene, seconds: float) -> None:
    """The wall clock is a day off for a while, during which orders fail, and the connector may be started again."""
    clock = scene.supervisor.clock
    known = sorted(scene.state.orders)
    usual = {name: getattr(scene.state.switches, name) for name in ("fail", "fail_how")}
    assert scene.state.switches.change({"fail": scene.random.sample(known, len(known) // 5), "fail_how": "500"}) is None
    await _a_while(scene, 1.0, 2.0)
    set_clock(clock, seconds)
    await _a_while(scene, 1.0, 3.0)
    if scene.random.random() < 0.5:
        await scene.supervisor.kill()
        await _a_while(scene, 0.5, 3.0)
    set_clock(clock, 0.0)
    assert scene.state.switches.change(usual) is None


async def failed_over(scene: Scene) -> None:
    await scene.fail_over()


async def key_widened(scene: Scene) -> None:
    """The primary key of the orders' table gets a column more, as partitioning would want it, and loses it again."""
    await _rekeyed(scene, "ord_id, placed_ts")
    await _a_while(scene, 2.0, 14.0)
    await _rekeyed(scene, "ord_id")


# What refers to the table goes on doing so, by a unique constraint that stays.
_REKEY: Final = """
DO $$
DECLARE
  reference record;
BEGIN
  SET LOCAL lock_timeout = '2s';
  LOCK TABLE oms.order_header;
  CREATE TEMP TABLE reference ON COMMIT DROP AS
    SELECT conrelid::regclass AS holder, conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
    WHERE contype = 'f' AND confrelid = 'oms.order_header'::regclass;
  IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'order_header_number') THEN
    ALTER TABLE oms.order_header ADD CONSTRAINT order_header_number UNIQUE (ord_id);
  END IF;
  FOR reference IN SELECT * FROM pg_temp.reference LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', reference.holder, reference.conname);
  END LOOP;
  ALTER TABLE oms.order_header DROP CONSTRAINT order_header_pkey, ADD PRIMARY KEY (COLUMNS);
  FOR reference IN SELECT * FROM pg_temp.reference LOOP
    EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', reference.holder, reference.conname,
      reference.definition);
  END LOOP;
END $$
"""


async def _rekeyed(scene: Scene, columns: str) -> None:
    done = False
    while not done:
        done = await _execute(scene, _REKEY.replace("COLUMNS", columns))


async def row_security_toggled(scene: Scene) -> None:
    """Every row of a table is hidden from the connector's role for a while, or for many moments."""
    times = scene.random.choice((1, 20))
    for _ in range(times):
        table = scene.random.choice(("oms.order_header", "oms.order_item"))
        while not await _execute(scene, f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"):
            await _a_while(scene, 0.1, 0.2)
        await _a_while(scene, 0.0, 6.0 / times)
        while not await _execute(scene, f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"):
            await _a_while(scene, 0.1, 0.2)


FAULTS: Final[Mapping[str, Fault]] = {
    "connector killed": connector_killed,
    "connector restarted": connector_restarted,
    "Postgres restarted": postgres_restarted,
    "Postgres crashed": postgres_crashed,
    "walsender terminated": walsender_terminated,
    "source connections reset": source_connections_reset,
    "source black-holed": source_black_holed,
    "source unreachable": source_unreachable,
    "Redo connections reset": redo_connections_reset,
    "Redo down": redo_down,
    "Redo fails": redo_fails,
    "Redo throttles": redo_throttles,
    "Redo answers late": redo_answers_late,
    "Redo answers wrongly": redo_answers_wrongly,
    "Redo refuses the token": redo_refuses_the_token,
    "orders that always fail": orders_always_fail,
    "a firewall's 403": firewall_refuses_orders,
    "checkpoint disk full": checkpoint_disk_full,
    "slot dropped": slot_dropped,
    "older checkpoints restored": checkpoints_restored,
    "clock set forward": clock_set_forward,
    "clock set back": clock_set_back,
    "failed over to a standby": failed_over,
    "order key widened": key_widened,
    "checkpoint file replaced": checkpoint_file_replaced,
    "descriptors exhausted": descriptors_exhausted,
    "row poisoned": row_poisoned,
    "order slow": order_slow,
    "row security toggled": row_security_toggled,
}


async def _switched(scene: Scene, **switches: object) -> None:
    """The sandbox misbehaves for a while, and then no more."""
    usual = {name: getattr(scene.state.switches, name) for name in switches}
    assert scene.state.switches.change(dict(switches)) is None
    await _a_while(scene, 2.0, 5.0)
    assert scene.state.switches.change(usual) is None


async def _execute(scene: Scene, statement: str) -> bool:
    """False when the server refuses."""

    def run() -> bool:
        try:
            with scene.database.connect() as conn:
                conn.execute(statement.encode())
        except (psycopg.OperationalError, psycopg.errors.ObjectInUse):
            return False
        return True

    return await asyncio.to_thread(run)


async def _insisted(scene: Scene, statement: str) -> None:
    while not await _execute(scene, statement):  # noqa: ASYNC110 -- the server has no event for it
        await asyncio.sleep(0.1)


def _copy(source: str, target: str) -> None:
    """As an operator's backup does, beside the running connector."""
    reader = apsw.Connection(source, flags=apsw.SQLITE_OPEN_READONLY)
    reader.set_busy_timeout(5_000)
    reader.execute("VACUUM INTO ?", (target,))
    reader.close()


async def _a_while(scene: Scene, least: float, most: float) -> None:
    await asyncio.sleep(scene.random.uniform(least, most))
