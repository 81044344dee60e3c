"""One slow order stops nobody else: batches shrink at the server's limits, the order at fault is found, named and set
aside, and it arrives once it can be read.

The whole connector, real Postgres, a real HTTP server for Redo.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from connector.daemon.health.watchdog import Watchdog
from connector.inspect.orders.compare_mappings import MappingReader
from connector.inspect.orders.preview import preview
from connector.model.errors import LimitExceeded
from connector.model.orders import KeyPage, OrderKey
from connector.pipeline.ports.records import DeadLetter
from connector.projection import Assembler
from connector.sandbox.server import SandboxServer
from connector.status.facts import State
from connector.wiring.factories import load_projection, new_assembler, redo_contract
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import Database
from tests.support.oms.minimal_mapping import mapping

TABLES = """
CREATE TABLE orders (no int PRIMARY KEY, takes int NOT NULL DEFAULT 0, note text NOT NULL DEFAULT 'a');
CREATE FUNCTION slowly(milliseconds int) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_sleep(milliseconds / 1000.0);
  RETURN 'slow';
END $$;
"""


@pytest.fixture
async def rig(database: Database, sandbox: SandboxServer, tmp_path: Path) -> AsyncIterator[Rig]:
    with database.connect() as connection:
        connection.execute(TABLES)
    tags = "jsonb_build_array(CASE WHEN o.takes > 0 THEN slowly(o.takes) ELSE 'x' END, o.note) AS tags"
    overrides = {"source": {"statement_timeout": 2.0}}
    text = mapping(f"o.no::text AS id, {tags}", "orders o")
    made = Rig(database, sandbox, tmp_path, text, overrides, watchdog=Watchdog(60.0, None))
    yield made
    await made.stop()


async def letters(rig: Rig) -> dict[str, DeadLetter]:
    found = await rig.running.pipeline.ports.store.dead_letters(None, 1000)
    return {letter.key: letter for letter in found}


async def named(rig: Rig, *keys: str) -> dict[str, DeadLetter]:
    async def told() -> dict[str, DeadLetter] | None:
        found = await letters(rig)
        return found if set(found) == set(keys) else None

    found: dict[str, DeadLetter] = await eventually(f"named: {keys}", told)
    return found


@pytest.mark.timeout(300)
async def test_a_first_fill_completes_without_the_slow_order_which_is_named_and_arrives_once_it_is_fast(
    rig: Rig,
) -> None:
    rig.execute("INSERT INTO orders SELECT n, CASE n WHEN 379 THEN 60000 ELSE 0 END FROM generate_series(1, 999) AS n")
    await rig.start()
    await eventually("the others are there", lambda: len(rig.stored()) == 998, 200.0)
    letter = (await named(rig, "379"))["379"]
    assert letter.reason == "slow"
    assert "takes longer than source.statement_timeout (2 s): raise it or add an index" in letter.message
    await eventually("the fill is over", lambda: not rig.running.pipeline.sweeps.active)
    await eventually("others are in step", lambda: rig.facts().state is State.STREAMING)
    rig.execute("UPDATE orders SET takes = 0 WHERE no = 379")
    await eventually("it arrives", lambda: "379" in rig.stored())
    await rig.quiet()
    assert not await letters(rig)
    assert len(rig.stored()) == 999


async def test_orders_that_are_slow_together_arrive_in_smaller_batches(rig: Rig) -> None:
    rig.execute("INSERT INTO orders SELECT n, 20 FROM generate_series(1, 300) AS n")
    await rig.start()
    await rig.quiet()
    assert len(rig.stored()) == 300
    assert not await letters(rig)


async def test_live_changes_of_others_arrive_in_seconds_while_a_slow_order_is_found(rig: Rig) -> None:
    rig.overrides = {"source": {"statement_timeout": 8.0}}
    rig.execute("INSERT INTO orders SELECT n FROM generate_series(1, 300) AS n")
    await rig.start()
    await rig.quiet()
    rig.execute("UPDATE orders SET takes = 60000, note = 'b' WHERE no = 17")
    for order in range(100, 110):
        began = time.monotonic()
        rig.execute("UPDATE orders SET note = 'c' WHERE no = %s", order)
        await eventually("it arrives", lambda: rig.stored()[str(order)]["tags"][-1] == "c")  # noqa: B023
        assert time.monotonic() - began < 6.0
    await named(rig, "17")


async def test_a_whole_batch_of_live_changes_waits_for_no_slow_one_among_them(rig: Rig) -> None:
    rig.execute("INSERT INTO orders SELECT n FROM generate_series(1, 300) AS n")
    await rig.start()
    await rig.quiet()
    rig.execute("UPDATE orders SET note = 'b', takes = CASE WHEN no = 30 THEN 60000 ELSE 0 END WHERE no <= 200")
    await eventually(
        "the others arrive", lambda: sum(order["tags"][-1] == "b" for order in rig.stored().values()) == 199
    )
    await named(rig, "30")


async def test_a_known_slow_order_is_read_apart_after_a_restart(rig: Rig) -> None:
    rig.execute("INSERT INTO orders SELECT n, CASE n WHEN 5 THEN 60000 ELSE 0 END FROM generate_series(1, 50) AS n")
    await rig.start()
    await named(rig, "5")
    await rig.stop()
    rig.execute("UPDATE orders SET note = 'b' WHERE no <= 10")
    began = time.monotonic()
    await rig.start()
    await eventually("the others arrive", lambda: rig.stored()["4"]["tags"][-1] == "b")
    assert time.monotonic() - began < 8.0
    assert OrderKey("5") in rig.running.pipeline.stations.examiner.slow
    await named(rig, "5")


async def test_a_slow_order_costs_the_database_a_small_share_of_its_time(rig: Rig) -> None:
    rig.overrides = {"source": {"statement_timeout": 0.4}}
    rig.execute("INSERT INTO orders SELECT n, CASE n WHEN 5 THEN 60000 ELSE 0 END FROM generate_series(1, 50) AS n")
    await rig.start()
    await named(rig, "5")
    slow = rig.running.pipeline.stations.examiner.slow
    began, before = time.monotonic(), (await letters(rig))["5"].attempts
    changes = 0
    while time.monotonic() - began < 8.0:
        rig.execute("UPDATE orders SET note = %s WHERE no = 5", str(changes))
        changes += 1
        await rig.read_up_to(rig.wal_end())
    tries = (await letters(rig))["5"].attempts - before
    assert changes > 20
    assert 1 <= tries <= 6
    assert OrderKey("5") in slow


async def test_a_database_that_is_slow_as_a_whole_is_said_and_no_order_is_named(rig: Rig) -> None:
    rig.execute("INSERT INTO orders SELECT n FROM generate_series(1, 300) AS n")
    await rig.start()
    await rig.quiet()
    # As a lost index or a full disk queue does it.
    rig.execute("UPDATE orders SET takes = 60000, note = 'b'")
    facts = await eventually("it says so", lambda: (rig.facts().state is State.STALLED and rig.facts()) or None)
    assert "can't read any order within its limits" in facts.reason
    assert not await letters(rig)
    rig.execute("UPDATE orders SET takes = 0")
    await rig.quiet()
    assert not await letters(rig)
    assert all(order["tags"][-1] == "b" for order in rig.stored().values())


async def test_a_query_that_somebody_cancels_is_tried_again_and_is_no_orders_fault(rig: Rig) -> None:
    rig.execute("INSERT INTO orders SELECT n, CASE n WHEN 5 THEN 1500 ELSE 0 END FROM generate_series(1, 5) AS n")
    await rig.start()
    cancel = """SELECT pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE query LIKE 'SELECT pg_catalog.pg_current_snapshot()%UNION ALL%' AND pid <> pg_backend_pid()
            AND state = 'active'"""

    def cancelled() -> bool:
        with rig.database.connect() as connection:
            return connection.execute(cancel.encode()).fetchone() is not None

    await eventually("it is cancelled", cancelled)
    await rig.quiet()
    assert len(rig.stored()) == 5
    assert not await letters(rig)


async def test_previews_and_comparisons_name_a_slow_order_and_go_on(rig: Rig) -> None:
    rig.execute("INSERT INTO orders SELECT n, CASE n WHEN 2 THEN 60000 ELSE 0 END FROM generate_series(1, 3) AS n")
    rig.overrides = {"source": {"statement_timeout": 0.5}}
    found = {one["key"]: one for one in (await preview(rig.settings(), ["1", "2", "3"], 3)).orders}
    assert [found[key]["verdict"] for key in ("1", "2", "3")] == ["new", "unreadable", "new"]
    assert "takes longer than source.statement_timeout (0.5 s)" in found["2"]["problems"][0]
    projection = await load_projection(rig.settings())
    async with aclosing(new_assembler(rig.settings(), projection)) as assembler:
        answers = await MappingReader(assembler, redo_contract(rig.settings()), 0.0).answers([*map(OrderKey, "123")])
    assert [answers[OrderKey(key)].order is None for key in "123"] == [False, True, False]


async def test_a_walk_over_all_orders_whose_pages_are_too_slow_takes_smaller_ones(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a table that is half in the cache does it."""
    rig.execute("INSERT INTO orders SELECT n FROM generate_series(1, 60) AS n")
    scan = Assembler.scan
    asked: list[int] = []

    async def scanned(assembler: Assembler, after: str | None, limit: int) -> KeyPage:
        asked.append(limit)
        if limit > 20:
            raise LimitExceeded("too slow", "takes too long")
        return await scan(assembler, after, limit)

    monkeypatch.setattr(Assembler, "scan", scanned)
    await rig.start()
    await eventually("all are there", lambda: len(rig.stored()) == 60)
    assert asked[:4] == [1000, 250, 62, 15]
