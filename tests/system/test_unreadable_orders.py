"""One order's bad data is nobody else's trouble: a row that makes the mapping fail for every order blames none of them,
and all arrive once it is mended.

The whole connector, real Postgres, a real HTTP server for Redo.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connector.checkpoints.opening import open_checkpoints
from connector.daemon.health.watchdog import Watchdog
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Arrival, Lane
from connector.pipeline.ports.records import DeadLetter, Settlement
from connector.pipeline.sweeps import second_looks
from connector.projection.assembly.sessions import Session
from connector.sandbox.server import SandboxServer
from connector.status.facts import State
from connector.wiring.factories import checkpoints
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import Database
from tests.support.ledger import entries_taken
from tests.support.oms.minimal_mapping import mapping

TABLES = """
CREATE TABLE orders (no int PRIMARY KEY, kind text NOT NULL DEFAULT 'plain', note text NOT NULL DEFAULT 'a');
CREATE TABLE lines (id int PRIMARY KEY, order_no int NOT NULL, extra text NOT NULL DEFAULT '{"t": "x"}',
  amount int NOT NULL DEFAULT 1);
CREATE INDEX ON lines (order_no);
CREATE TABLE refunds (id int PRIMARY KEY, order_no int NOT NULL, line_id int NOT NULL);
CREATE INDEX ON refunds (order_no);
CREATE INDEX ON refunds (line_id);
INSERT INTO orders SELECT n FROM generate_series(1, 40) AS n;
INSERT INTO lines SELECT n, n FROM generate_series(1, 40) AS n;
INSERT INTO refunds SELECT n, n, n FROM generate_series(1, 40) AS n;
"""
TAGS = """
  coalesce((SELECT jsonb_agg(l.tag) FROM line l WHERE l.order_no = o.no), '[]')
    || coalesce((SELECT jsonb_agg(l.tag) FROM refunds r JOIN line l ON l.id = r.line_id WHERE r.order_no = o.no), '[]')
    || jsonb_build_array(o.note) AS tags"""


def twice(tag: str) -> str:
    """A CTE that is read in two ways, so that it is made of every order's lines whichever order is asked for."""
    line = f"WITH line AS (SELECT l.id, l.order_no, coalesce({tag}, 'x') AS tag FROM lines l)\n"
    return line + mapping(f"o.no::text AS id, {TAGS}", "orders o")


@pytest.fixture
async def rig(database: Database, sandbox: SandboxServer, tmp_path: Path) -> AsyncIterator[Rig]:
    with database.connect() as connection:
        connection.execute(TABLES)
    made = Rig(database, sandbox, tmp_path, twice("l.extra::jsonb ->> 't'"), watchdog=Watchdog(60.0, None))
    yield made
    await made.stop()


async def letters(rig: Rig) -> dict[str, DeadLetter]:
    found = await rig.running.pipeline.ports.store.dead_letters(None, 1000)
    return {letter.key: letter for letter in found}


def tags(rig: Rig, order: int) -> list[str]:
    found: list[str] = rig.stored()[str(order)]["tags"]
    return found


@pytest.mark.parametrize(
    ("tag", "poison", "mend", "said"),
    [
        ("l.extra::jsonb ->> 't'", "extra = 'no JSON'", "extra = '{}'", "invalid text representation (SQLSTATE 22P02)"),
        ("(100 / l.amount)::text", "amount = 0", "amount = 2", "division by zero (SQLSTATE 22012)"),
        ("(l.extra::jsonb ->> 'n')::int::text", 'extra = \'{"n": "one"}\'', "extra = '{}'", "(SQLSTATE 22P02)"),
    ],
    ids=["bad JSON", "division by zero", "bad cast"],
)
async def test_a_row_that_makes_every_order_fail_blames_nobody_else_and_all_arrive_once_it_is_mended(
    rig: Rig, tag: str, poison: str, mend: str, said: str
) -> None:
    rig.mapping = twice(tag)
    await rig.start()
    await rig.quiet()
    rig.execute(f"UPDATE lines SET {poison} WHERE order_no = 17")
    rig.execute("UPDATE orders SET note = 'b' WHERE no BETWEEN 20 AND 25")
    facts = await eventually("it says so", lambda: (rig.facts().state is State.STALLED and rig.facts()) or None)
    assert said in facts.reason
    assert "in the CTE line (mapping.sql:1:6), for the data of order 17" in facts.reason
    assert "mend that row" in facts.next_step
    rig.execute("UPDATE orders SET note = 'c' WHERE no BETWEEN 24 AND 30")
    await rig.read_up_to(rig.wal_end())
    assert set(await letters(rig)) <= {"17"}
    rig.execute(f"UPDATE lines SET {mend} WHERE order_no = 17")
    await rig.quiet()
    assert not await letters(rig)
    assert [tags(rig, order)[-1] for order in (20, 23, 24, 30, 31)] == ["b", "b", "c", "c", "a"]
    assert (await rig.verdict()).clean
    await eventually("all is well", lambda: rig.facts().state is State.STREAMING)


async def test_the_order_at_fault_alone_becomes_a_dead_letter(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    rig.execute("UPDATE lines SET extra = 'no JSON' WHERE order_no = 17")

    async def told() -> DeadLetter | None:
        return (await letters(rig)).get("17")

    letter = await eventually("it is a dead letter", told)
    assert (letter.reason, set(await letters(rig))) == ("mapping", {"17"})
    assert "the CTE line (mapping.sql:1:6), for the data of order 17" in letter.message
    assert "no JSON" not in letter.message


async def test_a_first_fill_waits_for_the_row_and_blames_nobody(rig: Rig) -> None:
    rig.execute("UPDATE lines SET extra = 'no JSON' WHERE order_no = 40")
    await rig.start()
    await eventually("it says so", lambda: "for the data of order 40" in rig.facts().reason)
    assert set(await letters(rig)) <= {"40"}
    rig.execute("UPDATE lines SET extra = '{}' WHERE order_no = 40")
    await rig.quiet()
    assert not await letters(rig)
    assert len(rig.stored()) == 40
    assert (await rig.verdict()).clean


async def test_a_search_for_the_row_that_takes_too_long_blames_nobody(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As among many millions of orders, whose keys can't be walked within the time limit."""
    rows = Session.rows

    async def too_long(session: Session, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        if " AS nth" in query:
            session._began = -1e9
            raise psycopg.errors.QueryCanceled
        return await rows(session, query, parameters)

    monkeypatch.setattr(Session, "rows", too_long)
    await rig.start()
    await rig.quiet()
    rig.execute("UPDATE lines SET extra = 'no JSON' WHERE order_no = 17")
    rig.execute("UPDATE orders SET note = 'b' WHERE no BETWEEN 20 AND 25")
    facts = await eventually("it says so", lambda: (rig.facts().state is State.STALLED and rig.facts()) or None)
    assert "in the CTE line (mapping.sql:1:6), for some row" in facts.reason
    await rig.read_up_to(rig.wal_end())
    assert not await letters(rig)
    rig.execute("UPDATE lines SET extra = '{}' WHERE order_no = 17")
    await rig.quiet()
    assert not await letters(rig)
    assert (await rig.verdict()).clean


async def test_a_deleted_row_ends_the_failure_too(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    rig.execute("UPDATE lines SET extra = 'no JSON' WHERE order_no = 17")
    await eventually("it says so", lambda: rig.facts().state is State.STALLED)
    rig.execute("DELETE FROM lines WHERE order_no = 17")
    await rig.quiet()
    assert not await letters(rig)
    assert (await rig.verdict()).clean


async def test_a_restart_in_the_middle_blames_nobody(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    rig.execute("UPDATE lines SET extra = 'no JSON' WHERE order_no = 17")
    rig.execute("UPDATE orders SET note = 'b'")
    await eventually("it says so", lambda: rig.facts().state is State.STALLED)
    await rig.stop()
    await rig.start()
    await eventually("it says so again", lambda: "for the data of order 17" in rig.facts().reason)
    assert set(await letters(rig)) <= {"17"}
    rig.execute("UPDATE lines SET extra = '{}' WHERE order_no = 17")
    await rig.quiet()
    assert not await letters(rig)
    assert (await rig.verdict()).clean


async def test_an_order_whose_own_data_is_bad_is_blamed_alone_and_the_others_go_on(rig: Rig) -> None:
    rig.mapping = mapping(
        "o.no::text AS id, jsonb_build_array(coalesce(o.note::jsonb ->> 't', 'x')) AS tags", "orders o"
    )
    rig.execute("UPDATE orders SET note = '{}'")
    rig.execute("UPDATE orders SET note = 'no JSON' WHERE no IN (1, 2, 3, 39)")
    await rig.start()
    await rig.quiet()
    assert set(await letters(rig)) == {"1", "2", "3", "39"}
    assert len({letter.cause for letter in (await letters(rig)).values()}) == 1
    assert len(rig.stored()) == 36
    rig.execute("UPDATE orders SET note = '{}' WHERE no <= 3")
    await rig.quiet()
    assert set(await letters(rig)) == {"39"}


async def test_when_every_order_has_bad_data_of_its_own_the_first_good_one_still_arrives(rig: Rig) -> None:
    rig.mapping = mapping(
        "o.no::text AS id, jsonb_build_array(coalesce(o.note::jsonb ->> 't', 'x')) AS tags", "orders o"
    )
    await rig.start()
    await eventually("it says so", lambda: "every order that was tried" in rig.facts().reason)
    rig.execute("UPDATE orders SET note = '{}' WHERE no = 21")
    await eventually("it arrives", lambda: "21" in rig.stored())
    await rig.quiet()
    assert len(await letters(rig)) == 39


async def test_orders_blamed_for_a_row_that_only_some_of_them_read_recover_with_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A control that doesn't read the row proves nothing about it."""
    monkeypatch.setattr(second_looks, "EVERY", 0.2)
    bought, _, note = TAGS.strip().partition("|| jsonb_build_array")
    for_some = f"CASE o.kind WHEN 'gift' THEN {bought} ELSE '[]' END || jsonb_build_array{note}"
    rig.mapping = twice("l.extra::jsonb ->> 't'").replace(TAGS.strip(), for_some)
    rig.execute("UPDATE orders SET kind = 'gift' WHERE no > 35")
    await rig.start()
    await rig.quiet()
    rig.execute("UPDATE lines SET extra = 'no JSON' WHERE order_no = 37")
    rig.execute("UPDATE orders SET note = 'b' WHERE no > 30")
    await rig.quiet()
    assert set(await letters(rig)) == {"36", "37", "38", "39", "40"}
    assert tags(rig, 35)[-1] == "b"
    rig.execute("UPDATE lines SET extra = '{}' WHERE order_no = 37")

    async def gone() -> bool:
        return not await letters(rig)

    await eventually("all recover", gone)
    await rig.quiet()
    assert (await rig.verdict()).clean


async def test_dead_letters_that_an_older_version_made_wrongly_recover_by_themselves(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    await rig.stop()
    # As the older version left it: what is fine by now is a dead letter, with its key in the cause.
    store = open_checkpoints(checkpoints(rig.settings()), None)
    keys = frozenset(OrderKey(str(number)) for number in range(1, 6))
    await store.arrive([Arrival(10**6, 0.0, Lane.LIVE, keys)], [])
    entries = await entries_taken(store, 10, 1.0, frozenset(), tuple(Lane))
    wrong = [
        DeadLetter(one.key, "mapping", f"division by zero (SQLSTATE 22012) for {one.key}", (), None, 0.0, 0.0, 1)
        for one in entries
    ]
    await store.settle([Settlement(one, dead_letter=two) for one, two in zip(entries, wrong, strict=True)])
    await store.close()
    await rig.start()

    async def gone() -> bool:
        return not await letters(rig)

    await eventually("they recover", gone)
